//! Invoices and their lines.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
