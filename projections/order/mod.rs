//! Orders as they can be found by number and listed; their state is the subscription's.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
