//! The handlers: extract, convert, call a use case, convert.

pub mod billing;
pub mod clients;
pub mod pages;
pub mod purchases;
pub mod subscribers;
pub mod templates;
