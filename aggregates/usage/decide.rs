//! Usage: the decisions.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Command, Event, Refused, check};
use crate::{
    Decider,
    billing::{Usage, UsageRecord},
    calendar::{self, Tz},
};

/// For so many days after it came a sender's id is remembered, and counts once.
pub const REMEMBERED_DAYS: u64 = 400;

/// What a subscription has used: summaries by metric and day, so that it grows with days, not with records. What grows
/// with records is bounded otherwise: ids are 16 bytes each and go after [`REMEMBERED_DAYS`]; keys of a day are kept
/// once each, since `unique` asks for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    usage: Usage,
    /// By metric and first day of the period: when the latest statement of its total was true.
    totals: BTreeMap<String, BTreeMap<NaiveDate, DateTime<Utc>>>,
    /// Senders' ids, hashed, and the day they came on.
    ids: BTreeMap<Uuid, NaiveDate>,
    /// The last day on which ids came.
    today: Option<NaiveDate>,
}

impl Meter {
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Whether a record came under that id, and the id is still remembered.
    pub fn has_seen(&self, id: &str) -> bool {
        self.ids.contains_key(&hash(id))
    }

    /// What was not counted before. Of records with one id the first counts.
    fn unseen(&self, records: &[UsageRecord]) -> Vec<UsageRecord> {
        let mut seen = BTreeSet::new();
        let counts = |record: &&UsageRecord| match &record.id {
            None => true,
            Some(id) => !self.has_seen(id) && seen.insert(hash(id)),
        };
        records.iter().filter(counts).cloned().collect()
    }

    /// A record that states a total takes the place of all that is known of its metric from the first day of the period
    /// to the record's day, that day included; what is recorded afterwards adds to it where its own time is later, and
    /// is contained in it where it is not. A total that was true before one that is known says nothing new.
    fn count(&mut self, record: &UsageRecord, zone: Tz) {
        let day = calendar::local_date(record.at, zone);
        if let Some(from) = record.total_from {
            let totals = self.totals.entry(record.metric.clone()).or_default();
            if totals.get(&from).is_some_and(|known| *known > record.at) {
                return;
            }
            totals.insert(from, record.at);
            let stated = self.usage.state_total(record, from, day);
            // Quantities are bounded so that no sum of them can overflow.
            debug_assert!(stated.is_ok(), "{stated:?}");
            return;
        }
        let known = self.totals.get(&record.metric);
        let known = known.and_then(|totals| totals.range(..=day).next_back());
        if known.is_some_and(|(_, known)| record.at <= *known) {
            return;
        }
        let counted = self.usage.record(record, zone);
        // Quantities are bounded so that no sum of them can overflow.
        debug_assert!(counted.is_ok(), "{counted:?}");
    }

    fn remember(&mut self, records: &[UsageRecord], day: NaiveDate) {
        if self.today.is_none_or(|today| today < day) {
            self.today = Some(day);
            if let Some(oldest) = day.checked_sub_days(Days::new(REMEMBERED_DAYS)) {
                self.ids.retain(|_, came| *came >= oldest);
            }
        }
        let ids = records.iter().filter_map(|record| record.id.as_deref());
        self.ids.extend(ids.map(|id| (hash(id), day)));
    }
}

fn hash(id: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes())
}

impl Decider for Meter {
    const TYPE: &'static str = "usage";
    const SNAPSHOT_EVERY: i64 = 256;
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match command {
            Command::Record {
                at,
                subscription,
                time_zone,
                records,
            } => {
                records.iter().try_for_each(check)?;
                let records = self.unseen(records);
                if records.is_empty() {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::Recorded {
                    at: *at,
                    subscription: *subscription,
                    time_zone: time_zone.clone(),
                    records,
                }])
            }
            Command::KeepUnmatched { records, .. } if records.is_empty() => Ok(Vec::new()),
            Command::KeepUnmatched { at, records } => Ok(vec![Event::Unmatched {
                at: *at,
                records: records.clone(),
            }]),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Recorded {
                at, time_zone, records, ..
            } => {
                let zone = time_zone.as_deref().and_then(calendar::time_zone).unwrap_or(Tz::UTC);
                for record in records {
                    self.count(record, zone);
                }
                self.remember(records, at.date_naive());
            }
            Event::Unmatched { .. } => {}
        }
    }
}
