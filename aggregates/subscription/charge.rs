//! What is owed on a subscription and not yet invoiced.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Event, Now, Refused, Status, Terms};
use crate::{
    billing::{Accrued, Explanation, TaxPolicy, charge_id},
    calendar::Period,
    id::{ChargeId, InvoiceId, LineId, SubscriptionId},
    money::Money,
    terms::InvoiceTrigger,
};

/// A charge as it is put on the subscription: `automatic_payment` is `None` where the terms decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCharge {
    pub id: ChargeId,
    pub name: String,
    pub amount: Money,
    pub period: Period,
    pub flat_fee: bool,
    pub automatic_payment: Option<bool>,
}

/// A charge with everything settled that its invoice needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub id: ChargeId,
    pub name: String,
    pub amount: Money,
    pub period: Period,
    pub flat_fee: bool,
    pub automatic_payment: bool,
    pub due_date: NaiveDate,
    /// Which line of the subscription it is for; none where somebody put it there by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineId>,
    /// In percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<Decimal>,
    /// How the amount came to be, where it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Box<Explanation>>,
}

impl Charge {
    /// How it is taxed, if it is.
    pub fn tax_policy(&self) -> TaxPolicy {
        let explained = self.explanation.as_ref().and_then(|explanation| explanation.tax);
        explained.unwrap_or_default()
    }

    /// An accrued amount under the terms of the subscription.
    pub fn accrued(subscription: SubscriptionId, terms: &Terms, accrued: Accrued) -> Self {
        Self {
            id: charge_id(subscription, &accrued),
            automatic_payment: terms.automatic_payment(),
            due_date: terms.due_date(accrued.flat_fee, accrued.period, accrued.billing_start),
            name: accrued.name,
            amount: accrued.amount,
            period: accrued.period,
            flat_fee: accrued.flat_fee,
            line: Some(accrued.line),
            tax_rate: accrued.tax_rate,
            explanation: Some(Box::new(accrued.explanation)),
        }
    }
}

pub(super) fn add(now: Now<'_>, pending: &BTreeMap<ChargeId, Charge>, new: &NewCharge) -> Result<Vec<Event>, Refused> {
    let agreement = now.agreement;
    if agreement.status == Status::Cancelled {
        return Err(Refused::Cancelled);
    }
    if new.name.trim().is_empty() {
        return Err(Refused::ChargeNameMissing);
    }
    if new.amount.currency != agreement.currency {
        return Err(Refused::WrongCurrency {
            expected: agreement.currency,
            got: new.amount.currency,
        });
    }
    if new.period.end.is_some_and(|end| end < new.period.start) {
        return Err(Refused::PeriodReversed);
    }
    if pending.contains_key(&new.id) {
        return Err(Refused::ChargeExists);
    }
    // What is pending must fit on one invoice, or one charge would keep all others from being billed.
    let pending_amounts = pending.values().map(|charge| charge.amount);
    Money::sum(new.amount.currency, pending_amounts.chain([new.amount]))?;
    let charge = Charge {
        id: new.id,
        name: new.name.clone(),
        amount: new.amount,
        period: new.period,
        flat_fee: new.flat_fee,
        automatic_payment: new
            .automatic_payment
            .unwrap_or_else(|| agreement.terms.automatic_payment()),
        due_date: agreement.terms.due_date(new.flat_fee, new.period, new.period.start),
        line: None,
        tax_rate: None,
        explanation: None,
    };
    Ok(vec![Event::ChargeAdded {
        at: now.at,
        charge,
        next_billing: now.next_with_charge(),
    }])
}

pub(super) fn invoice(
    pending: &BTreeMap<ChargeId, Charge>,
    at: DateTime<Utc>,
    invoice: InvoiceId,
    charges: &[ChargeId],
) -> Result<Vec<Event>, Refused> {
    let mut automatic = None;
    for id in charges {
        let charge = pending.get(id).ok_or(Refused::ChargeNotPending { charge: *id })?;
        if *automatic.get_or_insert(charge.automatic_payment) != charge.automatic_payment {
            return Err(Refused::MixedPayment);
        }
    }
    if automatic.is_none() {
        return Err(Refused::NothingToInvoice);
    }
    Ok(vec![Event::ChargesInvoiced {
        at,
        invoice,
        charges: charges.to_vec(),
    }])
}

/// They go on the next invoice there is, or on one that somebody asks for. None is made because of them alone, or what
/// was voided would be back at once; but where invoices have a calendar, they keep to it.
pub(super) fn release(
    now: Now<'_>,
    pending: &BTreeMap<ChargeId, Charge>,
    invoice: InvoiceId,
    charges: &[Charge],
) -> Result<Vec<Event>, Refused> {
    if charges.is_empty() {
        return Err(Refused::NothingToInvoice);
    }
    if charges.iter().any(|charge| pending.contains_key(&charge.id)) {
        return Err(Refused::ChargeExists);
    }
    let owed = pending.values().chain(charges).map(|charge| charge.amount);
    Money::sum(now.agreement.currency, owed)?;
    let next_billing = match now.agreement.terms.trigger() {
        InvoiceTrigger::Periodic(_) => now.next_with_charge(),
        InvoiceTrigger::Immediate | InvoiceTrigger::Manual => None,
    };
    Ok(vec![Event::ChargesReleased {
        at: now.at,
        invoice,
        charges: charges.to_vec(),
        next_billing,
    }])
}
