//! What happened to the invoicing preferences.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Recordable, terms::InvoicingPreferences};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The preferences as they are from now on, and the names of those that changed.
    InvoicingUpdated {
        at: DateTime<Utc>,
        changed: Vec<String>,
        preferences: InvoicingPreferences,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::InvoicingUpdated { .. } => "preferences.invoicing_updated",
        }
    }
}
