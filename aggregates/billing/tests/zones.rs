//! Local days in zones that are not UTC, and on days on which their clocks change.

use super::*;

/// Nothing is charged a second before that instant, and something is at it.
#[track_caller]
fn falls_due_at(account: &Account, instant: &str) {
    let at: DateTime<Utc> = instant.parse().unwrap();
    let before = account.accrue_at(at - chrono::TimeDelta::seconds(1));
    let then = account.accrue_at(at);
    assert_eq!(before.next, Some(at));
    assert_eq!(then.charges.len(), before.charges.len() + 1);
    assert_eq!(then.charges.last().unwrap().accrues_at, at);
}

#[test]
fn a_period_begins_at_local_midnight() {
    for (zone, instant) in [
        ("America/New_York", "2026-07-01T04:00:00Z"),
        ("America/New_York", "2026-12-01T05:00:00Z"),
        ("Australia/Sydney", "2026-06-30T14:00:00Z"),
        ("Australia/Sydney", "2026-11-30T13:00:00Z"),
        ("Asia/Kolkata", "2026-06-30T18:30:00Z"),
        ("Pacific/Kiritimati", "2026-06-30T10:00:00Z"),
    ] {
        let account = account([monthly(1, "10", "2026-01-01")]).within(zone);
        falls_due_at(&account, instant);
    }
}

#[test]
fn on_the_day_the_clocks_change_midnight_is_where_it_was() {
    for (zone, day, instant) in [
        ("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z"),
        ("America/New_York", "2026-03-09", "2026-03-09T04:00:00Z"),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z"),
        ("America/New_York", "2026-11-02", "2026-11-02T05:00:00Z"),
        ("Australia/Sydney", "2026-10-04", "2026-10-03T14:00:00Z"),
        ("Australia/Sydney", "2026-10-05", "2026-10-04T13:00:00Z"),
    ] {
        falls_due_at(&account([monthly(1, "10", day)]).within(zone), instant);
    }
}

#[test]
fn a_midnight_that_does_not_exist_is_the_first_instant_after_the_gap() {
    falls_due_at(
        &account([monthly(1, "10", "2025-09-07")]).within("America/Santiago"),
        "2025-09-07T04:00:00Z",
    );
    falls_due_at(
        &account([monthly(1, "10", "2024-04-26")]).within("Africa/Cairo"),
        "2024-04-25T22:00:00Z",
    );
}

#[test]
fn a_midnight_that_comes_twice_is_the_first_of_them() {
    falls_due_at(
        &account([monthly(1, "10", "2025-11-02")]).within("America/Havana"),
        "2025-11-02T04:00:00Z",
    );
}

#[test]
fn usage_counts_on_its_local_day() {
    let metered = monthly(1, "0", "2026-01-01")
        .of_kind(Kind::Metered {
            metric: "calls".to_owned(),
            aggregation: crate::billing::Aggregation::Sum,
        })
        .priced(
            Price::PerUnit {
                amount: number("1"),
                limits: crate::billing::price::Limits::default(),
            },
            "0",
        );
    let mut account = account([metered]).within("Asia/Kolkata");
    account.use_metric("calls", "2026-01-31T18:29:59Z", "1");
    account.use_metric("calls", "2026-01-31T18:30:00Z", "10");
    assert_eq!(account.bill("2026-03-01"), ["01-01->02-01 1.00", "02-01->03-01 10.00"]);
}
