//! What customers have of credit.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
