//! Periods that two lines or two contracts share: divided, or whole, as they were when the second came, whatever policy comes
//! before they are charged.

use super::{
    handed::{hand_over, upgrade},
    told::{Told, flat, undivided},
};
use crate::{
    Decider,
    billing::{Proration, Timing},
    catalog::PlanLine,
    policy::PolicyChanges,
    subscription::{Command, Cycle, Event, Subscription},
};

const NONE: [&str; 0] = [];

/// Charged at the end of each period.
fn arrears(line: PlanLine) -> PlanLine {
    PlanLine {
        timing: Timing::Arrears,
        ..line
    }
}

fn divide(told: &mut Told, proration: Proration) -> Vec<Event> {
    let at = told.at();
    let changes = PolicyChanges {
        proration: Some(proration),
        ..PolicyChanges::default()
    };
    told.send(&Command::UpdatePolicy { at, changes }).unwrap()
}

#[test]
fn a_month_that_two_contracts_share_is_divided_as_it_was_when_the_second_came() {
    let (whole, divided) = (Proration::None, Proration::ActualDays);
    let (small, large) = (flat(1, "31.00"), flat(1, "93.00"));
    for (before, after, sums) in [(whole, divided, (0, 9300)), (divided, whole, (900, 6600))] {
        for (first, second) in [
            (arrears(small.clone()), arrears(large.clone())),
            (arrears(small.clone()), large.clone()),
            (small.clone(), arrears(large.clone())),
            (small.clone(), large.clone()),
        ] {
            for (is_ahead, is_billed) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut old = Told::prorating(std::slice::from_ref(&first), before);
                if is_billed {
                    old.bill("2026-03-01");
                }
                // It is agreed on before the day, or on it, and divided otherwise before anything of it is charged.
                old.on(if is_ahead { "2026-03-05" } else { "2026-03-10" });
                let mut new = upgrade(&mut old, "2026-03-10", std::slice::from_ref(&second), Cycle::Month);
                new.on(if is_ahead { "2026-03-06" } else { "2026-03-10" });
                divide(&mut new, after);
                old.bill("2026-04-01");
                let arrears = second.timing == Timing::Arrears;
                new.bill(if arrears { "2026-04-01" } else { "2026-03-31" });
                let told = format!(
                    "{before:?} {:?} {:?} {is_ahead} {is_billed}",
                    first.timing, second.timing
                );
                assert_eq!((old.sum(), new.sum()), sums, "{told}");
            }
        }
    }
}

#[test]
fn a_month_that_two_customers_share_is_divided_as_it_was_when_it_was_moved() {
    let mut old = Told::prorating(&[arrears(flat(1, "31.00"))], Proration::ActualDays);
    old.on("2026-03-10");
    let mut new = hand_over(&mut old, "2026-03-10").unwrap();
    divide(&mut new, Proration::None);
    old.bill("2026-04-01");
    new.bill("2026-04-01");
    assert_eq!((old.sum(), new.sum()), (900, 2200));
}

#[test]
fn a_line_that_was_charged_whole_is_taken_over_by_none_that_the_same_policy_divides() {
    let mut told = Told::prorating(&[undivided(1, "31.00")], Proration::ActualDays);
    told.bill("2026-03-01");
    told.on("2026-03-10");
    divide(&mut told, Proration::None);
    told.change("2026-03-10", &[flat(1, "62.00")]).unwrap();
    assert_eq!(told.bill("2026-03-31"), NONE);
    assert_eq!(told.sum(), 3100);
    assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 62.00"]);
    // So it is for another contract.
    let mut old = Told::prorating(&[undivided(1, "31.00")], Proration::ActualDays);
    old.bill("2026-03-01");
    old.on("2026-03-10");
    divide(&mut old, Proration::None);
    let mut new = upgrade(&mut old, "2026-03-10", &[flat(1, "62.00")], Cycle::Month);
    new.bill("2026-03-31");
    old.bill("2026-04-01");
    assert_eq!((old.sum(), new.sum()), (3100, 0));
    assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 62.00"]);
}

#[test]
fn a_month_that_ends_where_other_periods_begin_stays_divided() {
    let mut told = Told::prorating(&[arrears(flat(1, "31.00"))], Proration::ActualDays);
    told.on("2026-03-05");
    told.change_cycle("2026-03-11", Cycle::Quarter, &[undivided(1, "300.00")])
        .unwrap();
    divide(&mut told, Proration::None);
    assert_eq!(told.bill("2026-06-01"), ["03-01->03-11 10.00", "03-11->06-11 300.00"]);
}

#[test]
fn a_month_that_ends_where_other_periods_begin_behind_a_pause_stays_divided() {
    let mut told = Told::prorating(&[arrears(flat(1, "31.00"))], Proration::ActualDays);
    told.on("2026-03-11");
    told.change_cycle("2026-03-11", Cycle::Quarter, &[undivided(1, "300.00")])
        .unwrap();
    told.pause("2026-03-11").unwrap();
    told.on("2026-03-12").resume("2026-03-12").unwrap();
    divide(&mut told, Proration::None);
    told.bill("2026-05-01");
    assert_eq!(told.sum(), 31000);
}

#[test]
fn what_took_an_undivided_month_over_costs_all_of_it_also_where_it_is_divided_later() {
    let mut told = Told::prorating(&[arrears(undivided(1, "31.00"))], Proration::None);
    told.on("2026-03-10");
    told.change("2026-03-10", &[arrears(flat(1, "62.00"))]).unwrap();
    divide(&mut told, Proration::ActualDays);
    assert_eq!(told.bill("2026-04-01"), ["03-10->04-01 62.00"]);
    told.on("2026-04-11").cancel("2026-04-11").unwrap();
    assert_eq!(told.bill("2026-05-01"), ["04-01->04-11 20.67"]);
}

#[test]
fn what_divides_a_month_by_the_policy_of_before_takes_it_over_from_nobody() {
    let mut old = Told::prorating(&[undivided(1, "31.00")], Proration::ActualDays);
    old.bill("2026-03-01");
    old.on("2026-03-10");
    let mut new = upgrade(&mut old, "2026-03-10", &[undivided(1, "93.00")], Cycle::Month);
    new.on("2026-03-10");
    divide(&mut new, Proration::None);
    new.change("2026-03-10", &[flat(1, "62.00")]).unwrap();
    let (_, effective) = new.state.leaves_rest_to().unwrap();
    let at = new.at();
    old.send(&Command::NotFollowed { at, effective }).unwrap();
    old.bill("2026-06-01");
    new.bill("2026-03-31");
    assert_eq!((old.sum(), new.sum()), (3100, 0));
    assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 62.00"]);
}

#[test]
fn a_month_that_is_paid_to_its_end_because_other_periods_begin_behind_it_stays_whole() {
    let mut told = Told::prorating(&[flat(1, "31.00")], Proration::None);
    told.bill("2026-04-01");
    told.on("2026-04-10");
    told.change("2026-04-10", &[undivided(1, "62.00")]).unwrap();
    told.bill("2026-04-10");
    told.change_cycle("2026-04-10", Cycle::Quarter, &[undivided(1, "300.00")])
        .unwrap();
    divide(&mut told, Proration::ActualDays);
    told.bill("2026-04-30");
    assert_eq!(told.sum(), 6200);
    assert_eq!(told.bill("2026-06-01"), ["05-01->08-01 300.00"]);
}

#[test]
fn a_month_that_stays_divided_behind_a_pause_leaves_no_rest() {
    let mut old = Told::prorating(&[flat(1, "31.00")], Proration::ActualDays);
    old.bill("2026-03-01");
    old.on("2026-03-10");
    divide(&mut old, Proration::None);
    old.pause("2026-03-10").unwrap();
    old.on("2026-03-11").resume("2026-03-11").unwrap();
    let mut new = upgrade(&mut old, "2026-03-11", &[undivided(1, "62.00")], Cycle::Month);
    new.on("2026-03-11");
    let mut moved = hand_over(&mut new, "2026-03-11").unwrap();
    assert_eq!(new.state.leaves_rest_to(), None);
    old.bill("2026-06-01");
    new.bill("2026-06-01");
    moved.bill("2026-03-31");
    assert_eq!((old.sum(), new.sum(), moved.sum()), (900, 0, 6200));
}

#[test]
fn a_line_that_took_over_from_nobody_is_divided_beside_one_that_was_replaced() {
    for is_replaced in [false, true] {
        let mut told = Told::prorating(&[arrears(undivided(1, "31.00"))], Proration::None);
        told.on("2026-03-10");
        if is_replaced {
            told.change("2026-03-10", &[arrears(undivided(1, "62.00"))]).unwrap();
        }
        told.change("2026-03-10", &[arrears(flat(2, "31.00"))]).unwrap();
        divide(&mut told, Proration::ActualDays);
        let billed = told.bill("2026-04-01");
        assert!(
            billed.contains(&"03-10->04-01 22.00".to_owned()),
            "{is_replaced}: {billed:?}"
        );
    }
}

#[test]
fn a_month_that_is_paid_to_its_end_stays_whole_whatever_other_lines_begin() {
    for other_begins in [false, true] {
        let mut told = Told::prorating(&[flat(1, "31.00")], Proration::None);
        told.on("2026-04-10");
        told.bill("2026-04-01");
        told.on("2026-04-10");
        told.change("2026-04-10", &[undivided(1, "62.00")]).unwrap();
        told.bill("2026-04-10");
        told.change_cycle("2026-04-10", Cycle::Quarter, &[undivided(1, "300.00")])
            .unwrap();
        if other_begins {
            told.change("2026-04-10", &[undivided(2, "9.00")]).unwrap();
        }
        divide(&mut told, Proration::ActualDays);
        told.bill("2026-04-30");
        let of_other: i64 = told
            .billed
            .iter()
            .flatten()
            .filter(|charge| charge.line == Some(super::told::id(2)))
            .map(|charge| charge.amount.minor)
            .sum();
        assert_eq!(told.sum() - of_other, 6200, "{other_begins}");
    }
}

#[test]
fn what_a_log_of_before_was_charged_by_it_is_billed_by() {
    let lines = [arrears(undivided(1, "31.00"))];
    let mut told = Told::prorating(&lines, Proration::None);
    let mut log = Vec::new();
    told.on("2026-03-10");
    log.extend(told.change("2026-03-10", &[arrears(flat(1, "62.00"))]).unwrap());
    let mut updated = divide(&mut told, Proration::ActualDays);
    // It said nothing of what shares a period, and decided without it.
    for event in &mut updated {
        if let Event::PolicyUpdated { kept, .. } = event {
            assert!(!kept.is_empty());
            kept.clear();
        }
    }
    log.append(&mut updated);
    if let Subscription::Signed { progress, .. } = &mut told.state {
        progress.policies.clear();
    }
    told.on("2026-03-20");
    log.extend(told.change("2026-03-20", &[arrears(flat(1, "93.00"))]).unwrap());
    let accrue = Command::Accrue {
        at: told.at(),
        until: told.next().unwrap(),
        usage: Box::default(),
    };
    log.extend(told.send(&accrue).unwrap());
    let mut replayed = Told::prorating(&lines, Proration::None);
    for event in &log {
        replayed.state.apply(event);
    }
    replayed.billed.clone_from(&told.billed);
    replayed.today = told.today;
    replayed.bill("2026-04-01");
    assert_eq!(replayed.sum(), 5600);
}

#[test]
fn a_month_that_was_cut_by_a_pause_stays_divided_where_other_periods_begin_behind_it() {
    let mut told = Told::prorating(&[flat(1, "31.00")], Proration::ActualDays);
    told.bill("2026-03-20");
    told.on("2026-04-02").pause("2026-04-02").unwrap();
    told.on("2026-04-03").resume("2026-04-03").unwrap();
    told.change_cycle("2026-04-03", Cycle::Quarter, &[undivided(1, "300.00")])
        .unwrap();
    divide(&mut told, Proration::None);
    // One of the thirty days of April, not all of them beside the quarter.
    assert_eq!(told.bill("2026-04-30"), ["04-01->04-02 1.03", "04-03->07-03 300.00"]);
}

#[test]
fn a_month_stays_divided_where_other_periods_stand_still_when_the_policy_comes() {
    let mut told = Told::prorating(&[arrears(flat(1, "31.00"))], Proration::ActualDays);
    told.on("2026-03-10");
    told.change_cycle("2026-03-10", Cycle::Quarter, &[undivided(1, "300.00")])
        .unwrap();
    told.pause("2026-03-10").unwrap();
    divide(&mut told, Proration::None);
    told.on("2026-03-20").resume("2026-03-20").unwrap();
    assert_eq!(told.bill("2026-04-01"), ["03-01->03-10 9.00", "03-20->06-10 300.00"]);
}

#[test]
fn a_month_that_a_paused_line_took_over_is_whole_in_the_contract_that_follows() {
    let mut old = Told::prorating(&[undivided(1, "30.00")], Proration::None);
    old.bill("2026-03-21");
    old.on("2026-04-02");
    old.change("2026-04-02", &[undivided(1, "60.00")]).unwrap();
    old.pause("2026-04-02").unwrap();
    old.on("2026-04-03").resume("2026-04-03").unwrap();
    let mut new = upgrade(&mut old, "2026-04-03", &[flat(1, "90.00")], Cycle::Month);
    new.on("2026-04-03");
    divide(&mut new, Proration::ActualDays);
    let before = old.sum();
    old.bill("2026-04-30");
    new.bill("2026-04-30");
    assert_eq!((old.sum() - before, new.sum()), (0, 9000));
}

#[test]
fn a_month_before_one_that_stays_divided_is_paid_by_both_who_have_it() {
    let mut told = Told::prorating(&[flat(1, "30.00")], Proration::ActualDays);
    told.bill("2026-03-25");
    told.on("2026-04-16").change("2026-04-16", &[flat(1, "60.00")]).unwrap();
    told.on("2026-05-02");
    told.change_cycle("2026-05-02", Cycle::Quarter, &[undivided(1, "300.00")])
        .unwrap();
    divide(&mut told, Proration::None);
    let billed = told.bill("2026-05-02");
    assert_eq!(
        billed,
        [
            "04-01->04-16 15.00",
            "04-16->05-01 30.00",
            "05-01->05-02 1.94",
            "05-02->08-02 300.00"
        ]
    );
}

#[test]
fn a_month_that_is_paid_to_its_end_stays_whole_where_what_follows_stands_still_by_then() {
    let mut told = Told::prorating(&[arrears(flat(1, "31.00"))], Proration::None);
    told.on("2026-03-12")
        .change("2026-03-12", &[undivided(1, "62.00")])
        .unwrap();
    told.change_cycle("2026-03-12", Cycle::Quarter, &[undivided(1, "300.00")])
        .unwrap();
    told.on("2026-03-22").pause("2026-03-22").unwrap();
    told.on("2026-04-02").resume("2026-04-02").unwrap();
    divide(&mut told, Proration::ActualDays);
    let billed = told.bill("2026-04-02");
    assert_eq!(
        billed.first().map(String::as_str),
        Some("03-01->04-01 31.00"),
        "{billed:?}"
    );
}

#[test]
fn a_month_that_is_to_end_before_its_planned_change_is_counted_as_that_was_planned() {
    for pauses in [false, true] {
        let mut told = Told::prorating(&[arrears(flat(1, "31.00"))], Proration::ActualDays);
        told.on("2026-03-05");
        told.change_cycle("2026-03-25", Cycle::Quarter, &[undivided(1, "300.00")])
            .unwrap();
        if pauses {
            told.pause("2026-03-11").unwrap();
        } else {
            told.cancel("2026-03-11").unwrap();
        }
        // It may go on yet, with the change that was planned.
        divide(&mut told, Proration::None);
        assert_eq!(told.bill("2026-04-01"), ["03-01->03-11 10.00"], "{pauses}");
    }
}
