//! A contract that goes on as another one under another plan: what each of the two relies on in the other.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{
    Event, Now, PhaseEnd, Refused, Status, Subscription, phases,
    policy::{lasting, takes_over},
};
use crate::{
    billing::{Ending, Kind, Phase},
    id::LineId,
};

impl Subscription {
    /// Until when lines are paid whose period is under way on the day, where that is behind it: what follows is charged
    /// from there on. A line that leaves its period to what follows is not paid beyond.
    pub fn paid_beyond(&self, day: NaiveDate) -> Result<BTreeMap<LineId, NaiveDate>, Refused> {
        let (agreement, policy) = self.billed_by()?;
        let mut beyond: BTreeMap<LineId, NaiveDate> = BTreeMap::new();
        for phase in agreement.phases.iter().filter(|phase| phase.from < day) {
            if phase.kind != Kind::Recurring || phase.schedule.is_none() {
                continue;
            }
            let proration = policy.of(phase.number, phase.until.unwrap_or(day)).proration;
            if let Some(until) = phase.pays_until(proration)?.filter(|until| day < *until) {
                let known = beyond.entry(phase.line).or_insert(until);
                *known = until.max(*known);
            }
        }
        Ok(beyond)
    }

    /// By phase that leaves its period to what follows on the day: how far it pays all the same.
    pub fn leaves_on(&self, day: NaiveDate) -> Result<BTreeMap<u32, Option<NaiveDate>>, Refused> {
        let (agreement, policy) = self.billed_by()?;
        let mut leaves = BTreeMap::new();
        for phase in agreement.phases.iter().filter(|phase| phase.is_replaced_on(day)) {
            leaves.insert(phase.number, phase.end(policy.of(phase.number, day).proration)?);
        }
        Ok(leaves)
    }

    /// Whether it ends, or is to end, on the day on which it was to begin.
    pub fn never_begins(&self) -> bool {
        let Self::Signed {
            agreement, progress, ..
        } = self
        else {
            return false;
        };
        let cancelled = progress
            .cancelled_from
            .filter(|_| agreement.status == Status::Cancelled);
        let end = progress.ends.or(cancelled);
        end.is_some_and(|end| end <= agreement.activation)
    }
}

impl Now<'_> {
    /// What was to follow from the day on, and to pay for periods that were under way then, never begins: who began them
    /// pays for them.
    pub fn not_followed(&self, day: NaiveDate) -> Result<Vec<Event>, Refused> {
        let agreement = self.agreement;
        let phases = &agreement.phases;
        // What stood still before the day was replaced sooner.
        let is_sooner = |phase: &Phase| {
            let replaced = phase.ending == Ending::Replaced && phase.until.is_some_and(|until| until < day);
            let waits = replaced && !phase.is_replaced_before(day);
            waits && !lasting(phases).any(|other| takes_over(other, phase))
        };
        let left = phases
            .iter()
            .filter(|phase| phase.is_replaced_on(day) || is_sooner(phase));
        let ended: Vec<_> = left
            .filter_map(|phase| {
                Some(PhaseEnd {
                    phase: phase.number,
                    until: phase.until?,
                    ending: Ending::Change,
                })
            })
            .collect();
        if ended.is_empty() {
            return Ok(Vec::new());
        }
        let mut phases = phases::after(&agreement.phases, &ended, &[]);
        phases::Decided::on(self.today(), &[], &ended).note(&mut phases);
        Ok(vec![Event::Changed {
            at: self.at,
            effective: day,
            plan: None,
            cycle: None,
            next_billing: self.next_billing(&phases)?,
            ended,
            begun: Vec::new(),
            stopped: Vec::new(),
            asked: None,
            implied: true,
        }])
    }
}
