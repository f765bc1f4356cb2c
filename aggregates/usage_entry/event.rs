//! What happened to a statement of usage.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    Recordable,
    billing::UsageRecord,
    calendar::Period,
    id::{LineId, SubscriptionId},
};

/// What was used, on which line, when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub subscription: SubscriptionId,
    pub line: LineId,
    /// What the line is called.
    pub name: String,
    /// What the line meters.
    pub metric: String,
    /// The billing period it is for.
    pub period: Period,
    pub quantity: Decimal,
    /// When it began. It counts on the day of this instant, or of its end where it has no beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<DateTime<Utc>>,
    pub end: DateTime<Utc>,
    /// The sender's own fields, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The sender's own name of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl Entry {
    /// As it is counted.
    pub fn record(&self) -> UsageRecord {
        UsageRecord {
            id: None,
            metric: self.metric.clone(),
            at: self.start.unwrap_or(self.end),
            quantity: self.quantity,
            key: None,
            total_from: None,
            period_from: None,
            theirs: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Recorded {
        at: DateTime<Utc>,
        by: String,
        entry: Box<Entry>,
    },
    /// It says this now.
    Corrected {
        at: DateTime<Utc>,
        by: String,
        entry: Box<Entry>,
    },
    Withdrawn {
        at: DateTime<Utc>,
        by: String,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Recorded { .. } => "usage_entry.recorded",
            Self::Corrected { .. } => "usage_entry.corrected",
            Self::Withdrawn { .. } => "usage_entry.withdrawn",
        }
    }
}
