//! The one integration binary: every store test runs on SQLite and on a real Postgres.

mod exsited;
mod journal;
mod support;
