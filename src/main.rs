//! The `billstream` program.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    billstream::cli::run().await
}
