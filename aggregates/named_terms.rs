//! Terms and periods whose names say how long they are.

use crate::{
    calendar::PeriodUnit,
    order_terms::{BillingPeriod, Term},
};

/// About ten years, in days and in months.
const MOST_DAYS: i64 = 3650;
const MOST_MONTHS: u32 = 120;

/// What a name such as `Net 45` or `2 Week` says.
pub(crate) enum Named {
    Net(i64),
    Counted(u32, PeriodUnit),
}

impl Named {
    /// A number of units in the singular or the plural, or `Net` and a number of days.
    pub fn read(name: &str) -> Option<Self> {
        let mut words = name.split_whitespace();
        let (first, second) = (words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        if first.eq_ignore_ascii_case("net") {
            let days = match second.strip_prefix('-') {
                Some(days) => -i64::from(count(days)?),
                None => i64::from(count(second)?),
            };
            return Some(Self::Net(days));
        }
        Some(Self::Counted(count(first)?, unit(second)?))
    }

    pub fn term(&self) -> Option<Term> {
        let (name, days, months) = match *self {
            Self::Net(days) => (format!("Net {days}"), days, 0),
            Self::Counted(count, unit) => {
                let (days, months) = length(count, unit)?;
                (written(count, unit), days, months)
            }
        };
        let within = days.abs() <= MOST_DAYS && months <= MOST_MONTHS;
        within.then_some(Term { name, days, months })
    }

    pub fn period(&self) -> Option<BillingPeriod> {
        let Self::Counted(count, unit) = *self else {
            return None;
        };
        let (days, months) = length(count, unit)?;
        let within = days <= MOST_DAYS && months <= MOST_MONTHS;
        within.then(|| BillingPeriod {
            name: written(count, unit),
            unit,
            count,
        })
    }
}

/// From 1 up, in digits alone.
fn count(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|count| digits && *count > 0)
}

fn unit(word: &str) -> Option<PeriodUnit> {
    let word = word.to_ascii_lowercase();
    match word.strip_suffix('s').unwrap_or(&word) {
        "day" => Some(PeriodUnit::Day),
        "week" => Some(PeriodUnit::Week),
        "month" => Some(PeriodUnit::Month),
        "quarter" => Some(PeriodUnit::Quarter),
        "year" => Some(PeriodUnit::Year),
        _ => None,
    }
}

/// In days and in months.
fn length(count: u32, unit: PeriodUnit) -> Option<(i64, u32)> {
    Some(match unit {
        PeriodUnit::Day => (i64::from(count), 0),
        PeriodUnit::Week => (i64::from(count).checked_mul(7)?, 0),
        PeriodUnit::Month => (0, count),
        PeriodUnit::Quarter => (0, count.checked_mul(3)?),
        PeriodUnit::Year => (0, count.checked_mul(12)?),
    })
}

/// As the vendor writes it: in the singular.
fn written(count: u32, unit: PeriodUnit) -> String {
    let word = match unit {
        PeriodUnit::Day => "Day",
        PeriodUnit::Week => "Week",
        PeriodUnit::Month => "Month",
        PeriodUnit::Quarter => "Quarter",
        PeriodUnit::Year => "Year",
    };
    format!("{count} {word}")
}
