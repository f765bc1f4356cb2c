//! What happened to a subscription, and what it is made of.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Recordable,
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, PlanId, SubscriptionId},
    money::{Currency, Money},
    terms::InvoicingPreferences,
};

/// How long one cycle of the agreement lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cycle {
    Once,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Constant,
}

/// Whether the agreement runs from its activation date, or waits to be activated by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Active,
    Cancelled,
}

/// The rules of the agreement, fixed when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Terms {
    /// A copy of the tenant's invoicing preferences, with the customer's and the contract's own choices laid over it.
    Contract { invoicing: InvoicingPreferences },
}

impl Terms {
    pub fn automatic_payment(&self) -> bool {
        match self {
            Self::Contract { invoicing } => invoicing.automatic_payment,
        }
    }

    pub fn due_date(&self, flat_fee: bool, period: Period) -> NaiveDate {
        match self {
            Self::Contract { invoicing } => invoicing.due_date(flat_fee, period),
        }
    }
}

/// What was agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    pub customer: CustomerId,
    pub plan: Option<PlanId>,
    pub currency: Currency,
    pub cycle: Cycle,
    pub activation: NaiveDate,
    pub status: Status,
    pub terms: Terms,
}

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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Signed {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        agreement: Box<Agreement>,
    },
    ChargeAdded {
        at: DateTime<Utc>,
        charge: Charge,
    },
    ChargesInvoiced {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        charges: Vec<ChargeId>,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Signed { .. } => "subscription.signed",
            Self::ChargeAdded { .. } => "subscription.charge_added",
            Self::ChargesInvoiced { .. } => "subscription.charges_invoiced",
        }
    }
}
