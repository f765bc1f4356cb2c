//! Statements of usage that can be read and changed, and the lines of orders they can be made of.

mod apply;
mod query;

pub use apply::{METERED_ITEMS, USAGE_ENTRIES, apply};
pub use query::*;
