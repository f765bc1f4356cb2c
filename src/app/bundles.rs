//! Which pending charges go on one invoice.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    id::{ChargeId, SubscriptionId, TenantId},
    subscription::{Charge, Subscription},
};
use projections::subscription::{Payer, Pending};

use super::{desk::Desk, units::MOST_ON_ONE_INVOICE};

/// Charges of one subscription that go on an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub subscription: SubscriptionId,
    pub charges: Vec<Charge>,
}

/// Pending charges that belong on one invoice: of one subscription, or of several that share it.
#[derive(Clone, Debug)]
pub(super) struct Bundle {
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
        let share = |subscription: &SubscriptionId| Share {
            subscription: *subscription,
            charges: desk
                .state::<Subscription>(&subscription.to_string())
                .pending()
                .filter(wanted)
                .cloned()
                .collect(),
        };
        let shares = self.subscriptions.iter().map(share);
        shares.filter(|share| !share.charges.is_empty()).collect()
    }

    pub fn name(&self, tenant: &TenantId) -> String {
        let payment = if self.automatic_payment { "automatic" } else { "manual" };
        match self.subscriptions.as_slice() {
            [single] => format!("{single}/{payment}"),
            several => {
                let names: Vec<String> = several.iter().map(ToString::to_string).collect();
                format!("together/{}/{payment}", tenant.derive(&names.join(",")))
            }
        }
    }
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
        } = pending;
        let alone = Some(group.subscription).filter(|_| consolidation.is_none());
        let currency = payer.currency.code();
        let key = (payer.customer, currency, group.automatic_payment, consolidation, alone);
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
