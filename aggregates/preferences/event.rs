//! What happened to a tenant's preferences.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Recordable, policy::BillingPolicy, terms::InvoicingPreferences};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The preferences as they are from now on, and the names of those that changed.
    InvoicingUpdated {
        at: DateTime<Utc>,
        changed: Vec<String>,
        preferences: InvoicingPreferences,
    },
    /// What new subscriptions are billed by from now on.
    PolicyUpdated { at: DateTime<Utc>, policy: BillingPolicy },
    /// The zone of customers that are created from now on and name none.
    TimeZoneSet { at: DateTime<Utc>, time_zone: String },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::InvoicingUpdated { .. } => "preferences.invoicing_updated",
            Self::PolicyUpdated { .. } => "preferences.policy_updated",
            Self::TimeZoneSet { .. } => "preferences.time_zone_set",
        }
    }
}
