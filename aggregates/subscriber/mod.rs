//! Subscribers: a customer who gets a purchase from a billing template, period by period.

mod command;
mod decide;
mod event;
mod refused;
mod schedule;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::{Known, Subscriber};
pub use event::*;
pub use refused::Refused;
pub use schedule::*;

crate::cqrs_aggregate!(Subscriber, Event);
