//! Contracts that go on as others on one day, over and over: every day that was agreed is billed once, and no other.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::{
    date,
    handed::{hand_over, upgrade},
    told::{Told, flat, undivided},
};
use crate::{
    billing::Reason,
    catalog::PlanLine,
    random::hold,
    subscription::{Command, Cycle},
};

/// What comes next, and how many days later.
#[derive(Clone, Copy, Debug)]
enum Step {
    Upgrade {
        divided: bool,
        cycle: Cycle,
    },
    Change {
        divided: bool,
        cycle: Option<Cycle>,
    },
    Move,
    /// For so many days.
    Pause(u64),
    Bill,
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let cycle = prop_oneof![4 => Just(Cycle::Month), 1 => Just(Cycle::Quarter), 1 => Just(Cycle::Week)];
    let others = prop_oneof![4 => Just(None), 1 => Just(Some(Cycle::Quarter)), 1 => Just(Some(Cycle::Month))];
    let step = prop_oneof![
        3 => (any::<bool>(), cycle).prop_map(|(divided, cycle)| Step::Upgrade { divided, cycle }),
        3 => (any::<bool>(), others).prop_map(|(divided, cycle)| Step::Change { divided, cycle }),
        1 => Just(Step::Move),
        2 => prop_oneof![Just(0_u64), 1_u64..40].prop_map(Step::Pause),
        2 => Just(Step::Bill),
    ];
    // Most of it comes on one day.
    let later = prop_oneof![3 => Just(0_u64), 1 => 1_u64..20];
    prop::collection::vec((later, step), 1..7)
}

fn line(divided: bool, price: u32) -> PlanLine {
    let price = format!("{price}.00");
    if divided { flat(1, &price) } else { undivided(1, &price) }
}

/// The days that the contracts are charged for, all together: how often each.
fn paid(chain: &[Told]) -> BTreeMap<NaiveDate, i64> {
    let mut paid = BTreeMap::new();
    for charge in chain.iter().flat_map(|told| told.billed.iter().flatten()) {
        let why = charge.explanation.as_ref().unwrap();
        let times = match why.reason {
            Reason::Period => 1,
            Reason::Unused => -1,
            Reason::Trial | Reason::OneOff | Reason::Usage | Reason::UsageCorrection => continue,
        };
        let mut day = charge.period.start;
        while day < charge.period.end.unwrap() {
            *paid.entry(day).or_insert(0) += times;
            day = day + Days::new(1);
        }
    }
    paid
}

/// Tells each contract what the one behind it has left to it.
fn settle(chain: &mut [Told]) {
    for n in (1..chain.len()).rev() {
        let Some((_, effective)) = chain[n].state.leaves_rest_to() else {
            return;
        };
        let at = chain[n].at();
        chain[n - 1].send(&Command::NotFollowed { at, effective }).unwrap();
    }
}

fn take(chain: &mut Vec<Told>, step: Step, price: u32, still: &mut Vec<(NaiveDate, NaiveDate)>) {
    let last = chain.last_mut().unwrap();
    let day = last.today;
    let text = day.to_string();
    match step {
        Step::Upgrade { divided, cycle } => {
            let mut next = upgrade(last, &text, &[line(divided, price)], cycle);
            next.today = day;
            chain.push(next);
            let before = chain.len() - 1;
            settle(&mut chain[..before]);
        }
        Step::Change { divided, cycle: None } => {
            last.change(&text, &[line(divided, price)]).unwrap();
            settle(chain);
        }
        Step::Change {
            divided,
            cycle: Some(cycle),
        } => {
            last.change_cycle(&text, cycle, &[line(divided, price)]).unwrap();
            settle(chain);
        }
        Step::Move => {
            let mut next = hand_over(last, &text).unwrap();
            settle(chain);
            next.today = day;
            chain.push(next);
        }
        Step::Pause(days) => {
            last.pause(&text).unwrap();
            settle(chain);
            let again = day + Days::new(days);
            still.push((day, again));
            let last = chain.last_mut().unwrap();
            last.today = again;
            last.resume(&again.to_string()).unwrap();
        }
        Step::Bill => {
            for told in chain {
                told.bill_on(day);
            }
        }
    }
}

#[test]
fn every_day_that_was_agreed_is_billed_once_and_no_other() {
    hold(&(0_u64..40, any::<bool>(), steps()), |(first, divided, steps)| {
        let mut chain = vec![Told::contract(&[line(divided, 31)])];
        let mut still = Vec::new();
        chain[0].today = date("2026-03-01") + Days::new(first);
        chain[0].bill_on(date("2026-03-01") + Days::new(first));
        for (price, (later, step)) in (40..).zip(&steps) {
            let last = chain.last_mut().unwrap();
            last.today = last.today + Days::new(*later);
            take(&mut chain, *step, price, &mut still);
        }
        let end = date("2027-01-01");
        for told in &mut chain {
            told.bill_on(end);
        }
        let paid = paid(&chain);
        let mut day = date("2026-03-01");
        while day < end {
            let times = paid.get(&day).copied().unwrap_or_default();
            let stood_still = still.iter().any(|(from, again)| (*from..*again).contains(&day));
            let is_right = times == 1 || times == 0 && (stood_still || is_taken_over(&chain, day));
            prop_assert!(is_right, "{day} is paid {times} times");
            day = day + Days::new(1);
        }
        Ok(())
    });
}

/// Whether a line that is not divided, and begins later in the day's period, costs all of it.
fn is_taken_over(chain: &[Told], day: NaiveDate) -> bool {
    let mut all = chain.iter().flat_map(|told| told.billed.iter().flatten());
    let mut times = 0;
    for charge in &mut all {
        let why = charge.explanation.as_ref().unwrap();
        let Some(notional) = why.notional.filter(|_| why.numerator.abs() == why.denominator) else {
            continue;
        };
        if notional.start <= day && day < charge.period.start {
            times += if why.reason == Reason::Unused { -1 } else { 1 };
        }
    }
    times > 0
}
