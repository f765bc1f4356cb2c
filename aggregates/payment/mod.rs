//! A payment that is collected: asked for once an invoice, of whoever collects, and what became of it.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::{Payment, payment_id};
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(Payment, Event);
