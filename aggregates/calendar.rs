//! Local dates and periods: half-open, counted from an anchor, clamped to the end of short months.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
/// The edition of the time zone database that the program holds, such as 2025b.
pub use chrono_tz::IANA_TZDB_VERSION as TZDB;
pub use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A billing period `[start, end)` in local dates; `once` and `constant` agreements have no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    pub start: NaiveDate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<NaiveDate>,
}

/// The unit in which a period is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodUnit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// The time zone of an IANA name, in the case it is written in.
pub fn time_zone(name: &str) -> Option<Tz> {
    name.parse().ok()
}

/// Which day it is in that zone.
pub fn local_date(at: DateTime<Utc>, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// Whether ISO 8601 writes the year of a date with four digits and no sign.
pub fn has_plain_year(date: NaiveDate) -> bool {
    (1..=9999).contains(&date.year())
}

/// Reads exactly `YYYY-MM-DD`: no signs, no blanks, no short or long years.
pub fn iso_date(text: &str) -> Option<NaiveDate> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(n, c)| match n {
            4 | 7 => c == b'-',
            _ => c.is_ascii_digit(),
        });
    let date = shaped.then(|| text.parse().ok()).flatten();
    date.filter(|date| has_plain_year(*date))
}

/// When a day begins in that zone: at midnight, at the first of two midnights, or, where the clocks skip midnight, at the
/// first instant after the gap. `None` when the calendar ends.
pub fn midnight(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    first_instant(date.and_time(NaiveTime::MIN), zone)
}

/// The last microsecond of a day in UTC. `None` when the calendar ends.
pub fn end_of_day(date: NaiveDate) -> Option<DateTime<Utc>> {
    let next = date.succ_opt()?.and_time(NaiveTime::MIN).and_utc();
    next.checked_sub_signed(TimeDelta::microseconds(1))
}

/// The date `count` units after `anchor`; the day of the month clamps and comes back (31 Jan, 28 Feb, 31 Mar).
/// `None` when the calendar ends.
pub fn after(anchor: NaiveDate, unit: PeriodUnit, count: u32) -> Option<NaiveDate> {
    shift(anchor, unit, i64::from(count))
}

/// As [`after`], also into the past.
pub fn shift(anchor: NaiveDate, unit: PeriodUnit, count: i64) -> Option<NaiveDate> {
    let days = |each: i64| anchor.checked_add_signed(TimeDelta::try_days(count.checked_mul(each)?)?);
    let months = |each: i64| {
        let count = count.checked_mul(each)?;
        let months = Months::new(u32::try_from(count.unsigned_abs()).ok()?);
        if count < 0 {
            anchor.checked_sub_months(months)
        } else {
            anchor.checked_add_months(months)
        }
    };
    match unit {
        PeriodUnit::Day => days(1),
        PeriodUnit::Week => days(7),
        PeriodUnit::Month => months(1),
        PeriodUnit::Quarter => months(3),
        PeriodUnit::Year => months(12),
    }
}

/// The instant `count` units after `at`. Months keep the time of the day in that zone and clamp to short months; days and
/// weeks are of 24 hours.
pub fn instant_after(at: DateTime<Utc>, zone: Tz, unit: PeriodUnit, count: u32) -> Option<DateTime<Utc>> {
    let days = match unit {
        PeriodUnit::Day => Some(count),
        PeriodUnit::Week => Some(count.checked_mul(7)?),
        PeriodUnit::Month | PeriodUnit::Quarter | PeriodUnit::Year => None,
    };
    if let Some(days) = days {
        return at.checked_add_signed(TimeDelta::try_days(i64::from(days))?);
    }
    let local = at.with_timezone(&zone).naive_local();
    first_instant(after(local.date(), unit, count)?.and_time(local.time()), zone)
}

/// The first instant at which clocks of the zone show that time; where they leap over it, the first one after.
fn first_instant(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    if let Some(at) = zone.from_local_datetime(&local).earliest() {
        return Some(at.with_timezone(&Utc));
    }
    // No zone is a whole day away from UTC: what is searched for lies between these two.
    let mut before = local.and_utc().checked_sub_signed(TimeDelta::days(1))?;
    let mut after = local.and_utc().checked_add_signed(TimeDelta::days(1))?;
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if middle.with_timezone(&zone).naive_local() < local {
            before = middle;
        } else {
            after = middle;
        }
    }
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn an_anchor_on_the_31st_clamps_and_comes_back() {
        let anchor = date("2026-01-31");
        let dates: Vec<_> = (1..=3).map(|n| after(anchor, PeriodUnit::Month, n).unwrap()).collect();
        assert_eq!(dates, [date("2026-02-28"), date("2026-03-31"), date("2026-04-30")]);
    }

    #[test]
    fn a_year_from_29_february_is_28_february_in_common_years() {
        assert_eq!(after(date("2024-02-29"), PeriodUnit::Year, 1), Some(date("2025-02-28")));
        assert_eq!(after(date("2024-02-29"), PeriodUnit::Year, 4), Some(date("2028-02-29")));
    }

    #[test]
    fn a_date_is_written_in_one_way() {
        assert_eq!(iso_date("2026-02-28"), Some(date("2026-02-28")));
        for text in [
            "",
            "2026-2-28",
            "2026-02-30",
            " 2026-02-8",
            "+2026-2-28",
            "-001-01-01",
            "0000-01-01",
            "12026-01-01",
            "2026-02-28 ",
            "2026/02/28",
            "２０26-02-8",
        ] {
            assert_eq!(iso_date(text), None, "{text}");
        }
    }

    #[test]
    fn the_day_changes_at_local_midnight() {
        let zone = time_zone("Asia/Kuala_Lumpur").unwrap();
        let day = |at: &str| local_date(at.parse().unwrap(), zone);
        assert_eq!(day("2026-10-05T15:59:59Z"), date("2026-10-05"));
        assert_eq!(day("2026-10-05T16:00:00Z"), date("2026-10-06"));
        assert_eq!(time_zone("Mars/Olympus_Mons"), None);
    }

    #[test]
    fn a_day_begins_at_the_first_instant_that_its_zone_knows() {
        for (zone, day, begins) in [
            ("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z"),
            ("America/New_York", "2026-03-09", "2026-03-09T04:00:00Z"),
            ("Australia/Sydney", "2026-04-05", "2026-04-04T13:00:00Z"),
            ("Australia/Sydney", "2026-04-06", "2026-04-05T14:00:00Z"),
            ("Asia/Kolkata", "2026-01-01", "2025-12-31T18:30:00Z"),
            ("Asia/Kuala_Lumpur", "2026-03-15", "2026-03-14T16:00:00Z"),
            // The clocks go from midnight to one o'clock.
            ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00:00Z"),
            ("America/Santiago", "2025-09-07", "2025-09-07T04:00:00Z"),
            ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00Z"),
            // Midnight comes twice.
            ("America/Havana", "2025-11-02", "2025-11-02T04:00:00Z"),
            // There was no such day.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ] {
            let at = midnight(date(day), time_zone(zone).unwrap()).unwrap();
            assert_eq!(at, begins.parse::<DateTime<Utc>>().unwrap(), "{zone} {day}");
        }
    }

    #[test]
    fn units_count_backwards_from_the_anchor_too() {
        let anchor = date("2026-03-31");
        let dates: Vec<_> = (1..=4).map(|n| shift(anchor, PeriodUnit::Month, -n).unwrap()).collect();
        let expected = ["2026-02-28", "2026-01-31", "2025-12-31", "2025-11-30"].map(date);
        assert_eq!(dates, expected);
        assert_eq!(shift(anchor, PeriodUnit::Week, -1), Some(date("2026-03-24")));
        assert_eq!(shift(anchor, PeriodUnit::Year, i64::MIN), None);
    }

    #[test]
    fn units_are_of_the_length_their_name_says() {
        let start = date("2026-10-01");
        assert_eq!(after(start, PeriodUnit::Day, 1), Some(date("2026-10-02")));
        assert_eq!(after(start, PeriodUnit::Week, 2), Some(date("2026-10-15")));
        assert_eq!(after(start, PeriodUnit::Quarter, 1), Some(date("2027-01-01")));
        assert_eq!(after(start, PeriodUnit::Year, u32::MAX), None);
    }

    #[test]
    fn an_instant_moves_by_months_of_the_zone_and_by_days_of_24_hours() {
        let zone = time_zone("Asia/Kuala_Lumpur").unwrap();
        let after = |at: &str, unit, count| {
            instant_after(at.parse().unwrap(), zone, unit, count)
                .unwrap()
                .to_rfc3339()
        };
        assert_eq!(
            after("2026-03-15T01:00:00Z", PeriodUnit::Day, 7),
            "2026-03-22T01:00:00+00:00"
        );
        assert_eq!(
            after("2026-03-15T01:00:00Z", PeriodUnit::Week, 1),
            "2026-03-22T01:00:00+00:00"
        );
        // 31 January in Kuala Lumpur, 30 January in Greenwich.
        assert_eq!(
            after("2026-01-30T20:00:00Z", PeriodUnit::Month, 1),
            "2026-02-27T20:00:00+00:00"
        );
    }
}
