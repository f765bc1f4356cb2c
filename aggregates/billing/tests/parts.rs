//! Parts of one period that are charged, given back and charged again: together they are rounded once.

use std::collections::{BTreeMap, HashSet};

use chrono::TimeDelta;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{billing::charge_id, id::SubscriptionId, money::Money, random::hold};

/// What the explanation of a charge comes to.
fn explained(charge: &Accrued) -> Money {
    let why = &charge.explanation;
    let price = why.full_price - why.discount.unwrap_or_default();
    let currency = charge.amount.currency;
    let before = why.correction.map_or(Money::zero(currency), |of| of.billed_before);
    let whole = price * Decimal::from(why.numerator) / Decimal::from(why.denominator);
    assert_eq!(why.exact, whole - before.to_decimal());
    let rounded = Money::rounded(whole, currency).unwrap();
    rounded.checked_sub(before).unwrap()
}

/// Found by `no_period_costs_more_than_its_highest_price_...`: 24.17, 3.87 and 0.97 were given back of 29.00.
#[test]
fn what_is_given_back_in_several_parts_is_no_more_than_was_charged() {
    let mut account = account([monthly(1, "29.00", "2024-02-15")]).prorating(Proration::ThirtyDayMonths);
    assert_eq!(account.bill("2024-02-15"), ["02-15->03-15 29.00"]);
    for (end, back) in [
        ("2024-02-20", "02-20->03-15 -24.17"),
        ("2024-02-16", "02-16->02-20 -3.86"),
        ("2024-02-15", "02-15->02-16 -0.97"),
    ] {
        account.end(1, end);
        assert_eq!(account.bill("2024-02-21"), [back]);
    }
}

#[test]
fn a_part_that_is_rounded_with_others_says_so() {
    let mut account = account([monthly(1, "29.00", "2024-02-15")]).prorating(Proration::ThirtyDayMonths);
    account.bill("2024-02-15");
    let explain = |account: &mut Account, end| {
        account.end(1, end);
        let charge = account.bill_on(date("2024-02-21")).remove(0);
        assert_eq!(charge.amount, explained(&charge));
        let why = charge.explanation;
        let before = why.correction.map(|of| (of.number, of.billed_before.to_string()));
        (why.numerator, why.denominator, before)
    };
    assert_eq!(explain(&mut account, "2024-02-20"), (-25, 30, None));
    assert_eq!(
        explain(&mut account, "2024-02-16"),
        (-29, 30, Some((0, "-24.17".to_owned())))
    );
    // By itself it comes to the same.
    assert_eq!(explain(&mut account, "2024-02-15"), (-1, 30, None));
}

#[test]
fn what_was_given_back_in_parts_is_charged_again_for_the_same() {
    let mut account = account([monthly(1, "29.00", "2024-02-15")]).prorating(Proration::ThirtyDayMonths);
    account.bill("2024-02-15");
    for (end, billed) in [
        ("2024-02-20", "02-20->03-15 -24.17"),
        ("2024-02-16", "02-16->02-20 -3.86"),
        ("2024-02-20", "02-16->02-20 3.86"),
        ("2024-03-15", "02-20->03-15 24.17"),
    ] {
        account.end(1, end);
        assert_eq!(account.bill("2024-02-21"), [billed]);
    }
}

#[test]
fn a_period_that_is_charged_in_parts_because_its_end_moves_costs_its_price() {
    let mut account = account([monthly(1, "10.00", "2026-01-01").until("2026-01-11")]);
    assert_eq!(account.bill("2026-01-01"), ["01-01->01-11 3.23"]);
    account.end(1, "2026-01-21");
    assert_eq!(account.bill("2026-01-11"), ["01-11->01-21 3.22"]);
    account.end(1, "2026-02-01");
    assert_eq!(account.bill("2026-01-21"), ["01-21->02-01 3.55"]);
}

#[test]
fn what_comes_behind_days_that_were_given_back_makes_the_whole_price() {
    let mut account = account([monthly(1, "10.00", "2026-01-01").until("2026-01-21")]);
    assert_eq!(account.bill("2026-01-01"), ["01-01->01-21 6.45"]);
    account.end(1, "2026-01-05");
    assert_eq!(account.bill("2026-01-05"), ["01-05->01-21 -5.16"]);
    account.end(1, "2026-02-01");
    assert_eq!(account.bill("2026-01-05"), ["01-05->02-01 8.71"]);
}

#[test]
fn whatever_way_its_end_moves_a_period_costs_its_price_at_the_end_and_never_more_or_less_than_nothing() {
    let units = prop_oneof![
        1 => Just(PeriodUnit::Day), 2 => Just(PeriodUnit::Week), 4 => Just(PeriodUnit::Month), 1 => Just(PeriodUnit::Quarter)
    ];
    let policies = prop_oneof![
        Just(Proration::ActualDays),
        Just(Proration::InclusiveDays),
        Just(Proration::ThirtyDayMonths),
        Just(Proration::Seconds)
    ];
    let ends = vec((0_i64..12, 0_i64..70, any::<bool>()), 1..12);
    let histories = (units, policies, 1_u32..200_000, -40_i64..40, any::<bool>(), ends);
    hold(&histories, |(unit, policy, price, anchor, arrears, ends)| {
        let (first, last) = (date("2026-03-10"), date("2026-08-10"));
        let mut phase = monthly(1, "0", "2026-03-10").priced(flat(&Decimal::new(i64::from(price), 3).to_string()), "1");
        phase.schedule.as_mut().unwrap().unit = unit;
        phase.schedule.as_mut().unwrap().anchor = first + TimeDelta::days(anchor);
        if arrears {
            phase = phase.in_arrears();
        }
        let mut account = account([phase]).prorating(policy).within("America/New_York");
        let (mut today, mut charges, mut ids) = (first, Vec::new(), HashSet::new());
        let mut bill = |account: &mut Account, today| {
            for charge in account.bill_on(today) {
                prop_assert_eq!(charge.amount, explained(&charge), "{:?}", charge);
                prop_assert!(
                    ids.insert(charge_id(SubscriptionId(Uuid::nil()), &charge)),
                    "{charge:?}"
                );
                charges.push(charge);
                let sums = sum_by_period(&charges);
                let most = Money::rounded(Decimal::new(i64::from(price), 3), account.currency).unwrap();
                prop_assert!(sums.values().all(|sum| (0..=most.minor).contains(sum)), "{charges:?}");
            }
            Ok(sum_by_period(&charges))
        };
        for (later, end, terminated) in ends {
            today += TimeDelta::days(later);
            bill(&mut account, today)?;
            account.phases[0].until = Some(first + TimeDelta::days(end));
            account.phases[0].ending = if terminated {
                Ending::Termination
            } else {
                Ending::Change
            };
            bill(&mut account, today)?;
        }
        account.end(1, &last.to_string());
        account.phases[0].ending = Ending::Change;
        let came_to = bill(&mut account, last)?;
        account.phases[0].billed_through = None;
        (account.phases[0].given_back, account.phases[0].charged_to) = (0, None);
        let at_once = sum_by_period(&account.bill_on(last));
        prop_assert_eq!(came_to, at_once);
        Ok(())
    });
}

/// What each full period comes to.
fn sum_by_period(charges: &[Accrued]) -> BTreeMap<NaiveDate, i64> {
    let mut sums = BTreeMap::new();
    for charge in charges {
        *sums.entry(charge.explanation.notional.unwrap().start).or_default() += charge.amount.minor;
    }
    sums
}
