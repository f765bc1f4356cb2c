//! The periods that new preferences of an order, or of a line of it, do not reach any more.

use std::ops::Range;

use chrono::NaiveDate;

use super::{
    Agreement,
    policy::{follows, schedule_of},
};
use crate::{
    billing::{Ending, Phase},
    id::LineId,
};

/// The phases before new preferences reach them, and the lines that these say nothing to.
pub(super) struct Settled<'a, F: Fn(LineId) -> bool> {
    pub agreement: &'a Agreement,
    /// As they would be had nothing stopped them.
    pub phases: &'a [Phase],
    pub stays: F,
}

impl<F: Fn(LineId) -> bool> Settled<'_, F> {
    /// From when on a phase that is billed next from that day on can have another shape. In a period in which something
    /// was charged everything is divided as that was, and so it is where one line takes over all that another one costs,
    /// and only one of them changes: otherwise days would be paid twice, or by nobody.
    pub fn reached(&self, phase: &Phase, next: NaiveDate, divides_otherwise: bool) -> NaiveDate {
        let period = schedule_of(phase).and_then(|schedule| schedule.containing(next));
        let Some(period) = period.map(|period| period.start..period.end) else {
            return next;
        };
        // What was given back of it was charged all the same.
        if next == period.start && !is_taken_over(phase, &period) && !is_charged(phase, &period) {
            return next;
        }
        let beside = self.beside(phase, &period);
        let taken_over = beside.iter().any(|phase| is_taken_over(phase, &period));
        let is_begun = |phase: &&Phase| is_charged(phase, &period) || self.was_begun_before(phase, &period);
        let keeps = if beside.iter().any(is_begun) {
            divides_otherwise || taken_over
        } else {
            taken_over && beside.iter().any(|phase| (self.stays)(phase.line))
        };
        if keeps { period.end } else { next }
    }

    /// Whether the agreement that this one goes on from charges the first days of the period.
    fn was_begun_before(&self, phase: &Phase, period: &Range<NaiveDate>) -> bool {
        let Agreement {
            under_way, activation, ..
        } = self.agreement;
        under_way.contains(&phase.line) && period.start < *activation && *activation < period.end
    }

    /// The phase, and all that go on with what it had in the period, or that it goes on with.
    fn beside(&self, phase: &Phase, period: &Range<NaiveDate>) -> Vec<&Phase> {
        let is_in = |phase: &&Phase| {
            let lasts = phase.until.is_none_or(|until| until > period.start.max(phase.from));
            phase.from < period.end && (lasts || is_charged(phase, period))
        };
        let all: Vec<&Phase> = self.phases.iter().filter(is_in).collect();
        let mut beside: Vec<&Phase> = all.iter().copied().filter(|one| one.number == phase.number).collect();
        let mut looked_at = 0;
        while let Some(one) = beside.get(looked_at).copied() {
            for other in all.iter().copied() {
                let known = beside.iter().any(|known| known.number == other.number);
                if !known && (follows(self.phases, one, other) || follows(self.phases, other, one)) {
                    beside.push(other);
                }
            }
            looked_at += 1;
        }
        beside
    }
}

/// Whether something was charged of the period, also where it was given back.
fn is_charged(phase: &Phase, period: &Range<NaiveDate>) -> bool {
    let furthest = phase.billed_through.max(phase.charged_to);
    phase.from < period.end && furthest.is_some_and(|through| through > period.start.max(phase.from))
}

/// Whether another phase was to take the rest of the period over.
fn is_taken_over(phase: &Phase, period: &Range<NaiveDate>) -> bool {
    phase.ending == Ending::Replaced
        && phase
            .until
            .is_some_and(|until| period.contains(&until) && until > phase.from)
}
