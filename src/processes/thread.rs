//! Where the turns of billing runs are taken: on a thread of their own. Neither the writer nor a request should have to wait
//! until those that are ready have decided, dozens of subscriptions each.

use std::sync::LazyLock;

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

/// One thread is enough: turns wait for the number of their invoice, one after the other.
static THREAD: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("billing").enable_all();
    builder
        .build()
        .inspect_err(|error| tracing::warn!(error = error as &dyn std::error::Error, "no thread for billing runs"))
        .ok()
});

/// Without such a thread they are taken where everything else is done.
pub fn spawn<F>(turn: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match THREAD.as_ref() {
        Some(thread) => thread.spawn(turn),
        None => tokio::spawn(turn),
    }
}
