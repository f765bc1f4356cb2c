//! Subscriptions: the decisions.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{Agreement, Charge, Command, Event, NewCharge, Refused, Status, Terms, order_total};
use crate::{
    Decider,
    id::{ChargeId, InvoiceId},
    money::Money,
    order_terms::OrderBillingPreferences,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subscription {
    #[default]
    Absent,
    Signed {
        agreement: Box<Agreement>,
        /// Charges that are on no invoice yet, in order of their ids.
        pending: BTreeMap<ChargeId, Charge>,
    },
}

impl Subscription {
    pub fn agreement(&self) -> Option<&Agreement> {
        match self {
            Self::Absent => None,
            Self::Signed { agreement, .. } => Some(agreement),
        }
    }

    /// The charges that can be put on an invoice now.
    pub fn pending(&self) -> impl Iterator<Item = &Charge> {
        match self {
            Self::Absent => None,
            Self::Signed { pending, .. } => Some(pending.values()),
        }
        .into_iter()
        .flatten()
    }
}

impl Decider for Subscription {
    const TYPE: &'static str = "subscription";
    const SNAPSHOT_EVERY: i64 = 256;
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (
                Self::Absent,
                Command::Sign {
                    at,
                    subscription,
                    agreement,
                },
            ) => {
                if let Some(order) = &agreement.order {
                    order_total(&order.lines, agreement.currency).map_err(|(_, error)| error)?;
                }
                Ok(vec![Event::Signed {
                    at: *at,
                    subscription: *subscription,
                    agreement: agreement.clone(),
                }])
            }
            (Self::Signed { .. }, Command::Sign { .. }) => Err(Refused::AlreadyExists),
            (Self::Signed { agreement, pending }, Command::AddCharge { at, charge }) => {
                add_charge(agreement, pending, *at, charge)
            }
            (Self::Signed { pending, .. }, Command::InvoiceCharges { at, invoice, charges }) => {
                invoice_charges(pending, *at, *invoice, charges)
            }
            (Self::Signed { agreement, .. }, Command::UpdateBillingPreferences { at, preferences }) => {
                update_billing_preferences(agreement, *at, preferences)
            }
            (Self::Signed { agreement, .. }, Command::Cancel { at, effective }) => cancel(agreement, *at, *effective),
            (
                Self::Absent,
                Command::AddCharge { .. }
                | Command::InvoiceCharges { .. }
                | Command::UpdateBillingPreferences { .. }
                | Command::Cancel { .. },
            ) => Err(Refused::Unknown),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Signed { agreement, .. } => {
                *self = Self::Signed {
                    agreement: agreement.clone(),
                    pending: BTreeMap::new(),
                };
            }
            Event::ChargeAdded { charge, .. } => {
                if let Self::Signed { pending, .. } = self {
                    pending.insert(charge.id, charge.clone());
                }
            }
            Event::ChargesInvoiced { charges, .. } => {
                if let Self::Signed { pending, .. } = self {
                    for charge in charges {
                        pending.remove(charge);
                    }
                }
            }
            Event::BillingPreferencesUpdated { billing, .. } => {
                if let Self::Signed { agreement, .. } = self {
                    agreement.cycle = billing.billing_period.cycle();
                    agreement.terms = Terms::Order {
                        billing: billing.clone(),
                    };
                }
            }
            Event::Cancelled { .. } => {
                if let Self::Signed { agreement, .. } = self {
                    agreement.status = Status::Cancelled;
                }
            }
        }
    }
}

fn add_charge(
    agreement: &Agreement,
    pending: &BTreeMap<ChargeId, Charge>,
    at: DateTime<Utc>,
    new: &NewCharge,
) -> Result<Vec<Event>, Refused> {
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
        due_date: agreement.terms.due_date(new.flat_fee, new.period),
    };
    Ok(vec![Event::ChargeAdded { at, charge }])
}

fn update_billing_preferences(
    agreement: &Agreement,
    at: DateTime<Utc>,
    new: &OrderBillingPreferences,
) -> Result<Vec<Event>, Refused> {
    let now = match &agreement.terms {
        Terms::Contract { .. } => return Err(Refused::NotAnOrder),
        Terms::Order { billing } => billing,
    };
    if agreement.status == Status::Cancelled {
        return Err(Refused::Cancelled);
    }
    if **now == *new {
        return Ok(Vec::new());
    }
    Ok(vec![Event::BillingPreferencesUpdated {
        at,
        billing: Box::new(new.clone()),
    }])
}

fn cancel(agreement: &Agreement, at: DateTime<Utc>, effective: NaiveDate) -> Result<Vec<Event>, Refused> {
    if agreement.status == Status::Cancelled {
        return Ok(Vec::new()); // already so: a retry is not an error
    }
    if effective < agreement.activation {
        let start = agreement.activation;
        return Err(Refused::BeforeStart { start });
    }
    if effective > at.date_naive() {
        return Err(Refused::NotYet { effective });
    }
    Ok(vec![Event::Cancelled { at, effective }])
}

fn invoice_charges(
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
