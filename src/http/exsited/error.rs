//! Errors of the Exsited door, and which refusal becomes which of them.

use aggregates::{Refused, customer, subscription, usage_entry};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{app::invoicing::InvoicingError, journal::CommandError};

/// What was wrong at one place of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    pub field: String,
    pub code: &'static str,
    pub message: String,
}

/// An error before it has the shape of a version: it travels as an extension of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub fields: Vec<FieldError>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    /// 400 with every place that is wrong.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let message = fields
            .first()
            .map_or_else(|| "the request is invalid".to_owned(), |first| first.message.clone());
        Self {
            fields,
            ..Self::new(StatusCode::BAD_REQUEST, "validation_error", message)
        }
    }

    pub fn field(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError {
            field: field.to_owned(),
            code,
            message: message.into(),
        }])
    }

    /// The same, said of another field.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        for error in self.fields.iter_mut().filter(|error| error.field == from) {
            to.clone_into(&mut error.field);
        }
        self
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized access")
    }

    pub fn unknown(thing: &str) -> Self {
        let message = format!("there is no such {thing}");
        Self::new(StatusCode::NOT_FOUND, "resource_not_found", message)
    }

    pub fn unknown_path(path: &str) -> Self {
        let message = format!("there is nothing at {path}");
        Self::new(StatusCode::NOT_FOUND, "resource_not_found", message)
    }

    pub fn method_not_allowed() -> Self {
        let message = "this path does not know the method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        let message = error.to_string();
        match error {
            CommandError::Refused(refused) => refused.into(),
            CommandError::KeyReused => Self::new(StatusCode::CONFLICT, "idempotency_key_reused", message),
            CommandError::Conflict => Self::new(StatusCode::CONFLICT, "conflict", message),
            CommandError::Unavailable(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the log cannot be written");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message)
            }
            CommandError::Corrupt(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "stored data is damaged");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
            }
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let (code, message) = (refused.code(), refused.to_string());
        let conflict = || Self::new(StatusCode::CONFLICT, code, message.clone());
        match &refused {
            Refused::Customer(refused) => match refused {
                customer::Refused::AlreadyExists => conflict(),
                customer::Refused::OtherCurrency { .. } => Self::field("currency", "invalid", refused.to_string()),
                customer::Refused::Unknown | customer::Refused::Forgotten => Self::unknown("account"),
            },
            Refused::Subscription(refused) => match refused {
                subscription::Refused::Unknown | subscription::Refused::NotAnOrder => Self::unknown("order"),
                // UNCONFIRMED: whether the vendor refuses changes of a cancelled order, and with which status.
                subscription::Refused::AlreadyExists
                | subscription::Refused::Cancelled
                | subscription::Refused::ChargeExists
                | subscription::Refused::ChargeNotPending { .. }
                | subscription::Refused::EndsAlready { .. }
                | subscription::Refused::Bought { .. }
                | subscription::Refused::Pending
                | subscription::Refused::Paused
                | subscription::Refused::ClosesByItself
                | subscription::Refused::UsageToCome { .. }
                | subscription::Refused::Billing(_)
                | subscription::Refused::MixedPayment
                | subscription::Refused::SameCustomer
                | subscription::Refused::Moved { .. }
                | subscription::Refused::Upgraded { .. }
                | subscription::Refused::NumberTooLong { .. }
                | subscription::Refused::UsageRecorded { .. }
                | subscription::Refused::NothingToInvoice => conflict(),
                subscription::Refused::BeforeStart { .. }
                | subscription::Refused::NotYet { .. }
                | subscription::Refused::BeforePause { .. }
                | subscription::Refused::BeforeGoingOn { .. }
                | subscription::Refused::TooFarAhead { .. }
                | subscription::Refused::TooLongAgo { .. }
                | subscription::Refused::TooMuch
                | subscription::Refused::BeyondCalendar => Self::field("effective_date", "invalid", message),
                subscription::Refused::UnknownLine { .. } => Self::unknown("line"),
                subscription::Refused::UsageInAdvance { .. } => Self::field("billing_mode", "invalid", message),
                subscription::Refused::LineBilled { .. } | subscription::Refused::LineTooEarly { .. } => {
                    Self::field("fixed_start_date", "invalid", message)
                }
                subscription::Refused::LineTwice { .. } => Self::field("lines", "invalid", message),
                subscription::Refused::Hourly
                | subscription::Refused::ChargeNameMissing
                | subscription::Refused::PeriodReversed
                | subscription::Refused::WrongCurrency { .. }
                | subscription::Refused::Money(_) => Self::new(StatusCode::BAD_REQUEST, code, message),
            },
            Refused::UsageEntry(refused) => match refused {
                usage_entry::Refused::Unknown => Self::unknown("usage"),
                usage_entry::Refused::AlreadyExists => conflict(),
                usage_entry::Refused::OtherLine
                | usage_entry::Refused::EndsBeforeStart
                | usage_entry::Refused::Record(_) => Self::new(StatusCode::BAD_REQUEST, code, message),
            },
            // No command of this door reaches these aggregates by itself: what they refuse is a clash with their state.
            Refused::BillingTemplate(_)
            | Refused::Catalog(_)
            | Refused::Credit(_)
            | Refused::Discount(_)
            | Refused::Fulfilment(_)
            | Refused::Invoice(_)
            | Refused::Message(_)
            | Refused::NumberSeries(_)
            | Refused::Payment(_)
            | Refused::Preferences(_)
            | Refused::Purchase(_)
            | Refused::Subscriber(_)
            | Refused::Tenant(_)
            | Refused::Usage(_) => conflict(),
        }
    }
}

impl From<InvoicingError> for ApiError {
    fn from(error: InvoicingError) -> Self {
        let message = error.to_string();
        match error {
            InvoicingError::UnknownCustomer(_) => Self::unknown("account"),
            InvoicingError::UnknownSubscription(_) => Self::unknown("order"),
            InvoicingError::UnknownCharge(_) | InvoicingError::OutOfScope(_) => Self::unknown("charge"),
            InvoicingError::AlreadyInvoiced(_) => Self::new(StatusCode::CONFLICT, "already_invoiced", message),
            InvoicingError::TooMany => Self::new(StatusCode::BAD_REQUEST, "too_many", message),
            InvoicingError::Command(error) => error.into(),
        }
    }
}
