//! What happened to a customer's credit.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Recordable,
    id::{CustomerId, InvoiceId},
    money::Money,
};

/// Where credit comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// An invoice took back more than it charged.
    Invoice { invoice: InvoiceId },
    /// More was paid of an invoice than was open.
    Overpayment { invoice: InvoiceId, reference: String },
    /// It had paid an invoice that was voided.
    VoidedInvoice { invoice: InvoiceId },
    /// Somebody gave it.
    Gift { reason: String },
}

/// What a use took of one grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    pub grant: u32,
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Granted {
        at: DateTime<Utc>,
        customer: CustomerId,
        /// The first grant is 1.
        grant: u32,
        amount: Money,
        /// What there is now.
        balance: Money,
        source: Source,
    },
    Used {
        at: DateTime<Utc>,
        customer: CustomerId,
        invoice: InvoiceId,
        amount: Money,
        /// What is left now.
        balance: Money,
        /// Oldest grant first.
        taken: Vec<Taken>,
    },
    /// The invoice that had granted it was voided.
    TakenBack {
        at: DateTime<Utc>,
        customer: CustomerId,
        invoice: InvoiceId,
        grant: u32,
        amount: Money,
        /// What is left now.
        balance: Money,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Granted { .. } => "credit.granted",
            Self::Used { .. } => "credit.used",
            Self::TakenBack { .. } => "credit.taken_back",
        }
    }
}
