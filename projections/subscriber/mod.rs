//! Subscribers of billing templates, and when they are billed next.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
