//! What happened to a customer, and the data that is kept of one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Refused;
use crate::{
    Recordable, billing_start::BillingStart, id::CustomerId, money::Currency, order_terms::OrderBillingPreferences,
    personal::Personal,
};

/// What is known of a customer that names no person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// The caller's own id for this customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Overrides the tenant's preference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatic_payment: Option<bool>,
    /// IANA name; the tenant's (UTC) when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What new orders of this customer start with; the defaults when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing: Option<Box<OrderBillingPreferences>>,
    /// Where the billing of new orders starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_start: Option<BillingStart>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Profile {
    /// Who has a currency is billed in that one alone; who has none in any.
    pub fn is_billed_in(&self, currency: Currency) -> Result<(), Refused> {
        match self.currency {
            Some(own) if own != currency => Err(Refused::OtherCurrency { own, got: currency }),
            Some(_) | None => Ok(()),
        }
    }
}

/// Personal data of a customer: sealed in the log with the customer's own key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand_name: Option<String>,
    /// By purpose; `main` is where invoices go.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub emails: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personal_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_number: Option<String>,
    /// VAT id and its like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping_address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

impl Contact {
    pub fn main_email(&self) -> Option<&str> {
        self.emails.get("main").map(String::as_str)
    }
}

/// Whether a text can be an e-mail address: one `@` with something on either side, nothing blank, at most 254 bytes.
pub fn can_be_email(text: &str) -> bool {
    let parts = text.split_once('@');
    text.len() <= 254
        && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    pub line_1: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_2: Option<String>,
    pub city: String,
    pub zip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// `code` is the six-character account code, unique in the tenant.
    Created {
        at: DateTime<Utc>,
        customer: CustomerId,
        code: String,
        profile: Profile,
        personal: Personal<Contact>,
    },
    Updated {
        at: DateTime<Utc>,
        customer: CustomerId,
        profile: Profile,
        personal: Personal<Contact>,
    },
    Forgotten {
        at: DateTime<Utc>,
        customer: CustomerId,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "customer.created",
            Self::Updated { .. } => "customer.updated",
            Self::Forgotten { .. } => "customer.forgotten",
        }
    }

    fn forgets(&self) -> Option<String> {
        match self {
            Self::Created { .. } | Self::Updated { .. } => None,
            Self::Forgotten { customer, .. } => Some(customer.to_string()),
        }
    }

    fn subject(&self) -> Option<String> {
        match self {
            Self::Created { customer, .. } | Self::Updated { customer, .. } => Some(customer.to_string()),
            Self::Forgotten { .. } => None,
        }
    }
}
