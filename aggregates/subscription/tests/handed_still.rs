//! What becomes another customer's while it waits or stands still: both together pay what one would have.

use chrono::NaiveDate;

use super::{
    date,
    handed::hand_over,
    told::{Told, flat, undivided},
};
use crate::subscription::{Command, Refused, Status};

fn march(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap() + chrono::Days::new(u64::from(day) - 1)
}

fn resume(told: &mut Told, from: NaiveDate) {
    let at = told.at();
    told.send(&Command::Resume { at, from }).unwrap();
}

/// A pause in March, said on the 5th, and the day on which it goes on again, where that was said on the same day.
fn paused(lines: &[crate::catalog::PlanLine], pause: u32, planned: Option<u32>) -> Told {
    let mut told = Told::contract(lines);
    told.bill("2026-03-01");
    told.on("2026-03-05");
    told.pause(&march(pause).to_string()).unwrap();
    if let Some(day) = planned {
        resume(&mut told, march(day));
    }
    told
}

#[test]
fn a_pause_costs_the_same_whoever_has_it() {
    for (lines, days) in [
        (vec![flat(1, "31.00")], 31),
        (vec![undivided(1, "30.00")], 60),
        (vec![flat(1, "31.00"), undivided(2, "30.00")], 31),
    ] {
        for pause in [5, 6, 10, 20, 31] {
            for again in (pause + 1..=days).step_by(3) {
                for day in (5..=again).step_by(2) {
                    for planned in [None, Some(again)] {
                        let told = format!("pause {pause}, move {day}, again {again}, planned {planned:?}");
                        let mut one = paused(&lines, pause, planned);
                        one.on(&march(again).to_string());
                        if planned.is_none() {
                            resume(&mut one, march(again));
                        }
                        one.bill("2026-06-15");
                        let mut old = paused(&lines, pause, planned);
                        old.bill(&march(day).to_string());
                        let mut new = hand_over(&mut old, &march(day).to_string()).unwrap();
                        new.bill(&march(day).to_string());
                        new.on(&march(again).to_string());
                        if planned.is_none() {
                            assert_eq!(new.status(), Status::Paused, "{told}");
                            resume(&mut new, march(again).max(march(day)));
                        }
                        old.bill("2026-06-15");
                        new.bill("2026-06-15");
                        assert_eq!(old.sum() + new.sum(), one.sum(), "{told}");
                        assert!(old.sum() >= 0 && new.sum() >= 0, "{told}");
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_is_changed_before_a_resumption_that_was_planned_where_it_came_from() {
    let mut old = paused(&[flat(1, "31.00")], 10, Some(25));
    old.on("2026-03-15");
    let mut new = hand_over(&mut old, "2026-03-15").unwrap();
    let from = march(25);
    assert_eq!(
        new.change("2026-03-20", &[flat(1, "62.00")]),
        Err(Refused::BeforeGoingOn { from })
    );
    assert!(new.change("2026-03-25", &[flat(1, "62.00")]).is_ok());
    assert_eq!(new.bill("2026-03-25"), ["03-25->04-01 14.00"]);
}

#[test]
fn what_waits_begins_no_sooner_than_it_was_moved_and_never_where_it_was() {
    let mut old = Told::waiting(&[flat(1, "31.00")]);
    old.on("2026-03-10");
    let mut new = hand_over(&mut old, "2026-03-15").unwrap();
    assert_eq!((new.status(), new.next()), (Status::Pending, None));
    assert!(matches!(old.activate("2026-03-12"), Err(Refused::Moved { .. })));
    let start = date("2026-03-15");
    assert_eq!(new.activate("2026-03-14"), Err(Refused::BeforeStart { start }));
    new.activate("2026-03-15").unwrap();
    assert_eq!(new.bill("2026-03-15"), ["03-15->04-15 31.00"]);
    assert_eq!(old.bill("2026-06-01"), [""; 0]);
    assert_eq!(old.status(), Status::Cancelled);
}
