//! The `billstream` program.

use std::{io, process::ExitCode, thread};

use tokio::runtime;

/// Commands are many small allocations: with this allocator the engine needs about a quarter less of the processor.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many tasks that are ready are run before one that waits for the database is looked for. While hundreds of
/// subscriptions are billed, a request must not wait until all of them have had their turn.
const TURNS: u32 = 7;

fn main() -> io::Result<ExitCode> {
    // More than there are processors: a batch that is being built or encoded takes a thread for milliseconds, and the system
    // shares the processors between threads where this program would make others wait.
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2 * processors)
        .global_queue_interval(TURNS)
        .event_interval(TURNS)
        .build()?;
    Ok(runtime.block_on(billstream::cli::run()))
}
