//! The one integration binary: every store test runs on SQLite and on a real Postgres.

mod hostile;
mod house;
mod exsited;
mod journal;
mod support;
