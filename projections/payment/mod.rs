//! Payments that are collected, and which invoices have something to collect when.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
