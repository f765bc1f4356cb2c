//! Messages: what is to be told to a customer of an order, until whoever delivers it says that it was.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::{Message, message_id};
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(Message, Event);
