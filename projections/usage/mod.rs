//! What is metered, and usage that nothing meters.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
