//! Which pending charges go on one invoice.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    id::{ChargeId, SubscriptionId, TenantId},
    subscription::{Charge, Subscription, Terms},
};
use projections::subscription::{Payer, Pending};

use crate::app::{billing_run::units::MOST_ON_ONE_INVOICE, desk::Desk};

/// Charges of one subscription that go on an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app) struct Share {
    pub subscription: SubscriptionId,
    pub charges: Vec<Charge>,
}

/// What several share, invoice by invoice: what is paid by hand on one, what is collected on one for each who collects.
#[derive(Debug)]
pub(in crate::app) struct Shared<T = Share>(Vec<(bool, Option<String>, Vec<T>)>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Who collects what of a subscription is paid so: nobody, where it is paid by hand or nobody is named.
pub(in crate::app) fn collector(desk: &impl Desk, id: SubscriptionId, automatic: bool) -> Option<String> {
    let agreement = desk.state::<Subscription>(&id.to_string()).agreement();
    let terms = agreement.filter(|_| automatic).map(|own| &own.terms);
    terms.and_then(Terms::processor).map(str::to_owned)
}

impl<T> Shared<T> {
    /// What is paid so, and collected by that one, goes on the invoice of that.
    pub fn put(&mut self, (automatic, collector): (bool, Option<String>), share: T) {
        let mut known = self.0.iter_mut();
        match known.find(|(paid, by, _)| (*paid, by) == (automatic, &collector)) {
            Some((_, _, shares)) => shares.push(share),
            None => self.0.push((automatic, collector, vec![share])),
        }
    }

    /// By what the invoice of it is called: manual before automatic, and what is collected by the first who does under the
    /// name that it has where nobody else collects anything.
    pub fn invoices(mut self) -> Vec<(String, Vec<T>)> {
        self.0.sort_by_key(|(automatic, _, _)| *automatic);
        let mut named: Vec<(String, Vec<T>)> = Vec::with_capacity(self.0.len());
        for (automatic, collector, shares) in self.0 {
            let payment = payment(automatic);
            let further = named.iter().any(|(name, _)| name == payment);
            let name = match collector.filter(|_| further) {
                Some(collector) => further_payment(&collector),
                None => payment.to_owned(),
            };
            named.push((name, shares));
        }
        named
    }
}

/// What an invoice over charges that are paid so is called.
pub(in crate::app) fn payment(automatic: bool) -> &'static str {
    if automatic { "automatic" } else { "manual" }
}

/// The same of what is collected by another than the first.
pub(in crate::app) fn further_payment(collector: &str) -> String {
    format!("{}/{collector}", payment(true))
}

/// Pending charges that belong on one invoice: of one subscription, or of several that share it.
#[derive(Clone, Debug)]
pub(in crate::app) struct Bundle {
    pub subscriptions: Vec<SubscriptionId>,
    pub automatic_payment: bool,
    pub payer: Payer,
    /// Where they were named.
    pub charges: BTreeSet<ChargeId>,
}

impl Bundle {
    /// What of it is still pending, subscription by subscription.
    pub fn shares(&self, desk: &impl Desk) -> Vec<Share> {
        let wanted = |charge: &&Charge| {
            charge.automatic_payment == self.automatic_payment
                && (self.charges.is_empty() || self.charges.contains(&charge.id))
        };
        let share = |subscription: &SubscriptionId| {
            let state = desk.state::<Subscription>(&subscription.to_string());
            Share {
                subscription: *subscription,
                charges: in_order(state, state.pending().filter(wanted)),
            }
        };
        let shares = self.subscriptions.iter().map(share);
        shares.filter(|share| !share.charges.is_empty()).collect()
    }

    pub fn name(&self, tenant: &TenantId) -> String {
        let payment = payment(self.automatic_payment);
        match self.subscriptions.as_slice() {
            [single] => format!("{single}/{payment}"),
            several => {
                let names: Vec<String> = several.iter().map(ToString::to_string).collect();
                format!("together/{}/{payment}", tenant.derive(&names.join(",")))
            }
        }
    }
}

/// In order of time; of what begins on one day as the lines were agreed, then what was charged by hand.
pub(in crate::app) fn in_order<'a>(
    subscription: &Subscription,
    charges: impl Iterator<Item = &'a Charge>,
) -> Vec<Charge> {
    let phases = subscription.agreement().map(|agreement| agreement.phases.as_slice());
    let phases = phases.unwrap_or_default();
    let mut charges: Vec<Charge> = charges.cloned().collect();
    charges.sort_by_cached_key(|charge| {
        let line = phases.iter().position(|phase| Some(phase.line) == charge.line);
        let told = charge.explanation.as_deref();
        (
            charge.period.start,
            line.unwrap_or(usize::MAX),
            told.map(|told| told.reason),
            charge.period.end,
            charge.id,
        )
    });
    charges
}

/// Groups in their order, those that share an invoice in the place of the first of them.
pub(super) fn bundled(groups: impl IntoIterator<Item = (Pending, Option<ChargeId>)>) -> Vec<Bundle> {
    let mut bundles: Vec<Bundle> = Vec::new();
    let mut open = BTreeMap::new();
    for (pending, charge) in groups {
        let Pending {
            group,
            payer,
            consolidation,
            collector,
        } = pending;
        let alone = Some(group.subscription).filter(|_| consolidation.is_none());
        let currency = payer.currency.code();
        let key = (
            payer.customer,
            currency,
            group.automatic_payment,
            consolidation,
            collector,
            alone,
        );
        let place = open.get(&key).copied().filter(|n: &usize| {
            let subscriptions = &bundles[*n].subscriptions;
            subscriptions.last() == Some(&group.subscription) || subscriptions.len() < MOST_ON_ONE_INVOICE
        });
        let bundle = if let Some(n) = place {
            &mut bundles[n]
        } else {
            open.insert(key, bundles.len());
            bundles.push(Bundle {
                subscriptions: Vec::new(),
                automatic_payment: group.automatic_payment,
                payer,
                charges: BTreeSet::new(),
            });
            let last = bundles.len() - 1;
            &mut bundles[last]
        };
        if bundle.subscriptions.last() != Some(&group.subscription) {
            bundle.subscriptions.push(group.subscription);
        }
        bundle.charges.extend(charge);
    }
    bundles
}
