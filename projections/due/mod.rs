//! When which subscription has something to bill.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
