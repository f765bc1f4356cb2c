//! Errors of this dialect: `{"feedback":{"<field or topic>":{"type":"error","value":"..."}}}`.

use aggregates::{Refused, catalog, customer, invoice, number_series, preferences, subscription, tenant, usage};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::id::Id;
use crate::{
    app::{
        contracts::{SigningError, upgrades::UpgradeError},
        invoicing::InvoicingError,
    },
    journal::CommandError,
};

/// What is wrong, and with which field or topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    topic: String,
    message: String,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over the error they have")]
    pub fn new(status: StatusCode, topic: impl Into<String>, message: impl ToString) -> Self {
        Self {
            status,
            topic: topic.into(),
            message: message.to_string(),
        }
    }

    /// The request itself is wrong.
    // UNCONFIRMED: that malformed bodies, unknown enum words and bad ids are all 400; it is the only 4xx ever seen.
    pub fn bad(topic: impl Into<String>, message: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, topic, message)
    }

    pub fn missing(topic: &str) -> Self {
        Self::bad(topic, format!("missing field `{topic}`"))
    }

    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "authentication", message)
    }

    pub fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "authentication", message)
    }

    /// The same, said of another field.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        if self.topic == from {
            to.clone_into(&mut self.topic);
        }
        self
    }

    /// Unknown to this tenant, whoever else may have it.
    pub fn not_found(topic: &str, what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, topic, format!("{what} not found"))
    }
}

impl Error {
    /// The error as that of one entry of many.
    pub fn of_entry(self, index: usize) -> serde_json::Value {
        let feedback = json!({ self.topic: { "type": "error", "value": self.message } });
        json!({ "index": index, "status": self.status.as_u16(), "feedback": feedback })
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({ "feedback": { self.topic: { "type": "error", "value": self.message } } });
        (self.status, Json(body)).into_response()
    }
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refused) => {
                let (status, topic) = place(&refused);
                Self::new(status, topic, refused)
            }
            error @ CommandError::KeyReused => Self::new(StatusCode::CONFLICT, "idempotency_key", error),
            error @ CommandError::Conflict => Self::new(StatusCode::SERVICE_UNAVAILABLE, "service", error),
            error @ CommandError::Unavailable(_) => {
                log(&error);
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "service", error)
            }
            error @ CommandError::Corrupt(_) => {
                log(&error);
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "service", error)
            }
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
    tracing::error!(dialect = "wingback", "{chain}");
}

/// Status and topic of every refusal there is.
fn place(refused: &Refused) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match refused {
        Refused::Catalog(catalog::Refused::AlreadyExists) => (S::CONFLICT, "plan"),
        Refused::Customer(customer::Refused::AlreadyExists) => (S::CONFLICT, "customer"),
        Refused::Customer(customer::Refused::Unknown | customer::Refused::Forgotten) => (S::NOT_FOUND, "customer"),
        Refused::Invoice(
            invoice::Refused::AlreadyIssued
            | invoice::Refused::ReferenceMissing
            | invoice::Refused::ReferenceTaken { .. }
            | invoice::Refused::NothingPaid
            | invoice::Refused::WrongCurrency { .. }
            | invoice::Refused::PaidInTheFuture
            | invoice::Refused::ReasonMissing
            | invoice::Refused::Paid
            | invoice::Refused::MoreThanOpen { .. },
        ) => (S::CONFLICT, "invoice"),
        Refused::Invoice(invoice::Refused::Unknown) => (S::NOT_FOUND, "invoice"),
        // No command of this door pays or delivers.
        Refused::Payment(_) => (S::CONFLICT, "payment"),
        Refused::Fulfilment(_) => (S::CONFLICT, "fulfilment"),
        Refused::Message(_) => (S::CONFLICT, "message"),
        Refused::Invoice(invoice::Refused::NoLines | invoice::Refused::MixedPayment | invoice::Refused::Money(_)) => {
            (S::CONFLICT, "invoice_item_ids")
        }
        Refused::NumberSeries(number_series::Refused::Exhausted) => (S::CONFLICT, "invoice_number"),
        Refused::Preferences(preferences::Refused::EmptyCycle) => {
            (S::BAD_REQUEST, "invoice_trigger.periodic.cycle_count")
        }
        Refused::Preferences(preferences::Refused::UnknownTimeZone(_)) => (S::BAD_REQUEST, "time_zone"),
        // No command of this door makes purchases.
        Refused::Purchase(_) => (S::CONFLICT, "purchase"),
        Refused::BillingTemplate(_) | Refused::Subscriber(_) => (S::CONFLICT, "billing_template"),
        Refused::Subscription(
            subscription::Refused::AlreadyExists
            | subscription::Refused::Cancelled
            | subscription::Refused::EndsAlready { .. }
            | subscription::Refused::Bought { .. }
            | subscription::Refused::Pending
            | subscription::Refused::Paused
            | subscription::Refused::ClosesByItself
            | subscription::Refused::UsageToCome { .. }
            | subscription::Refused::UsageInAdvance { .. }
            | subscription::Refused::LineBilled { .. }
            | subscription::Refused::SameCustomer
            | subscription::Refused::Moved { .. }
            | subscription::Refused::Upgraded { .. }
            | subscription::Refused::NumberTooLong { .. }
            | subscription::Refused::UsageRecorded { .. }
            | subscription::Refused::LineTooEarly { .. }
            | subscription::Refused::Billing(_),
        ) => (S::CONFLICT, "contract"),
        Refused::Credit(_) => (S::CONFLICT, "credit"),
        // No command of this door makes discounts.
        Refused::Discount(_) => (S::CONFLICT, "discount"),
        Refused::Usage(refused) => (S::BAD_REQUEST, usage_topic(*refused)),
        // No command of this door makes statements of usage that can be changed.
        Refused::UsageEntry(_) => (S::CONFLICT, "usage"),
        Refused::Subscription(subscription::Refused::UnknownLine { .. }) => (S::NOT_FOUND, "line"),
        Refused::Subscription(subscription::Refused::LineTwice { .. }) => (S::BAD_REQUEST, "line"),
        Refused::Catalog(catalog::Refused::Line { .. } | catalog::Refused::Price { .. }) => (S::BAD_REQUEST, "plan"),
        Refused::Subscription(subscription::Refused::Unknown | subscription::Refused::NotAnOrder) => {
            (S::NOT_FOUND, "contract")
        }
        Refused::Subscription(
            subscription::Refused::BeforeStart { .. }
            | subscription::Refused::NotYet { .. }
            | subscription::Refused::BeforePause { .. }
            | subscription::Refused::BeforeGoingOn { .. }
            | subscription::Refused::BeyondCalendar
            | subscription::Refused::TooLongAgo { .. }
            | subscription::Refused::TooFarAhead { .. }
            | subscription::Refused::TooMuch,
        ) => (S::BAD_REQUEST, "date"),
        Refused::Subscription(
            subscription::Refused::ChargeExists
            | subscription::Refused::ChargeNotPending { .. }
            | subscription::Refused::MixedPayment
            | subscription::Refused::NothingToInvoice,
        ) => (S::CONFLICT, "invoice_item_ids"),
        Refused::Catalog(catalog::Refused::NameMissing)
        | Refused::Subscription(subscription::Refused::ChargeNameMissing)
        | Refused::Tenant(tenant::Refused::NameMissing) => (S::BAD_REQUEST, "name"),
        Refused::Subscription(subscription::Refused::Hourly) => (S::BAD_REQUEST, "cycle"),
        Refused::Subscription(subscription::Refused::PeriodReversed) => (S::BAD_REQUEST, "period"),
        Refused::Customer(customer::Refused::OtherCurrency { .. })
        | Refused::Subscription(subscription::Refused::WrongCurrency { .. }) => (S::BAD_REQUEST, "currency"),
        Refused::Subscription(subscription::Refused::Money(_)) => (S::BAD_REQUEST, "amount"),
        Refused::Tenant(
            tenant::Refused::AlreadyExists
            | tenant::Refused::Unknown
            | tenant::Refused::NotInTestMode
            | tenant::Refused::ClockBackwards { .. },
        ) => (S::CONFLICT, "wb_customer"),
    }
}

/// What is wrong with a usage event.
pub fn usage_topic(refused: usage::Refused) -> &'static str {
    match refused {
        usage::Refused::Metric => "feature_slug",
        usage::Refused::Quantity => "units",
        usage::Refused::Time => "timestamp",
        usage::Refused::Id | usage::Refused::Key => "usage",
    }
}

impl From<InvoicingError> for Error {
    fn from(error: InvoicingError) -> Self {
        match error {
            InvoicingError::UnknownCustomer(id) => Self::not_found("customer_id", &format!("customer {}", Id(id))),
            InvoicingError::UnknownSubscription(id) => Self::not_found("contract_id", &format!("contract {}", Id(id))),
            InvoicingError::UnknownCharge(id) => {
                Self::not_found("invoice_item_ids", &format!("invoice item {}", Id(id)))
            }
            InvoicingError::OutOfScope(id) => Self::bad(
                "invoice_item_ids",
                format!(
                    "invoice item {} does not belong to the customer or contract given",
                    Id(id)
                ),
            ),
            InvoicingError::AlreadyInvoiced(id) => Self::new(
                StatusCode::CONFLICT,
                "invoice_item_ids",
                format!("invoice item {} is on an invoice already", Id(id)),
            ),
            error @ InvoicingError::TooMany => Self::bad("invoice_item_ids", error),
            InvoicingError::Command(error) => error.into(),
        }
    }
}

impl From<SigningError> for Error {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::UnknownPlan(id) => Self::not_found("plan", &format!("plan {}", Id(id))),
            error @ SigningError::UnknownFeature(_) => Self::bad("unit_count_configuration", error),
            error @ SigningError::OtherPrice(_) => Self::bad("feature_configuration", error),
            SigningError::UnknownDiscount(id) => Self::not_found("discount_id", &format!("discount {}", Id(id))),
            error @ SigningError::DiscountCurrency { .. } => Self::bad("discount_id", error),
            SigningError::Command(error) => error.into(),
        }
    }
}

impl From<UpgradeError> for Error {
    fn from(error: UpgradeError) -> Self {
        match error {
            UpgradeError::UnknownPlan(id) => {
                Self::not_found("upgrade_configuration.plan_id", &format!("plan {}", Id(id)))
            }
            error @ UpgradeError::UnknownFeature(_) => {
                Self::bad("upgrade_configuration.unit_count_configuration", error)
            }
            // UNCONFIRMED: how the vendor refuses a downgrade.
            error @ UpgradeError::Downgrade => Self::bad("downgrade_allowed", error),
            error @ UpgradeError::DiscountCurrency { .. } => Self::bad("upgrade_configuration.currency", error),
            error @ UpgradeError::NoNextCycle => Self::bad("upgrade_configuration.activation", error),
            UpgradeError::Command(error) => error.into(),
        }
    }
}
