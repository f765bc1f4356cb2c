//! The endpoints, one file a resource.

pub mod contracts;
pub mod customers;
pub mod invoices;
pub mod preferences;
pub mod usage;
