//! The paths of the Exsited door.

pub(super) mod accounts;
pub(super) mod lines;
pub(super) mod order_changes;
pub(super) mod orders;
pub(super) mod preferences;
pub(super) mod settings;
pub(super) mod token;
pub(super) mod usages;
