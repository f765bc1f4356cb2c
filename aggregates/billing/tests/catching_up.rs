//! What a run does after a long silence, and what it says of the next.

use super::*;
use crate::billing::{MOST_CHARGES, charge_id};
use crate::id::SubscriptionId;

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn next_is_when_something_falls_due_again() {
    let mut account = account([monthly(1, "10", "2026-01-31"), monthly(2, "10", "2026-02-10")]);
    account.bill("2026-01-01");
    assert_eq!(account.next, Some(instant("2026-01-31T00:00:00Z")));
    account.bill("2026-01-31");
    assert_eq!(account.next, Some(instant("2026-02-10T00:00:00Z")));
    account.bill("2026-02-10");
    assert_eq!(account.next, Some(instant("2026-02-28T00:00:00Z")));
}

#[test]
fn a_long_silence_is_caught_up_in_several_runs_without_tearing_a_day_apart() {
    let daily = |number| monthly(number, "1", "2020-01-01").every(PeriodUnit::Day, 1);
    let mut account = account([daily(1), daily(2), daily(3)]);
    let now = instant("2021-01-01T00:00:00Z");
    let mut runs = Vec::new();
    while account.next.is_none_or(|next| next <= now) {
        runs.push(account.bill_at(now));
    }
    assert_eq!(runs.iter().map(Vec::len).sum::<usize>(), 367 * 3);
    for run in &runs {
        assert!(
            run.len() % 3 == 0 && run.len() < MOST_CHARGES + 3,
            "{} charges",
            run.len()
        );
        assert!(run.is_sorted_by_key(|charge| charge.accrues_at));
    }
}

#[test]
fn phases_are_billed_in_the_order_in_which_they_fall_due() {
    let mut account = account([
        monthly(1, "1", "2026-01-20"),
        monthly(2, "2", "2026-01-10"),
        monthly(3, "3", "2026-01-10"),
    ]);
    assert_eq!(
        account.bill("2026-02-15"),
        [
            "01-10->02-10 2.00",
            "01-10->02-10 3.00",
            "01-20->02-20 1.00",
            "02-10->03-10 2.00",
            "02-10->03-10 3.00"
        ]
    );
}

#[test]
fn an_explanation_leads_from_the_price_to_the_amount() {
    let mut phase = monthly(1, "100", "2026-01-11").anchored("2026-01-01");
    phase.discount = Some(crate::billing::Discount {
        percent: Some(number("10")),
        fixed: Some(number("28")),
        ..crate::billing::Discount::default()
    });
    let mut account = account([phase]);
    let charge = account.bill_on(date("2026-01-11")).remove(0);
    let why = &charge.explanation;
    assert_eq!((why.full_price, why.discount), (number("100"), Some(number("38"))));
    assert_eq!((why.numerator, why.denominator, why.exact), (21, 31, number("42")));
    assert_eq!(why.notional.unwrap().start, date("2026-01-01"));
    assert_eq!(
        why.steps.iter().map(|step| step.amount).sum::<Decimal>(),
        why.full_price
    );
    account.end(1, "2026-01-12");
    let back = account.bill_on(date("2026-01-12")).remove(0).explanation;
    assert_eq!((back.numerator, back.denominator, back.exact), (-20, 31, number("-40")));
}

#[test]
fn a_discount_never_goes_below_zero() {
    let mut phase = monthly(1, "10", "2026-01-01");
    phase.discount = Some(crate::billing::Discount {
        percent: None,
        fixed: Some(number("10.01")),
        ..crate::billing::Discount::default()
    });
    assert_eq!(account([phase]).bill("2026-01-01"), ["01-01->02-01 0.00"]);
}

#[test]
fn the_id_of_a_charge_never_changes() {
    let mut account = account([monthly(1, "10", "2026-01-01")]);
    let charge = account.bill_on(date("2026-01-01")).remove(0);
    let id = |subscription| charge_id(SubscriptionId(Uuid::from_u128(subscription)), &charge).to_string();
    assert_eq!(id(1), "00000000-0000-87b9-947c-670dec2aec57");
    assert_ne!(id(1), id(2));
}
