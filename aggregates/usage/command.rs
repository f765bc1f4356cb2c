//! What can be asked of usage.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Known, Since, Theirs, UnmatchedRecord};
use crate::{billing::UsageRecord, id::SubscriptionId};

#[derive(Clone, Debug)]
pub enum Command {
    /// Records that a subscription meters, in the order in which they were sent.
    Record {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        /// The subscription's; UTC when `None`.
        time_zone: Option<String>,
        /// The first day that anything counts on, where it goes on from another subscription.
        first_day: Option<NaiveDate>,
        records: Vec<UsageRecord>,
    },
    /// Takes back what was counted, and counts other records in its place. Only sums and counts can be taken back:
    /// what was the largest or the latest of a day stays so.
    Adjust {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        /// The subscription's; UTC when `None`.
        time_zone: Option<String>,
        /// The first day that anything counts on, where it goes on from another subscription.
        first_day: Option<NaiveDate>,
        taken: Vec<UsageRecord>,
        given: Vec<UsageRecord>,
    },
    /// What is known of the days before, with who had it then, has changed: totals leave something else.
    KnowTheirs {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        theirs: Vec<Theirs>,
    },
    /// Another subscription goes on in the place of this one, and meters what is known from these days on; or nothing does.
    HandOver {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        to: Option<SubscriptionId>,
        since: Since,
    },
    /// What is known of another subscription's days counts here.
    TakeOver {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        from: SubscriptionId,
        known: Known,
    },
    /// Records that nothing meters: they are kept to be looked at.
    KeepUnmatched {
        at: DateTime<Utc>,
        records: Vec<UnmatchedRecord>,
    },
}
