//! Plans as they can be signed for.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
