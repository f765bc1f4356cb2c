//! Subscriptions that become another customer's: each day of a line is paid by one of the two.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    date,
    told::{Told, agreed, calls, flat, one_off, undivided},
};
use crate::{
    Decider,
    billing::{Proration, Timing},
    catalog::PlanLine,
    id::{CustomerId, SubscriptionId},
    order_terms::{LineBilling, OrderBillingPreferences},
    policy::PolicyChanges,
    subscription::{Agreement, Change, Command, Cycle, Event, Offer, Refused, Status},
};

/// What goes on from the day on.
pub(super) fn hand_over(old: &mut Told, day: &str) -> Result<Told, Refused> {
    let (at, effective) = (old.at(), date(day));
    let before = old.state.clone();
    old.send(&Command::HandOver {
        at,
        effective,
        to: SubscriptionId(Uuid::from_u128(2)),
        customer: CustomerId(Uuid::from_u128(8)),
    })?;
    old.send(&Command::Cancel { at, effective })?;
    let agreement = before.agreement().unwrap();
    let progress = before.progress().unwrap();
    let phases = before.handed_over(at, effective)?;
    let paused = agreement.status == Status::Paused;
    let mut new = Told::of(Agreement {
        activation: effective,
        status: if paused { Status::Active } else { agreement.status },
        under_way: before.under_way(&phases, effective),
        counted: before.counted(effective),
        goes_on_from: before.goes_on_from(effective),
        paid_before: before.paid_ahead(effective)?,
        rest_before: BTreeMap::new(),
        phases,
        moved_from: Some(SubscriptionId(Uuid::from_u128(1))),
        ..agreement.clone()
    });
    new.today = old.today;
    if paused {
        let from = progress.stands_still_from.unwrap().max(effective);
        new.send(&Command::Pause { at, from })?;
    }
    Ok(new)
}

/// What goes on from the day on for the same customer, with other lines, over the same periods where they are as long.
pub(super) fn upgrade(old: &mut Told, day: &str, lines: &[PlanLine], cycle: Cycle) -> Told {
    let (at, effective) = (old.at(), date(day));
    let before = old.state.agreement().unwrap().clone();
    let schedule = before.phases.iter().rev().find_map(|phase| phase.schedule);
    let schedule = schedule.filter(|schedule| cycle.unit() == Some(schedule.unit));
    let counted = old.state.counted(effective).into_iter().filter(|_| schedule.is_some());
    let ids = || lines.iter().map(|line| line.id);
    let counted = counted.map(|before| before.of_lines(ids())).collect();
    let change = Change {
        elsewhere: schedule.map(|_| lines.to_vec()).unwrap_or_default(),
        elsewhere_over: schedule,
        ..Change::on(effective)
    };
    let change = Box::new(change);
    old.send(&Command::Change { at, change }).unwrap();
    let paid = old.state.paid_until(effective).unwrap();
    old.cancel(day).unwrap();
    let rest_before = old.state.rest_for(lines, effective);
    let offer = Offer {
        lines: lines.to_vec(),
        schedule,
        paid_until: Some(paid.until).filter(|until| *until > effective),
        divided_paid_until: paid.divided_until.filter(|until| *until < paid.until),
        ..Offer::default()
    };
    Told::of(Agreement {
        cycle,
        activation: effective,
        offer: Some(Box::new(offer)),
        counted,
        phases: Vec::new(),
        under_way: std::collections::BTreeSet::new(),
        moved_from: None,
        upgraded_from: Some(SubscriptionId(Uuid::from_u128(1))),
        paid_before: std::collections::BTreeMap::new(),
        rest_before,
        ..before
    })
}

#[test]
fn each_pays_for_their_own_days_over_the_same_periods() {
    let lines = [flat(1, "31.00"), undivided(2, "30.00"), one_off(3, "5.00")];
    for (today, day, given_back, begun) in [
        (
            "2026-03-01",
            "2026-03-01",
            vec!["03-01->04-01 -31.00", "03-01->04-01 -30.00"],
            vec!["03-01->04-01 31.00", "03-01->04-01 30.00"],
        ),
        (
            "2026-03-02",
            "2026-03-02",
            vec!["03-02->04-01 -30.00"],
            vec!["03-02->04-01 30.00"],
        ),
        (
            "2026-03-10",
            "2026-03-31",
            vec!["03-31->04-01 -1.00"],
            vec!["03-31->04-01 1.00"],
        ),
        ("2026-03-10", "2026-04-01", vec![], vec![]),
    ] {
        let mut old = Told::contract(&lines);
        assert_eq!(old.bill(today).len(), 3);
        let mut new = hand_over(&mut old, day).unwrap();
        let mut back = old.bill("2026-03-31");
        back.sort_by_key(|line| !line.ends_with("-31.00"));
        assert_eq!(back, given_back, "moved on {day}");
        let mut first = new.bill("2026-03-31");
        first.sort_by_key(|line| !line.ends_with("31.00"));
        assert_eq!(first, begun, "moved on {day}");
        assert_eq!(old.bill("2026-06-01"), Vec::<String>::new());
        assert_eq!(
            new.bill("2026-04-01"),
            ["04-01->05-01 31.00", "04-01->05-01 30.00"],
            "moved on {day}"
        );
        assert_eq!(old.sum() + new.sum(), 2 * (3100 + 3000) + 500, "moved on {day}");
    }
}

#[test]
fn what_is_planned_goes_on_and_what_is_used_is_whose_day_it_is() {
    let mut old = Told::contract(&[flat(1, "31.00"), calls(2, "1.00")]);
    old.bill("2026-03-01");
    old.change("2026-05-01", &[flat(1, "62.00"), calls(2, "1.00")]).unwrap();
    old.on("2026-03-15").use_calls("2026-03-10", "7");
    let mut new = hand_over(&mut old, "2026-04-01").unwrap();
    assert_eq!(old.bill("2026-06-01"), ["03-01->04-01 7.00"]);
    new.use_calls("2026-04-02", "9");
    assert_eq!(
        new.bill("2026-05-01"),
        ["04-01->05-01 31.00", "04-01->05-01 9.00", "05-01->06-01 62.00"]
    );
}

#[test]
fn a_period_that_is_not_divided_is_paid_once_whatever_was_planned_in_it() {
    let from = |line: &str, lines: &[crate::catalog::PlanLine]| (line.to_owned(), lines.to_vec());
    for (changes, day) in [
        // A change to come behind the move, two of them, and one of the day itself; by another line, too.
        (vec![from("2026-03-20", &[undivided(2, "60.00")])], "2026-03-15"),
        (
            vec![
                from("2026-03-20", &[undivided(2, "60.00")]),
                from("2026-03-25", &[undivided(2, "90.00")]),
            ],
            "2026-03-15",
        ),
        (vec![from("2026-03-10", &[undivided(2, "60.00")])], "2026-03-10"),
        (vec![from("2026-03-10", &[undivided(2, "60.00")])], "2026-03-15"),
        (vec![from("2026-03-20", &[undivided(3, "60.00")])], "2026-03-15"),
    ] {
        for billed_before in [false, true] {
            let mut old = Told::contract(&[undivided(2, "30.00")]);
            old.bill("2026-03-01");
            old.on("2026-03-05");
            for (effective, lines) in &changes {
                let is_other = lines.iter().any(|line| line.id == super::told::id(3));
                let replaced = Vec::new();
                if is_other {
                    old.replace(effective, replaced, lines).unwrap();
                } else {
                    old.change(effective, lines).unwrap();
                }
            }
            if billed_before {
                old.bill(day);
            }
            let mut new = hand_over(&mut old, day).unwrap();
            old.bill("2026-06-01");
            let charged = new.bill("2026-04-01");
            let price = if changes.len() == 2 { "90.00" } else { "60.00" };
            assert_eq!(charged, [format!("04-01->05-01 {price}")], "{changes:?} on {day}");
            let march = if day == "2026-03-15" && changes[0].0 == "2026-03-10" {
                6000
            } else {
                3000
            };
            assert_eq!(old.sum(), march, "{changes:?} on {day}");
        }
    }
}

#[test]
fn nothing_changes_it_any_more_while_the_day_is_to_come() {
    let to = SubscriptionId(Uuid::from_u128(2));
    let moved = || Err(Refused::Moved { to });
    let mut old = Told::order("30.00");
    old.bill("2026-03-01");
    old.on("2026-03-10");
    hand_over(&mut old, "2026-03-20").unwrap();
    let before = old.state.clone();
    let at = old.at();
    assert_eq!(old.change("2026-03-15", &[undivided(1, "60.00")]), moved());
    assert_eq!(old.pause("2026-03-15"), moved());
    let divided = OrderBillingPreferences {
        pro_rata_partial_charging_period: true,
        ..OrderBillingPreferences::default()
    };
    let preferences = Box::new(divided);
    assert_eq!(
        old.send(&Command::UpdateBillingPreferences { at, preferences }),
        moved()
    );
    let billing = Box::new(LineBilling {
        timing: Some(Timing::Arrears),
        ..LineBilling::default()
    });
    let line = super::told::id(1);
    assert_eq!(old.send(&Command::UpdateLineBilling { at, line, billing }), moved());
    let changes = PolicyChanges {
        proration: Some(Proration::None),
        ..PolicyChanges::default()
    };
    assert_eq!(old.send(&Command::UpdatePolicy { at, changes }), moved());
    assert_eq!(old.state, before);
    assert!(old.cancel("2026-03-15").is_ok());
}

#[test]
fn a_period_is_delivered_by_one_of_the_two() {
    for (day, first) in [
        ("2026-03-01", "2026-03-01"),
        ("2026-03-15", "2026-04-01"),
        ("2026-04-01", "2026-04-01"),
    ] {
        let mut old = Told::order("30.00");
        let prefers = Box::new(OrderBillingPreferences {
            pro_rata_partial_charging_period: true,
            ..OrderBillingPreferences::default()
        });
        let at = old.at();
        old.send(&Command::UpdateBillingPreferences {
            at,
            preferences: prefers,
        })
        .unwrap();
        if day != "2026-03-01" {
            old.bill("2026-03-01");
        }
        let new = hand_over(&mut old, day).unwrap();
        let mut state = new.state.clone();
        let mut delivered = Vec::new();
        while let Some(next) = state
            .progress()
            .unwrap()
            .next_billing
            .filter(|next| *next < at + chrono::Days::new(60))
        {
            let accrue = Command::Accrue {
                at: next,
                until: next,
                usage: Box::default(),
            };
            for event in state.decide(&accrue).unwrap() {
                state.apply(&event);
                if let Event::Accrued { fulfilments, .. } = event {
                    delivered.extend(fulfilments.iter().map(|one| one.period.start));
                }
            }
        }
        assert_eq!(delivered.first(), Some(&date(first)), "moved on {day}");
    }
}

#[test]
fn it_is_handed_over_once_and_never_goes_on_here() {
    let mut old = Told::contract(&[flat(1, "31.00")]);
    old.bill("2026-03-01");
    old.on("2026-03-10");
    let itself = Command::HandOver {
        at: old.at(),
        effective: date("2026-03-10"),
        to: SubscriptionId(Uuid::from_u128(2)),
        customer: old.state.agreement().unwrap().customer,
    };
    assert_eq!(old.send(&itself), Err(Refused::SameCustomer));
    hand_over(&mut old, "2026-04-01").unwrap();
    let to = SubscriptionId(Uuid::from_u128(2));
    assert_eq!(hand_over(&mut old, "2026-03-20").err(), Some(Refused::Moved { to }));
    assert_eq!(old.reactivate("2026-03-20"), Err(Refused::Moved { to }));
    old.bill("2026-04-02");
    assert_eq!(old.reactivate("2026-04-02"), Err(Refused::Moved { to }));
}

#[test]
fn charges_of_a_voided_invoice_are_pending_as_they_were_made() {
    let mut told = Told::contract(&[flat(1, "31.00")]);
    told.bill("2026-03-01");
    let charges: Vec<_> = told.state.pending().cloned().collect();
    let released = |told: &Told, charges: &[crate::subscription::Charge]| Command::ReleaseCharges {
        at: told.at(),
        invoice: crate::id::InvoiceId(Uuid::from_u128(9)),
        charges: charges.to_vec(),
    };
    let twice = released(&told, &charges);
    assert_eq!(told.send(&twice), Err(Refused::ChargeExists));
    told.invoice();
    assert_eq!(told.state.pending().count(), 0);
    let none = released(&told, &[]);
    assert_eq!(told.send(&none), Err(Refused::NothingToInvoice));
    let next = told.next();
    let events = told.send(&released(&told, &charges)).unwrap();
    assert!(matches!(
        events.as_slice(),
        [Event::ChargesReleased { next_billing: None, .. }]
    ));
    assert_eq!(told.state.pending().cloned().collect::<Vec<_>>(), charges);
    assert_eq!(told.next(), next, "it is not made anew by itself");
    // The next period's invoice takes all that waits.
    let events = {
        told.on("2026-04-01");
        told.bill("2026-04-01");
        told.state.pending().count()
    };
    assert_eq!(events, 2);
}

#[test]
fn the_rest_of_a_period_is_counted_by_the_policy_that_it_is_given_back_by() {
    for proration in [Proration::ThirtyDayMonths, Proration::None] {
        let mut old = Told::contract(&[flat(1, "31.00")]);
        old.bill("2026-03-01");
        let at = old.on("2026-03-05").at();
        let changes = PolicyChanges {
            proration: Some(proration),
            ..PolicyChanges::default()
        };
        old.send(&Command::UpdatePolicy { at, changes }).unwrap();
        old.on("2026-03-10");
        // A line that takes over in the rest of the period is counted so, too.
        old.replace("2026-03-21", vec![], &[flat(2, "62.00")]).unwrap();
        let mut new = hand_over(&mut old, "2026-03-11").unwrap();
        assert_eq!(old.bill("2026-03-11"), ["03-11->04-01 -21.00"]);
        assert_eq!(new.bill("2026-03-11"), ["03-11->03-21 10.00"]);
        assert_eq!(new.bill("2026-03-21"), ["03-21->04-01 22.00"]);
        assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 62.00"], "{proration:?}");
    }
}

#[test]
fn other_periods_that_begin_with_the_move_are_not_counted_by_the_policy_of_those_before() {
    let mut old = Told::of(Agreement {
        cycle: Cycle::Year,
        activation: date("2026-01-01"),
        ..agreed(&[flat(1, "365.00")])
    });
    assert_eq!(old.bill("2026-01-01"), ["01-01->01-01 365.00"]);
    let at = old.on("2026-02-01").at();
    let changes = PolicyChanges {
        proration: Some(Proration::None),
        ..PolicyChanges::default()
    };
    old.send(&Command::UpdatePolicy { at, changes }).unwrap();
    let at = old.on("2026-03-11").at();
    let change = Box::new(Change {
        lines: vec![flat(1, "100.00")],
        cycle: Some(Cycle::Month),
        ..Change::on(date("2026-03-11"))
    });
    old.send(&Command::Change { at, change }).unwrap();
    let mut new = hand_over(&mut old, "2026-03-11").unwrap();
    assert_eq!(old.bill("2026-03-11"), ["03-11->01-01 -296.00"]);
    assert_eq!(new.bill("2026-06-11").len(), 4);
    new.on("2026-06-20").cancel("2026-06-20").unwrap();
    assert_eq!(new.bill("2026-06-20"), [""; 0]);
}

#[test]
fn what_was_handed_over_from_the_end_of_a_paid_period_stays_paid() {
    for (cancelled, stays) in [
        ("2026-03-20", false),
        ("2026-04-01", false),
        ("2026-04-02", true),
        ("2026-04-19", true),
    ] {
        let mut old = Told::contract(&[undivided(1, "30.00")]);
        assert_eq!(old.bill("2026-04-01").len(), 2);
        old.on("2026-04-10");
        let mut new = hand_over(&mut old, "2026-04-20").unwrap();
        let to = SubscriptionId(Uuid::from_u128(2));
        let done = old.cancel(cancelled).map(drop);
        let expected = if stays { Ok(()) } else { Err(Refused::Moved { to }) };
        assert_eq!(done, expected, "{cancelled}");
        assert_eq!(old.bill("2026-06-01"), [""; 0], "{cancelled}");
        assert_eq!(new.bill("2026-05-01"), ["05-01->06-01 30.00"]);
    }
}

#[test]
fn what_is_divided_ends_before_it_is_handed_over_as_it_likes() {
    let mut old = Told::contract(&[flat(1, "31.00")]);
    old.bill("2026-03-01");
    old.on("2026-03-10");
    hand_over(&mut old, "2026-03-21").unwrap();
    old.cancel("2026-03-01").unwrap();
    assert_eq!(old.bill("2026-03-10"), ["03-01->04-01 -31.00"]);
}

fn divide(told: &mut Told, at: &str, proration: Proration) {
    let at = told.on(at).at();
    let changes = PolicyChanges {
        proration: Some(proration),
        ..PolicyChanges::default()
    };
    told.send(&Command::UpdatePolicy { at, changes }).unwrap();
}

#[test]
fn what_is_handed_over_twice_on_one_day_is_counted_as_it_was_charged() {
    let mut first = Told::contract(&[flat(1, "31.00")]);
    first.bill("2026-03-01");
    divide(&mut first, "2026-03-05", Proration::None);
    first.on("2026-03-11");
    let mut second = hand_over(&mut first, "2026-03-11").unwrap();
    assert_eq!(first.bill("2026-03-11"), ["03-11->04-01 -21.00"]);
    assert_eq!(second.bill("2026-03-11"), ["03-11->04-01 21.00"]);
    second.on("2026-03-12");
    let mut third = hand_over(&mut second, "2026-03-11").unwrap();
    assert_eq!(second.bill("2026-03-12"), ["03-11->04-01 -21.00"]);
    third.on("2026-03-13");
    let mut fourth = hand_over(&mut third, "2026-03-11").unwrap();
    assert_eq!(third.bill("2026-03-13"), [""; 0]);
    assert_eq!(fourth.bill("2026-03-13"), ["03-11->04-01 21.00"]);
}

#[test]
fn a_policy_that_comes_before_the_first_charge_does_not_count_what_was_charged_before_the_move() {
    let mut old = Told::contract(&[flat(1, "31.00")]);
    assert_eq!(old.bill("2026-03-01"), ["03-01->04-01 31.00"]);
    old.on("2026-03-05");
    let mut new = hand_over(&mut old, "2026-03-11").unwrap();
    divide(&mut new, "2026-03-06", Proration::None);
    assert_eq!(old.bill("2026-03-11"), ["03-11->04-01 -21.00"]);
    assert_eq!(new.bill("2026-03-11"), ["03-11->04-01 21.00"]);
    new.on("2026-04-11").cancel("2026-04-11").unwrap();
    assert_eq!(new.bill("2026-04-11"), ["04-01->05-01 31.00"]);
}

#[test]
fn what_stays_paid_cannot_be_ended_in_two_steps_either() {
    let mut old = Told::contract(&[undivided(1, "30.00")]);
    assert_eq!(old.bill("2026-04-01").len(), 2);
    old.on("2026-04-10");
    hand_over(&mut old, "2026-05-15").unwrap();
    let to = SubscriptionId(Uuid::from_u128(2));
    assert_eq!(old.cancel("2026-05-01").map(drop), Err(Refused::Moved { to }));
    assert_eq!(old.cancel("2026-05-10").map(drop), Ok(()));
    assert_eq!(old.cancel("2026-05-01").map(drop), Err(Refused::Moved { to }));
    assert_eq!(old.bill("2026-06-01"), ["05-01->06-01 30.00"]);
}
