//! What can be asked of usage.

use chrono::{DateTime, Utc};

use super::UnmatchedRecord;
use crate::{billing::UsageRecord, id::SubscriptionId};

#[derive(Clone, Debug)]
pub enum Command {
    /// Records that a subscription meters, in the order in which they were sent.
    Record {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        /// The subscription's; UTC when `None`.
        time_zone: Option<String>,
        records: Vec<UsageRecord>,
    },
    /// Records that nothing meters: they are kept to be looked at.
    KeepUnmatched {
        at: DateTime<Utc>,
        records: Vec<UnmatchedRecord>,
    },
}
