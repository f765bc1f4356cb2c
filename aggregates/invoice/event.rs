//! What happened to an invoice, and what it is made of.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Recordable,
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId},
    money::{Currency, Money},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub charge: ChargeId,
    pub name: String,
    pub amount: Money,
    pub period: Period,
    pub flat_fee: bool,
    pub due_date: NaiveDate,
}

/// Everything an issued invoice says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    pub invoice: InvoiceId,
    /// Position in the tenant's gapless series.
    pub number: u64,
    pub customer: CustomerId,
    pub subscription: SubscriptionId,
    pub currency: Currency,
    pub issue_date: NaiveDate,
    pub due_date: NaiveDate,
    pub automatic_payment: bool,
    pub lines: Vec<Line>,
    pub total: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Issued { at: DateTime<Utc>, issued: Box<Issued> },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Issued { .. } => "invoice.issued",
        }
    }
}

/// How an invoice number is printed.
pub fn printed_number(number: u64) -> String {
    format!("INV-{number:06}")
}
