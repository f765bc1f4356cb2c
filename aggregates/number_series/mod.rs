//! Gapless numbers: one stream a series. A number is taken in the same append as the document that bears it.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::NumberSeries;
pub use event::Event;
pub use refused::Refused;

crate::cqrs_aggregate!(NumberSeries, Event);
