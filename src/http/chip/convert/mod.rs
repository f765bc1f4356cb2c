//! Between the vendor's shapes and the domain's: pure, both ways.

pub mod billing;
pub mod client;
pub mod purchase;
pub mod subscriber;
pub mod template;
