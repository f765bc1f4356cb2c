//! Fulfilments of orders: planned, open and completed.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
