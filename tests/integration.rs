//! The one integration binary: every store test runs on SQLite and on a real Postgres.

mod billstream;
mod chip;
mod cli;
mod exsited;
mod hostile;
mod house;
mod journal;
mod support;
mod wingback;
