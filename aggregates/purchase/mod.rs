//! Purchases: what a client is asked to pay, with a life of its own from created to paid.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::{Purchase, line_total, payable, total};
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(Purchase, Event);
