//! Invoices that somebody asked for, in a history that is lived through once more: of what stands for what was on them.

use std::collections::BTreeSet;

use aggregates::{
    id::{ChargeId, InvoiceId, SubscriptionId},
    subscription::{Charge, Subscription},
};

use super::{
    bundles::{Share, Shared, collector, in_order},
    desk::Desk,
    invoicing,
    issuing::issue,
    replayed::Replay,
};

impl Replay {
    pub(super) fn invoice_by_hand(&mut self, invoice: InvoiceId, selected: &[(String, Selected)]) {
        let mut shared = Shared::default();
        for automatic in [false, true] {
            for (stream, selected) in selected {
                if let Some(share) = self.share(stream, selected, automatic) {
                    let collector = collector(&self.desk, share.subscription, automatic);
                    shared.put((automatic, collector), share);
                }
            }
        }
        for (n, (payment, shares)) in shared.invoices().into_iter().enumerate() {
            let Some(case) = shares
                .first()
                .and_then(|share| self.cases.get(&share.subscription.to_string()))
            else {
                continue;
            };
            let id = if n == 0 {
                invoice
            } else {
                InvoiceId(self.desk.tenant().derive(&format!("what-if/{invoice}/{payment}")))
            };
            let (payer, today) = (case.payer, invoicing::today(&self.desk, case.id));
            let theirs: Vec<SubscriptionId> = shares.iter().map(|share| share.subscription).collect();
            match issue(&mut self.desk, payer, id, today, shares) {
                Ok(issued) => self.made(&issued),
                Err(error) => {
                    for id in theirs {
                        if let Some(case) = self.cases.get_mut(&id.to_string()) {
                            case.stuck.get_or_insert(error.to_string());
                        }
                    }
                }
            }
        }
    }

    /// What of the charges that stand for those that somebody chose is to be paid so.
    fn share(&self, stream: &str, selected: &Selected, automatic: bool) -> Option<Share> {
        let case = self.cases.get(stream).filter(|case| case.stuck.is_none())?;
        let state = self.desk.state::<Subscription>(stream);
        let terms = state.agreement().map(|agreement| agreement.terms.automatic_payment());
        let chosen = |charge: &Charge| match selected {
            Selected::All { by_terms: true, .. } => charge.automatic_payment == terms.unwrap_or(false),
            Selected::All { automatic, .. } => charge.automatic_payment == *automatic,
            Selected::These(ids) => ids.contains(&charge.id),
        };
        let charges = state.pending().filter(|charge| charge.automatic_payment == automatic);
        let charges = in_order(state, charges.filter(|charge| chosen(charge)));
        let share = Share {
            subscription: case.id,
            charges,
        };
        Some(share).filter(|share| !share.charges.is_empty())
    }
}

/// Which charges somebody put on an invoice.
pub(super) enum Selected {
    /// All that were paid so.
    All {
        automatic: bool,
        by_terms: bool,
    },
    These(BTreeSet<ChargeId>),
}

pub(super) fn selected(actual: &Subscription, charges: &[ChargeId]) -> Selected {
    let named: BTreeSet<ChargeId> = charges.iter().copied().collect();
    let automatic = actual.pending().find(|charge| named.contains(&charge.id));
    let automatic = automatic.is_some_and(|charge| charge.automatic_payment);
    let of_kind = actual.pending().filter(|charge| charge.automatic_payment == automatic);
    if of_kind.count() == named.len() {
        let terms = actual.agreement().map(|agreement| agreement.terms.automatic_payment());
        let by_terms = terms == Some(automatic);
        return Selected::All { automatic, by_terms };
    }
    Selected::These(named)
}
