//! What was used when, of the latest days: a total that comes late leaves what was used after it.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    billing::{UsageRecord, usage::Day},
    money::MoneyError,
};

/// Of so many days before the latest one it is known when something was used, and of as many to come.
const KEPT_DAYS: u64 = 40;
/// Of a day with twice as many different moments they are put together by quarters of an hour: so many at most.
const MOST_MOMENTS: usize = 100;

/// By day and moment: what was used then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moments(BTreeMap<NaiveDate, BTreeMap<DateTime<Utc>, Day>>);

impl Moments {
    /// What is dated ahead of `today`, on which it came, does not make the days forgotten that are under way.
    pub fn note(&mut self, record: &UsageRecord, day: NaiveDate, today: NaiveDate) -> Result<(), MoneyError> {
        let ahead = today.checked_add_days(Days::new(KEPT_DAYS));
        if ahead.is_some_and(|ahead| ahead < day) {
            return Ok(());
        }
        let moments = self.0.entry(day).or_default();
        moments.entry(record.at).or_default().merge(Day::of(record))?;
        if moments.len() >= 2 * MOST_MOMENTS {
            *moments = by_quarters(moments)?;
        }
        let last = self.0.range(..=today).next_back().map_or(day, |(last, _)| *last);
        if let Some(first) = last.checked_sub_days(Days::new(KEPT_DAYS)) {
            self.0 = self.0.split_off(&first);
        }
        Ok(())
    }

    pub fn of(&self, day: NaiveDate) -> impl Iterator<Item = (DateTime<Utc>, &Day)> {
        let moments = self.0.get(&day).into_iter().flatten();
        moments.map(|(at, used)| (*at, used))
    }

    /// Adds what is known of a moment elsewhere.
    pub fn add(&mut self, day: NaiveDate, at: DateTime<Utc>, used: Day) -> Result<(), MoneyError> {
        self.0.entry(day).or_default().entry(at).or_default().merge(used)
    }

    pub fn forget_since(&mut self, day: NaiveDate) {
        self.0.split_off(&day);
    }

    /// A record does not count any more.
    pub fn take_back(&mut self, record: &UsageRecord, day: NaiveDate) {
        let moments = self.0.get_mut(&day);
        let known = moments.and_then(|moments| moments.range_mut(..=record.at).next_back());
        if let Some((_, known)) = known {
            known.take_back(record.quantity);
        }
    }

    /// A total says what was used from `from` to that moment of the day; answers with what was used later on the day.
    pub fn contained(&mut self, from: NaiveDate, day: NaiveDate, at: DateTime<Utc>) -> Result<Day, MoneyError> {
        let contained: Vec<_> = self.0.range(from..day.max(from)).map(|(day, _)| *day).collect();
        for day in contained {
            self.0.remove(&day);
        }
        let mut later = Day::default();
        if let Some(moments) = self.0.get_mut(&day) {
            moments.retain(|moment, _| *moment > at);
            for (_, used) in moments.range((Excluded(at), Unbounded)) {
                later.merge(used.clone())?;
            }
        }
        Ok(later)
    }
}

/// Each quarter of an hour is known by the first moment of it at which something was used.
fn by_quarters(moments: &BTreeMap<DateTime<Utc>, Day>) -> Result<BTreeMap<DateTime<Utc>, Day>, MoneyError> {
    let quarter = |moment: DateTime<Utc>| moment.timestamp().div_euclid(TimeDelta::minutes(15).num_seconds());
    let mut quarters: BTreeMap<DateTime<Utc>, Day> = BTreeMap::new();
    for (moment, used) in moments {
        let last = quarters
            .last_entry()
            .filter(|last| quarter(*last.key()) == quarter(*moment));
        match last {
            Some(mut last) => last.get_mut().merge(used.clone())?,
            None => drop(quarters.insert(*moment, used.clone())),
        }
    }
    Ok(quarters)
}
