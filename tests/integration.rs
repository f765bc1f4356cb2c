//! The one integration binary: every store test runs on SQLite and on a real Postgres.

mod chip;
mod journal;
mod support;
