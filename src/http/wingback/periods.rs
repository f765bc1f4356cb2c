//! Which billing period a contract is in, as the contract's page shows it.

use aggregates::{
    calendar::{PeriodUnit, after},
    subscription::Cycle,
};
use chrono::{DateTime, Datelike, Duration, NaiveTime, Utc};

use super::wire::{BillingInformation, BillingPeriod};

/// The period that `now` lies in, counted from 1 at `activation`; before that, the first one.
pub fn current_period(cycle: Cycle, activation: DateTime<Utc>, now: DateTime<Utc>) -> BillingInformation {
    let unit = match cycle {
        Cycle::Once | Cycle::Constant => return period(1, activation, None),
        Cycle::Hour => return hourly(activation, now),
        Cycle::Day => PeriodUnit::Day,
        Cycle::Week => PeriodUnit::Week,
        Cycle::Month => PeriodUnit::Month,
        Cycle::Quarter => PeriodUnit::Quarter,
        Cycle::Year => PeriodUnit::Year,
    };
    let (anchor, today) = (activation.date_naive(), now.date_naive());
    let days = (today - anchor).num_days().max(0);
    let months = (i64::from(today.year()) - i64::from(anchor.year())) * 12 + i64::from(today.month())
        - i64::from(anchor.month());
    let guess = match unit {
        PeriodUnit::Day => days,
        PeriodUnit::Week => days / 7,
        PeriodUnit::Month => months,
        PeriodUnit::Quarter => months.div_euclid(3),
        PeriodUnit::Year => months.div_euclid(12),
    };
    let mut done = u32::try_from(guess.max(0)).unwrap_or_default();
    let start_of = |count| after(anchor, unit, count);
    // The day of the month decides whether the guess is one too many.
    if done > 0 && start_of(done).is_none_or(|start| start > today) {
        done -= 1;
    }
    let start = start_of(done).unwrap_or(anchor);
    let instant = |date: chrono::NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    period(i64::from(done) + 1, instant(start), start_of(done + 1).map(instant))
}

fn hourly(activation: DateTime<Utc>, now: DateTime<Utc>) -> BillingInformation {
    let done = (now - activation).num_hours().max(0);
    let start = activation + Duration::hours(done);
    period(done + 1, start, Some(start + Duration::hours(1)))
}

fn period(number: i64, start: DateTime<Utc>, end: Option<DateTime<Utc>>) -> BillingInformation {
    BillingInformation {
        current_period: BillingPeriod { start, end },
        current_period_idx: number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cycle: Cycle, activation: &str, now: &str) -> (i64, String, Option<String>) {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let found = current_period(cycle, time(activation), time(now));
        let day = |time: DateTime<Utc>| time.date_naive().to_string();
        let period = found.current_period;
        (found.current_period_idx, day(period.start), period.end.map(day))
    }

    fn expect(number: i64, start: &str, end: &str) -> (i64, String, Option<String>) {
        (number, start.to_owned(), Some(end.to_owned()))
    }

    #[test]
    fn a_month_changes_on_the_anchor_day_which_clamps_and_comes_back() {
        let start = "2026-01-31T00:00:00Z";
        let month = |now| at(Cycle::Month, start, now);
        assert_eq!(month("2025-01-01T00:00:00Z"), expect(1, "2026-01-31", "2026-02-28"));
        assert_eq!(month("2026-02-27T23:59:59Z"), expect(1, "2026-01-31", "2026-02-28"));
        assert_eq!(month("2026-02-28T00:00:00Z"), expect(2, "2026-02-28", "2026-03-31"));
        assert_eq!(month("2026-03-30T00:00:00Z"), expect(2, "2026-02-28", "2026-03-31"));
        assert_eq!(month("2026-03-31T00:00:00Z"), expect(3, "2026-03-31", "2026-04-30"));
    }

    #[test]
    fn every_cycle_has_its_length() {
        let start = "2026-10-01T00:00:00Z";
        let now = "2027-01-05T12:30:00Z";
        assert_eq!(at(Cycle::Day, start, now), expect(97, "2027-01-05", "2027-01-06"));
        assert_eq!(at(Cycle::Week, start, now), expect(14, "2026-12-31", "2027-01-07"));
        assert_eq!(at(Cycle::Quarter, start, now), expect(2, "2027-01-01", "2027-04-01"));
        assert_eq!(at(Cycle::Year, start, now), expect(1, "2026-10-01", "2027-10-01"));
        assert_eq!(at(Cycle::Hour, start, now).0, 96 * 24 + 13);
        for endless in [Cycle::Once, Cycle::Constant] {
            assert_eq!(at(endless, start, now), (1, "2026-10-01".to_owned(), None));
        }
    }
}
