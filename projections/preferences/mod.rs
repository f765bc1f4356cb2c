//! The invoicing preferences of each tenant.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
