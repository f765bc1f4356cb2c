//! Invoices: what was billed, under which number, and when it is due.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::Invoice;
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(Invoice, Event);
