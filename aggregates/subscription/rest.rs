//! The rest of an undivided period that one line takes over from another: who began it pays for it, where what took it over
//! never begins.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{
    Agreement, PhaseEnd, Refused, Subscription, phases,
    policy::{self, lasting, schedule_of, takes_over},
};
use crate::{
    billing::{Ending, Kind, Phase, Policy},
    catalog::PlanLine,
    id::{LineId, SubscriptionId},
};

/// What a change leaves to who began the period.
#[derive(Clone, Debug, Default)]
pub(super) struct Left {
    /// The phases that pay to the end of their period after all.
    pub ended: Vec<PhaseEnd>,
    /// From when on lines can be charged that come in the place of those that never begin.
    until: BTreeMap<LineId, NaiveDate>,
}

impl Left {
    pub fn until(&self, line: LineId) -> Option<NaiveDate> {
        self.until.get(&line).copied()
    }

    /// For a line that comes with all others of another plan.
    pub fn until_of_all(&self) -> Option<NaiveDate> {
        self.until.values().max().copied()
    }

    fn pay(&mut self, lines: impl IntoIterator<Item = LineId>, until: NaiveDate) {
        for line in lines {
            let known = self.until.entry(line).or_insert(until);
            *known = until.max(*known);
        }
    }
}

/// The phases before a change of that day, and what they would be behind it.
pub(super) struct Rest<'a> {
    pub agreement: &'a Agreement,
    pub policy: &'a Policy,
    pub day: NaiveDate,
    pub before: &'a [Phase],
    pub after: &'a [Phase],
    /// Whether another agreement takes the rest over.
    pub elsewhere: bool,
}

impl Rest<'_> {
    /// What nothing takes over any more.
    pub fn left(&self) -> Result<Left, Refused> {
        let mut left = Left::default();
        if self.elsewhere {
            return Ok(left);
        }
        // What comes is counted by the policy of the period that it comes into.
        let mut policy = self.policy.clone();
        policy::inherit(&mut policy.before, self.after);
        let is_whole = |phase: &&Phase| !phase.is_divided(policy.of(phase.number, self.day).proration);
        let takers = |all: &[Phase], phase: &Phase| -> BTreeSet<LineId> {
            let others = lasting(all).filter(is_whole).filter(|other| takes_over(other, phase));
            others.map(|other| other.line).collect()
        };
        for phase in self.after.iter().filter(|phase| phase.ending == Ending::Replaced) {
            let Some(until) = phase.until.filter(|until| *until <= self.day) else {
                continue;
            };
            // After a pause it was to be taken over later.
            let was_taken =
                until == self.day && phase.period_start(until) < until || !takers(self.before, phase).is_empty();
            if !was_taken || !takers(self.after, phase).is_empty() {
                continue;
            }
            let paying = Phase {
                ending: Ending::Change,
                ..phase.clone()
            };
            left.ended.push(PhaseEnd {
                phase: phase.number,
                until,
                ending: Ending::Change,
            });
            let paid = paying.pays_until(policy.of(phase.number, self.day).proration)?;
            if let Some(paid) = paid.filter(|paid| self.day < *paid) {
                left.pay([phase.line].into_iter().chain(takers(self.before, phase)), paid);
            }
        }
        let mut behind = phases::after(self.after, &left.ended, &[]);
        behind.retain(|phase| is_whole(&phase));
        let was_taken = self.agreement.rest_is_taken(self.before, NaiveDate::MAX);
        if was_taken && !self.agreement.rest_is_taken(&behind, NaiveDate::MAX) {
            for (line, until) in &self.agreement.rest_before {
                left.pay([*line], *until);
            }
            let recurs = |phase: &&Phase| schedule_of(phase).is_some() && phase.from == self.agreement.activation;
            let first: Vec<_> = lasting(self.before).filter(is_whole).filter(recurs).collect();
            if let Some(end) = self.agreement.rest_before.values().max() {
                left.pay(first.into_iter().map(|phase| phase.line), *end);
            }
        }
        Ok(left)
    }
}

impl Agreement {
    /// Whether a line has days before that one of the rest that the agreement before has left to this one, or leaves it to
    /// what follows.
    fn rest_is_taken(&self, phases: &[Phase], before: NaiveDate) -> bool {
        let Some(end) = self.rest_before.values().max() else {
            return false;
        };
        phases.iter().any(|phase| {
            let period = schedule_of(phase).and_then(|schedule| schedule.containing(phase.from));
            let is_rest = period.is_some_and(|period| period.start < phase.from && period.end == *end);
            let lasts = phase.until != Some(phase.from) || phase.ending == Ending::Replaced;
            is_rest && lasts && self.rest_before.contains_key(&phase.line) && phase.from < before
        })
    }

    /// The end of the rest of the period that the agreement before pays after all, should nothing go on here from that day
    /// on.
    pub(super) fn rest_left(&self, line: LineId, ends: NaiveDate) -> Option<NaiveDate> {
        let rest = self.rest_before.get(&line).copied();
        rest.filter(|_| !self.rest_is_taken(&self.phases, ends))
    }

    /// Whether another agreement goes on in its place from its very first day on.
    pub fn passes_on(&self) -> bool {
        self.phases.iter().any(|phase| phase.is_replaced_on(self.activation))
    }

    /// Whether the agreement before pays for the period whose rest it had left to this one.
    fn leaves_rest(&self) -> bool {
        !self.rest_before.is_empty() && !self.rest_is_taken(&self.phases, NaiveDate::MAX)
    }
}

impl Subscription {
    /// The agreement before this one that pays after all for the period whose rest it had left to this one, and the day from
    /// which on it had.
    pub fn leaves_rest_to(&self) -> Option<(SubscriptionId, NaiveDate)> {
        let agreement = self.agreement().filter(|agreement| agreement.leaves_rest())?;
        Some((agreement.upgraded_from?, agreement.activation))
    }

    /// Which of the lines by which another agreement goes on from the day on take the rest of a period over, and when that
    /// is over.
    pub fn rest_for(&self, lines: &[PlanLine], day: NaiveDate) -> BTreeMap<LineId, NaiveDate> {
        let Ok((agreement, policy)) = self.billed_by() else {
            return BTreeMap::new();
        };
        let phases = &agreement.phases;
        let mut replaced = phases.iter().filter(|phase| phase.is_replaced_on(day));
        let divides = match replaced.next() {
            Some(phase) => policy.of(phase.number, day).proration.divides(),
            None => policy.rules.proration.divides(),
        };
        // Who has no day of the period has nothing to pay for it.
        let is_begun = |phase: &&Phase| {
            let begun = phase.until.filter(|until| phase.from < *until && *until <= day);
            // What is divided pays for its own days, whatever comes.
            let is_whole = |until| !phase.is_divided(policy.of(phase.number, until).proration);
            begun.is_some_and(is_whole)
                && phase.ending == Ending::Replaced
                && !lasting(phases).any(|other| takes_over(other, phase))
        };
        let own = phases.iter().filter(is_begun);
        let rest = |phase: &Phase| {
            let until = phase.until?;
            let period = phase.schedule?.containing(until)?;
            Some(period.end).filter(|_| period.start < until)
        };
        let own = own.filter_map(rest);
        let passed_on = phases.iter().any(|phase| phase.is_replaced_on(day));
        let before = agreement.rest_before.values().copied();
        let before = before.filter(|_| passed_on && agreement.rest_is_taken(phases, NaiveDate::MAX));
        let end = own.chain(before).filter(|end| day < *end).max();
        let lines = lines
            .iter()
            .filter(|line| line.kind == Kind::Recurring && !(line.prorate && divides));
        lines.filter_map(|line| Some((line.id, end?))).collect()
    }
}
