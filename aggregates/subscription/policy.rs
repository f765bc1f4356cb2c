//! Another policy for a running subscription: it reaches what is not charged yet, and nothing else.

use std::{collections::BTreeMap, ops::Range};

use chrono::NaiveDate;

use super::{Agreement, BilledThrough, Charge, Event, Now, PhaseEnd, Progress, Refused, Status, phases};
use crate::{
    billing::{Ending, Kind, Phase, Policy, Reason, Schedule},
    id::LineId,
    policy::{BillingPolicy, PolicyBefore, PolicyChanges, PolicyOwner, PolicyVersion},
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
        let kept = kept(&agreement, &policy);
        updated(&mut agreement, &mut progress, policy, &kept);
        let then = Now {
            agreement: &agreement,
            progress: &progress,
            ..*self
        };
        Ok(vec![Event::PolicyUpdated {
            at: self.at,
            policy,
            kept,
            next_billing: then.next_billing(&agreement.phases)?,
        }])
    }
}

/// How far phases are counted by the policy in force that have charged nothing so far, because others share their period.
fn kept(agreement: &Agreement, policy: &BillingPolicy) -> Vec<BilledThrough> {
    // What stands still may go on.
    let phases = &phases::restored(&agreement.phases);
    let ends = match (agreement.rules().proration.divides(), policy.proration.divides()) {
        (true, false) => divided_for_others(phases),
        (false, true) => whole_for_others(phases),
        (true, true) | (false, false) => Vec::new(),
    };
    let mut kept: BTreeMap<u32, NaiveDate> = BTreeMap::new();
    for (phase, end) in ends {
        let through = kept.entry(phase).or_insert(end);
        *through = end.max(*through);
    }
    let through = |(phase, through)| BilledThrough { phase, through };
    kept.into_iter().map(through).collect()
}

/// What is charged up to here was charged by the policy of before: it is taken back and corrected by that one.
pub(super) fn updated(
    agreement: &mut Agreement,
    progress: &mut Progress,
    policy: BillingPolicy,
    kept: &[BilledThrough],
) {
    let before = agreement.rules();
    let mut counted = charged_by_now(agreement);
    for reached in kept {
        let through = counted.billed_through.entry(reached.phase).or_insert(reached.through);
        *through = reached.through.max(*through);
    }
    if !counted.billed_through.is_empty() {
        progress.policies.push(counted);
    }
    if before.proration.divides() {
        take_over(&mut agreement.phases);
    }
    inherit(&mut progress.policies, &agreement.phases);
    agreement.policy = Some(policy);
}

/// Where a period is divided because a line begins within it over other periods: that one costs nothing of the days before
/// it, so that the period stays divided. By number of the phase, up to its end.
fn divided_for_others(phases: &[Phase]) -> Vec<(u32, NaiveDate)> {
    // After a pause that line may begin later.
    let is_other = |phase: &Phase, other: &Phase| {
        let differs = schedule_of(other).is_some_and(|schedule| Some(schedule) != phase.schedule);
        differs && rest_of_period(phase).is_some_and(|rest| rest.contains(&other.from))
    };
    let ends = phases.iter().filter(|phase| {
        let ends_within = phase.prorate && changes_within(phase);
        ends_within && lasting(phases).any(|other| is_other(phase, other))
    });
    ends.filter_map(|phase| Some((phase.number, rest_of_period(phase)?.end)))
        .collect()
}

/// Where a line that is divided has taken over the rest of a period from one that is not, and so costs all of it, or pays to
/// the end of one because what comes in its place begins behind that: it does to the end of the period.
fn whole_for_others(phases: &[Phase]) -> Vec<(u32, NaiveDate)> {
    let is_left = |phase: &&Phase| phase.ending == Ending::Replaced && !phase.prorate;
    let left: Vec<&Phase> = lasting(phases).filter(is_left).collect();
    let mut whole = Vec::new();
    for phase in lasting(phases).filter(|phase| phase.prorate) {
        let is_for = |left: &&&Phase| phase.line == left.line || moves(phases, left, phase);
        let rests = left.iter().filter(|left| takes_over(phase, left)).filter(is_for);
        let ends = rests.filter_map(|left| Some((phase.number, rest_of_period(left)?.end)));
        whole.extend(ends);
        let Some(rest) = rest_of_period(phase).filter(|_| phase.ending == Ending::Change) else {
            continue;
        };
        let begins_on = |day, own: bool| {
            let mut recurring = phases.iter().filter(|other| schedule_of(other).is_some());
            let begins = |other: &Phase| other.from == day && (other.until != Some(day) || is_put_off(phases, other));
            recurring.any(|other| begins(other) && (!own || other.line == phase.line))
        };
        // Other lines have nothing to do with a line that goes on itself.
        let own = begins_on(rest.end, true);
        if changes_within(phase) && begins_on(rest.end, own) && !begins_on(rest.start, own) {
            whole.push((phase.number, rest.end));
        }
    }
    whole
}

/// Whether a phase that has no day goes on later: it stood still when it was to begin.
fn is_put_off(phases: &[Phase], phase: &Phase) -> bool {
    let goes_on =
        |other: &Phase| (other.line, other.schedule) == (phase.line, phase.schedule) && phase.from < other.from;
    lasting(phases).any(goes_on)
}

/// How far the policy in force has charged, should it be one of before.
pub(super) fn charged_by_now(agreement: &Agreement) -> PolicyBefore {
    let billed = |phase: &Phase| Some((phase.number, counted_through(phase)?));
    PolicyBefore {
        policy: agreement.rules(),
        billed_through: agreement.phases.iter().filter_map(billed).collect(),
    }
}

/// Of an agreement that goes on from another one: what that one charged in part is counted on as it began.
pub(super) fn begun(agreement: &Agreement) -> Vec<PolicyBefore> {
    let mut policies = Vec::with_capacity(agreement.counted.len());
    for before in &agreement.counted {
        let reaches = |phase: &Phase| {
            let through = before.through.get(&phase.line).copied();
            let schedule = schedule_of(phase)?;
            // Other periods have nothing to do with what was charged.
            let is_same = before.schedule.is_none_or(|charged| charged == schedule);
            Some((
                phase.number,
                through.filter(|through| is_same && phase.from < *through)?,
            ))
        };
        policies.push(PolicyBefore {
            policy: before.policy,
            billed_through: agreement.phases.iter().filter_map(reaches).collect(),
        });
    }
    inherit(&mut policies, &agreement.phases);
    policies
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

pub(super) fn schedule_of(phase: &Phase) -> Option<Schedule> {
    phase.schedule.filter(|_| phase.kind == Kind::Recurring)
}

/// What an event says was charged counts, also where today's rules would have charged it by another policy, or not at all:
/// a policy of before then reaches the phase no further than it did, and what was charged to its end was not taken over.
pub(super) fn as_charged(
    agreement: &mut Agreement,
    progress: &mut Progress,
    charges: &[Charge],
    billed: BilledThrough,
) {
    let rules = Policy {
        before: progress.policies.clone(),
        ..agreement.policy()
    };
    let mut phases = agreement.phases.iter_mut();
    let phase = phases.find(|phase| phase.number == billed.phase && schedule_of(phase).is_some());
    let Some(phase) = phase else { return };
    let unbilled = phase.billed_through.unwrap_or(phase.from);
    if billed.through <= unbilled {
        return;
    }
    let end = phase
        .until
        .map(|until| phase.end(rules.of(phase.number, until).proration));
    let is_behind = matches!(end, Some(Ok(Some(end))) if end < billed.through);
    if phase.ending == Ending::Replaced && is_behind {
        phase.ending = Ending::Change;
    }
    for charge in charges.iter().filter(|charge| charge.line == Some(phase.line)) {
        let (start, why) = (charge.period.start, charge.explanation.as_ref());
        let why = why.filter(|why| why.reason == Reason::Period && (unbilled..billed.through).contains(&start));
        if let Some(version) = why.and_then(|why| why.policy_version)
            && rules.of(phase.number, start).version != version
        {
            charged_by(&mut progress.policies, version, phase, start);
        }
    }
}

/// From that day on the phase was charged by the policy of that version: no other one of before reaches further.
fn charged_by(policies: &mut [PolicyBefore], version: PolicyVersion, phase: &Phase, start: NaiveDate) {
    for before in policies.iter_mut().filter(|before| before.policy.version != version) {
        let through = before.billed_through.get_mut(&phase.number);
        let Some(through) = through.filter(|through| start < **through) else {
            continue;
        };
        if start > phase.from {
            *through = start;
        } else {
            before.billed_through.remove(&phase.number);
        }
    }
}

/// What is not charged yet of a period in which a policy of before has charged something is counted by that one: what
/// comes, as what it comes in the place of is given back; and what was to cost nothing, as what took it over costs all.
pub(super) fn inherit(policies: &mut [PolicyBefore], phases: &[Phase]) {
    // What stands still may go on, and what was planned comes then.
    let phases = &phases::restored(phases);
    for phase in phases.iter().filter(|phase| schedule_of(phase).is_some()) {
        let replaced = phase.ending == Ending::Replaced;
        // What was given back whole has nothing to do with what is charged of later periods.
        let first = phase.schedule.and_then(|schedule| schedule.containing(phase.from));
        let is_later = |other: &Phase| first.is_some_and(|first| first.end <= other.from);
        let is_apart = |other: &Phase| phase.billed_through.is_some() && !replaced && is_later(other);
        let beside =
            |other: &&Phase| follows(phases, other, phase) && !is_apart(other) || replaced && takes_over(other, phase);
        let beside: Vec<_> = phases.iter().filter(beside).map(|other| other.number).collect();
        let from = match phase.until.filter(|_| replaced) {
            _ if phase.billed_through.is_none_or(|billed| billed <= phase.from) => phase.from,
            Some(until) => until,
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

/// The progress once phases have begun that go on with what others had.
pub(super) fn inheriting(progress: &Progress, phases: &[Phase], begun: &[Phase]) -> Progress {
    let mut progress = progress.clone();
    if !begun.is_empty() {
        inherit(&mut progress.policies, phases);
    }
    progress
}

/// Whether the other phase begins in the rest of the period in which that one was replaced.
pub(super) fn takes_over(other: &Phase, replaced: &Phase) -> bool {
    let rest = rest_of_period(replaced);
    other.schedule == replaced.schedule && rest.is_some_and(|rest| rest.contains(&other.from))
}

/// Whether a phase goes on with what the other one had: it is of the same line, or came in its place.
pub(super) fn follows(phases: &[Phase], before: &Phase, after: &Phase) -> bool {
    let same = before.number != after.number && schedule_of(before) == after.schedule;
    same && (before.line == after.line || comes_after(phases, before, after))
}

/// Whether a phase begins where the other one ends, as the same line or in the place of one that leaves; also where
/// everything has stood still in between, for a part of the period, or where the other one was charged and then never
/// began.
fn comes_after(phases: &[Phase], before: &Phase, after: &Phase) -> bool {
    let Some(day) = before.until else { return false };
    let runs_between = |phase: &Phase| phase.from < after.from && phase.until.is_none_or(|until| until > day);
    let stood_still = || {
        let same_period = rest_of_period(before).is_some_and(|rest| rest.contains(&after.from));
        same_period && !lasting(phases).any(|phase| phase.kind != Kind::OneOff && runs_between(phase))
    };
    let never_began = day == before.from && after.from < day && before.billed_through.is_some();
    let same = before.number != after.number && before.schedule == after.schedule;
    same && moves(phases, before, after) && (day == after.from || never_began || stood_still())
}

/// Whether the phase that begins is of the same line as the one that ends, or a line comes in the place of one that leaves.
fn moves(phases: &[Phase], before: &Phase, after: &Phase) -> bool {
    let begins = |line| lasting(phases).any(|new| new.line == line && new.from == after.from);
    let ends = |phase: &Phase| phase.until == Some(after.from) || phase.until == before.until;
    let follows = |line| lasting(phases).any(|old| old.line == line && ends(old));
    let other = before.line != after.line && !begins(before.line) && !follows(after.line);
    before.number != after.number && (before.line == after.line || other)
}

/// What has no day came and went.
pub(super) fn lasting(phases: &[Phase]) -> impl Iterator<Item = &Phase> {
    phases.iter().filter(|phase| phase.until != Some(phase.from))
}

/// What had stood still goes on, with the changes that were planned then: under a policy that does not divide, they do
/// not divide a period either that nobody has charged yet.
pub(super) fn went_on(phases: &mut [Phase], progress: &mut Progress, rules: &BillingPolicy) {
    inherit(&mut progress.policies, phases);
    if !rules.proration.divides() {
        take_over(phases);
    }
}

/// A change that was to divide a period which nobody has charged yet: undivided, what comes costs all of it.
fn take_over(phases: &mut [Phase]) {
    let all = phases.to_vec();
    for phase in phases.iter_mut().filter(|phase| phase.prorate) {
        if changes_within(phase) && lasting(&all).any(|other| comes_after(&all, phase, other)) {
            phase.ending = Ending::Replaced;
        }
    }
}

/// The same where an order's preferences divide no more what they begin, each in the place of what ends beside it: what
/// comes costs all, if it is not divided itself, over the same periods. Otherwise the period is paid to its end, and what
/// comes begins behind it.
pub(super) fn taken_over(phases: &[Phase], ended: &mut Vec<PhaseEnd>, begun: &mut Vec<Phase>) {
    let all = phases::after(phases, ended, begun);
    let mut paid: Vec<(LineId, Range<NaiveDate>)> = Vec::new();
    for (end, phase) in ended.iter().zip(begun.iter_mut()) {
        let old = phases.iter().find(|old| old.number == end.phase);
        let is_otherwise = old.is_some_and(|old| old.prorate || old.schedule != phase.schedule);
        if !is_otherwise || phase.prorate || !changes_within(phase) {
            continue;
        }
        let takes_over = |other: &Phase| !other.prorate && comes_after(&all, phase, other);
        if lasting(&all).any(takes_over) {
            phase.ending = Ending::Replaced;
        } else if let Some(rest) = rest_of_period(phase) {
            let comes = |other: &&Phase| other.from == rest.start && moves(&all, phase, other);
            let comes = all.iter().filter(comes).map(|other| (other.line, rest.clone()));
            paid.extend(comes);
        }
    }
    for (line, rest) in with_those_behind(&all, paid) {
        put_off(phases, ended, begun, line, &rest);
    }
}

/// And what was to come on the same paid days in the place of one of those.
fn with_those_behind(phases: &[Phase], mut paid: Vec<(LineId, Range<NaiveDate>)>) -> Vec<(LineId, Range<NaiveDate>)> {
    let mut looked_at = 0;
    while let Some((line, rest)) = paid.get(looked_at).cloned() {
        let is_put_off = |phase: &&Phase| phase.line == line && rest.contains(&phase.from);
        for before in lasting(phases).filter(is_put_off) {
            let Some(day) = before.until.filter(|until| rest.contains(until)) else {
                continue;
            };
            let comes = |other: &&Phase| other.from == day && moves(phases, before, other);
            for other in phases.iter().filter(comes) {
                let behind = (other.line, rest.clone());
                if !paid.contains(&behind) {
                    paid.push(behind);
                }
            }
        }
        looked_at += 1;
    }
    paid
}

/// A line that was to begin on days that are paid begins behind them.
fn put_off(phases: &[Phase], ended: &mut Vec<PhaseEnd>, begun: &mut Vec<Phase>, line: LineId, paid: &Range<NaiveDate>) {
    let too_early = |phase: &Phase| {
        let lasts = schedule_of(phase).is_some() && phase.until != Some(phase.from);
        phase.line == line && paid.contains(&phase.from) && lasts && phase.billed_through.is_none()
    };
    let behind = |phase: &Phase, number: u32| Phase {
        schedule: phase.schedule.map(|schedule| Schedule {
            anchor: if schedule.offset.is_none() && schedule.anchor == phase.from {
                paid.end
            } else {
                schedule.anchor
            },
            ..schedule
        }),
        ..phases::again(phase, number, paid.end)
    };
    for phase in begun.iter_mut().filter(|phase| too_early(phase)) {
        if phases::goes_on(phase, paid.end) {
            *phase = behind(phase, phase.number);
        } else {
            phase.until = Some(phase.from);
        }
    }
    let mut number = phases::next_number(&phases::after(phases, &[], begun));
    for phase in phases::restored(phases).iter().filter(|phase| too_early(phase)) {
        let never = PhaseEnd {
            phase: phase.number,
            until: phase.from,
            ending: Ending::Change,
        };
        let next = if let Some(end) = ended.iter_mut().find(|end| end.phase == phase.number) {
            // It goes on from there in another shape.
            let PhaseEnd { until, ending, .. } = std::mem::replace(end, never);
            let until_then = Phase {
                until: Some(until),
                ending,
                ..phases::again(phase, number, paid.end)
            };
            Some(until_then).filter(|_| paid.end < until)
        } else {
            ended.push(never);
            phases::goes_on(phase, paid.end).then(|| behind(phase, number))
        };
        number = number.saturating_add(u32::from(next.is_some()));
        begun.extend(next);
    }
}

/// The days of the period in which the phase ends that are no longer of it.
fn rest_of_period(phase: &Phase) -> Option<Range<NaiveDate>> {
    let (schedule, until) = schedule_of(phase).zip(phase.until)?;
    Some(until..schedule.containing(until)?.end)
}

/// Whether another phase was to take over within a period, at once or after a pause or an end that is over.
fn changes_within(phase: &Phase) -> bool {
    let ends_within = |day| phase.schedule.is_some() && phase.period_start(day) != day;
    let goes_on = match phase.ending {
        Ending::Change => true,
        Ending::Termination => phase.stop.is_none(),
        Ending::Replaced | Ending::Withdrawn => false,
    };
    phase.kind == Kind::Recurring && goes_on && phase.until.is_some_and(ends_within)
}
