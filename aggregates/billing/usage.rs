//! Usage: what was recorded, and how much of it lies in a period.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// How records become one quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    Sum,
    Count,
    Max,
    Latest,
    Unique,
}

/// One record as it was sent; `at` is its own time, whenever it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// The sender's id: the same id counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub metric: String,
    pub at: DateTime<Utc>,
    pub quantity: Decimal,
    /// What is counted by `unique`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Everything recorded, by metric and local day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    days: BTreeMap<String, BTreeMap<NaiveDate, Day>>,
}

/// What one day's records come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    pub sum: Decimal,
    pub count: u64,
}
