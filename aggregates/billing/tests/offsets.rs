//! Periods that begin some full days after the natural start of their unit.

use super::*;
use crate::billing::Span;

/// The first boundaries from that day on.
fn boundaries(schedule: Schedule, from: &str, count: usize) -> Vec<String> {
    let first = schedule.next_from(date(from)).unwrap();
    let mut all = vec![first];
    while all.len() < count {
        let last = *all.last().unwrap();
        all.push(schedule.containing(last).unwrap().end);
    }
    all.iter().map(ToString::to_string).collect()
}

/// Unit, count and offset; days of two signings; the first boundaries from 1 March 2026 on.
type Offset = (PeriodUnit, u32, u32, [&'static str; 2], [&'static str; 3]);

const OFFSETS: [Offset; 16] = [
    (
        PeriodUnit::Day,
        1,
        0,
        ["2026-01-20", "2026-02-28"],
        ["2026-03-01", "2026-03-02", "2026-03-03"],
    ),
    (
        PeriodUnit::Week,
        1,
        0,
        ["2026-01-20", "2026-02-28"],
        ["2026-03-02", "2026-03-09", "2026-03-16"],
    ),
    (
        PeriodUnit::Week,
        1,
        2,
        ["2026-01-19", "2026-01-25"],
        ["2026-03-04", "2026-03-11", "2026-03-18"],
    ),
    (
        PeriodUnit::Week,
        2,
        2,
        ["2026-01-19", "2026-02-08"],
        ["2026-03-04", "2026-03-18", "2026-04-01"],
    ),
    (
        PeriodUnit::Month,
        1,
        13,
        ["2026-01-20", "2026-02-28"],
        ["2026-03-14", "2026-04-14", "2026-05-14"],
    ),
    (
        PeriodUnit::Month,
        1,
        30,
        ["2026-01-20", "2026-02-28"],
        ["2026-03-31", "2026-04-30", "2026-05-31"],
    ),
    (
        PeriodUnit::Month,
        1,
        31,
        ["2026-01-20", "2026-02-28"],
        ["2026-03-04", "2026-04-01", "2026-05-02"],
    ),
    (
        PeriodUnit::Month,
        2,
        31,
        ["2026-02-01", "2026-04-30"],
        ["2026-03-04", "2026-05-02", "2026-07-02"],
    ),
    (
        PeriodUnit::Month,
        3,
        0,
        ["2026-01-31", "2026-07-01"],
        ["2026-04-01", "2026-07-01", "2026-10-01"],
    ),
    (
        PeriodUnit::Quarter,
        1,
        29,
        ["2026-01-31", "2026-04-01"],
        ["2026-04-30", "2026-07-30", "2026-10-30"],
    ),
    (
        PeriodUnit::Quarter,
        1,
        30,
        ["2026-01-31", "2026-04-01"],
        ["2026-05-01", "2026-07-31", "2026-10-31"],
    ),
    (
        PeriodUnit::Quarter,
        1,
        45,
        ["2026-01-31", "2026-04-01"],
        ["2026-05-16", "2026-08-15", "2026-11-15"],
    ),
    (
        PeriodUnit::Quarter,
        2,
        45,
        ["2026-04-30", "2026-12-31"],
        ["2026-05-16", "2026-11-15", "2027-05-16"],
    ),
    (
        PeriodUnit::Year,
        1,
        58,
        ["2026-01-31", "2028-12-31"],
        ["2027-02-28", "2028-02-28", "2029-02-28"],
    ),
    (
        PeriodUnit::Year,
        1,
        59,
        ["2026-01-31", "2028-12-31"],
        ["2026-03-01", "2027-03-01", "2028-02-29"],
    ),
    (
        PeriodUnit::Year,
        2,
        364,
        ["2026-01-31", "2028-12-31"],
        ["2026-12-31", "2028-12-30", "2030-12-31"],
    ),
];

#[test]
fn an_offset_counts_from_each_natural_start_whenever_it_was_agreed() {
    for (unit, count, offset, agreed, expected) in OFFSETS {
        for agreed in agreed {
            let schedule = Schedule::with_offset(unit, count, date(agreed), offset).unwrap();
            let found = boundaries(schedule, "2026-03-01", 3);
            assert_eq!(found, expected, "{unit:?} x {count} + {offset}, agreed on {agreed}");
            assert_eq!(schedule.offset_days(), i64::from(offset), "{unit:?} + {offset}");
        }
    }
}

#[test]
fn the_day_before_a_boundary_is_of_the_period_before_it() {
    for (unit, offset, days) in [
        (PeriodUnit::Quarter, 45, ["2026-02-15", "2026-05-16", "2026-08-15"]),
        (PeriodUnit::Month, 31, ["2026-03-04", "2026-04-01", "2026-05-02"]),
        (PeriodUnit::Year, 59, ["2026-03-01", "2027-03-01", "2028-02-29"]),
        (PeriodUnit::Week, 6, ["2026-03-01", "2026-03-08", "2026-03-15"]),
    ] {
        let schedule = Schedule::with_offset(unit, 1, date("2026-06-30"), offset).unwrap();
        let [start, end, after] = days.map(date);
        let period = |day: NaiveDate| schedule.containing(day).unwrap();
        assert_eq!(period(start.pred_opt().unwrap()).end, start);
        for day in [start, start.succ_opt().unwrap(), end.pred_opt().unwrap()] {
            assert_eq!(period(day), Span { start, end }, "{unit:?} {day}");
        }
        assert_eq!(period(end), Span { start: end, end: after });
    }
}

#[test]
fn parts_of_a_period_behind_an_offset_add_up_to_it() {
    for (unit, offset) in [
        (PeriodUnit::Quarter, 45),
        (PeriodUnit::Month, 31),
        (PeriodUnit::Year, 59),
    ] {
        let schedule = Schedule::with_offset(unit, 1, date("2026-06-30"), offset).unwrap();
        let notional = schedule.containing(date("2026-06-30")).unwrap();
        for policy in [Proration::ActualDays, Proration::ThirtyDayMonths, Proration::Seconds] {
            for day in notional.start.iter_days().take_while(|day| *day <= notional.end) {
                let share = |start, end| policy.share(&schedule, Tz::UTC, notional, Span { start, end }).unwrap();
                let (one, other) = (share(notional.start, day), share(day, notional.end));
                assert!(one.numerator >= 0 && other.numerator >= 0, "{unit:?} {policy:?} {day}");
                assert_eq!(
                    one.numerator + other.numerator,
                    one.denominator,
                    "{unit:?} {policy:?} {day}"
                );
            }
        }
    }
}
