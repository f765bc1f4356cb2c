//! Which events each charge of a subscription came from, and which charges it takes back or corrects.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{Charge, Event, PhaseEnd};
use crate::{
    billing::{Aggregation, ChargeKey, Explanation, Kind, Phase, Reason},
    calendar::Period,
    id::{ChargeId, SubscriptionId},
    policy::PolicyVersion,
};

/// What was metered for a charge, on the days from `from` up to, not including, `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    pub metric: String,
    pub aggregation: Aggregation,
    pub from: NaiveDate,
    pub until: Option<NaiveDate>,
}

impl Metered {
    pub fn contains(&self, day: NaiveDate) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }
}

/// Where a charge came from. Events are known by their sequence in the subscription's stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub events: BTreeSet<i64>,
    /// The charges whose days it gives back.
    pub takes_back: Vec<ChargeId>,
    /// The charges of the same usage that came before it.
    pub corrects: Vec<ChargeId>,
    pub metered: Option<Metered>,
    /// The event that charged it.
    pub charged_by: i64,
}

/// Built of a subscription's events, in their order.
#[derive(Default)]
pub struct Origins {
    subscription: Option<SubscriptionId>,
    phases: BTreeMap<u32, Agreed>,
    policies: BTreeMap<String, i64>,
    charges: BTreeMap<ChargeId, Origin>,
}

/// A phase, and what was decided of it.
struct Agreed {
    phase: Phase,
    events: BTreeSet<i64>,
    /// Days that are charged, and were not given back, by their charge.
    standing: Vec<(ChargeId, Period)>,
    /// Charges of usage with their periods.
    used: Vec<(ChargeId, Period)>,
}

impl Origins {
    pub fn of<'a>(events: impl IntoIterator<Item = (i64, &'a Event)>) -> Self {
        let mut origins = Self::default();
        for (sequence, event) in events {
            origins.note(sequence, event);
        }
        origins
    }

    /// `None` where no event charged it.
    pub fn charge(&self, charge: ChargeId) -> Option<&Origin> {
        self.charges.get(&charge)
    }

    fn note(&mut self, sequence: i64, event: &Event) {
        match event {
            Event::Signed {
                subscription,
                agreement,
                ..
            } => {
                self.subscription = Some(*subscription);
                self.begin(sequence, &agreement.phases);
            }
            Event::Activated { phases, stopped, .. } => {
                self.begin(sequence, phases);
                self.touch(sequence, stopped);
            }
            Event::ChargeAdded { charge, .. } => {
                self.charges.insert(charge.id, Origin::of(sequence));
            }
            Event::Accrued {
                charges,
                billed_through,
                ..
            } => {
                for charge in charges {
                    let origin = self.accrued(sequence, charge);
                    self.charges.insert(charge.id, origin);
                }
                for billed in billed_through {
                    if let Some(agreed) = self.phases.get_mut(&billed.phase) {
                        agreed.phase.bill_through(billed.through);
                    }
                }
            }
            Event::ChargesInvoiced { charges, .. } => self.befell(sequence, charges.iter().copied()),
            Event::ChargesReleased { charges, .. } => self.befell(sequence, charges.iter().map(|charge| charge.id)),
            Event::BillingPreferencesUpdated {
                ended, begun, stopped, ..
            }
            | Event::LineBillingUpdated {
                ended, begun, stopped, ..
            }
            | Event::Changed {
                ended, begun, stopped, ..
            } => {
                self.touch(sequence, ended);
                self.begin(sequence, begun);
                self.touch(sequence, stopped);
            }
            Event::PolicyUpdated { policy, .. } => {
                self.policies.insert(policy.version.to_string(), sequence);
            }
            Event::Paused { ended, .. } | Event::Cancelled { ended, .. } => self.touch(sequence, ended),
            Event::Resumed {
                reopened,
                begun,
                stopped,
                ..
            } => {
                self.touch_all(sequence, reopened.iter().copied());
                self.begin(sequence, begun);
                self.touch(sequence, stopped);
            }
            Event::UsageArrived { .. } | Event::UsageClosed { .. } | Event::Moved { .. } | Event::Ended { .. } => {}
        }
    }

    fn begin(&mut self, sequence: i64, phases: &[Phase]) {
        for phase in phases {
            let agreed = Agreed {
                events: BTreeSet::from([sequence]),
                standing: Vec::new(),
                used: Vec::new(),
                phase: phase.clone(),
            };
            self.phases.insert(phase.number, agreed);
        }
    }

    fn touch(&mut self, sequence: i64, ends: &[PhaseEnd]) {
        self.touch_all(sequence, ends.iter().map(|end| end.phase));
    }

    fn touch_all(&mut self, sequence: i64, numbers: impl Iterator<Item = u32>) {
        for number in numbers {
            if let Some(agreed) = self.phases.get_mut(&number) {
                agreed.events.insert(sequence);
            }
        }
    }

    /// What became of charges later on belongs to them, too.
    fn befell(&mut self, sequence: i64, charges: impl Iterator<Item = ChargeId>) {
        for id in charges {
            if let Some(origin) = self.charges.get_mut(&id) {
                origin.events.insert(sequence);
            }
        }
    }

    fn accrued(&mut self, sequence: i64, charge: &Charge) -> Origin {
        let mut origin = Origin::of(sequence);
        let Some(told) = charge.explanation.as_deref() else {
            return origin;
        };
        origin.events.extend(self.policy(told.policy_version));
        if let Some(number) = self.phase_of(charge, told) {
            self.of_phase(&mut origin, number, charge, told);
        } else {
            // Its id was not made so, once: it came from all that was decided of the line.
            let phases = self.phases.values();
            let own = phases.filter(|agreed| Some(agreed.phase.line) == charge.line);
            origin.events.extend(own.flat_map(|agreed| &agreed.events));
        }
        origin
    }

    fn policy(&self, version: Option<PolicyVersion>) -> Option<i64> {
        self.policies.get(&version?.to_string()).copied()
    }

    /// The phase that a charge is of: the one that its id was made of.
    fn phase_of(&self, charge: &Charge, told: &Explanation) -> Option<u32> {
        let subscription = self.subscription?;
        let made_of = |number: u32, given_back: u32| {
            let key = ChargeKey {
                phase: number,
                reason: told.reason,
                period: charge.period,
                correction: told.correction.map_or(0, |correction| correction.number),
                given_back,
            };
            key.id(subscription) == charge.id
        };
        let mut phases = self.phases.iter();
        let found = phases.find(|(number, agreed)| {
            Some(agreed.phase.line) == charge.line
                && (0..=agreed.phase.given_back)
                    .rev()
                    .any(|times| made_of(**number, times))
        });
        found.map(|(number, _)| *number)
    }

    fn of_phase(&mut self, origin: &mut Origin, number: u32, charge: &Charge, told: &Explanation) {
        let earlier = self.used_before(number, charge, told);
        let Some(agreed) = self.phases.get_mut(&number) else {
            return;
        };
        origin.events.extend(&agreed.events);
        match told.reason {
            Reason::Trial => {}
            Reason::OneOff | Reason::Period => agreed.standing.push((charge.id, charge.period)),
            Reason::Unused => origin.takes_back = take(&mut agreed.standing, charge.period),
            Reason::Usage | Reason::UsageCorrection => {
                agreed.used.push((charge.id, charge.period));
                let mut from = charge.period.start;
                if told.correction.is_some() {
                    from = earlier
                        .iter()
                        .map(|(_, period)| period.start)
                        .fold(from, NaiveDate::min);
                    origin.corrects = earlier.into_iter().map(|(id, _)| id).collect();
                }
                if let Kind::Metered { metric, aggregation } = &agreed.phase.kind {
                    origin.metered = Some(Metered {
                        metric: metric.clone(),
                        aggregation: *aggregation,
                        from,
                        until: charge.period.end,
                    });
                }
            }
        }
    }

    /// What was charged before of the usage that a charge is about: of its days, or of its full period, whose parts may
    /// be of several phases.
    fn used_before(&self, number: u32, charge: &Charge, told: &Explanation) -> Vec<(ChargeId, Period)> {
        let of_line = |other: u32, agreed: &Agreed| {
            other == number || (told.notional.is_some() && Some(agreed.phase.line) == charge.line)
        };
        let phases = self.phases.iter().filter(|(other, agreed)| of_line(**other, agreed));
        let used = phases.flat_map(|(_, agreed)| agreed.used.iter().copied());
        used.filter(|(_, period)| match told.notional {
            Some(notional) => overlap(*period, notional),
            None => period.start == charge.period.start,
        })
        .collect()
    }
}

impl Origin {
    fn of(sequence: i64) -> Self {
        Self {
            events: BTreeSet::from([sequence]),
            charged_by: sequence,
            ..Self::default()
        }
    }
}

/// Takes days out of what stands; the charges that had them.
fn take(all: &mut Vec<(ChargeId, Period)>, days: Period) -> Vec<ChargeId> {
    let mut from = Vec::new();
    let mut standing = Vec::new();
    for (charge, period) in all.drain(..) {
        if !overlap(period, days) {
            standing.push((charge, period));
            continue;
        }
        if !from.contains(&charge) {
            from.push(charge);
        }
        if period.start < days.start {
            let end = Some(days.start);
            standing.push((charge, Period { end, ..period }));
        }
        if let Some(start) = days.end.filter(|end| period.end.is_none_or(|until| *end < until)) {
            standing.push((charge, Period { start, ..period }));
        }
    }
    *all = standing;
    from
}

/// Whether two periods have a day in common; one without an end goes on for ever.
fn overlap(one: Period, other: Period) -> bool {
    let begins_before_end = |one: Period, other: Period| other.end.is_none_or(|end| one.start < end);
    begins_before_end(one, other) && begins_before_end(other, one)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn period(start: &str, end: &str) -> Period {
        Period {
            start: start.parse().unwrap(),
            end: Some(end.parse().unwrap()),
        }
    }

    fn id(n: u128) -> ChargeId {
        ChargeId(Uuid::from_u128(n))
    }

    #[test]
    fn days_are_given_back_by_the_charges_that_have_them_still() {
        let mut standing = vec![
            (id(1), period("2026-10-01", "2026-11-01")),
            (id(2), period("2026-11-01", "2026-12-01")),
        ];
        assert_eq!(take(&mut standing, period("2026-10-21", "2026-11-01")), [id(1)]);
        assert_eq!(take(&mut standing, period("2026-10-21", "2026-11-01")), []);
        standing.push((id(3), period("2026-10-25", "2026-11-01")));
        assert_eq!(
            take(&mut standing, period("2026-10-11", "2026-11-11")),
            [id(1), id(2), id(3)]
        );
        assert_eq!(
            standing,
            [
                (id(1), period("2026-10-01", "2026-10-11")),
                (id(2), period("2026-11-11", "2026-12-01"))
            ]
        );
        let bought = Period {
            end: None,
            ..period("2026-10-01", "2026-10-01")
        };
        let mut once = vec![(id(4), bought)];
        assert_eq!(take(&mut once, bought), [id(4)]);
        assert_eq!(once, []);
    }
}
