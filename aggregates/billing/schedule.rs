//! Where billing periods begin and end: counted from an anchor, never from the previous result.

use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::calendar::{self, Period, PeriodUnit};

/// Boundaries lie at `anchor + n * count units` for every whole n, also before the anchor. The anchor's day of the month
/// clamps to short months and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub unit: PeriodUnit,
    pub count: u32,
    pub anchor: NaiveDate,
    /// Boundaries lie so many full days behind those: then `anchor` is the natural start of a unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// Days `[start, end)` that have an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: NaiveDate,
    pub end: NaiveDate,
}

impl Span {
    pub fn days(self) -> i64 {
        (self.end - self.start).num_days()
    }
}

impl From<Span> for Period {
    fn from(span: Span) -> Self {
        Self {
            start: span.start,
            end: Some(span.end),
        }
    }
}

impl Schedule {
    /// Periods that start so many full days after the natural start of their unit (Monday, the 1st, the 1st of January,
    /// April, ...), one of them after that of the unit that `date` lies in. A monthly offset of 30 is the 31st, and clamps.
    pub fn with_offset(unit: PeriodUnit, count: u32, date: NaiveDate, offset_days: u32) -> Option<Self> {
        let one_day_in_all = match unit {
            PeriodUnit::Day | PeriodUnit::Week => true,
            PeriodUnit::Month => offset_days < 31,
            // To the 30th of the first month, and to 28 February: no further do all quarters, and all years, agree.
            PeriodUnit::Quarter => offset_days < 30,
            PeriodUnit::Year => offset_days < 31 + 28,
        };
        if one_day_in_all {
            return Self::from_offset(unit, count, date, offset_days);
        }
        Some(Self {
            unit,
            count,
            anchor: natural_start(date, unit)?,
            offset: Some(offset_days),
        })
    }

    /// The same counted from the day that the offset comes to in the unit of `date`. Where units are of different lengths
    /// that day depends on the date: only what was agreed while all offsets were counted so asks for it.
    pub fn from_offset(unit: PeriodUnit, count: u32, date: NaiveDate, offset_days: u32) -> Option<Self> {
        let natural = natural_start(date, unit)?;
        let offset = |start: NaiveDate| start.checked_add_days(Days::new(u64::from(offset_days)));
        let anchor = match unit {
            PeriodUnit::Month => (0..12)
                .filter_map(|n| natural.checked_sub_months(Months::new(count.checked_mul(n)?)))
                .find_map(|start| offset(start).filter(|anchor| anchor.month() == start.month()))
                .or_else(|| offset(natural)),
            PeriodUnit::Day | PeriodUnit::Week | PeriodUnit::Quarter | PeriodUnit::Year => offset(natural),
        };
        Some(Self {
            unit,
            count,
            anchor: anchor?,
            offset: None,
        })
    }

    /// The n-th boundary after the anchor; the one before it where n is -1.
    pub fn boundary(&self, n: i64) -> Option<NaiveDate> {
        let start = self.without_offset(n)?;
        match self.offset {
            Some(days) => start.checked_add_days(Days::new(days.into())),
            None => Some(start),
        }
    }

    fn without_offset(&self, n: i64) -> Option<NaiveDate> {
        calendar::shift(self.anchor, self.unit, n.checked_mul(i64::from(self.count))?)
    }

    /// The full period that a date lies in. `None` when the calendar ends, or the period has no length.
    pub fn containing(&self, date: NaiveDate) -> Option<Span> {
        let n = self.index(date)?;
        Some(Span {
            start: self.boundary(n)?,
            end: self.boundary(n + 1)?,
        })
    }

    /// Full days between the natural start of the unit and the day its periods start on.
    pub fn offset_days(&self) -> i64 {
        let anchored = || natural_start(self.anchor, self.unit).map_or(0, |start| (self.anchor - start).num_days());
        self.offset.map_or_else(anchored, i64::from)
    }

    /// The first boundary that is not before the date.
    pub fn next_from(&self, date: NaiveDate) -> Option<NaiveDate> {
        let period = self.containing(date)?;
        Some(if period.start == date { date } else { period.end })
    }

    /// The number of the last boundary that is not after the date.
    pub fn index(&self, date: NaiveDate) -> Option<i64> {
        let date = date.checked_sub_days(Days::new(self.offset.unwrap_or(0).into()))?;
        let (units, length) = match self.unit {
            PeriodUnit::Day => ((date - self.anchor).num_days(), 1),
            PeriodUnit::Week => ((date - self.anchor).num_days(), 7),
            PeriodUnit::Month => (months_between(self.anchor, date), 1),
            PeriodUnit::Quarter => (months_between(self.anchor, date), 3),
            PeriodUnit::Year => (months_between(self.anchor, date), 12),
        };
        let n = units.checked_div_euclid(length * i64::from(self.count))?;
        // Months were counted without their days: a boundary later in the same month is not reached yet.
        let reached = self.without_offset(n)? <= date;
        Some(if reached { n } else { n - 1 })
    }
}

fn months_between(from: NaiveDate, to: NaiveDate) -> i64 {
    let months = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
    months(to) - months(from)
}

fn natural_start(date: NaiveDate, unit: PeriodUnit) -> Option<NaiveDate> {
    match unit {
        PeriodUnit::Day => Some(date),
        PeriodUnit::Week => {
            let since_monday = i64::from(date.weekday().num_days_from_monday());
            date.checked_sub_signed(TimeDelta::days(since_monday))
        }
        PeriodUnit::Month => date.with_day(1),
        PeriodUnit::Quarter => NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1),
        PeriodUnit::Year => NaiveDate::from_ymd_opt(date.year(), 1, 1),
    }
}
