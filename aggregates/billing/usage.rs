//! Usage: what was recorded, and how much of it lies in a period.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::schedule::Span;
use crate::{
    calendar::{self, Tz},
    money::MoneyError,
};

/// How records become one quantity. A period without records measures zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    Sum,
    Count,
    Max,
    /// The quantity of the record with the latest time of its own.
    Latest,
    /// How many different keys were sent; a record without a key counts for nothing.
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
    /// The quantity is the total of the period that begins on this day, as it stood at the record's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_from: Option<NaiveDate>,
    /// Where the total counts from an earlier day: the period began so, under other terms than it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_from: Option<NaiveDate>,
    /// Where that was with who had it before: how much of the total was known to be theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Decimal>,
}

impl UsageRecord {
    /// What a total leaves of what was not theirs who had it before; never less than nothing.
    fn own(&self) -> Result<Decimal, MoneyError> {
        own_of(self.quantity, self.theirs)
    }
}

/// What a total leaves of what is not theirs who had it before; never less than nothing.
pub fn own_of(total: Decimal, theirs: Option<Decimal>) -> Result<Decimal, MoneyError> {
    let own = total
        .checked_sub(theirs.unwrap_or_default())
        .ok_or(MoneyError::Overflow)?;
    Ok(own.max(Decimal::ZERO))
}

/// Everything recorded, by metric and local day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    days: BTreeMap<String, BTreeMap<NaiveDate, Day>>,
}

/// What one day's records come to. Days merge in any order to the same result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    pub sum: Decimal,
    pub count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Decimal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Latest>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unique: BTreeSet<String>,
}

/// Of two records of one instant the larger quantity counts as the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Latest {
    pub at: DateTime<Utc>,
    pub quantity: Decimal,
}

impl Day {
    pub fn of(record: &UsageRecord) -> Self {
        Self {
            sum: record.quantity,
            count: 1,
            max: Some(record.quantity),
            latest: Some(Latest {
                at: record.at,
                quantity: record.quantity,
            }),
            unique: record.key.iter().cloned().collect(),
        }
    }

    /// Takes a quantity out of the sum and the count; neither falls below zero.
    pub fn take_back(&mut self, quantity: Decimal) {
        self.sum = self.sum.checked_sub(quantity).unwrap_or_default().max(Decimal::ZERO);
        self.count = self.count.saturating_sub(1);
    }

    pub fn merge(&mut self, other: Self) -> Result<(), MoneyError> {
        self.sum = self.sum.checked_add(other.sum).ok_or(MoneyError::Overflow)?;
        self.count = self.count.checked_add(other.count).ok_or(MoneyError::Overflow)?;
        self.max = self.max.max(other.max);
        self.latest = self.latest.max(other.latest);
        self.unique.extend(other.unique);
        Ok(())
    }
}

impl Usage {
    /// Counts a record on the day it has in that zone.
    pub fn record(&mut self, record: &UsageRecord, zone: Tz) -> Result<(), MoneyError> {
        let day = calendar::local_date(record.at, zone);
        self.add(&record.metric, day, Day::of(record))
    }

    /// Adds to what a day has.
    pub fn add(&mut self, metric: &str, date: NaiveDate, day: Day) -> Result<(), MoneyError> {
        self.metric(metric).entry(date).or_default().merge(day)
    }

    /// Takes a record out of the sum and the count of its day; neither falls below zero.
    pub fn take_back(&mut self, record: &UsageRecord, date: NaiveDate) {
        let day = self.metric(&record.metric).entry(date).or_default();
        day.take_back(record.quantity);
    }

    /// Puts a corrected day in the place of what was known of it.
    pub fn replace(&mut self, metric: &str, date: NaiveDate, day: Day) {
        self.metric(metric).insert(date, day);
    }

    /// From `from` to the record's moment of `day` nothing was used but what the record says, less what is known of the
    /// period before; afterwards `later`. Answers with what that leaves for the days from `from` on.
    pub fn state_total(
        &mut self,
        record: &UsageRecord,
        from: NaiveDate,
        day: NaiveDate,
        later: Day,
    ) -> Result<Decimal, MoneyError> {
        let own = record.own()?;
        let sum = match record.period_from.filter(|start| *start < from) {
            Some(start) => self.rest_of_total(&record.metric, own, Span { start, end: from })?,
            None => own,
        };
        let days = self.metric(&record.metric);
        let told: Vec<_> = days.range(from..day.max(from)).map(|(day, _)| *day).collect();
        for day in told {
            days.remove(&day);
        }
        let mut stated = Day { sum, ..Day::of(record) };
        stated.merge(later)?;
        days.insert(day, stated);
        Ok(sum)
    }

    /// What a total leaves for the days behind those; never less than nothing.
    pub fn rest_of_total(&self, metric: &str, total: Decimal, before: Span) -> Result<Decimal, MoneyError> {
        let known = self.measure(metric, Aggregation::Sum, before)?;
        let rest = total.checked_sub(known).ok_or(MoneyError::Overflow)?;
        Ok(rest.max(Decimal::ZERO))
    }

    /// A part of what a day has is another quantity than it was said to be.
    pub fn restate(&mut self, metric: &str, date: NaiveDate, said: Decimal, is: Decimal) -> Result<(), MoneyError> {
        let day = self.metric(metric).entry(date).or_default();
        let sum = day.sum.checked_sub(said).and_then(|sum| sum.checked_add(is));
        day.sum = sum.ok_or(MoneyError::Overflow)?.max(Decimal::ZERO);
        Ok(())
    }

    fn metric(&mut self, metric: &str) -> &mut BTreeMap<NaiveDate, Day> {
        if !self.days.contains_key(metric) {
            self.days.insert(metric.to_owned(), BTreeMap::new());
        }
        self.days.get_mut(metric).expect("it was put there")
    }

    /// The first day from `day` on of which something of the metric is known.
    pub fn known_from(&self, metric: &str, day: NaiveDate) -> Option<NaiveDate> {
        let mut days = self.days.get(metric)?.range(day..);
        days.find(|(_, known)| known.count > 0).map(|(day, _)| *day)
    }

    /// The last day of which something of the metric is known, of those up to `through`.
    pub fn known_until(&self, metric: &str, through: NaiveDate) -> Option<NaiveDate> {
        let mut days = self.days.get(metric)?.range(..=through).rev();
        days.find(|(_, known)| known.count > 0).map(|(day, _)| *day)
    }

    /// What is known of the days from `day` on.
    pub fn known_since(&self, metric: &str, day: NaiveDate) -> impl Iterator<Item = (NaiveDate, &Day)> {
        let days = self.days.get(metric);
        let days = days.into_iter().flat_map(move |days| days.range(day..));
        days.map(|(day, known)| (*day, known))
    }

    /// Forgets what was used from `day` on.
    pub fn forget_since(&mut self, metric: &str, day: NaiveDate) {
        if let Some(days) = self.days.get_mut(metric) {
            days.split_off(&day);
        }
    }

    /// How much of a metric lies in these days.
    pub fn measure(&self, metric: &str, aggregation: Aggregation, span: Span) -> Result<Decimal, MoneyError> {
        self.measure_all(metric, aggregation, &[span])
    }

    /// How much of a metric lies in all these days together.
    pub fn measure_all(&self, metric: &str, aggregation: Aggregation, spans: &[Span]) -> Result<Decimal, MoneyError> {
        let within = |span: &Span| {
            let days = self.days.get(metric).filter(|_| span.start < span.end);
            let (start, end) = (span.start, span.end);
            days.into_iter()
                .flat_map(move |days| days.range(start..end).map(|(_, day)| day))
        };
        let mut days = spans.iter().flat_map(within);
        Ok(match aggregation {
            Aggregation::Sum => days
                .try_fold(Decimal::ZERO, |sum, day| sum.checked_add(day.sum))
                .ok_or(MoneyError::Overflow)?,
            Aggregation::Count => days
                .try_fold(0_u64, |count, day| count.checked_add(day.count))
                .ok_or(MoneyError::Overflow)?
                .into(),
            Aggregation::Max => days.filter_map(|day| day.max).max().unwrap_or(Decimal::ZERO),
            Aggregation::Latest => days
                .filter_map(|day| day.latest)
                .max()
                .map_or(Decimal::ZERO, |latest| latest.quantity),
            Aggregation::Unique => {
                let keys: BTreeSet<&String> = days.flat_map(|day| &day.unique).collect();
                Decimal::from(keys.len())
            }
        })
    }
}
