//! Days that the agreement before has paid are not charged again, whatever changes before they are over.

use super::{
    date,
    handed::{hand_over, upgrade},
    told::{Told, flat, id, undivided},
};
use crate::{
    billing::Proration,
    catalog::PlanLine,
    order_terms::LineBilling,
    subscription::{Command, Cycle, Refused},
};

const NONE: [&str; 0] = [];

type Line = fn(u128, &str) -> PlanLine;

/// A contract, charged for March, whose periods are not divided: by its line, or by its policy.
fn contracts() -> [(Told, Line); 2] {
    let mut both = [
        (Told::contract(&[undivided(1, "31.00")]), undivided as Line),
        (Told::prorating(&[flat(1, "31.00")], Proration::None), flat as Line),
    ];
    for (told, _) in &mut both {
        assert_eq!(told.bill("2026-03-01"), ["03-01->04-01 31.00"]);
        told.on("2026-03-10");
    }
    both
}

#[test]
fn other_units_of_what_an_upgrade_brings_begin_behind_the_paid_month() {
    for (mut old, line) in contracts() {
        let mut new = upgrade(&mut old, "2026-03-10", &[line(2, "300.00")], Cycle::Year);
        new.on("2026-03-15");
        new.change("2026-03-15", &[line(2, "600.00")]).unwrap();
        assert_eq!(new.bill("2026-03-31"), NONE);
        assert_eq!(new.bill("2026-04-01"), ["04-01->04-01 600.00"]);
        assert_eq!(old.bill("2026-06-01"), NONE);
    }
}

#[test]
fn a_second_upgrade_begins_behind_the_paid_month_too() {
    for cycle in [Cycle::Year, Cycle::Month] {
        for (mut old, line) in contracts() {
            let mut next = upgrade(&mut old, "2026-03-10", &[line(2, "300.00")], Cycle::Year);
            next.on("2026-03-15");
            let mut last = upgrade(&mut next, "2026-03-15", &[line(3, "31.00")], cycle);
            assert_eq!(next.bill("2026-06-01"), NONE);
            assert_eq!(last.bill("2026-03-31"), NONE);
            let end = if cycle == Cycle::Year { "04-01" } else { "05-01" };
            assert_eq!(last.bill("2026-04-01"), [format!("04-01->{end} 31.00")]);
        }
    }
}

#[test]
fn what_changes_behind_a_move_begins_behind_the_month_that_the_other_customer_paid() {
    for (mut old, line) in contracts() {
        let mut new = hand_over(&mut old, "2026-03-10").unwrap();
        new.on("2026-03-15");
        new.change("2026-03-15", &[line(1, "40.00")]).unwrap();
        assert_eq!(new.bill("2026-03-31"), NONE);
        assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 40.00"]);
    }
    let mut old = Told::order("31.00");
    old.bill("2026-03-01");
    old.on("2026-03-10");
    let mut new = hand_over(&mut old, "2026-03-10").unwrap();
    new.on("2026-03-15");
    new.replace("2026-03-15", vec![], &[undivided(2, "40.00")]).unwrap();
    assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 40.00"]);
}

#[test]
fn an_upgrade_behind_a_move_begins_behind_the_month_that_the_other_customer_paid() {
    for (mut old, line) in contracts() {
        let mut new = hand_over(&mut old, "2026-03-10").unwrap();
        new.on("2026-03-15");
        let mut last = upgrade(&mut new, "2026-03-15", &[line(2, "31.00")], Cycle::Month);
        assert_eq!(new.bill("2026-06-01"), NONE);
        assert_eq!(last.bill("2026-03-31"), NONE);
        assert_eq!(last.bill("2026-04-01"), ["04-01->05-01 31.00"]);
    }
}

#[test]
fn what_is_paid_is_known_however_often_it_goes_on() {
    for (mut old, line) in contracts() {
        let mut second = hand_over(&mut old, "2026-03-10").unwrap();
        second.on("2026-03-12");
        let mut third = hand_over(&mut second, "2026-03-12").unwrap();
        third.on("2026-03-13");
        let mut fourth = upgrade(&mut third, "2026-03-13", &[line(1, "35.00")], Cycle::Month);
        fourth.on("2026-03-14");
        let mut last = hand_over(&mut fourth, "2026-03-14").unwrap();
        last.on("2026-03-15");
        last.change("2026-03-15", &[line(1, "40.00")]).unwrap();
        assert_eq!(last.bill("2026-04-01"), ["04-01->05-01 40.00"]);
        for told in [&mut second, &mut third, &mut fourth] {
            assert_eq!(told.bill("2026-06-01"), NONE);
        }
    }
}

#[test]
fn what_is_divided_is_charged_from_the_day_on_beside_what_is_not() {
    let mut old = Told::contract(&[flat(1, "31.00"), undivided(2, "62.00")]);
    old.bill("2026-03-01");
    old.on("2026-03-11");
    let mut new = hand_over(&mut old, "2026-03-11").unwrap();
    assert_eq!(new.bill("2026-03-11"), ["03-11->04-01 21.00"]);
    new.on("2026-03-16");
    new.change("2026-03-16", &[flat(1, "62.00"), undivided(2, "93.00")])
        .unwrap();
    assert_eq!(new.bill("2026-03-31"), ["03-16->04-01 32.00", "03-16->04-01 -16.00"]);
    assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 93.00", "04-01->05-01 62.00"]);
}

#[test]
fn a_line_that_is_paid_already_begins_no_sooner_because_it_has_periods_of_its_own() {
    let mut old = Told::order("31.00");
    old.bill("2026-03-01");
    old.on("2026-03-10");
    let mut new = hand_over(&mut old, "2026-03-10").unwrap();
    let at = new.on("2026-03-15").at();
    let line = id(1);
    let starting = |day: Option<&str>| {
        Box::new(LineBilling {
            aligned: Some(false),
            fixed_start: day.map(date),
            ..LineBilling::default()
        })
    };
    let billing = starting(Some("2026-03-20"));
    let start = date("2026-04-01");
    assert_eq!(
        new.send(&Command::UpdateLineBilling { at, line, billing }),
        Err(Refused::LineTooEarly { line, start })
    );
    let billing = starting(None);
    new.send(&Command::UpdateLineBilling { at, line, billing }).unwrap();
    assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 31.00"]);
}
