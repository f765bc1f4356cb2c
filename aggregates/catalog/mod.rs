//! Plans: what a contract can be signed for.

mod command;
mod decide;
mod event;
mod line;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::Plan;
pub use event::Event;
pub use line::PlanLine;
pub use refused::Refused;

crate::cqrs_aggregate!(Plan, Event);
