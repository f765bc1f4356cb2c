//! Billing templates.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
