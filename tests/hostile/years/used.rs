//! What was used is never lost: all that was accepted is of a day that the subscription that has it meters, or unmatched.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent,
    id::{SubscriptionId, TenantId},
    subscription::{self, Subscription},
    usage::{Event, Meter},
};
use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::support::doors::Doors;

/// What the log says was accepted, by metric and by the first of the contracts that followed each other in upgrades
/// and moves.
#[derive(Default)]
pub struct Used {
    accepted: BTreeMap<(SubscriptionId, String), Decimal>,
    /// Where a total was stated, which takes the place of what was accepted before.
    stated: BTreeSet<(SubscriptionId, String)>,
    first: BTreeMap<SubscriptionId, SubscriptionId>,
    meters: BTreeSet<SubscriptionId>,
}

impl Used {
    fn first(&self, of: SubscriptionId) -> SubscriptionId {
        self.first.get(&of).copied().unwrap_or(of)
    }

    pub fn take(&mut self, event: &AnyEvent) {
        if let AnyEvent::Subscription(subscription::Event::Signed {
            subscription,
            agreement,
            ..
        }) = event
            && let Some(from) = agreement.moved_from
        {
            let first = self.first(from);
            self.first.insert(*subscription, first);
        }
        let AnyEvent::Usage(event) = event else { return };
        let (given, taken, of) = match event {
            Event::Recorded {
                records, subscription, ..
            } => (records.as_slice(), &[][..], *subscription),
            Event::Adjusted {
                given,
                taken,
                subscription,
                ..
            } => (given.as_slice(), taken.as_slice(), *subscription),
            Event::TakenOver { subscription, from, .. } => {
                let first = self.first(*from);
                self.first.insert(*subscription, first);
                self.meters.insert(*subscription);
                return;
            }
            // One record a day that was lost: these alone name both.
            Event::Unmatched { records, .. } => {
                for kept in records.iter().filter(|kept| kept.customer.is_some()) {
                    if let Some(of) = kept.subscription {
                        let key = (self.first(of), kept.record.metric.clone());
                        *self.accepted.entry(key).or_default() -= kept.record.quantity;
                    }
                }
                return;
            }
            _ => return,
        };
        self.meters.insert(of);
        let first = self.first(of);
        for record in given {
            let key = (first, record.metric.clone());
            if record.total_from.is_some() {
                self.stated.insert(key.clone());
            }
            *self.accepted.entry(key).or_default() += record.quantity;
        }
        for record in taken {
            *self.accepted.entry((first, record.metric.clone())).or_default() -= record.quantity;
        }
    }

    pub async fn is_conserved(&self, doors: &Doors) {
        let tenant = TenantId::from_stored(&doors.test.tenant.tenant_id);
        let journal = &doors.test.app.journal;
        let metrics: BTreeSet<&String> = self.accepted.keys().map(|(_, metric)| metric).collect();
        let mut known: BTreeMap<(SubscriptionId, String), Decimal> = BTreeMap::new();
        for of in &self.meters {
            let state: Subscription = journal.state(&tenant, &of.to_string()).await.expect("a state");
            let meter: Meter = journal.state(&tenant, &of.to_string()).await.expect("a state");
            for metric in &metrics {
                for (day, used) in meter.usage().known_since(metric, NaiveDate::MIN) {
                    assert!(
                        used.count == 0 || state.meter(metric, day).is_some(),
                        "{metric} of {day} is lost by {of}: {used:?}"
                    );
                    *known.entry((self.first(*of), (*metric).clone())).or_default() += used.sum;
                }
            }
        }
        for (key, accepted) in self.accepted.iter().filter(|(key, _)| !self.stated.contains(*key)) {
            let known = known.get(key).copied().unwrap_or_default();
            assert_eq!(
                *accepted, known,
                "accepted and not unmatched, and known to be billed: {key:?}"
            );
        }
    }
}
