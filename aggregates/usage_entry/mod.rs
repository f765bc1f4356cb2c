//! One statement of what was used on a line, which can be read, changed and taken back: an Exsited usage.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::UsageEntry;
pub use event::{Entry, Event};
pub use refused::Refused;

crate::cqrs_aggregate!(UsageEntry, Event);
