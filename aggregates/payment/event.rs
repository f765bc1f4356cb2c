//! What happened to a payment.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Recordable,
    id::{CustomerId, InvoiceId, PaymentId},
    message::Notice,
    money::Money,
};

/// What is to be collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub payment: PaymentId,
    pub invoice: InvoiceId,
    pub customer: CustomerId,
    /// What was open of the invoice when it was asked for.
    pub amount: Money,
    /// Who is to collect, where the terms name somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// How it is told to the customer should it fail, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Box<Notice>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Requested {
        at: DateTime<Utc>,
        #[serde(flatten)]
        wanted: Wanted,
    },
    Succeeded {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        reference: String,
    },
    Failed {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<CustomerId>,
        /// How it is told to the customer, where it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notice: Option<Box<Notice>>,
    },
    /// The invoice was paid otherwise before anybody said how the collection went.
    Withdrawn { at: DateTime<Utc>, invoice: InvoiceId },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "payment.requested",
            Self::Succeeded { .. } => "payment.succeeded",
            Self::Failed { .. } => "payment.failed",
            Self::Withdrawn { .. } => "payment.withdrawn",
        }
    }
}
