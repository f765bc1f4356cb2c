//! Errors of our own API: `{"error":{"code","message","field"?}}`.

use aggregates::{
    Refused, catalog, credit, customer, discount, fulfilment, invoice, message, number_series, payment, preferences,
    subscription, tenant, usage,
};
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    app::{invoicing::InvoicingError, previews::PreviewError},
    journal::CommandError,
};

/// A word for machines, a sentence for people, and the field that is wrong, if it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    field: Option<String>,
}

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Serialize)]
struct Body {
    error: Inner,
}

#[derive(Debug, Serialize)]
struct Inner {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Error {
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over the error they have")]
    pub fn new(status: StatusCode, code: &'static str, message: impl ToString) -> Self {
        Self {
            status,
            code,
            message: message.to_string(),
            field: None,
        }
    }

    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The body is no JSON object.
    pub fn malformed(message: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// A value is not one that its field can have.
    pub fn invalid(field: impl Into<String>, message: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message).at(field)
    }

    pub fn missing(field: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "missing", format!("missing field `{field}`")).at(field)
    }

    /// The same, said of another field.
    #[must_use]
    pub fn renamed(self, from: &str, to: &str) -> Self {
        if self.field.as_deref() == Some(from) {
            return self.at(to);
        }
        self
    }

    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("{what} not found"))
    }
}

/// What is wrong with one entry of many.
#[derive(Debug, Serialize)]
pub struct Fault {
    pub index: usize,
    #[serde(flatten)]
    error: Inner,
}

impl Error {
    pub fn of_entry(self, index: usize) -> Fault {
        let error = Inner {
            code: self.code,
            message: self.message,
            field: self.field,
        };
        Fault { index, error }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status;
        let error = Inner {
            code: self.code,
            message: self.message,
            field: self.field,
        };
        let mut response = (status, Json(Body { error })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let bearer = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refused) => {
                let (status, field) = place(&refused);
                let error = Self::new(status, refused.code(), &refused);
                match field {
                    Some(field) => error.at(field),
                    None => error,
                }
            }
            error @ CommandError::KeyReused => Self::new(StatusCode::CONFLICT, "idempotency_key_reused", error),
            error @ CommandError::Conflict => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", error),
            error @ CommandError::Unavailable(_) => {
                log(&error);
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error)
            }
            error @ CommandError::Corrupt(_) => {
                log(&error);
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", error)
            }
        }
    }
}

impl From<InvoicingError> for Error {
    fn from(error: InvoicingError) -> Self {
        match error {
            InvoicingError::UnknownCustomer(_) => Self::not_found("customer"),
            InvoicingError::UnknownSubscription(_) => Self::not_found("contract"),
            InvoicingError::UnknownCharge(_) => Self::not_found("invoice item"),
            error @ (InvoicingError::OutOfScope(_) | InvoicingError::TooMany) => {
                Self::invalid("invoice_item_ids", error)
            }
            error @ InvoicingError::AlreadyInvoiced(_) => {
                Self::new(StatusCode::CONFLICT, "charge_not_pending", error).at("invoice_item_ids")
            }
            InvoicingError::Command(error) => error.into(),
        }
    }
}

impl From<PreviewError> for Error {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::UnknownCustomer(_) => Self::not_found("customer"),
            PreviewError::UnknownSubscription(_) => Self::not_found("contract"),
            error @ (PreviewError::TooMany | PreviewError::TooManyToReplay) => Self::invalid("customer_id", error),
            PreviewError::Command(error) => error.into(),
        }
    }
}

/// The whole chain, once, where it ends.
fn log(error: &CommandError) {
    let mut chain = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::error!(dialect = "billstream", "{chain}");
}

fn preference(refused: &preferences::Refused) -> &'static str {
    match refused {
        preferences::Refused::UnknownTimeZone(_) => "time_zone",
        preferences::Refused::EmptyCycle => "invoice_trigger",
    }
}

/// Status and field of every refusal there is.
fn place(refused: &Refused) -> (StatusCode, Option<&'static str>) {
    use StatusCode as S;
    match refused {
        Refused::Catalog(catalog::Refused::NameMissing)
        | Refused::Subscription(subscription::Refused::ChargeNameMissing)
        | Refused::Tenant(tenant::Refused::NameMissing) => (S::BAD_REQUEST, Some("name")),
        Refused::Customer(customer::Refused::Unknown | customer::Refused::Forgotten)
        | Refused::Fulfilment(fulfilment::Refused::Unknown)
        | Refused::Invoice(invoice::Refused::Unknown)
        | Refused::Message(message::Refused::Unknown)
        | Refused::Payment(payment::Refused::Unknown)
        | Refused::Subscription(subscription::Refused::Unknown | subscription::Refused::NotAnOrder) => {
            (S::NOT_FOUND, None)
        }
        Refused::Subscription(
            subscription::Refused::BeforeStart { .. }
            | subscription::Refused::NotYet { .. }
            | subscription::Refused::BeforePause { .. }
            | subscription::Refused::BeforeGoingOn { .. }
            | subscription::Refused::BeyondCalendar
            | subscription::Refused::TooLongAgo { .. },
        ) => (S::BAD_REQUEST, Some("on")),
        Refused::Subscription(subscription::Refused::TooFarAhead { .. } | subscription::Refused::TooMuch) => {
            (S::BAD_REQUEST, Some("until"))
        }
        Refused::Subscription(subscription::Refused::NumberTooLong { .. }) => (S::BAD_REQUEST, Some("order_id")),
        Refused::Subscription(subscription::Refused::UnknownLine { .. }) => (S::NOT_FOUND, Some("line")),
        Refused::Subscription(subscription::Refused::LineTwice { .. }) => (S::BAD_REQUEST, Some("line")),
        Refused::Catalog(catalog::Refused::Line { .. } | catalog::Refused::Price { .. }) => {
            (S::BAD_REQUEST, Some("lines"))
        }
        Refused::Credit(credit::Refused::NothingToMove | credit::Refused::Money(_))
        | Refused::Invoice(invoice::Refused::NothingPaid | invoice::Refused::Money(_))
        | Refused::Subscription(subscription::Refused::Money(_)) => (S::BAD_REQUEST, Some("amount")),
        Refused::Discount(refused) => place_discount(refused),
        Refused::Invoice(invoice::Refused::ReferenceMissing) => (S::BAD_REQUEST, Some("reference")),
        Refused::Invoice(invoice::Refused::PaidInTheFuture) => (S::BAD_REQUEST, Some("paid_at")),
        Refused::Invoice(invoice::Refused::ReasonMissing)
        | Refused::Message(message::Refused::ReasonMissing)
        | Refused::Payment(payment::Refused::ReasonMissing) => (S::BAD_REQUEST, Some("reason")),
        Refused::Preferences(refused) => (S::BAD_REQUEST, Some(preference(refused))),
        Refused::Usage(refused) => (S::BAD_REQUEST, Some(usage_field(*refused))),
        Refused::Subscription(subscription::Refused::PeriodReversed) => (S::BAD_REQUEST, Some("period_end")),
        Refused::Customer(customer::Refused::OtherCurrency { .. })
        | Refused::Invoice(invoice::Refused::WrongCurrency { .. })
        | Refused::Subscription(subscription::Refused::WrongCurrency { .. }) => (S::BAD_REQUEST, Some("currency")),
        Refused::Catalog(catalog::Refused::AlreadyExists)
        | Refused::Credit(
            credit::Refused::NotEnough { .. } | credit::Refused::AlreadyUsed { .. } | credit::Refused::Exhausted,
        )
        | Refused::Customer(customer::Refused::AlreadyExists)
        | Refused::Invoice(
            invoice::Refused::AlreadyIssued
            | invoice::Refused::NoLines
            | invoice::Refused::MixedPayment
            | invoice::Refused::MoreThanOpen { .. }
            | invoice::Refused::Paid
            | invoice::Refused::ReferenceTaken { .. },
        )
        | Refused::Fulfilment(fulfilment::Refused::Withdrawn)
        | Refused::Payment(
            payment::Refused::NothingToCollect
            | payment::Refused::NotDue
            | payment::Refused::AlreadySucceeded { .. }
            | payment::Refused::AlreadyFailed { .. },
        )
        | Refused::Message(message::Refused::AlreadySent)
        | Refused::NumberSeries(number_series::Refused::Exhausted)
        // No command of this door makes purchases.
        | Refused::BillingTemplate(_)
        | Refused::Purchase(_)
        | Refused::Subscriber(_)
        | Refused::UsageEntry(_)
        | Refused::Subscription(
            subscription::Refused::AlreadyExists
            | subscription::Refused::Cancelled
            | subscription::Refused::ChargeExists
            | subscription::Refused::ChargeNotPending { .. }
            | subscription::Refused::EndsAlready { .. }
            | subscription::Refused::Bought { .. }
            | subscription::Refused::Hourly
            | subscription::Refused::Pending
            | subscription::Refused::Paused
            | subscription::Refused::ClosesByItself
            | subscription::Refused::UsageToCome { .. }
            | subscription::Refused::UsageInAdvance { .. }
            | subscription::Refused::LineBilled { .. }
            | subscription::Refused::LineTooEarly { .. }
            | subscription::Refused::Billing(_)
            | subscription::Refused::MixedPayment
            | subscription::Refused::SameCustomer
            | subscription::Refused::Moved { .. }
            | subscription::Refused::Upgraded { .. }
            | subscription::Refused::UsageRecorded { .. }
            | subscription::Refused::NothingToInvoice,
        )
        | Refused::Tenant(tenant::Refused::AlreadyExists | tenant::Refused::NotInTestMode) => (S::CONFLICT, None),
        Refused::Tenant(tenant::Refused::Unknown) => (S::NOT_FOUND, None),
        Refused::Tenant(tenant::Refused::ClockBackwards { .. }) => (S::BAD_REQUEST, Some("now")),
    }
}

fn place_discount(refused: &discount::Refused) -> (StatusCode, Option<&'static str>) {
    use StatusCode as S;
    match refused {
        discount::Refused::AlreadyExists => (S::CONFLICT, None),
        discount::Refused::NameMissing => (S::BAD_REQUEST, Some("name")),
        discount::Refused::Nothing | discount::Refused::Amount(_) => (S::BAD_REQUEST, Some("percent")),
        discount::Refused::Fixed(_) => (S::BAD_REQUEST, Some("fixed")),
        discount::Refused::CurrencyMissing => (S::BAD_REQUEST, Some("currency")),
    }
}

fn usage_field(refused: usage::Refused) -> &'static str {
    match refused {
        usage::Refused::Metric => "metric",
        usage::Refused::Quantity => "quantity",
        usage::Refused::Id => "id",
        usage::Refused::Key => "key",
        usage::Refused::Time => "at",
    }
}
