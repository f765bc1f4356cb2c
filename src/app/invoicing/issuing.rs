//! The one way to an invoice: charges are taken from their subscriptions, the next number from its series, and the
//! customer's credit pays what it can.

use std::collections::BTreeMap;

use aggregates::{
    calendar::Tz,
    credit::{self, Credit},
    id::{ChargeId, InvoiceId, SubscriptionId},
    invoice::{self, Invoice},
    message::Notice,
    number_series::{self, NumberSeries},
    subscription::{self, Charge, Subscription},
};
use chrono::NaiveDate;
use projections::subscription::Payer;

use super::{bundles::Share, credit, series};
use crate::{app::desk::Desk, journal::CommandError};

/// What an invoice is made of, once that is taken from whose it is.
pub(in crate::app) struct Bill {
    /// Of several that share it the first, who says where it is due, who collects it, and how it is told.
    pub subscription: SubscriptionId,
    pub charges: Vec<Charge>,
    /// Whose charges are not the first one's.
    others: BTreeMap<ChargeId, SubscriptionId>,
    zone: Tz,
    processor: Option<String>,
    notice: Option<Notice>,
}

impl Bill {
    /// Takes the charges from their subscription.
    pub fn take<D: Desk>(
        desk: &mut D,
        payer: Payer,
        invoice: InvoiceId,
        issue_date: NaiveDate,
        share: Share,
    ) -> Result<Self, CommandError> {
        let stream = share.subscription.to_string();
        let agreement = desk.state::<Subscription>(&stream).agreement();
        let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
        if agreement.customer != payer.customer {
            return Err(CommandError::Conflict);
        }
        let due_date = agreement.terms.due_date_from_issue(issue_date);
        let due = |charge: Charge| Charge {
            due_date: due_date.unwrap_or(charge.due_date),
            ..charge
        };
        let give_up = subscription::Command::InvoiceCharges {
            at: desk.at(),
            invoice,
            charges: share.charges.iter().map(|charge| charge.id).collect(),
        };
        let bill = Self {
            subscription: share.subscription,
            charges: share.charges.into_iter().map(due).collect(),
            others: BTreeMap::new(),
            zone: agreement.zone(),
            processor: agreement.terms.processor().map(str::to_owned),
            notice: agreement.terms.notice(),
        };
        desk.send::<Subscription>(&stream, &give_up)?;
        Ok(bill)
    }

    /// What another one has on it comes behind.
    pub fn join(&mut self, other: Self) {
        if other.subscription != self.subscription {
            let theirs = other.charges.iter().map(|charge| (charge.id, other.subscription));
            self.others.extend(theirs);
        }
        self.others.extend(other.others);
        self.charges.extend(other.charges);
    }

    /// What all of them have on it.
    pub fn of(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let mut bill = parts.next()?;
        parts.for_each(|part| bill.join(part));
        Some(bill)
    }

    /// The same bill with one charge in the place of all of them.
    pub fn with(&self, charge: Charge) -> Self {
        Self {
            subscription: self.subscription,
            charges: vec![charge],
            others: BTreeMap::new(),
            zone: self.zone,
            processor: self.processor.clone(),
            notice: self.notice.clone(),
        }
    }
}

/// Takes the charges from their subscriptions, and issues the invoice over them.
pub(in crate::app) fn issue<D: Desk>(
    desk: &mut D,
    payer: Payer,
    invoice: InvoiceId,
    issue_date: NaiveDate,
    shares: Vec<Share>,
) -> Result<invoice::Issued, CommandError> {
    let mut parts = Vec::with_capacity(shares.len());
    for share in shares {
        parts.push(Bill::take(desk, payer, invoice, issue_date, share)?);
    }
    let bill = Bill::of(parts).ok_or(subscription::Refused::NothingToInvoice)?;
    issue_bill(desk, payer, invoice, issue_date, bill)
}

/// Takes a number from the series and issues the invoice. What the charges come to below zero becomes credit of the
/// customer's; what they come to above it is paid from there first.
pub(in crate::app) fn issue_bill<D: Desk>(
    desk: &mut D,
    payer: Payer,
    invoice: InvoiceId,
    issue_date: NaiveDate,
    bill: Bill,
) -> Result<invoice::Issued, CommandError> {
    let at = desk.at();
    let take = number_series::Command::TakeNumber {
        for_document: invoice.to_string(),
    };
    let series = series(desk.tenant());
    let taken = desk.send::<NumberSeries>(&series, &take)?;
    let [number_series::Event::NumberTaken { number, .. }] = taken.as_slice() else {
        return Err(CommandError::Corrupt("a number series gave no number".into()));
    };
    let number = *number;
    let account = credit(desk.tenant(), payer);
    let issue = invoice::Command::Issue {
        at,
        invoice,
        number,
        customer: payer.customer,
        subscription: bill.subscription,
        issue_date,
        charges: bill.charges,
        others: bill.others,
        credit: desk.state::<Credit>(&account).balance(payer.currency)?,
        zone: bill.zone,
        processor: bill.processor,
        notice: bill.notice,
    };
    let issued = desk.send::<Invoice>(&invoice.to_string(), &issue)?;
    let [invoice::Event::Issued { issued, .. }] = issued.as_slice() else {
        return Err(CommandError::Corrupt("an invoice was not issued".into()));
    };
    settle(desk, &account, issued)?;
    Ok((**issued).clone())
}

/// Moves the credit that the invoice says was granted or used.
fn settle<D: Desk>(desk: &mut D, account: &str, issued: &invoice::Issued) -> Result<(), CommandError> {
    let (at, customer, invoice) = (desk.at(), issued.customer, issued.invoice);
    if let Some(amount) = issued.credit_granted {
        let grant = credit::Command::Grant {
            at,
            customer,
            amount,
            source: credit::Source::Invoice { invoice },
        };
        desk.send::<Credit>(account, &grant)?;
    }
    if let Some(amount) = issued.credit_applied {
        let use_up = credit::Command::Use {
            at,
            customer,
            amount,
            invoice,
        };
        desk.send::<Credit>(account, &use_up)?;
    }
    Ok(())
}
