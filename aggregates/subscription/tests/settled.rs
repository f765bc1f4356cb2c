//! New preferences never reach a period again that was charged, whatever came in it.

use super::{
    handed::hand_over,
    told::{Told, flat, id, undivided},
    *,
};
use crate::{
    billing::Proration,
    catalog::PlanLine,
    order_terms::{BillingPeriod, LineBilling},
    policy::PolicyChanges,
};

fn dividing(divided: bool) -> OrderBillingPreferences {
    OrderBillingPreferences {
        pro_rata_partial_charging_period: divided,
        pro_rata_partial_pricing_period: divided,
        ..OrderBillingPreferences::default()
    }
}

fn prefer(told: &mut Told, billing: OrderBillingPreferences) {
    let (at, preferences) = (told.at(), Box::new(billing));
    told.send(&Command::UpdateBillingPreferences { at, preferences })
        .unwrap();
}

/// By the order, or by each of these lines.
fn divide(told: &mut Told, divided: bool, lines: &[u128]) {
    if lines.is_empty() {
        prefer(told, dividing(divided));
    }
    for line in lines {
        let billing = LineBilling {
            pro_rata_partial_charging_period: Some(divided),
            pro_rata_partial_pricing_period: Some(divided),
            ..LineBilling::default()
        };
        let (at, line, billing) = (told.at(), id(*line), Box::new(billing));
        told.send(&Command::UpdateLineBilling { at, line, billing }).unwrap();
    }
}

/// An order of 31.00 a month from the first of March on, that is charged for March.
fn ordered(divided: bool) -> Told {
    let mut told = Told::order("31.00");
    if divided {
        prefer(&mut told, dividing(true));
    }
    assert_eq!(told.bill("2026-03-01"), ["03-01->04-01 31.00"]);
    told
}

fn priced(divided: bool, price: &str) -> PlanLine {
    PlanLine {
        prorate: divided,
        ..flat(1, price)
    }
}

fn count_by(told: &mut Told, proration: Proration) {
    let changes = PolicyChanges {
        proration: Some(proration),
        ..PolicyChanges::default()
    };
    let at = told.at();
    told.send(&Command::UpdatePolicy { at, changes }).unwrap();
}

fn every_two_months() -> OrderBillingPreferences {
    let billing_period = BillingPeriod {
        count: 2,
        ..OrderBillingPreferences::default().billing_period
    };
    OrderBillingPreferences {
        billing_period,
        ..dividing(true)
    }
}

#[test]
fn a_period_that_a_change_took_over_is_not_billed_again_by_new_preferences() {
    for lines in [&[][..], &[1]] {
        for asked in ["2026-03-17", "2026-07-17"] {
            let mut told = ordered(false);
            told.bill("2026-03-11");
            told.change("2026-03-11", &[priced(false, "40.00")]).unwrap();
            assert_eq!(told.bill("2026-03-11"), ["03-01->04-01 -31.00", "03-11->04-01 40.00"]);
            told.bill(asked);
            divide(&mut told, true, lines);
            assert_eq!(told.bill(asked), [""; 0], "{asked} {lines:?}");
            assert_eq!(told.bill("2026-08-01").last().unwrap(), "08-01->09-01 40.00");
        }
    }
}

#[test]
fn half_a_year_of_changes_is_not_billed_again_by_new_preferences() {
    let mut told = ordered(false);
    for (month, price) in [(3, "32.00"), (4, "33.00"), (5, "34.00"), (6, "35.00")] {
        let day = format!("2026-0{month}-16");
        told.bill(&day);
        told.change(&day, &[priced(false, price)]).unwrap();
    }
    told.bill("2026-07-10");
    divide(&mut told, true, &[]);
    assert_eq!(told.bill("2026-07-10"), [""; 0]);
}

#[test]
fn a_period_that_a_change_took_over_whole_is_not_billed_again_by_longer_periods() {
    let mut told = ordered(true);
    count_by(&mut told, Proration::None);
    assert_eq!(told.bill("2026-04-11"), ["04-01->05-01 31.00"]);
    told.change("2026-04-11", &[priced(true, "40.00")]).unwrap();
    assert_eq!(told.bill("2026-04-11").len(), 2);
    told.on("2026-04-17");
    count_by(&mut told, Proration::ActualDays);
    prefer(&mut told, every_two_months());
    assert_eq!(told.bill("2026-04-17"), [""; 0]);
    assert_eq!(told.bill("2026-05-01"), ["05-01->07-01 40.00"]);
}

#[test]
fn a_change_planned_in_a_period_that_is_charged_divides_it_as_it_was_charged() {
    for lines in [&[][..], &[1]] {
        let mut told = ordered(true);
        told.on("2026-03-05");
        told.change("2026-03-11", &[priced(true, "40.00")]).unwrap();
        told.bill("2026-03-08");
        divide(&mut told, false, lines);
        assert_eq!(told.bill("2026-03-31"), ["03-11->04-01 27.10", "03-11->04-01 -21.00"]);
        told.bill("2026-04-05");
        told.change("2026-04-11", &[priced(false, "50.00")]).unwrap();
        assert_eq!(told.bill("2026-04-30"), ["04-01->05-01 -40.00", "04-11->05-01 50.00"]);
    }
}

#[test]
fn a_change_planned_in_a_period_that_is_charged_whole_costs_it_whole() {
    for lines in [&[][..], &[1]] {
        let mut told = ordered(false);
        told.on("2026-03-05");
        told.change("2026-03-11", &[priced(false, "40.00")]).unwrap();
        told.bill("2026-03-08");
        divide(&mut told, true, lines);
        assert_eq!(told.bill("2026-03-31"), ["03-01->04-01 -31.00", "03-11->04-01 40.00"]);
        assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 40.00"]);
        told.change("2026-04-16", &[priced(true, "50.00")]).unwrap();
        assert_eq!(told.bill("2026-04-30"), ["04-16->05-01 25.00", "04-16->05-01 -20.00"]);
    }
}

#[test]
fn a_swap_of_lines_planned_in_a_period_that_is_charged_divides_it_as_it_was_charged() {
    for lines in [&[][..], &[1, 2]] {
        let mut told = ordered(true);
        told.on("2026-03-05");
        told.replace("2026-03-11", vec![id(1)], &[flat(2, "40.00")]).unwrap();
        told.bill("2026-03-08");
        divide(&mut told, false, lines);
        assert_eq!(told.bill("2026-03-31"), ["03-11->04-01 27.10", "03-11->04-01 -21.00"]);
        assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 40.00"]);
    }
}

#[test]
fn what_takes_the_place_of_a_whole_month_costs_it_whole_whatever_it_prefers() {
    for charged in [true, false] {
        let mut told = ordered(false);
        let day = if charged { "2026-03-11" } else { "2026-04-11" };
        told.on("2026-03-05");
        told.replace(day, vec![], &[undivided(2, "40.00")]).unwrap();
        divide(&mut told, true, &[2]);
        told.bill("2026-05-05");
        let months = if charged { 4000 + 4000 } else { 3100 + 4000 };
        assert_eq!(told.sum(), months + 4000, "{charged}");
    }
}

#[test]
fn longer_periods_begin_behind_a_period_that_a_planned_change_takes_over_whole() {
    let mut told = ordered(true);
    count_by(&mut told, Proration::None);
    told.bill("2026-04-05");
    told.change("2026-04-11", &[priced(true, "40.00")]).unwrap();
    told.bill("2026-04-08");
    prefer(&mut told, every_two_months());
    assert_eq!(told.bill("2026-04-30"), ["04-01->05-01 -31.00", "04-11->05-01 40.00"]);
    assert_eq!(told.bill("2026-05-01"), ["05-01->07-01 40.00"]);
}

#[test]
fn what_goes_on_in_a_period_of_which_days_were_given_back_divides_it_as_it_was_charged() {
    let mut told = ordered(true);
    told.bill("2026-03-11");
    told.pause("2026-03-11").unwrap();
    assert_eq!(told.bill("2026-03-15"), ["03-11->04-01 -21.00"]);
    divide(&mut told, false, &[]);
    told.resume("2026-03-21").unwrap();
    assert_eq!(told.bill("2026-03-31"), ["03-21->04-01 11.00"]);
    assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 31.00"]);
}

#[test]
fn what_goes_on_as_another_customers_divides_the_period_as_it_was_begun() {
    for lines in [&[][..], &[1]] {
        let mut old = ordered(true);
        let mut new = hand_over(&mut old, "2026-03-15").unwrap();
        divide(&mut new, false, lines);
        assert_eq!(old.bill("2026-03-15"), ["03-15->04-01 -17.00"]);
        assert_eq!(new.bill("2026-03-15"), ["03-15->04-01 17.00"]);
        assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 31.00"]);
    }
}

#[test]
fn what_stands_still_before_two_planned_changes_pays_for_no_period_of_theirs() {
    let mut told = ordered(false);
    told.on("2026-03-05");
    told.change("2026-03-24", &[priced(false, "40.00")]).unwrap();
    told.change("2026-03-25", &[priced(false, "50.00")]).unwrap();
    told.pause("2026-03-10").unwrap();
    told.bill("2026-06-01");
    assert_eq!(told.sum(), 3100);
}

#[test]
fn what_moved_twice_on_one_day_divides_the_period_as_it_was_begun() {
    for (lines, again) in [(&[][..], "2026-03-15"), (&[1], "2026-03-15"), (&[], "2026-03-20")] {
        let mut old = ordered(true);
        let mut passed_on = hand_over(&mut old, "2026-03-15").unwrap();
        if again != "2026-03-15" {
            // It stands still in between: it has no day there either.
            passed_on.pause("2026-03-15").unwrap();
        }
        passed_on.on(again);
        let mut new = hand_over(&mut passed_on, again).unwrap();
        divide(&mut new, false, lines);
        if again != "2026-03-15" {
            new.resume(again).unwrap();
        }
        assert_eq!(old.bill("2026-03-31"), ["03-15->04-01 -17.00"]);
        assert_eq!(passed_on.bill("2026-03-31"), [""; 0]);
        let rest = if again == "2026-03-15" { "17.00" } else { "12.00" };
        assert_eq!(new.bill("2026-03-31"), [format!("{}->04-01 {rest}", &again[5..])]);
        assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 31.00"]);
    }
}

#[test]
fn a_month_that_was_given_back_on_its_first_day_divides_what_is_left_of_it_alike() {
    for lines in [&[][..], &[1]] {
        let mut told = ordered(true);
        told.bill("2026-04-21");
        told.on("2026-04-21")
            .change("2026-05-11", &[priced(true, "10.00")])
            .unwrap();
        assert_eq!(told.bill("2026-05-01"), ["05-01->05-11 10.00"]);
        told.pause("2026-05-01").unwrap();
        assert_eq!(told.bill("2026-05-01"), ["05-01->05-11 -10.00"]);
        divide(&mut told, false, lines);
        told.on("2026-05-05").resume("2026-05-05").unwrap();
        assert_eq!(
            told.bill("2026-06-01"),
            ["05-05->05-11 6.00", "05-11->06-01 6.77", "06-01->07-01 10.00"],
            "{lines:?}"
        );
    }
}
