//! Discounts that contracts are signed with: how much, under a name.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::DiscountRecord;
pub use event::Event;
pub use refused::Refused;

crate::cqrs_aggregate!(DiscountRecord, Event);
