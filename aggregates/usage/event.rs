//! What happened to usage.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Known, Since};
use crate::{
    Recordable,
    billing::UsageRecord,
    id::{CustomerId, SubscriptionId},
};

/// Why a record belongs to no subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Unmatched {
    UnknownCustomer,
    UnknownSubscription,
    /// No subscription of the customer meters that.
    NothingMeters,
    /// What meters it begins on that day, after the record's.
    BeforeStart {
        from: NaiveDate,
    },
    /// What meters it does not on the record's day: it is paused or over.
    NotMeteredThen,
    /// The record's day is of a free trial: it costs nothing, ever.
    InTrial {
        until: NaiveDate,
    },
    /// It states a total, and what meters it counts records or keys, which no total says anything of.
    NoTotals,
}

/// How much of the total that was stated from a day on is theirs who had it before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Theirs {
    pub metric: String,
    pub total_from: NaiveDate,
    pub quantity: Decimal,
}

/// A record that was kept though it belongs to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmatchedRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// Whether it states the total of its period.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absolute: bool,
    pub why: Unmatched,
    pub record: UsageRecord,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Recorded {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        /// Where the records have their days; UTC when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_zone: Option<String>,
        /// Records of earlier days count on this one: the subscription goes on from another one, of which that day had
        /// begun sooner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_day: Option<NaiveDate>,
        records: Vec<UsageRecord>,
        /// Totals among them end with their moment. Those of before, which do not say so, ended with their day.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        to_the_moment: bool,
    },
    /// `taken` does not count any more, `given` does.
    Adjusted {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        /// Where the records have their days; UTC when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_zone: Option<String>,
        /// Records of earlier days count on this one: the subscription goes on from another one, of which that day had
        /// begun sooner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_day: Option<NaiveDate>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        taken: Vec<UsageRecord>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        given: Vec<UsageRecord>,
        /// Totals among them end with their moment. Those of before, which do not say so, ended with their day.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        to_the_moment: bool,
    },
    /// It was heard late what was used before, with who had it then: totals that were stated since leave something else.
    TheirsChanged {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        theirs: Vec<Theirs>,
    },
    /// What is known of these metrics from a day on counts here no more: it is another subscription's, or unmatched.
    HandedOver {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<SubscriptionId>,
        since: Since,
    },
    /// What was known of it there counts here.
    TakenOver {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        from: SubscriptionId,
        known: Known,
    },
    Unmatched {
        at: DateTime<Utc>,
        records: Vec<UnmatchedRecord>,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Recorded { .. } => "usage.recorded",
            Self::Adjusted { .. } => "usage.adjusted",
            Self::TheirsChanged { .. } => "usage.theirs_changed",
            Self::HandedOver { .. } => "usage.handed_over",
            Self::TakenOver { .. } => "usage.taken_over",
            Self::Unmatched { .. } => "usage.unmatched",
        }
    }
}
