//! What happened to a purchase, and what it is made of.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Recordable,
    customer::Contact,
    id::{BillingTemplateId, CustomerId, PurchaseId, SubscriptionId},
    money::{Currency, Money},
    personal::Personal,
};

/// Where a purchase comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Made by itself.
    Purchases,
    /// A one-off invoice.
    BillingInvoices,
    /// A cycle of a subscription that is charged automatically.
    BillingSubscriptions,
    /// A cycle of a subscription that the client pays by hand.
    BillingSubscriptionsInvoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Created,
    Sent,
    /// Nothing is to be paid any more.
    Paid,
    Cancelled,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Sent => "sent",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
        })
    }
}

/// One line. Amounts are minor units of the purchase's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    pub name: String,
    pub quantity: Decimal,
    /// For one piece.
    pub price: i64,
    /// For the whole line.
    #[serde(default)]
    pub discount: i64,
    #[serde(default)]
    pub tax_percent: Decimal,
    #[serde(default)]
    pub category: String,
    /// Stands for what the line would come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_price_override: Option<i64>,
}

/// What is to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    pub currency: Currency,
    pub products: Vec<Product>,
    /// Two letters; the language of what the client is shown.
    pub language: String,
    #[serde(default)]
    pub notes: String,
    /// From before: added to the total; below zero it is a credit.
    #[serde(default)]
    pub debt: i64,
    /// Shown only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtotal_override: Option<i64>,
    /// Shown only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tax_override: Option<i64>,
    /// Shown only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_discount_override: Option<i64>,
    /// Stands for the total, debt included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_override: Option<i64>,
    /// Which data the client is asked for before paying.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_client_details: Vec<String>,
    /// IANA name.
    pub time_zone: String,
    /// Whether it cannot be paid any more once it is overdue.
    #[serde(default)]
    pub due_strict: bool,
    #[serde(default)]
    pub email_message: String,
}

/// Everything a purchase says besides whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub origin: Origin,
    pub brand_id: Uuid,
    pub details: Details,
    pub due: DateTime<Utc>,
    pub issued: NaiveDate,
    /// The caller's own reference.
    #[serde(default)]
    pub reference: String,
    /// Reserve the money, do not take it yet.
    #[serde(default)]
    pub skip_capture: bool,
    #[serde(default)]
    pub send_receipt: bool,
    /// Keep the means of payment for later charges without asking.
    #[serde(default)]
    pub force_recurring: bool,
    /// With which methods it can be paid; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_methods: Option<Vec<String>>,
    /// The template it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_template: Option<BillingTemplateId>,
    /// Whose period it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<SubscriptionId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The total is computed once, here.
    Created {
        at: DateTime<Utc>,
        purchase: PurchaseId,
        customer: CustomerId,
        /// Position in the tenant's gapless series.
        number: u64,
        order: Box<Order>,
        total: Money,
        personal: Personal<Box<Contact>>,
    },
    Sent {
        at: DateTime<Utc>,
    },
    /// The merchant says that it was paid, outside of here.
    MarkedAsPaid {
        at: DateTime<Utc>,
        paid_on: DateTime<Utc>,
    },
    Cancelled {
        at: DateTime<Utc>,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "purchase.created",
            Self::Sent { .. } => "purchase.sent",
            Self::MarkedAsPaid { .. } => "purchase.marked_as_paid",
            Self::Cancelled { .. } => "purchase.cancelled",
        }
    }

    fn subject(&self) -> Option<String> {
        match self {
            Self::Created { customer, .. } => Some(customer.to_string()),
            Self::Sent { .. } | Self::MarkedAsPaid { .. } | Self::Cancelled { .. } => None,
        }
    }
}

/// How the number of a purchase is printed.
pub fn printed_number(number: u64) -> String {
    format!("CH{number}")
}
