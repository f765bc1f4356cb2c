//! Usage: the decisions.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Command, Event, Refused, Theirs, check, moments::Moments};
use crate::{
    Decider,
    billing::{
        Span, Usage, UsageRecord,
        usage::{Day, own_of},
    },
    calendar::{self, Tz},
    money::MoneyError,
};

/// For so many days after it came a sender's id is remembered, and counts once.
pub const REMEMBERED_DAYS: u64 = 400;

/// What a subscription has used: summaries by metric and day, so that it grows with days, not with records. What grows
/// with records is bounded otherwise: ids are 16 bytes each and go after [`REMEMBERED_DAYS`]; keys of a day are kept
/// once each, since `unique` asks for them, and of the latest days twice; moments are bounded by day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    pub(super) usage: Usage,
    /// By metric and first day of the period: the latest statement of its total.
    pub(super) totals: BTreeMap<String, BTreeMap<NaiveDate, Total>>,
    /// By metric.
    pub(super) moments: BTreeMap<String, Moments>,
    /// Senders' ids, hashed, and the day they came on.
    ids: BTreeMap<Uuid, NaiveDate>,
    /// The last day on which ids came.
    today: Option<NaiveDate>,
}

/// On which days records count.
struct Days {
    zone: Tz,
    first: Option<NaiveDate>,
    /// On which they came.
    today: NaiveDate,
}

impl Days {
    fn of_zone(time_zone: Option<&str>, first: Option<NaiveDate>, at: DateTime<Utc>) -> Self {
        let zone = time_zone.and_then(calendar::time_zone).unwrap_or(Tz::UTC);
        let today = calendar::local_date(at, zone);
        Self { zone, first, today }
    }

    fn of(&self, record: &UsageRecord) -> NaiveDate {
        let day = calendar::local_date(record.at, self.zone);
        self.first.map_or(day, |first| day.max(first))
    }

    /// Where any of the records is of an earlier day: the first that they count on.
    fn moved_to<'a>(&self, mut records: impl Iterator<Item = &'a UsageRecord>) -> Option<NaiveDate> {
        let is_earlier = |first: &NaiveDate| records.any(|record| calendar::local_date(record.at, self.zone) < *first);
        self.first.filter(is_earlier)
    }
}

/// What was stated of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Total {
    /// When it was true.
    pub at: DateTime<Utc>,
    /// It contains what was used until then on every day from the first, also behind a change of terms that was decided
    /// later and dated back. Those of before did not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    to_the_moment: bool,
    /// Where it counts from an earlier day, under other terms: how much of it that leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<Rest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rest {
    /// The first day that the total counts from.
    period_from: NaiveDate,
    total: Decimal,
    /// What it left when it was last looked at, and the day that has it.
    left: Decimal,
    day: NaiveDate,
    /// How much of it is theirs who had it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    theirs: Option<Decimal>,
}

/// A total of which a part is theirs who had the subscription before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedTotal {
    /// The days of the period before those that the total was stated of.
    pub before: Span,
    /// The day that has what it leaves.
    pub day: NaiveDate,
    pub theirs: Decimal,
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
    /// to the record's time. What was used later on adds to it, whenever that is heard of, and what was used before is
    /// contained in it. A total that was true before one that is known says nothing new.
    fn count(&mut self, record: &UsageRecord, days: &Days, to_the_moment: bool) {
        let counted = self.counted(record, days, to_the_moment);
        // Quantities are bounded so that no sum of them can overflow.
        debug_assert!(counted.is_ok(), "{counted:?}");
    }

    fn counted(&mut self, record: &UsageRecord, days: &Days, to_the_moment: bool) -> Result<(), MoneyError> {
        let day = days.of(record);
        match record.total_from {
            Some(from) if to_the_moment => return self.state_total(record, from, day),
            Some(from) => return self.state_total_of_days(record, from, day),
            None => {}
        }
        if self.contains(record, day) {
            return Ok(());
        }
        self.usage.add(&record.metric, day, Day::of(record))?;
        self.moments(&record.metric).note(record, day, days.today)?;
        self.look_again(&record.metric, day)
    }

    fn state_total(&mut self, record: &UsageRecord, from: NaiveDate, day: NaiveDate) -> Result<(), MoneyError> {
        let totals = self.totals.entry(record.metric.clone()).or_default();
        let is_later = |(start, known): (&NaiveDate, &Total)| {
            known.at > record.at && (*start == from || *start < from && known.to_the_moment)
        };
        if totals.iter().any(is_later) {
            return Ok(());
        }
        // What was stated of a part of those days is contained.
        totals.retain(|start, known| *start <= from || *start > day || known.at > record.at);
        // What a total of before left on those days is contained, too, and moves no more.
        for known in totals.values_mut() {
            known.rest = known.rest.filter(|rest| !(from..=day).contains(&rest.day));
        }
        let later = self.moments(&record.metric).contained(from, day, record.at)?;
        let left = self.usage.state_total(record, from, day, later)?;
        let rest = |period_from| Rest {
            period_from,
            total: record.quantity,
            left,
            day,
            theirs: record.theirs,
        };
        let total = Total {
            at: record.at,
            to_the_moment: true,
            rest: record.period_from.filter(|start| *start < from).map(rest),
        };
        let totals = self.totals.entry(record.metric.clone()).or_default();
        totals.insert(from, total);
        self.look_again(&record.metric, day)
    }

    /// As totals counted once, and as what was stated then was billed: in the place of its whole day, and of the rest of a
    /// period once for all.
    fn state_total_of_days(&mut self, record: &UsageRecord, from: NaiveDate, day: NaiveDate) -> Result<(), MoneyError> {
        let totals = self.totals.entry(record.metric.clone()).or_default();
        if totals.get(&from).is_some_and(|known| known.at > record.at) {
            return Ok(());
        }
        let total = Total {
            at: record.at,
            to_the_moment: false,
            rest: None,
        };
        totals.insert(from, total);
        self.moments(&record.metric).contained(from, day, record.at)?;
        self.usage.state_total(record, from, day, Day::default())?;
        Ok(())
    }

    /// What is heard of a day changes what the totals of later parts of its period leave for those.
    fn look_again(&mut self, metric: &str, day: NaiveDate) -> Result<(), MoneyError> {
        let Some(totals) = self.totals.get_mut(metric) else {
            return Ok(());
        };
        for (from, total) in totals.range_mut((Excluded(day), Unbounded)) {
            let Some(rest) = total.rest.as_mut().filter(|rest| rest.period_from <= day) else {
                continue;
            };
            look_again_at(&mut self.usage, metric, *from, rest)?;
        }
        Ok(())
    }

    fn know_theirs(&mut self, theirs: &Theirs) -> Result<(), MoneyError> {
        let totals = self.totals.get_mut(&theirs.metric);
        let total = totals.and_then(|totals| totals.get_mut(&theirs.total_from));
        let Some(rest) = total.and_then(|total| total.rest.as_mut()) else {
            return Ok(());
        };
        rest.theirs = Some(theirs.quantity);
        look_again_at(&mut self.usage, &theirs.metric, theirs.total_from, rest)
    }

    /// The totals of a metric of which a part is theirs who had the subscription before.
    pub fn shared_totals(&self, metric: &str) -> impl Iterator<Item = SharedTotal> {
        let totals = self.totals.get(metric).into_iter().flatten();
        totals.filter_map(|(from, total)| {
            let rest = total.rest?;
            Some(SharedTotal {
                before: Span {
                    start: rest.period_from,
                    end: *from,
                },
                day: rest.day,
                theirs: rest.theirs?,
            })
        })
    }

    /// Whether the total is known to leave what is not that much.
    fn is_news(&self, theirs: &Theirs) -> bool {
        let mut known = self.shared_totals(&theirs.metric);
        known.any(|known| known.before.end == theirs.total_from && known.theirs != theirs.quantity)
    }

    /// Whether a total was stated since that contains the record.
    fn contains(&self, record: &UsageRecord, day: NaiveDate) -> bool {
        let Some(totals) = self.totals.get(&record.metric) else {
            return false;
        };
        let mut known = totals.range(..=day).rev().enumerate();
        known.any(|(n, (_, known))| record.at <= known.at && (n == 0 || known.to_the_moment))
    }

    /// The other way round: what is contained in a total that was stated since is not taken out of it.
    fn uncount(&mut self, record: &UsageRecord, days: &Days) {
        let day = days.of(record);
        if self.contains(record, day) {
            return;
        }
        self.usage.take_back(record, day);
        self.moments(&record.metric).take_back(record, day);
        let looked = self.look_again(&record.metric, day);
        debug_assert!(looked.is_ok(), "{looked:?}");
    }

    /// A total was stated elsewhere of days that count here.
    pub(super) fn know_total(&mut self, metric: &str, from: NaiveDate, at: DateTime<Utc>) {
        let totals = self.totals.entry(metric.to_owned()).or_default();
        let known = totals.get(&from).map_or(at, |known| known.at.max(at));
        let total = Total {
            at: known,
            to_the_moment: true,
            rest: None,
        };
        totals.insert(from, total);
    }

    pub(super) fn moments(&mut self, metric: &str) -> &mut Moments {
        if !self.moments.contains_key(metric) {
            self.moments.insert(metric.to_owned(), Moments::default());
        }
        self.moments.get_mut(metric).expect("it was put there")
    }

    fn remember(&mut self, records: &[UsageRecord], day: NaiveDate) {
        if self.today.is_none_or(|today| today < day) {
            self.today = Some(day);
            if let Some(oldest) = day.checked_sub_days(chrono::Days::new(REMEMBERED_DAYS)) {
                self.ids.retain(|_, came| *came >= oldest);
            }
        }
        let ids = records.iter().filter_map(|record| record.id.as_deref());
        self.ids.extend(ids.map(|id| (hash(id), day)));
    }
}

fn look_again_at(usage: &mut Usage, metric: &str, from: NaiveDate, rest: &mut Rest) -> Result<(), MoneyError> {
    let before = Span {
        start: rest.period_from,
        end: from,
    };
    let left = usage.rest_of_total(metric, own_of(rest.total, rest.theirs)?, before)?;
    usage.restate(metric, rest.day, rest.left, left)?;
    rest.left = left;
    Ok(())
}

fn states_totals(records: &[UsageRecord]) -> bool {
    records.iter().any(|record| record.total_from.is_some())
}

fn hash(id: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes())
}

impl Decider for Meter {
    const TYPE: &'static str = "usage";
    const STATE_VERSION: u32 = 4;
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
                first_day,
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
                    first_day: Days::of_zone(time_zone.as_deref(), *first_day, *at).moved_to(records.iter()),
                    to_the_moment: states_totals(&records),
                    records,
                }])
            }
            Command::Adjust { taken, given, .. } if taken == given => Ok(Vec::new()),
            Command::Adjust {
                at,
                subscription,
                time_zone,
                first_day,
                taken,
                given,
            } => {
                taken.iter().chain(given).try_for_each(check)?;
                Ok(vec![Event::Adjusted {
                    at: *at,
                    subscription: *subscription,
                    time_zone: time_zone.clone(),
                    first_day: Days::of_zone(time_zone.as_deref(), *first_day, *at).moved_to(taken.iter().chain(given)),
                    taken: taken.clone(),
                    given: given.clone(),
                    to_the_moment: states_totals(given),
                }])
            }
            Command::KnowTheirs {
                at,
                subscription,
                theirs,
            } => {
                let news = theirs.iter().filter(|theirs| self.is_news(theirs)).cloned();
                let theirs: Vec<Theirs> = news.collect();
                if theirs.is_empty() {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::TheirsChanged {
                    at: *at,
                    subscription: *subscription,
                    theirs,
                }])
            }
            Command::HandOver {
                at,
                subscription,
                to,
                since,
            } => Ok(vec![Event::HandedOver {
                at: *at,
                subscription: *subscription,
                to: *to,
                since: since.clone(),
            }]),
            Command::TakeOver {
                at,
                subscription,
                from,
                known,
            } => Ok(vec![Event::TakenOver {
                at: *at,
                subscription: *subscription,
                from: *from,
                known: known.clone(),
            }]),
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
                at,
                time_zone,
                first_day,
                records,
                to_the_moment,
                ..
            } => {
                let days = Days::of_zone(time_zone.as_deref(), *first_day, *at);
                for record in records {
                    self.count(record, &days, *to_the_moment);
                }
                self.remember(records, at.date_naive());
            }
            Event::Adjusted {
                at,
                time_zone,
                first_day,
                taken,
                given,
                to_the_moment,
                ..
            } => {
                let days = Days::of_zone(time_zone.as_deref(), *first_day, *at);
                for record in taken {
                    self.uncount(record, &days);
                }
                for record in given {
                    self.count(record, &days, *to_the_moment);
                }
            }
            Event::TheirsChanged { theirs, .. } => {
                for one in theirs {
                    let known = self.know_theirs(one);
                    debug_assert!(known.is_ok(), "{known:?}");
                }
            }
            Event::HandedOver { since, .. } => self.forget_since(since),
            Event::TakenOver { known, .. } => {
                let taken = self.take_over(known);
                debug_assert!(taken.is_ok(), "{taken:?}");
            }
            Event::Unmatched { .. } => {}
        }
    }
}
