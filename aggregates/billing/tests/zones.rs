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

fn metered() -> Phase {
    monthly(1, "0", "2026-01-01")
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
        )
}

#[test]
fn usage_counts_on_its_local_day() {
    let mut account = account([metered()]).within("Asia/Kolkata");
    account.use_metric("calls", "2026-01-31T18:29:59Z", "1");
    account.use_metric("calls", "2026-01-31T18:30:00Z", "10");
    assert_eq!(account.bill("2026-03-01"), ["01-01->02-01 1.00", "02-01->03-01 10.00"]);
}

#[test]
fn an_hour_that_comes_twice_counts_twice_and_on_its_day() {
    let mut account = account([metered().anchored("2026-01-02")]).within("America/New_York");
    // 01:30 twice on 1 November; the period ends with that day.
    account.use_metric("calls", "2026-11-01T05:30:00Z", "1");
    account.use_metric("calls", "2026-11-01T06:30:00Z", "10");
    account.use_metric("calls", "2026-11-02T04:59:59Z", "100");
    account.use_metric("calls", "2026-11-02T05:00:00Z", "1000");
    let last = account.bill("2026-12-02").split_off(11);
    assert_eq!(last, ["11-02->12-02 1000.00"]);
    let october = account.phases[0].billed_usage[&date("2026-10-02")];
    assert_eq!(october.quantity, number("111"));
}

#[test]
fn usage_around_an_hour_that_does_not_exist_counts_on_its_day() {
    let mut account = account([metered().anchored("2026-01-08")]).within("America/New_York");
    // Clocks leap from 02:00 to 03:00 on 8 March, the first day of the period.
    account.use_metric("calls", "2026-03-08T04:59:59Z", "1");
    account.use_metric("calls", "2026-03-08T06:59:59Z", "10");
    account.use_metric("calls", "2026-03-08T07:00:00Z", "100");
    account.bill("2026-04-08");
    let billed = &account.phases[0].billed_usage;
    assert_eq!(billed[&date("2026-02-08")].quantity, number("1"));
    assert_eq!(billed[&date("2026-03-08")].quantity, number("110"));
}

#[test]
fn a_closing_delay_is_counted_in_hours_that_pass_whatever_the_clocks_do() {
    for (zone, day, closing, instant) in [
        (
            "America/New_York",
            "2026-03-08",
            UsagePeriodClosing::After1Day,
            "2026-03-09T05:00:00Z",
        ),
        (
            "America/New_York",
            "2026-11-01",
            UsagePeriodClosing::After1Day,
            "2026-11-02T04:00:00Z",
        ),
        (
            "America/Santiago",
            "2025-09-07",
            UsagePeriodClosing::After1Hour,
            "2025-09-07T05:00:00Z",
        ),
        (
            "America/Havana",
            "2025-11-02",
            UsagePeriodClosing::After15Minutes,
            "2025-11-02T04:15:00Z",
        ),
        (
            "Australia/Sydney",
            "2026-10-04",
            UsagePeriodClosing::After1Hour,
            "2026-10-03T15:00:00Z",
        ),
        (
            "Asia/Kolkata",
            "2026-07-01",
            UsagePeriodClosing::After1Hour,
            "2026-06-30T19:30:00Z",
        ),
    ] {
        let first = date(day) - chrono::Months::new(1);
        let mut phase = metered().anchored(&first.to_string());
        phase.from = first;
        let mut account = account([phase]).within(zone);
        account.policy.usage_closing = closing;
        falls_due_at(&account, instant);
    }
}

#[test]
fn seconds_know_that_a_day_on_which_the_clocks_go_back_is_longer() {
    let phase = monthly(1, "721", "2026-11-01").until("2026-11-02");
    let mut account = account([phase])
        .prorating(Proration::Seconds)
        .within("America/New_York");
    let charge = account.bill_on(date("2026-11-01")).remove(0);
    let hours = (
        charge.explanation.numerator / 3600,
        charge.explanation.denominator / 3600,
    );
    assert_eq!(hours, (25, 30 * 24 + 1));
    assert_eq!(charge.amount.to_string(), "25.00");
}
