//! What happened to an invoice, and what it is made of.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    Recordable,
    billing::{RateTotal, TaxMode, TaxPolicy},
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId},
    message::Notice,
    money::{Currency, Money},
    policy::PolicyVersion,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub charge: ChargeId,
    pub name: String,
    pub amount: Money,
    pub period: Period,
    pub flat_fee: bool,
    pub due_date: NaiveDate,
    /// In percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<Decimal>,
    /// The line's part of the tax, where it is taxed. Not told of invoices of before unless tax was rounded line by line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// Whose charge it is, where it is not of the subscription that the invoice names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// How it is taxed, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_policy: Option<TaxPolicy>,
    /// Which policy it was charged by, where it was not charged by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyVersion>,
}

impl Line {
    /// With its tax, where that is known.
    pub fn gross(&self) -> Option<Money> {
        match (self.tax_rate, self.tax, self.tax_policy.unwrap_or_default().mode) {
            (None, _, _) | (Some(_), _, TaxMode::Inclusive) => Some(self.amount),
            (Some(_), tax, TaxMode::Exclusive) => self.amount.checked_add(tax?).ok(),
        }
    }

    /// Without its tax, where that is known.
    pub fn net(&self) -> Option<Money> {
        match (self.tax_rate, self.tax, self.tax_policy.unwrap_or_default().mode) {
            (None, _, _) | (Some(_), _, TaxMode::Exclusive) => Some(self.amount),
            (Some(_), tax, TaxMode::Inclusive) => self.amount.checked_sub(tax?).ok(),
        }
    }
}

/// Everything an issued invoice says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    pub invoice: InvoiceId,
    /// Position in the tenant's gapless series.
    pub number: u64,
    pub customer: CustomerId,
    /// Of those that share the invoice, the first.
    pub subscription: SubscriptionId,
    pub currency: Currency,
    pub issue_date: NaiveDate,
    pub due_date: NaiveDate,
    pub automatic_payment: bool,
    pub lines: Vec<Line>,
    /// With tax; below zero where more is taken back than charged.
    pub total: Money,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taxes: Vec<RateTotal>,
    /// What a total below zero gave to the customer's credit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_granted: Option<Money>,
    /// What the customer's credit paid of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_applied: Option<Money>,
    /// Where credit makes it another amount than the total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_pay: Option<Money>,
    /// Where it is paid automatically, and there is something to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<Box<Collection>>,
    /// How it is told to the customer, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Box<Notice>>,
}

/// How what is open is collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// When the due date begins, where the customer is.
    pub at: DateTime<Utc>,
    /// Who collects, where the terms name somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
}

impl Issued {
    pub fn tax(&self) -> Money {
        let minor = self.taxes.iter().map(|rate| rate.tax.minor).sum();
        Money::new(minor, self.currency)
    }

    /// Without the tax: the total was made of both.
    pub fn net(&self) -> Money {
        Money::new(self.total.minor - self.tax().minor, self.currency)
    }

    /// What is left to pay when it is issued: never below zero.
    pub fn to_pay(&self) -> Money {
        self.to_pay.unwrap_or(self.total)
    }

    /// When it is collected, if it is. Invoices that were issued before they said so are collected when their due date
    /// begins in UTC.
    pub fn collected_at(&self) -> Option<DateTime<Utc>> {
        let stated = self.collection.as_deref().map(|collection| collection.at);
        let collected = self.automatic_payment && self.to_pay().minor > 0;
        stated.or_else(|| collected.then(|| self.due_date.and_time(NaiveTime::MIN).and_utc()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Issued {
        at: DateTime<Utc>,
        issued: Box<Issued>,
    },
    /// `amount` came in: `applied` of it paid the invoice, what was too much is the customer's credit.
    PaymentRecorded {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        customer: CustomerId,
        reference: String,
        amount: Money,
        applied: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overpaid: Option<Money>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        paid_at: DateTime<Utc>,
        /// What payments have paid of it, with this one.
        paid: Money,
        /// What is left to pay.
        balance: Money,
    },
    /// The customer's credit paid `amount` of it after it was issued.
    CreditApplied {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        customer: CustomerId,
        amount: Money,
        /// What credit has paid of it, with this.
        credit_applied: Money,
        /// What is to be paid by payments.
        to_pay: Money,
        /// What is left to pay.
        balance: Money,
    },
    /// It is not to be paid any more. Its number stays taken; its charges went back to their subscriptions in the same
    /// append.
    Voided {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        customer: CustomerId,
        reason: String,
        /// What credit had paid of it, and has again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credit_returned: Option<Money>,
        /// What it had granted, and was taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credit_taken_back: Option<Money>,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Issued { .. } => "invoice.issued",
            Self::PaymentRecorded { .. } => "invoice.payment_recorded",
            Self::CreditApplied { .. } => "invoice.credit_applied",
            Self::Voided { .. } => "invoice.voided",
        }
    }
}

/// How an invoice number is printed.
pub fn printed_number(number: u64) -> String {
    format!("INV-{number:06}")
}
