//! Subscriptions and their charges.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
