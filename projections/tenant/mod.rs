//! Tenants and what opens their doors.

mod apply;
mod query;

pub use apply::*;
pub use query::*;
