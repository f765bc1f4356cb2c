//! Contracts that go on as others on one day, over and over: every day that was agreed is billed once, and no other.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::{
    date,
    handed::{hand_over, upgrade},
    told::{Told, flat},
};
use crate::{
    billing::{Proration, Reason, Timing},
    catalog::PlanLine,
    policy::PolicyChanges,
    random::hold,
    subscription::{Command, Cycle},
};

/// How a line is sold.
#[derive(Clone, Copy, Debug)]
struct Sold {
    divided: bool,
    timing: Timing,
}

/// What comes next, and how many days later.
#[derive(Clone, Copy, Debug)]
enum Step {
    Upgrade {
        kind: Sold,
        cycle: Cycle,
    },
    Change {
        kind: Sold,
        cycle: Option<Cycle>,
    },
    Move,
    /// For so many days; parts of periods may be divided in the middle of it, or not any more.
    Pause(u64, Option<Proration>),
    Bill,
    /// Parts of periods are divided from now on, or not any more.
    Policy(Proration),
}

fn sold() -> impl Strategy<Value = Sold> {
    let timing = prop_oneof![3 => Just(Timing::Advance), 1 => Just(Timing::Arrears)];
    (any::<bool>(), timing).prop_map(|(divided, timing)| Sold { divided, timing })
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let cycle = prop_oneof![4 => Just(Cycle::Month), 1 => Just(Cycle::Quarter), 1 => Just(Cycle::Week)];
    let others = prop_oneof![4 => Just(None), 1 => Just(Some(Cycle::Quarter)), 1 => Just(Some(Cycle::Month))];
    let policies = || prop_oneof![Just(Proration::None), Just(Proration::ActualDays)];
    let still = prop_oneof![3 => Just(None), 1 => policies().prop_map(Some)];
    let step = prop_oneof![
        3 => (sold(), cycle).prop_map(|(kind, cycle)| Step::Upgrade { kind, cycle }),
        3 => (sold(), others).prop_map(|(kind, cycle)| Step::Change { kind, cycle }),
        1 => Just(Step::Move),
        2 => (prop_oneof![Just(0_u64), 1_u64..40], still).prop_map(|(days, policy)| Step::Pause(days, policy)),
        2 => Just(Step::Bill),
        1 => policies().prop_map(Step::Policy),
    ];
    // Most of it comes on one day.
    let later = prop_oneof![3 => Just(0_u64), 1 => 1_u64..20];
    prop::collection::vec((later, step), 1..7)
}

fn line(kind: Sold, price: u32) -> PlanLine {
    PlanLine {
        prorate: kind.divided,
        timing: kind.timing,
        ..flat(1, &format!("{price}.00"))
    }
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

fn divide(told: &mut Told, proration: Proration) {
    let at = told.at();
    let changes = PolicyChanges {
        proration: Some(proration),
        ..PolicyChanges::default()
    };
    told.send(&Command::UpdatePolicy { at, changes }).unwrap();
}

fn take(chain: &mut Vec<Told>, step: Step, price: u32, still: &mut Vec<(NaiveDate, NaiveDate)>) {
    let last = chain.last_mut().unwrap();
    let day = last.today;
    let text = day.to_string();
    match step {
        Step::Upgrade { kind, cycle } => {
            let mut next = upgrade(last, &text, &[line(kind, price)], cycle);
            next.today = day;
            chain.push(next);
            let before = chain.len() - 1;
            settle(&mut chain[..before]);
        }
        Step::Change { kind, cycle: None } => {
            last.change(&text, &[line(kind, price)]).unwrap();
            settle(chain);
        }
        Step::Change {
            kind,
            cycle: Some(cycle),
        } => {
            last.change_cycle(&text, cycle, &[line(kind, price)]).unwrap();
            settle(chain);
        }
        Step::Move => {
            let mut next = hand_over(last, &text).unwrap();
            settle(chain);
            next.today = day;
            chain.push(next);
        }
        Step::Pause(days, policy) => {
            last.pause(&text).unwrap();
            settle(chain);
            let again = day + Days::new(days);
            still.push((day, again));
            let last = chain.last_mut().unwrap();
            if let Some(proration) = policy {
                divide(last, proration);
            }
            last.today = again;
            last.resume(&again.to_string()).unwrap();
        }
        Step::Policy(proration) => divide(last, proration),
        Step::Bill => {
            for told in chain {
                told.bill_on(day);
            }
        }
    }
}

#[test]
fn every_day_that_was_agreed_is_billed_once_and_no_other() {
    let begun = (sold(), any::<bool>());
    hold(&(0_u64..40, begun, steps()), |(first, (kind, divides), steps)| {
        let proration = if divides {
            Proration::ActualDays
        } else {
            Proration::None
        };
        let mut chain = vec![Told::prorating(&[line(kind, 31)], proration)];
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
            // What is billed at its end is billed by then.
            told.bill_on(end + Days::new(100));
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
