//! Another policy for a running subscription: it reaches what is not charged yet, and nothing else.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{Agreement, Event, Now, Progress, Refused, Status};
use crate::{
    billing::{Ending, Kind, Phase, Schedule},
    policy::{BillingPolicy, PolicyBefore, PolicyChanges, PolicyOwner},
};

impl Now<'_> {
    pub fn update_policy(&self, changes: PolicyChanges) -> Result<Vec<Event>, Refused> {
        match self.agreement.status {
            Status::Pending | Status::Active | Status::Paused => {}
            Status::Cancelled => return Err(Refused::Cancelled),
        }
        let Some(policy) = self.agreement.rules().changed(&changes, PolicyOwner::Subscription) else {
            return Ok(Vec::new());
        };
        self.not_moved()?;
        let (mut agreement, mut progress) = (self.agreement.clone(), self.progress.clone());
        updated(&mut agreement, &mut progress, policy);
        let then = Now {
            agreement: &agreement,
            progress: &progress,
            ..*self
        };
        Ok(vec![Event::PolicyUpdated {
            at: self.at,
            policy,
            next_billing: then.next_billing(&agreement.phases)?,
        }])
    }
}

/// What is charged up to here was charged by the policy of before: it is taken back and corrected by that one.
pub(super) fn updated(agreement: &mut Agreement, progress: &mut Progress, policy: BillingPolicy) {
    let before = agreement.rules();
    let billed = |phase: &Phase| Some((phase.number, counted_through(phase)?));
    let billed_through: BTreeMap<_, _> = agreement.phases.iter().filter_map(billed).collect();
    if !billed_through.is_empty() {
        progress.policies.push(PolicyBefore {
            policy: before,
            billed_through,
        });
    }
    inherit(&mut progress.policies, &agreement.phases);
    if before.proration.divides() {
        take_over(&mut agreement.phases);
    }
    agreement.policy = Some(policy);
}

/// The period in which something is charged is counted by one policy to its end.
fn counted_through(phase: &Phase) -> Option<NaiveDate> {
    let billed = phase.billed_through?;
    let last = billed.pred_opt().filter(|last| *last >= phase.from);
    let period = schedule_of(phase)
        .zip(last)
        .and_then(|(all, last)| all.containing(last));
    Some(period.map_or(billed, |period| period.end))
}

fn schedule_of(phase: &Phase) -> Option<Schedule> {
    phase.schedule.filter(|_| phase.kind == Kind::Recurring)
}

/// What is not charged yet of a period in which a policy of before has charged something is counted by that one: what
/// comes, as what it comes in the place of is given back; and what was to cost nothing, as what took it over costs all.
pub(super) fn inherit(policies: &mut [PolicyBefore], phases: &[Phase]) {
    for phase in phases.iter().filter(|phase| schedule_of(phase).is_some()) {
        let replaced = phase.ending == Ending::Replaced;
        let beside = |other: &&Phase| follows(phases, other, phase) || replaced && takes_over(other, phase);
        let beside: Vec<_> = phases.iter().filter(beside).map(|other| other.number).collect();
        let from = match phase.until.filter(|_| replaced) {
            Some(until) => until,
            None if phase.billed_through.is_none() => phase.from,
            None => continue,
        };
        for policy in &mut *policies {
            let counted = beside.iter().filter_map(|other| policy.billed_through.get(other));
            let counted = counted.max().copied().filter(|through| *through > from);
            let known = policy.billed_through.get(&phase.number).copied();
            if let Some(through) = counted.max(known) {
                policy.billed_through.insert(phase.number, through);
            }
        }
    }
}

/// Whether the other phase begins in the rest of the period in which that one was replaced.
fn takes_over(other: &Phase, replaced: &Phase) -> bool {
    let rest = schedule_of(replaced).zip(replaced.until);
    let rest = rest.and_then(|(schedule, until)| Some(until..schedule.containing(until)?.end));
    other.schedule == replaced.schedule && rest.is_some_and(|rest| rest.contains(&other.from))
}

/// Whether a phase goes on with what the other one had: it is of the same line, or came in its place.
fn follows(phases: &[Phase], before: &Phase, after: &Phase) -> bool {
    let same = before.number != after.number && schedule_of(before) == after.schedule;
    same && (before.line == after.line || comes_after(phases, before, after))
}

/// Whether a phase begins where the other one ends, as the same line or in the place of one that leaves.
fn comes_after(phases: &[Phase], before: &Phase, after: &Phase) -> bool {
    // What has no day came and went.
    let lasting = || phases.iter().filter(|phase| phase.until != Some(phase.from));
    let begins = |line| lasting().any(|new| new.line == line && new.from == after.from);
    let ends = |line| lasting().any(|old| old.line == line && old.until == Some(after.from));
    let moves = before.line == after.line || !begins(before.line) && !ends(after.line);
    before.number != after.number && before.schedule == after.schedule && before.until == Some(after.from) && moves
}

/// A change that was to divide a period which nobody has charged yet: undivided, what comes costs all of it.
fn take_over(phases: &mut [Phase]) {
    let all = phases.to_vec();
    for phase in phases
        .iter_mut()
        .filter(|phase| phase.prorate && phase.kind == Kind::Recurring)
    {
        let ends_within = |day| phase.schedule.is_some() && phase.period_start(day) != day;
        let is_changed = |phase: &Phase| all.iter().any(|other| comes_after(&all, phase, other));
        if phase.ending == Ending::Change && phase.until.is_some_and(ends_within) && is_changed(phase) {
            phase.ending = Ending::Replaced;
        }
    }
}
