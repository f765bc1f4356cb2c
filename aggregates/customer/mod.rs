//! Customers: a Wingback customer, an Exsited account and a CHIP client are one thing here.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::Customer;
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(Customer, Event);
