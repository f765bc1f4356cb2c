//! Fulfilments: what is to be delivered for a billed period of an order, by itself or when somebody says so.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::{Fulfilment, fulfilment_id};
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(Fulfilment, Event);
