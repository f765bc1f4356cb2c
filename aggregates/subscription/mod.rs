//! Agreements with a customer: a Wingback contract and an Exsited order are one thing here.

mod agreement;
mod change;
mod charge;
mod command;
mod decide;
mod event;
mod line;
mod phases;
mod refused;
mod run;
#[cfg(test)]
mod tests;

pub use agreement::*;
pub use charge::*;
pub use command::{Change, Command};
pub use decide::{Progress, Subscription};
pub use event::*;
pub use refused::Refused;

crate::cqrs_aggregate!(Subscription, Event);
