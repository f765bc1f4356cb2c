//! The one integration binary: every store test runs on SQLite and on a real Postgres.
#![expect(
    clippy::print_stdout,
    reason = "a test says its seed and its figures; cargo shows them when it fails"
)]

mod billing;
mod billstream;
mod chip;
mod cli;
mod doors;
mod exsited;
mod golden;
mod hostile;
mod house;
mod journal;
mod payments;
mod processes;
mod support;
mod wingback;
