//! Customers as they can be found and read.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
