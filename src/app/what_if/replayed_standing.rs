//! Which invoices of a history that is lived through once more stand for those that there really were, and which of their
//! collections wait for the real ones.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent,
    id::{ChargeId, InvoiceId, SubscriptionId},
    invoice::{self, Issued},
    payment,
};
use chrono::{DateTime, NaiveDate, Utc};

use super::replayed::Past;

/// Whose a line is, its name and the first day of its period.
type Line = (SubscriptionId, String, NaiveDate);

/// What is on an invoice.
struct Content {
    charges: BTreeSet<ChargeId>,
    lines: BTreeSet<Line>,
}

impl Content {
    fn of(issued: &Issued) -> Self {
        let line = |line: &invoice::Line| {
            let of = line.subscription.unwrap_or(issued.subscription);
            (of, line.name.clone(), line.period.start)
        };
        Self {
            charges: issued.lines.iter().map(|line| line.charge).collect(),
            lines: issued.lines.iter().map(line).collect(),
        }
    }
}

/// What stands for what.
#[derive(Default)]
pub(super) struct Standing {
    /// What is on what there really is.
    really: BTreeMap<InvoiceId, Content>,
    /// Of what there is here: what a charge is on.
    by_charge: BTreeMap<ChargeId, Vec<InvoiceId>>,
    /// What charges a line from a day on.
    by_line: BTreeMap<Line, Vec<InvoiceId>>,
    /// By what was really voided: what was voided here in its place.
    voided: BTreeMap<InvoiceId, Vec<InvoiceId>>,
}

impl Standing {
    pub fn issued(&mut self, issued: &Issued) {
        self.really.insert(issued.invoice, Content::of(issued));
    }

    pub fn made(&mut self, issued: &Issued) {
        let Content { charges, lines } = Content::of(issued);
        for charge in charges {
            self.by_charge.entry(charge).or_default().push(issued.invoice);
        }
        for line in lines {
            self.by_line.entry(line).or_default().push(issued.invoice);
        }
    }

    pub fn voided(&mut self, really: InvoiceId, here: &[InvoiceId]) {
        self.voided.insert(really, here.to_vec());
    }

    /// What was voided first in the place of what was really voided.
    pub fn voided_for(&self, really: InvoiceId) -> Option<InvoiceId> {
        self.voided.get(&really)?.first().copied()
    }

    /// Those that have a charge in common with a real invoice.
    pub fn with_charge(&self, really: InvoiceId) -> BTreeSet<InvoiceId> {
        let charges = self.really.get(&really).into_iter().flat_map(|own| &own.charges);
        let found = charges.filter_map(|charge| self.by_charge.get(charge));
        found.flatten().copied().collect()
    }

    /// Those that charge a line of it from the same day on.
    pub fn with_line(&self, really: InvoiceId) -> BTreeSet<InvoiceId> {
        let lines = self.really.get(&really).into_iter().flat_map(|own| &own.lines);
        let found = lines.filter_map(|line| self.by_line.get(line));
        found.flatten().copied().collect()
    }
}

/// Whoever collects comes when they come: what falls due when a real invoice did is collected when that one was, or where
/// it was late, but nothing was left of it when somebody came. By invoice, when it fell due.
#[derive(Default)]
pub(super) struct Awaited(BTreeMap<InvoiceId, DateTime<Utc>>);

impl Awaited {
    pub fn of(past: &[Past]) -> Self {
        let (mut awaited, mut told) = (BTreeMap::new(), BTreeSet::new());
        for Past { at, event, .. } in past {
            if let AnyEvent::Invoice(invoice::Event::Issued { issued, .. }) = event {
                let due = issued.collected_at().filter(|_| issued.to_pay().minor > 0);
                awaited.extend(due.map(|due| (issued.invoice, due)));
            } else if let Some(id) = ends(event)
                && told.insert(id)
                && awaited.get(&id).is_some_and(|due| at < due)
            {
                // What was paid before it fell due was not waited for: what stands for it falls due on its own.
                awaited.remove(&id);
            }
        }
        Self(awaited)
    }

    /// Whether its collection is that of a real one, which has not come yet.
    pub fn waits(&self, issued: &Issued) -> bool {
        let due = self.0.get(&issued.invoice);
        due.is_some_and(|due| issued.collected_at() == Some(*due))
    }

    /// Whether something has fallen due by then whose collection has not come.
    pub fn is_late(&self, at: DateTime<Utc>) -> bool {
        self.0.values().any(|due| *due <= at)
    }

    /// What nothing is waited for any more once this has happened, and when it fell due.
    pub fn passes(&mut self, event: &AnyEvent) -> Option<(InvoiceId, DateTime<Utc>)> {
        let id = ends(event)?;
        Some((id, self.0.remove(&id)?))
    }
}

/// Of which real invoice it is told that it is asked for, or that nothing is left to ask for.
fn ends(event: &AnyEvent) -> Option<InvoiceId> {
    match event {
        AnyEvent::Payment(payment::Event::Requested { wanted, .. }) => Some(wanted.invoice),
        AnyEvent::Invoice(invoice::Event::Voided { invoice, .. }) => Some(*invoice),
        AnyEvent::Invoice(
            invoice::Event::PaymentRecorded { invoice, balance, .. }
            | invoice::Event::CreditApplied { invoice, balance, .. },
        ) if balance.minor == 0 => Some(*invoice),
        _ => None,
    }
}
