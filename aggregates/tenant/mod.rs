//! The tenant: who it is, which credentials open its door, and its own clock where it is in test mode. Secrets are
//! kept as hashes only.

mod command;
mod decide;
mod event;
mod refused;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use decide::Tenant;
pub use event::{Credential, CredentialKind, Event};
pub use refused::Refused;

crate::cqrs_aggregate!(Tenant, Event);
