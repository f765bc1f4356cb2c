//! Purchases and how they came to where they stand.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
