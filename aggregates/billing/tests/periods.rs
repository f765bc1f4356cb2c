//! When a phase is billed: the day before, the day, and the day after each date that a rule gives.

use super::*;
use crate::billing::Reason;

/// How many charges there are in all by the morning before a day, of the day, and of the day after.
fn around(account: &Account, day: &str) -> [usize; 3] {
    let day = date(day);
    [day.pred_opt().unwrap(), day, day.succ_opt().unwrap()].map(|day| {
        account
            .accrue_at(calendar::midnight(day, account.policy.zone).unwrap())
            .charges
            .len()
    })
}

#[test]
fn in_advance_a_period_is_charged_when_it_begins() {
    let account = account([monthly(1, "10", "2026-01-31")]);
    assert_eq!(around(&account, "2026-01-31"), [0, 1, 1]);
    assert_eq!(around(&account, "2026-02-28"), [1, 2, 2]);
    assert_eq!(around(&account, "2026-03-31"), [2, 3, 3]);
}

#[test]
fn in_arrears_a_period_is_charged_when_it_is_over() {
    let account = account([monthly(1, "10", "2026-01-31").in_arrears()]);
    assert_eq!(around(&account, "2026-01-31"), [0, 0, 0]);
    assert_eq!(around(&account, "2026-02-28"), [0, 1, 1]);
}

#[test]
fn invoice_days_move_the_day_of_the_charge_and_not_its_period() {
    let mut early = account([monthly(1, "10", "2026-10-01")]);
    early.policy.invoice_days = -7;
    assert_eq!(around(&early, "2026-09-24"), [0, 1, 1]);
    assert_eq!(
        early.bill("2026-09-24"),
        ["10-01->11-01 10"].map(|line| format!("{line}.00"))
    );
    let mut late = account([monthly(1, "10", "2026-10-01")]);
    late.policy.invoice_days = 7;
    assert_eq!(around(&late, "2026-10-08"), [0, 1, 1]);
}

#[test]
fn a_phase_is_charged_up_to_its_last_day_only() {
    let account = account([monthly(1, "10", "2026-01-01").until("2026-03-01")]);
    assert_eq!(around(&account, "2026-03-01"), [2, 2, 2]);
    assert_eq!(account.accrue_at("2027-01-01T00:00:00Z".parse().unwrap()).next, None);
}

#[test]
fn what_was_charged_too_far_is_taken_back_on_the_day_the_phase_ends() {
    let mut account = account([monthly(1, "31", "2026-01-01")]);
    account.bill("2026-01-01");
    account.end(1, "2026-01-21");
    assert_eq!(around(&account, "2026-01-21"), [0, 1, 1]);
    assert_eq!(account.bill("2026-01-21"), ["01-21->02-01 -11.00"]);
    assert_eq!(account.bill("2026-01-22"), [""; 0]);
}

#[test]
fn an_end_in_the_past_takes_back_period_by_period() {
    let mut account = account([monthly(1, "31", "2026-01-01")]);
    account.bill("2026-03-01");
    account.end(1, "2026-01-21");
    assert_eq!(
        account.bill("2026-03-02"),
        ["03-01->04-01 -31.00", "02-01->03-01 -31.00", "01-21->02-01 -11.00"]
    );
    assert_eq!(account.bill("2026-12-31"), [""; 0]);
}

#[test]
fn a_trial_is_one_charge_of_nothing() {
    let trial = monthly(1, "99", "2026-01-10").of_kind(Kind::Trial).until("2026-04-10");
    let account = account([trial]);
    assert_eq!(around(&account, "2026-01-10"), [0, 1, 1]);
    let charges = account.accrue_at("2026-12-31T00:00:00Z".parse().unwrap()).charges;
    assert_eq!(charges.iter().map(line).collect::<Vec<_>>(), ["01-10->04-10 0.00"]);
    assert_eq!(charges[0].explanation.reason, Reason::Trial);
}

#[test]
fn a_one_off_is_charged_once_on_its_day_and_never_taken_back() {
    let mut account = account([monthly(1, "50", "2026-01-10").of_kind(Kind::OneOff)]);
    assert_eq!(around(&account, "2026-01-10"), [0, 1, 1]);
    assert_eq!(account.bill("2026-01-10"), ["01-10->open 50.00"]);
    account.end(1, "2026-01-11");
    assert_eq!(account.bill("2026-12-31"), [""; 0]);
    assert_eq!(account.next, None);
}

#[test]
fn an_agreement_of_one_period_is_charged_as_a_whole() {
    let whole = || monthly(1, "50", "2026-01-10").unscheduled();
    let mut open = account([whole()]);
    assert_eq!(open.bill("2026-01-10"), ["01-10->open 50.00"]);
    assert_eq!(open.bill("2030-01-10"), [""; 0]);
    let mut ended = account([whole().in_arrears().until("2026-02-20")]);
    assert_eq!(around(&ended, "2026-02-20"), [0, 1, 1]);
    assert_eq!(ended.bill("2026-02-20"), ["01-10->02-20 50.00"]);
    assert_eq!(
        account([whole().in_arrears()])
            .accrue_at(DateTime::<Utc>::MAX_UTC)
            .charges,
        []
    );
}

#[test]
fn a_phase_of_no_days_is_never_charged() {
    for phase in [
        monthly(1, "10", "2026-01-10"),
        monthly(1, "10", "2026-01-10").unscheduled(),
    ] {
        let mut account = account([phase.until("2026-01-10")]);
        assert_eq!(account.bill("2026-12-31"), [""; 0]);
    }
}

#[test]
fn periods_are_counted_from_the_anchor_in_both_directions() {
    let monthly = schedule(PeriodUnit::Month, 1, "2024-01-31");
    let leap_years = schedule(PeriodUnit::Year, 1, "2024-02-29");
    let quarters = schedule(PeriodUnit::Quarter, 1, "2024-11-30");
    let fortnights = schedule(PeriodUnit::Week, 2, "2024-01-01");
    for (schedule, day, start, end) in [
        (monthly, "2024-02-28", "2024-01-31", "2024-02-29"),
        (monthly, "2024-02-29", "2024-02-29", "2024-03-31"),
        (monthly, "2024-03-01", "2024-02-29", "2024-03-31"),
        (monthly, "2023-02-27", "2023-01-31", "2023-02-28"),
        (monthly, "2023-02-28", "2023-02-28", "2023-03-31"),
        (leap_years, "2025-02-27", "2024-02-29", "2025-02-28"),
        (leap_years, "2028-02-28", "2027-02-28", "2028-02-29"),
        (quarters, "2024-02-28", "2023-11-30", "2024-02-29"),
        (fortnights, "2023-12-31", "2023-12-18", "2024-01-01"),
    ] {
        let period = schedule.containing(date(day)).unwrap();
        assert_eq!((period.start, period.end), (date(start), date(end)), "{day}");
    }
}

#[test]
fn a_schedule_of_no_length_is_an_error_of_its_phase() {
    let phase = monthly(7, "10", "2026-01-01").every(PeriodUnit::Month, 0);
    let account = account([phase]);
    let result = accrue(
        account.currency,
        &account.phases,
        &account.usage,
        &account.policy,
        DateTime::<Utc>::MAX_UTC,
    );
    assert_eq!(result, Err(crate::billing::BillingError::Calendar { phase: 7 }));
}

#[test]
fn an_offset_counts_full_days_after_the_natural_start() {
    use PeriodUnit::{Day, Month, Quarter, Week, Year};
    for (unit, count, day, offset, first) in [
        (Month, 1, "2026-02-20", 13, "2026-02-14"),
        (Month, 1, "2026-02-20", 0, "2026-02-01"),
        (Month, 1, "2026-02-20", 30, "2026-01-31"),
        (Month, 2, "2026-02-20", 30, "2025-12-31"),
        (Week, 1, "2026-02-20", 2, "2026-02-18"),
        (Quarter, 1, "2026-02-20", 31, "2026-02-01"),
        (Year, 1, "2026-02-20", 59, "2026-03-01"),
        (Day, 1, "2026-02-20", 0, "2026-02-20"),
    ] {
        let schedule = Schedule::with_offset(unit, count, date(day), offset).unwrap();
        assert_eq!(schedule.boundary(0), Some(date(first)), "{unit:?} {offset}");
    }
}

#[test]
fn the_next_boundary_may_be_today() {
    let schedule = Schedule::with_offset(PeriodUnit::Month, 1, date("2026-01-20"), 13).unwrap();
    for (day, next) in [
        ("2026-02-13", "2026-02-14"),
        ("2026-02-14", "2026-02-14"),
        ("2026-02-15", "2026-03-14"),
    ] {
        assert_eq!(schedule.next_from(date(day)), Some(date(next)), "{day}");
    }
}
