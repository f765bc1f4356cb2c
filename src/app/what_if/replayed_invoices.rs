//! Invoices that somebody asked for, in a history that is lived through once more: of what stands for what was on them.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent, Recordable,
    id::{ChargeId, InvoiceId, SubscriptionId},
    invoice::{self, Invoice, Issued},
    payment,
    subscription::{self, Agreement, Charge, Command, Subscription},
};
use chrono::{DateTime, Utc};

use super::{
    Refusal,
    replayed::{Past, Replay},
};
use crate::{
    app::{
        desk::Desk,
        invoicing::{
            self,
            bundles::{Share, Shared, collector, in_order},
            issuing::issue,
        },
    },
    journal::CommandError,
};

impl Replay {
    pub(super) fn invoice_by_hand(&mut self, invoice: InvoiceId, selected: &[(String, Selected)]) {
        let mut shared = Shared::default();
        for automatic in [false, true] {
            let mut asked: Vec<(&str, Share)> = Vec::new();
            for (stream, selected) in selected {
                asked.extend(
                    self.share(stream, selected, automatic)
                        .map(|share| (stream.as_str(), share)),
                );
            }
            let beside = self.beside(&asked, selected, automatic);
            for share in asked.into_iter().map(|(_, share)| share).chain(beside) {
                let collector = collector(&self.desk, share.subscription, automatic);
                shared.put((automatic, collector), share);
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
                Ok(issued) => {
                    self.bills.took(&mut self.desk, &issued);
                    self.made(&issued);
                }
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

    /// An invoice was voided: so is what stands for it here, whatever has a charge in common with it, and all that was on
    /// that waits for another one. What was issued before the terms were others stands for itself.
    pub(super) fn void(
        &mut self,
        at: DateTime<Utc>,
        invoice: InvoiceId,
        released: &BTreeMap<SubscriptionId, Vec<Charge>>,
    ) -> Result<(), CommandError> {
        let standing = self.bills.standing_for(&self.desk, invoice);
        if let Err(error) = self.bills.void(&mut self.desk, invoice, &standing) {
            for case in self.cases.values_mut() {
                case.was.retain(|id| *id != invoice || case.stuck.is_some());
            }
            return self.left_out(at, "invoice.voided", released.keys().copied(), error);
        }
        let would_be = self.cases.values().flat_map(|case| &case.would_be);
        let voided: BTreeMap<InvoiceId, Issued> = would_be
            .filter(|issued| standing.contains(&issued.invoice))
            .map(|issued| (issued.invoice, issued.clone()))
            .collect();
        let mut waiting: BTreeMap<(InvoiceId, SubscriptionId), Vec<Charge>> = BTreeMap::new();
        for issued in voided.values() {
            for line in &issued.lines {
                let of = line.subscription.unwrap_or(issued.subscription);
                let charges = waiting.entry((issued.invoice, of)).or_default();
                charges.extend(self.desk.charge(line.charge).cloned());
            }
        }
        if !self.cases.values().any(|case| case.was.contains(&invoice)) {
            let same = released.iter().map(|(of, charges)| ((invoice, *of), charges.clone()));
            waiting.extend(same);
        }
        for case in self.cases.values_mut() {
            case.would_be.retain(|issued| !voided.contains_key(&issued.invoice));
            case.was.retain(|id| *id != invoice || case.stuck.is_some());
        }
        for ((invoice, of), charges) in waiting {
            let stream = of.to_string();
            let release = Command::ReleaseCharges { at, invoice, charges };
            let Some(case) = self.cases.get_mut(&stream).filter(|case| case.stuck.is_none()) else {
                continue;
            };
            if let Err(error) = self.desk.send::<Subscription>(&stream, &release) {
                case.stuck = Some(error.to_string());
            }
        }
        Ok(())
    }

    /// What was refused is left out of what would be, and said.
    fn left_out(
        &mut self,
        at: DateTime<Utc>,
        event: &'static str,
        of: impl Iterator<Item = SubscriptionId>,
        error: CommandError,
    ) -> Result<(), CommandError> {
        let CommandError::Refused(refused) = error else {
            return Err(error);
        };
        for id in of {
            if let Some(case) = self.cases.get_mut(&id.to_string()) {
                let reason = refused.to_string();
                case.refused.push(Refusal { at, event, reason });
            }
        }
        Ok(())
    }

    /// What happened to an invoice. One that is not billed here any more is what it was, as far as there is credit.
    pub(super) fn invoiced(
        &mut self,
        stream: &str,
        event: &invoice::Event,
        together: &[Past],
    ) -> Result<(), CommandError> {
        match event {
            invoice::Event::Issued { issued, .. } => {
                self.bills.issued(issued);
                if self.is_real(issued.invoice) {
                    self.desk.happen::<Invoice>(stream, event);
                    self.bills.really_issued(&mut self.desk, issued)?;
                }
                Ok(())
            }
            invoice::Event::PaymentRecorded { at, invoice, .. } => {
                let collected = |past: &Past| match &past.event {
                    AnyEvent::Payment(payment::Event::Succeeded { invoice: of, .. }) => of == invoice,
                    _ => false,
                };
                if together.iter().any(collected) {
                    return Ok(());
                }
                let paid = self.bills.paid(&mut self.desk, event);
                paid.or_else(|error| {
                    let of = self.owners(*invoice);
                    self.left_out(*at, "invoice.payment_recorded", of.into_iter(), error)
                })
            }
            // Decided again here.
            invoice::Event::CreditApplied { .. } | invoice::Event::Voided { .. } => Ok(()),
        }
    }

    /// How a collection went.
    pub(super) fn collected(&mut self, event: &payment::Event) -> Result<(), CommandError> {
        let (payment::Event::Succeeded { at, invoice, .. } | payment::Event::Failed { at, invoice, .. }) = event else {
            return Ok(());
        };
        let settled = self.bills.settled(&mut self.desk, event);
        settled.or_else(|error| {
            let of = self.owners(*invoice);
            self.left_out(*at, event.name(), of.into_iter(), error)
        })
    }

    fn owners(&self, invoice: InvoiceId) -> Vec<SubscriptionId> {
        let owners = self.cases.values().filter(|case| case.was.contains(&invoice));
        owners.map(|case| case.id).collect()
    }

    /// What shares its invoices with one that was asked for whole waits no longer either.
    fn beside(&self, asked: &[(&str, Share)], selected: &[(String, Selected)], automatic: bool) -> Vec<Share> {
        let whole = |stream: &str| {
            let mut chosen = selected.iter().filter(|(known, _)| known == stream);
            chosen.any(|(_, chosen)| !matches!(chosen, Selected::These(_)))
        };
        let with = |stream: &str| {
            let agreement = self.desk.state::<Subscription>(stream).agreement();
            let consolidation = agreement.and_then(Agreement::consolidation)?;
            Some((self.cases.get(stream)?.payer, consolidation))
        };
        let asked = asked.iter().filter(|(stream, _)| whole(stream));
        let shared: Vec<_> = asked.filter_map(|(stream, _)| with(stream)).collect();
        let others = self.cases.keys().filter(|other| {
            let known = selected.iter().any(|(stream, _)| stream == *other);
            !known && with(other).is_some_and(|with| shared.contains(&with))
        });
        others
            .filter_map(|other| self.share(other, &Selected::All, automatic))
            .collect()
    }

    /// What of the charges that stand for those that somebody chose is to be paid so.
    fn share(&self, stream: &str, selected: &Selected, automatic: bool) -> Option<Share> {
        let case = self.cases.get(stream).filter(|case| case.stuck.is_none())?;
        let state = self.desk.state::<Subscription>(stream);
        let chosen = |charge: &Charge| match selected {
            Selected::All => true,
            Selected::PaidSo { automatic } => charge.automatic_payment == *automatic,
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
    /// All there were.
    All,
    /// All that are paid so, and not those that are paid otherwise.
    PaidSo {
        automatic: bool,
    },
    These(BTreeSet<ChargeId>),
}

pub(super) fn selected(actual: &Subscription, charges: &[ChargeId]) -> Selected {
    let named: BTreeSet<ChargeId> = charges.iter().copied().collect();
    let automatic = actual.pending().find(|charge| named.contains(&charge.id));
    let automatic = automatic.is_some_and(|charge| charge.automatic_payment);
    let of_kind = actual.pending().filter(|charge| charge.automatic_payment == automatic);
    if actual.pending().count() == named.len() {
        Selected::All
    } else if of_kind.count() == named.len() {
        Selected::PaidSo { automatic }
    } else {
        Selected::These(named)
    }
}

/// What was on a voided invoice, subscription by subscription, as the command said that voided it.
pub(in crate::app) fn released(together: &[Past], voided: InvoiceId) -> BTreeMap<SubscriptionId, Vec<Charge>> {
    let mut released = BTreeMap::new();
    for Past { stream, event, .. } in together {
        if let AnyEvent::Subscription(subscription::Event::ChargesReleased { invoice, charges, .. }) = event
            && *invoice == voided
            && let Ok(of) = stream.parse::<SubscriptionId>()
        {
            released.insert(of, charges.clone());
        }
    }
    released
}
