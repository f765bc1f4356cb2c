//! The rest of an undivided period that one line takes over from another: who began the period pays for it, where that one
//! never begins.

use super::{
    date,
    handed::{hand_over, upgrade},
    told::{Told, flat, id, undivided},
};
use crate::{
    catalog::PlanLine,
    subscription::{Command, Cycle},
};

const NONE: [&str; 0] = [];

/// 31.00 a month, charged for March, and on the tenth 93.00 in its place.
fn changed(is_billed: bool) -> Told {
    let mut told = Told::contract(&[undivided(1, "31.00")]);
    told.bill("2026-03-01");
    told.on("2026-03-10");
    told.change("2026-03-10", &[undivided(1, "93.00")]).unwrap();
    if is_billed {
        told.bill("2026-03-10");
    }
    told
}

/// Tells each of a chain of contracts, the last one first, what the one behind it has left to it.
fn settle(chain: &mut [&mut Told]) {
    for n in (1..chain.len()).rev() {
        let Some((_, effective)) = chain[n].state.leaves_rest_to() else {
            return;
        };
        let at = chain[n].at();
        chain[n - 1].send(&Command::NotFollowed { at, effective }).unwrap();
    }
}

/// What follows 31.00 a month from the tenth of March on: 93.00 a month.
fn followed(is_billed: bool) -> (Told, Told) {
    let mut old = Told::contract(&[undivided(1, "31.00")]);
    old.bill("2026-03-01");
    old.on("2026-03-10");
    let mut new = upgrade(&mut old, "2026-03-10", &[undivided(1, "93.00")], Cycle::Month);
    if is_billed {
        old.bill("2026-03-10");
        new.bill("2026-03-10");
    }
    (old, new)
}

fn plans() -> [(PlanLine, &'static str); 2] {
    [(flat(1, "62.00"), "62.00"), (flat(3, "62.00"), "62.00")]
}

#[test]
fn a_month_is_paid_by_who_began_it_where_a_second_change_of_the_day_divides() {
    for is_billed in [true, false] {
        for (last, price) in plans() {
            let mut told = changed(is_billed);
            told.replace("2026-03-10", vec![], &[last]).unwrap();
            told.bill("2026-03-31");
            assert_eq!(told.sum(), 3100, "{is_billed} {price}");
            assert_eq!(told.bill("2026-04-01"), [format!("04-01->05-01 {price}")]);
        }
        let mut told = changed(is_billed);
        told.change("2026-03-10", &[flat(1, "62.00")]).unwrap();
        told.bill("2026-03-31");
        assert_eq!(told.sum(), 3100);
        assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 62.00"]);
    }
}

#[test]
fn a_month_is_paid_by_who_began_it_where_a_second_change_of_the_day_brings_other_periods_or_nothing() {
    for is_billed in [true, false] {
        let mut told = changed(is_billed);
        told.change_cycle("2026-03-10", Cycle::Year, &[undivided(1, "900.00")])
            .unwrap();
        told.bill("2026-03-31");
        assert_eq!(told.sum(), 3100);
        assert_eq!(told.bill("2026-04-01"), ["04-01->04-01 900.00"]);
        let mut told = changed(is_billed);
        told.replace("2026-03-10", vec![id(1)], &[]).unwrap();
        told.bill("2026-06-01");
        assert_eq!(told.sum(), 3100);
    }
}

#[test]
fn a_second_change_of_the_day_that_does_not_divide_costs_the_whole_month() {
    for is_billed in [true, false] {
        for line in [1, 3] {
            let mut told = changed(is_billed);
            told.replace("2026-03-10", vec![], &[undivided(line, "62.00")]).unwrap();
            told.bill("2026-03-31");
            assert_eq!(told.sum(), 6200);
        }
    }
}

#[test]
fn a_month_is_paid_by_who_began_it_where_what_follows_is_paused_from_its_first_day_on() {
    for is_billed in [true, false] {
        for (resumed, expected) in [
            ("2026-03-10", vec!["04-01->05-01 93.00"]),
            ("2026-03-20", vec!["04-01->05-01 93.00"]),
            ("2026-04-11", vec!["04-11->05-01 93.00"]),
        ] {
            let (mut old, mut new) = followed(is_billed);
            new.pause("2026-03-10").unwrap();
            settle(&mut [&mut old, &mut new]);
            if is_billed {
                new.bill(resumed);
            }
            new.on(resumed).resume(resumed).unwrap();
            old.bill("2026-06-01");
            assert_eq!(old.sum(), 3100);
            new.bill("2026-03-31");
            assert_eq!(new.sum(), 0);
            assert_eq!(new.bill("2026-04-30"), expected, "{is_billed} {resumed}");
        }
    }
}

#[test]
fn a_month_is_paid_by_who_began_it_where_what_follows_changes_on_its_first_day() {
    for is_billed in [true, false] {
        for (last, price) in plans() {
            let (mut old, mut new) = followed(is_billed);
            new.replace("2026-03-10", vec![], &[last]).unwrap();
            settle(&mut [&mut old, &mut new]);
            old.bill("2026-06-01");
            new.bill("2026-03-31");
            assert_eq!((old.sum(), new.sum()), (3100, 0), "{is_billed} {price}");
            assert_eq!(new.bill("2026-04-01"), [format!("04-01->05-01 {price}")]);
        }
        // Later on its first days are paid by itself.
        let (mut old, mut new) = followed(is_billed);
        new.bill("2026-03-11");
        new.change("2026-03-11", &[flat(1, "62.00")]).unwrap();
        settle(&mut [&mut old, &mut new]);
        old.bill("2026-06-01");
        new.bill("2026-03-31");
        assert_eq!((old.sum(), new.sum()), (0, 9300), "{is_billed}");
        assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 62.00"]);
    }
}

#[test]
fn what_was_left_stays_left_whatever_comes_behind_it() {
    let (mut old, mut new) = followed(true);
    new.pause("2026-03-10").unwrap();
    settle(&mut [&mut old, &mut new]);
    new.on("2026-03-12").resume("2026-03-12").unwrap();
    new.on("2026-03-15");
    new.change("2026-03-15", &[flat(1, "62.00")]).unwrap();
    settle(&mut [&mut old, &mut new]);
    let mut moved = hand_over(&mut new, "2026-03-16").unwrap();
    old.bill("2026-06-01");
    new.bill("2026-06-01");
    moved.bill("2026-03-31");
    assert_eq!((old.sum(), new.sum(), moved.sum()), (3100, 0, 0));
    assert_eq!(moved.bill("2026-04-01"), ["04-01->05-01 62.00"]);
}

#[test]
fn a_month_stays_with_whose_it_was_where_what_follows_is_moved_on_its_first_day() {
    for is_billed in [true, false] {
        for is_paused in [true, false] {
            let (mut old, mut new) = followed(is_billed);
            if is_paused {
                new.pause("2026-03-10").unwrap();
            }
            let mut moved = hand_over(&mut new, "2026-03-10").unwrap();
            settle(&mut [&mut old, &mut new]);
            if is_paused {
                moved.resume("2026-03-10").unwrap();
            }
            old.bill("2026-06-01");
            new.bill("2026-06-01");
            moved.bill("2026-03-31");
            assert_eq!(
                (old.sum(), new.sum(), moved.sum()),
                (3100, 0, 0),
                "{is_billed} {is_paused}"
            );
            assert_eq!(moved.bill("2026-04-01"), ["04-01->05-01 93.00"]);
        }
    }
}

#[test]
fn a_month_is_paid_once_along_a_chain_of_upgrades_of_one_day() {
    let day = "2026-03-10";
    for is_billed in [true, false] {
        // The last one takes over, stands still, or is divided, or has other periods.
        for (last, cycle, is_paused, sums) in [
            (undivided(2, "62.00"), Cycle::Month, false, (0, 6200)),
            (undivided(2, "62.00"), Cycle::Month, true, (3100, 0)),
            (flat(2, "62.00"), Cycle::Month, false, (3100, 0)),
            (undivided(2, "900.00"), Cycle::Year, false, (3100, 0)),
        ] {
            let (mut old, mut new) = followed(is_billed);
            let mut third = upgrade(&mut new, day, std::slice::from_ref(&last), cycle);
            third.today = date(day);
            settle(&mut [&mut old, &mut new]);
            if is_paused {
                third.pause(day).unwrap();
                settle(&mut [&mut old, &mut new, &mut third]);
            }
            old.bill("2026-03-31");
            new.bill("2026-03-31");
            third.bill("2026-03-31");
            assert_eq!(new.sum(), 0, "{last:?} {is_billed}");
            assert_eq!((old.sum(), third.sum()), sums, "{last:?} {is_billed}");
            let is_none = third.bill("2026-04-01") == NONE;
            assert_eq!(is_none, is_paused);
        }
    }
}
