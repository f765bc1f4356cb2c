//! Billing templates: what is billed again and again, to one client at a time or to subscribers period by period.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::{BillingTemplate, Known};
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(BillingTemplate, Event);
