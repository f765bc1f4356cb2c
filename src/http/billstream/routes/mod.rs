//! The endpoints, one file a resource.

pub mod audit;
pub mod charges;
pub mod plans;
pub mod sessions;
pub mod usage;
