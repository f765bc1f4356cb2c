//! The invoicing preferences and the billing policy of a tenant: one stream a tenant, its id is the tenant's.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::{Command, InvoicingChanges};
pub use decide::Preferences;
pub use event::Event;
pub use refused::Refused;

crate::cqrs_aggregate!(Preferences, Event);
