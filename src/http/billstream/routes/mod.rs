//! The endpoints, one file a resource.

pub mod audit;
pub mod charges;
pub mod clock;
pub mod contracts;
pub mod credit;
pub mod discounts;
pub mod fulfilments;
pub mod invoices;
pub mod messages;
pub mod payments;
pub mod plans;
pub mod policy;
pub mod previews;
pub mod sessions;
pub mod time_zone;
pub mod unbilled;
pub mod usage;
