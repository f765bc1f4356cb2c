//! Payments and credit in our API's words.

use aggregates::{
    credit::{Grant, Source},
    id::PaymentId,
    money::{self, Currency, Money},
};
use projections::{
    invoice::{InvoicePayment, InvoiceView},
    payment::{PaymentView, Status},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    convert::{id, moment, print_id, print_time},
    error::{Error, Result},
};
use crate::app::{
    credits::CreditOf,
    payments::{Paid, Recorded},
};

/// How long a method or a reason may be.
const MAX_TEXT: usize = 255;

#[derive(Debug, Deserialize)]
pub struct PaidInput {
    pub amount: Option<String>,
    pub currency: Option<String>,
    pub reference: Option<String>,
    pub method: Option<String>,
    pub paid_at: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct RecordedPayment {
    pub invoice_id: String,
    #[serde(flatten)]
    pub payment: IncomingPayment,
    /// What was left to pay of the invoice then.
    pub balance: String,
}

#[derive(Debug, Serialize)]
pub struct IncomingPayment {
    pub reference: String,
    pub amount: String,
    pub currency: &'static str,
    /// What it paid of the invoice.
    pub applied: String,
    /// What was too much, and is the customer's credit.
    pub credited: String,
    pub method: Option<String>,
    pub paid_at: String,
    pub recorded_at: String,
}

#[derive(Debug, Serialize)]
pub struct InvoicePayments {
    pub invoice_id: String,
    pub currency: &'static str,
    pub total: String,
    pub credit_applied: String,
    pub paid: String,
    pub balance: String,
    /// `open`, `paid` or `voided`.
    pub status: &'static str,
    pub payments: Vec<IncomingPayment>,
    pub next_after: i64,
}

#[derive(Debug, Deserialize)]
pub struct PageQuery {
    pub after: Option<String>,
    pub limit: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct ListQuery {
    pub status: Option<String>,
    pub after: Option<String>,
    pub limit: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Payments {
    pub payments: Vec<Payment>,
    pub next_after: i64,
}

#[derive(Debug, Serialize)]
pub struct Payment {
    pub id: String,
    pub invoice_id: String,
    pub customer_id: String,
    pub amount: String,
    /// What is left to pay of the invoice now.
    pub open: String,
    pub currency: &'static str,
    pub processor: Option<String>,
    pub status: Status,
    pub reference: Option<String>,
    pub reason: Option<String>,
    pub requested_at: String,
    pub settled_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct SucceededInput {
    pub reference: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct FailedInput {
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct GrantInput {
    pub amount: Option<String>,
    pub currency: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Granted {
    pub customer_id: String,
    pub currency: &'static str,
    pub amount: String,
    /// What there is now, after it has paid what was open.
    pub balance: String,
}

#[derive(Debug, Serialize)]
pub struct Credits {
    pub customer_id: String,
    pub credit: Vec<CreditIn>,
}

#[derive(Debug, Serialize)]
pub struct CreditIn {
    pub currency: &'static str,
    pub balance: String,
    pub grants: Vec<GrantLeft>,
}

#[derive(Debug, Serialize)]
pub struct GrantLeft {
    pub number: u32,
    pub granted_at: String,
    pub amount: String,
    pub left: String,
    pub source: SourceWord,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SourceWord {
    Invoice { invoice_id: String },
    Overpayment { invoice_id: String, reference: String },
    VoidedInvoice { invoice_id: String },
    Gift { reason: String },
}

pub fn payment_id(text: &str) -> Result<PaymentId> {
    id("payment_id", "Pay", "a payment", text).map(PaymentId)
}

pub fn currency(code: &str) -> Result<Currency> {
    let unknown = || Error::invalid("currency", format!("\"{code}\" is not an ISO 4217 code"));
    money::payable(code).ok_or_else(unknown)
}

pub fn paid(body: PaidInput) -> Result<Paid> {
    if body.method.as_ref().is_some_and(|method| method.len() > MAX_TEXT) {
        return Err(Error::invalid("method", format!("at most {MAX_TEXT} bytes")));
    }
    Ok(Paid {
        amount: body.amount.ok_or_else(|| Error::missing("amount"))?,
        currency: body.currency.as_deref().map(currency).transpose()?,
        reference: body.reference.ok_or_else(|| Error::missing("reference"))?,
        method: body.method,
        at: body.paid_at.as_deref().map(|at| moment("paid_at", at)).transpose()?,
    })
}

pub fn recorded(recorded: Recorded) -> RecordedPayment {
    RecordedPayment {
        invoice_id: print_id("Inv", recorded.invoice.id.0),
        payment: incoming(recorded.payment),
        balance: recorded.balance.to_string(),
    }
}

pub fn of_invoice(invoice: &InvoiceView, payments: Vec<InvoicePayment>, after: i64) -> InvoicePayments {
    InvoicePayments {
        next_after: payments.last().map_or(after, |last| last.position),
        invoice_id: print_id("Inv", invoice.id.0),
        currency: invoice.currency.code(),
        total: invoice.total.to_string(),
        credit_applied: invoice.credit_applied.to_string(),
        paid: invoice.paid.to_string(),
        balance: invoice.balance.to_string(),
        status: match (&invoice.voided, invoice.balance.minor) {
            (Some(_), _) => "voided",
            (None, 0) => "paid",
            (None, _) => "open",
        },
        payments: payments.into_iter().map(incoming).collect(),
    }
}

fn incoming(payment: InvoicePayment) -> IncomingPayment {
    let credited = Money::new(payment.amount.minor - payment.applied.minor, payment.amount.currency);
    IncomingPayment {
        reference: payment.reference,
        amount: payment.amount.to_string(),
        currency: payment.amount.currency.code(),
        applied: payment.applied.to_string(),
        credited: credited.to_string(),
        method: payment.method,
        paid_at: print_time(payment.paid_at),
        recorded_at: print_time(payment.recorded_at),
    }
}

pub fn payment(view: PaymentView) -> Payment {
    Payment {
        id: print_id("Pay", view.id.0),
        invoice_id: print_id("Inv", view.invoice.0),
        customer_id: print_id("Cust", view.customer.0),
        amount: view.amount.to_string(),
        open: view.open.to_string(),
        currency: view.amount.currency.code(),
        processor: view.processor,
        status: view.status,
        reference: view.reference,
        reason: view.reason,
        requested_at: print_time(view.requested_at),
        settled_at: view.settled_at.map(print_time),
    }
}

/// The amount and the reason of a grant.
pub fn grant(body: GrantInput) -> Result<(Money, String)> {
    let currency = currency(&body.currency.ok_or_else(|| Error::missing("currency"))?)?;
    let amount = body.amount.ok_or_else(|| Error::missing("amount"))?;
    let amount = Money::parse(&amount, currency).map_err(|error| Error::invalid("amount", error))?;
    let reason = body.reason.ok_or_else(|| Error::missing("reason"))?;
    if reason.trim().is_empty() || reason.len() > MAX_TEXT {
        return Err(Error::invalid("reason", format!("1 to {MAX_TEXT} bytes")));
    }
    Ok((amount, reason))
}

pub fn granted(customer: Uuid, amount: Money, balance: Money) -> Granted {
    Granted {
        customer_id: print_id("Cust", customer),
        currency: amount.currency.code(),
        amount: amount.to_string(),
        balance: balance.to_string(),
    }
}

pub fn credits(customer: Uuid, credit: Vec<CreditOf>) -> Credits {
    let of = |of: CreditOf| CreditIn {
        currency: of.balance.currency.code(),
        balance: of.balance.to_string(),
        grants: of.grants.into_iter().map(left).collect(),
    };
    Credits {
        customer_id: print_id("Cust", customer),
        credit: credit.into_iter().map(of).collect(),
    }
}

fn left(grant: Grant) -> GrantLeft {
    GrantLeft {
        number: grant.number,
        granted_at: print_time(grant.at),
        amount: grant.amount.to_string(),
        left: grant.left.to_string(),
        source: match grant.source {
            Source::Invoice { invoice } => SourceWord::Invoice {
                invoice_id: print_id("Inv", invoice.0),
            },
            Source::Overpayment { invoice, reference } => SourceWord::Overpayment {
                invoice_id: print_id("Inv", invoice.0),
                reference,
            },
            Source::VoidedInvoice { invoice } => SourceWord::VoidedInvoice {
                invoice_id: print_id("Inv", invoice.0),
            },
            Source::Gift { reason } => SourceWord::Gift { reason },
        },
    }
}
