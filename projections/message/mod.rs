//! Messages to customers, and what became of them.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
