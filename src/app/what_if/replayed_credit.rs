//! A customer's credit in a history that is lived through once more: invoices grant and use it as they come out there;
//! what else was given or used is so again.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    credit::{self, Command, Credit, Source},
    id::InvoiceId,
    invoice::Issued,
    money::Money,
};
use chrono::{DateTime, Utc};
use projections::subscription::Payer;

use crate::{
    app::{
        desk::{Desk, Rehearsal},
        invoicing,
    },
    journal::CommandError,
};

#[derive(Default)]
pub(super) struct ReplayedCredit {
    /// The invoice that was issued last: what it used of the credit it used then.
    issuing: Option<InvoiceId>,
    /// What invoices have granted, and what has paid them.
    granted: BTreeMap<InvoiceId, i64>,
    used: BTreeMap<InvoiceId, i64>,
    voided: BTreeSet<InvoiceId>,
}

impl ReplayedCredit {
    pub fn issuing(&mut self, invoice: Option<InvoiceId>) {
        self.issuing = invoice;
    }

    /// An invoice came out here.
    pub fn made(&mut self, issued: &Issued) {
        let minor = |amount: Option<Money>| amount.map_or(0, |amount| amount.minor);
        *self.granted.entry(issued.invoice).or_default() += minor(issued.credit_granted);
        *self.used.entry(issued.invoice).or_default() += minor(issued.credit_applied);
    }

    /// It happened before the terms were others, or to what keeps its own.
    pub fn happened(&mut self, event: &credit::Event) {
        match event {
            credit::Event::Granted {
                source: Source::Invoice { invoice },
                amount,
                ..
            } => *self.granted.entry(*invoice).or_default() += amount.minor,
            credit::Event::Used { invoice, amount, .. } => *self.used.entry(*invoice).or_default() += amount.minor,
            credit::Event::Granted { .. } | credit::Event::TakenBack { .. } => {}
        }
    }

    /// `really` where the invoice is of what cannot be compared: it grants and uses what it did.
    pub fn credited(
        &mut self,
        desk: &mut Rehearsal,
        account: &str,
        event: &credit::Event,
        really: bool,
    ) -> Result<(), CommandError> {
        let command = match event {
            credit::Event::Granted {
                source: Source::Invoice { .. },
                ..
            } if !really => return Ok(()),
            // What an invoice loses that is voided was told when it was.
            credit::Event::Granted {
                source: Source::VoidedInvoice { .. },
                ..
            }
            | credit::Event::TakenBack { .. } => return Ok(()),
            credit::Event::Granted {
                at,
                customer,
                amount,
                source: source @ (Source::Invoice { .. } | Source::Gift { .. } | Source::Overpayment { .. }),
                ..
            } => {
                self.issuing = None;
                Command::Grant {
                    at: *at,
                    customer: *customer,
                    amount: *amount,
                    source: source.clone(),
                }
            }
            credit::Event::Used { invoice, .. } if self.issuing == Some(*invoice) && !really => {
                self.issuing = None;
                return Ok(());
            }
            credit::Event::Used {
                at,
                customer,
                invoice,
                amount,
                ..
            } => {
                let there = desk.state::<Credit>(account).balance(amount.currency)?;
                let amount = Money::new(amount.minor.min(there.minor), amount.currency);
                if amount.minor <= 0 {
                    return Ok(());
                }
                Command::Use {
                    at: *at,
                    customer: *customer,
                    amount,
                    invoice: *invoice,
                }
            }
        };
        for event in desk.send::<Credit>(account, &command)? {
            self.happened(&event);
        }
        Ok(())
    }

    /// An invoice was voided, and so is what `stands_for` it here: what it was paid with is there again, what it granted
    /// is not, as far as it is left.
    pub fn void(
        &mut self,
        desk: &mut Rehearsal,
        payer: Payer,
        at: DateTime<Utc>,
        invoice: InvoiceId,
        mut stands_for: BTreeSet<InvoiceId>,
    ) -> Result<(), CommandError> {
        if !self.voided.insert(invoice) {
            return Ok(());
        }
        stands_for.insert(invoice);
        let (customer, account) = (payer.customer, invoicing::credit(desk.tenant(), payer));
        let used: i64 = stands_for.iter().filter_map(|id| self.used.remove(id)).sum();
        if used > 0 {
            let grant = Command::Grant {
                at,
                customer,
                amount: Money::new(used, payer.currency),
                source: Source::VoidedInvoice { invoice },
            };
            desk.send::<Credit>(&account, &grant)?;
        }
        for id in stands_for {
            let granted = self.granted.remove(&id).unwrap_or_default();
            let own = |source: &Source| match source {
                Source::Invoice { invoice } => *invoice == id,
                Source::VoidedInvoice { .. } => true,
                Source::Gift { .. } | Source::Overpayment { .. } => false,
            };
            let grants = desk.state::<Credit>(&account).grants.iter();
            let left = grants.filter(|grant| own(&grant.source)).map(|grant| grant.left);
            let amount = Money::new(
                granted.min(Money::sum(payer.currency, left).map_err(credit::Refused::from)?.minor),
                payer.currency,
            );
            if amount.minor > 0 {
                let take_back = Command::TakeBack {
                    at,
                    customer,
                    amount,
                    invoice: id,
                };
                desk.send::<Credit>(&account, &take_back)?;
            }
        }
        Ok(())
    }
}
