//! What a history must not lose and not pay twice: ends of old logs, what is bought once, plans that were given up.

use super::{
    told::{Told, agreed, flat, id, number, one_off, undivided},
    *,
};
use crate::{Decider, billing::Phase, catalog, order_terms::Term};

#[test]
fn what_an_old_log_changed_during_notice_is_billed_again_once_it_goes_on() {
    let mut told = Told::contract(&[flat(1, "31")]);
    told.bill("2026-03-01");
    told.on("2026-03-02").cancel("2026-04-01").unwrap();
    let mut written = told.state.clone();
    let events = told.on("2026-03-03").change("2026-03-16", &[flat(1, "62")]).unwrap();
    for mut event in events {
        if let Event::Changed { begun, stopped, .. } = &mut event {
            assert_eq!(stopped.drain(..).count(), 1);
            for phase in begun {
                phase.until = Some(date("2026-04-01"));
            }
        }
        written.apply(&event);
    }
    assert_eq!(written, told.state);
    told.state = written;
    told.on("2026-03-20").reactivate("2026-03-20").unwrap();
    assert_eq!(
        told.bill("2026-04-15"),
        ["03-16->04-01 32.00", "03-16->04-01 -16.00", "04-01->05-01 62.00"]
    );
}

/// A contract without periods.
fn bought(cycle: Cycle) -> Told {
    let mut told = Told::of(Agreement {
        cycle,
        ..agreed(&[undivided(1, "1000")])
    });
    assert_eq!(told.bill("2026-03-01"), ["03-01->open 1000.00"]);
    told
}

#[test]
fn a_recurring_line_without_periods_is_bought_and_never_charged_again() {
    let two = catalog::PlanLine {
        quantity: number("2"),
        ..undivided(1, "1000")
    };
    for cycle in [Cycle::Once, Cycle::Constant] {
        let mut told = bought(cycle);
        let refused = told
            .on("2026-03-10")
            .change("2026-03-10", std::slice::from_ref(&two))
            .unwrap_err();
        assert_eq!(refused, Refused::Bought { line: id(1) });
        told.replace("2026-03-10", vec![], &[two.clone(), one_off(2, "5")])
            .unwrap();
        assert_eq!(told.bill("2027-04-01"), ["03-10->open 5.00"]);
    }
}

#[test]
fn a_recurring_line_without_periods_can_get_some() {
    let mut told = bought(Cycle::Once);
    told.on("2026-03-10")
        .change_cycle("2026-03-10", Cycle::Month, &[undivided(1, "31")])
        .unwrap();
    assert_eq!(told.bill("2026-03-31"), ["03-10->04-10 31.00"]);
}

#[test]
fn a_planned_change_that_another_period_supersedes_is_never_billed() {
    let mut told = Told::contract(&[undivided(1, "100")]);
    told.bill("2026-03-01");
    told.on("2026-03-02")
        .change("2026-03-20", &[undivided(1, "300")])
        .unwrap();
    told.on("2026-03-15")
        .change_cycle("2026-03-15", Cycle::Quarter, &[undivided(1, "900")])
        .unwrap();
    assert_eq!(told.bill("2026-03-31"), [""; 0]);
    assert_eq!(told.bill("2026-04-02"), ["04-01->07-01 900.00"]);
    assert_eq!(told.sum(), 100_000);
}

/// An order of something that is bought once, billed a week ahead.
fn ordered_ahead() -> Told {
    let invoice_term = Term {
        days: -7,
        ..OrderBillingPreferences::default().invoice_term
    };
    let billing = OrderBillingPreferences {
        invoice_term,
        ..OrderBillingPreferences::default()
    };
    let mut told = Told::contract(&[flat(9, "0")]);
    if let Subscription::Signed { agreement, .. } = &mut told.state {
        agreement.terms = Terms::Order {
            billing: Box::new(billing),
        };
    }
    told.change("2026-03-20", &[one_off(1, "50")]).unwrap();
    assert_eq!(told.bill("2026-03-13"), ["03-20->open 50.00"]);
    told
}

fn one_offs(told: &Told) -> Vec<&Phase> {
    let phases = &told.state.agreement().unwrap().phases;
    phases.iter().filter(|phase| phase.line == id(1)).collect()
}

#[test]
fn what_was_billed_ahead_and_is_cancelled_before_its_day_is_given_back() {
    let mut told = ordered_ahead();
    told.on("2026-03-15").cancel("2026-03-16").unwrap();
    assert_eq!(told.bill("2026-03-15"), ["03-20->open -50.00"]);
    assert_eq!(told.bill("2026-04-15"), [""; 0]);
    assert!(one_offs(&told).iter().all(|phase| !phase.is_bought()));
}

#[test]
fn what_was_given_back_before_its_day_is_charged_again_when_it_goes_on() {
    let mut told = ordered_ahead();
    told.on("2026-03-15").cancel("2026-03-16").unwrap();
    told.bill("2026-03-15");
    told.reactivate("2026-03-16").unwrap();
    assert_eq!(told.bill("2026-03-16"), ["03-20->open 50.00"]);
    told.on("2026-03-17").cancel("2026-03-18").unwrap();
    assert_eq!(told.bill("2026-04-15"), ["03-20->open -50.00"]);
}

#[test]
fn what_was_billed_ahead_stays_bought_once_its_day_has_come() {
    let mut told = ordered_ahead();
    told.on("2026-03-20").cancel("2026-03-15").unwrap();
    assert_eq!(told.bill("2026-04-15"), [""; 0]);
}

/// Undivided, 31 for March; from the 15th on another line at 62 takes its rest over.
fn replaced_in_march() -> Told {
    let mut told = Told::contract(&[undivided(1, "31")]);
    told.bill("2026-03-01");
    told.on("2026-03-10")
        .replace("2026-03-15", vec![], &[undivided(2, "62")])
        .unwrap();
    told
}

#[test]
fn a_period_whose_rest_nothing_takes_over_is_paid_by_what_began_it() {
    // What was to take it over ends on its first day, whether that is known before or not until it is billed.
    for billed in [false, true] {
        let mut told = replaced_in_march();
        if billed {
            assert_eq!(told.bill("2026-03-15"), ["03-01->04-01 -31.00", "03-15->04-01 62.00"]);
        }
        told.cancel("2026-03-15").unwrap();
        told.bill("2026-03-20");
        assert_eq!(told.sum(), 31_00, "{billed}");
        // It comes after all.
        told.reactivate("2026-03-20").unwrap();
        told.bill("2026-03-20");
        assert_eq!(told.sum(), 62_00, "{billed}");
    }
}

/// Found by the property of policies: it stood still from before the change to the end of the period.
#[test]
fn a_period_whose_rest_nothing_takes_over_stays_paid_when_it_goes_on_behind_it() {
    for from in ["2026-03-12", "2026-03-15"] {
        let mut told = replaced_in_march();
        told.on("2026-03-12").pause(from).unwrap();
        told.bill("2026-03-20");
        told.resume("2026-04-01").unwrap();
        told.bill("2026-03-31");
        assert_eq!(told.sum(), 31_00, "{from}");
        assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 62.00"], "{from}");
    }
}
