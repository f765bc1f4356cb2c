//! Agreements with a customer: a Wingback contract and an Exsited order are one thing here.

mod agreement;
mod change;
mod charge;
mod command;
mod decide;
mod event;
mod phases;
mod policy;
mod refused;
mod run;
#[cfg(test)]
mod tests;
mod what_if;

pub use agreement::*;
pub use charge::*;
pub use command::{Change, Command};
pub use decide::{Progress, Subscription};
pub use event::*;
pub use refused::Refused;
pub use what_if::{Supposed, WhatIf};

crate::cqrs_aggregate!(Subscription, Event);
