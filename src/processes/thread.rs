//! Where the turns of billing runs are taken: on a thread of their own. Neither the writer nor a request should have to wait
//! until those that are ready have decided, dozens of subscriptions each.

use std::{future::poll_fn, sync::LazyLock};

use tokio::{
    runtime::{Builder, Handle, Runtime},
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

/// Without such a thread they are taken where everything else is done. A connection that is opened in a turn belongs to the
/// program's runtime, as all do: whoever is given it later should not have to wait for this thread to hear its answers.
pub fn spawn<F>(turn: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match THREAD.as_ref() {
        Some(thread) => {
            let (program, mut turn) = (Handle::current(), Box::pin(turn));
            thread.spawn(poll_fn(move |context| {
                let _entered = program.enter();
                turn.as_mut().poll(context)
            }))
        }
        None => tokio::spawn(turn),
    }
}
