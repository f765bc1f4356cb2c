//! What share of a period's price a part of the period costs.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use super::{Schedule, schedule::Span};
use crate::calendar::{self, PeriodUnit, Tz};

/// How parts of periods are counted. Recorded by its name on everything it produced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proration {
    /// Days of the part over days of the full period; the day of a change is of what comes after it.
    #[default]
    ActualDays,
    /// As `actual_days`, but the day on which a line is terminated is used.
    InclusiveDays,
    /// Every month has 30 days.
    ThirtyDayMonths,
    /// Seconds between the local midnights: a day on which the clocks change is shorter or longer.
    Seconds,
    /// All of the price or nothing.
    None,
}

/// Used parts over parts of the full period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub numerator: i64,
    pub denominator: i64,
}

impl Share {
    pub const WHOLE: Self = Self {
        numerator: 1,
        denominator: 1,
    };
    pub const NOTHING: Self = Self {
        numerator: 0,
        denominator: 1,
    };
}

impl Proration {
    /// Whether it divides at all.
    pub fn divides(self) -> bool {
        match self {
            Self::ActualDays | Self::InclusiveDays | Self::ThirtyDayMonths | Self::Seconds => true,
            Self::None => false,
        }
    }

    /// The share that `part` has in the full period `notional` of the schedule. Shares of the parts of a period add up
    /// to the whole. `None` when the calendar ends.
    pub fn share(self, schedule: &Schedule, zone: Tz, notional: Span, part: Span) -> Option<Share> {
        let (numerator, denominator) = match self {
            Self::ActualDays | Self::InclusiveDays => (part.days(), notional.days()),
            Self::ThirtyDayMonths => match months_in(schedule) {
                Some(months) => {
                    let elapsed = |date| thirty_day_months(schedule, notional, months, date);
                    (elapsed(part.end) - elapsed(part.start), 30 * months)
                }
                None => (part.days(), notional.days()),
            },
            Self::Seconds => (seconds(part, zone)?, seconds(notional, zone)?),
            Self::None => return Some(Share::WHOLE),
        };
        Some(Share { numerator, denominator })
    }
}

/// How many months a period has; `None` where it is counted in days.
fn months_in(schedule: &Schedule) -> Option<i64> {
    let count = i64::from(schedule.count);
    match schedule.unit {
        PeriodUnit::Day | PeriodUnit::Week => None,
        PeriodUnit::Month => Some(count),
        PeriodUnit::Quarter => Some(count * 3),
        PeriodUnit::Year => Some(count * 12),
    }
}

/// How much of a period is over on the morning of a date. A boundary that was clamped to a short month counts as the
/// day it stands for, so that every full period has the same length.
fn thirty_day_months(schedule: &Schedule, notional: Span, months: i64, date: NaiveDate) -> i64 {
    let serial = |date: NaiveDate, day: u32| {
        i64::from(date.year()) * 360 + i64::from(date.month0()) * 30 + i64::from(day.min(30))
    };
    if date == notional.end {
        return 30 * months;
    }
    let day = match schedule.offset {
        Some(_) => notional.start.day(),
        None => schedule.anchor.day(),
    };
    let start = serial(notional.start, day);
    let elapsed = serial(date, date.day()) - start;
    elapsed.clamp(0, 30 * months)
}

fn seconds(span: Span, zone: Tz) -> Option<i64> {
    let start = calendar::midnight(span.start, zone)?;
    let end = calendar::midnight(span.end, zone)?;
    Some((end - start).num_seconds())
}
