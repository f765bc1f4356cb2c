//! What was used: one stream of records a subscription, and one a tenant of records that no subscription meters.

mod command;
mod decide;
mod event;
mod handover;
mod moments;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::{Meter, REMEMBERED_DAYS, SharedTotal};
pub use event::*;
pub use handover::{DayKnown, Known, MomentKnown, Since, TotalKnown};
pub use refused::{Refused, check};

crate::cqrs_aggregate!(Meter, Event);
