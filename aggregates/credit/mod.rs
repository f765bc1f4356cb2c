//! A customer's credit in one currency: what was granted, used up oldest first, never below zero.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::{Credit, Grant};
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(Credit, Event);
