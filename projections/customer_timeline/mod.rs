//! What happened around a customer, in order: kept up asynchronously, a moment behind the log.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
