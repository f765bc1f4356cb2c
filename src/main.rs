//! The `billstream` program.

use std::{io, process::ExitCode};

use tokio::runtime;

/// Commands are many small allocations: with this allocator the engine needs about a quarter less of the processor.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many tasks that are ready are run before one that waits for the database is looked for. While hundreds of
/// subscriptions are billed, a request must not wait until all of them have had their turn.
const TURNS: u32 = 7;

fn main() -> io::Result<ExitCode> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .global_queue_interval(TURNS)
        .event_interval(TURNS)
        .build()?;
    Ok(runtime.block_on(billstream::cli::run()))
}
