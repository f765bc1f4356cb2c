//! Agreements with a customer: a Wingback contract, an Exsited order and a CHIP subscriber are one thing here.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::Subscription;
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(Subscription, Event);
