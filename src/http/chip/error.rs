//! Errors as the vendor writes them: an object of fields, each with an array of messages and codes.

use std::collections::BTreeMap;

use aggregates::{Refused, billing_template, customer, number_series, purchase, subscriber};
use axum::{
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::journal::CommandError;

/// Where errors stand that belong to no field.
const ALL: &str = "__all__";

/// What is wrong with a value, in the shape of the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Errors {
    #[default]
    Clean,
    Here {
        message: String,
        code: &'static str,
    },
    Fields(BTreeMap<String, Errors>),
    /// Of a list of objects; clean items count.
    Items(Vec<Errors>),
}

impl Errors {
    pub fn here(message: impl Into<String>, code: &'static str) -> Self {
        Self::Here {
            message: message.into(),
            code,
        }
    }

    /// An error of one field of an object.
    pub fn field(name: &str, errors: Self) -> Self {
        Self::Fields(BTreeMap::from([(name.to_owned(), errors)]))
    }

    /// An error of an object as a whole.
    pub fn all(message: impl Into<String>, code: &'static str) -> Self {
        Self::field(ALL, Self::here(message, code))
    }

    /// An error of the item `index` of a list.
    pub fn item(index: usize, errors: Self) -> Self {
        let mut items = vec![Self::Clean; index];
        items.push(errors);
        Self::Items(items)
    }

    /// What is wrong with the fields of one object, from two looks at it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fields(mut fields), Self::Fields(others)) => {
                fields.extend(others);
                Self::Fields(fields)
            }
            (Self::Clean, other) => other,
            (here, _) => here,
        }
    }

    pub fn is_clean(&self) -> bool {
        match self {
            Self::Clean => true,
            Self::Here { .. } => false,
            Self::Fields(fields) => fields.values().all(Self::is_clean),
            Self::Items(items) => items.iter().all(Self::is_clean),
        }
    }

    fn into_json(self) -> Value {
        match self {
            Self::Clean => json!({}),
            Self::Here { message, code } => json!([{"message": message, "code": code}]),
            Self::Fields(fields) => fields
                .into_iter()
                .filter(|(_, errors)| !errors.is_clean())
                .map(|(name, errors)| (name, errors.into_json()))
                .collect(),
            Self::Items(items) => items.into_iter().map(Self::into_json).collect(),
        }
    }
}

/// Why a request gets no answer of its own.
#[derive(Debug)]
pub enum Failure {
    NoAuthorization,
    WrongKey,
    NotFound,
    MethodNotAllowed(Method),
    TooLarge,
    /// The body does not say what its length or encoding promises.
    Unreadable,
    Malformed(String),
    Invalid(Errors),
    Command(CommandError),
}

impl From<Errors> for Failure {
    fn from(errors: Errors) -> Self {
        Self::Invalid(errors)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, errors) = match self {
            Self::NoAuthorization => (
                StatusCode::UNAUTHORIZED,
                Errors::all("Authorization header missing", "authentication_failed"),
            ),
            Self::WrongKey => (
                StatusCode::UNAUTHORIZED,
                Errors::all("Incorrect secret_key", "authentication_failed"),
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, Errors::all("Not found.", "not_found")),
            Self::MethodNotAllowed(method) => (
                StatusCode::METHOD_NOT_ALLOWED,
                Errors::all(format!("Method \"{method}\" not allowed."), "method_not_allowed"),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                Errors::all("The request body is too large.", "request_too_large"),
            ),
            Self::Unreadable => (
                StatusCode::BAD_REQUEST,
                Errors::all("The request body could not be read.", "parse_error"),
            ),
            // UNCONFIRMED: the code of malformed JSON.
            Self::Malformed(place) => (
                StatusCode::BAD_REQUEST,
                Errors::all(format!("JSON parse error - {place}"), "parse_error"),
            ),
            Self::Invalid(errors) => (StatusCode::BAD_REQUEST, errors),
            Self::Command(error) => command(error),
        };
        answer(status, &errors.into_json())
    }
}

/// A JSON answer.
pub fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status, headers, body.to_string()).into_response()
}

fn command(error: CommandError) -> (StatusCode, Errors) {
    match error {
        CommandError::Refused(refused) => refusal(&refused),
        // UNCONFIRMED: the vendor was never seen to honour the key; its guide lists 409 `conflict`.
        CommandError::KeyReused => (
            StatusCode::CONFLICT,
            Errors::all("This idempotency key was used for another request.", "conflict"),
        ),
        CommandError::Conflict => (
            StatusCode::CONFLICT,
            Errors::all("The same data is being changed by others; try again.", "conflict"),
        ),
        error @ CommandError::Unavailable(_) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a request was not served");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                Errors::all("The service is not available; try again.", "internal_error"),
            )
        }
        error @ CommandError::Corrupt(_) => internal(&error),
    }
}

fn internal(error: &(dyn std::error::Error + 'static)) -> (StatusCode, Errors) {
    tracing::error!(error, "a request was not served");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        Errors::all("Internal server error.", "internal_error"),
    )
}

/// What the domain's refusals are called here. Those that no request of this dialect leads to are internal errors.
fn refusal(refused: &Refused) -> (StatusCode, Errors) {
    let not_found = || (StatusCode::NOT_FOUND, Errors::all("Not found.", "not_found"));
    match refused {
        Refused::BillingTemplate(refused) => template_refusal(refused),
        Refused::Purchase(refused) => purchase_refusal(refused),
        Refused::Subscriber(refused) => match refused {
            subscriber::Refused::Unknown => not_found(),
            subscriber::Refused::NotLaunched
            | subscriber::Refused::NotBilledNow
            | subscriber::Refused::NotDue { .. }
            | subscriber::Refused::OtherPeriod => {
                (StatusCode::BAD_REQUEST, Errors::all(refused.to_string(), "invalid"))
            }
            // Ids are made here, and templates are checked when they are made.
            subscriber::Refused::AlreadyExists
            | subscriber::Refused::FirstPurchase
            | subscriber::Refused::UnknownTimeZone => internal(refused),
        },
        Refused::Customer(refused) => match refused {
            customer::Refused::AlreadyExists | customer::Refused::OtherCurrency { .. } => internal(refused),
            customer::Refused::Unknown | customer::Refused::Forgotten => not_found(),
        },
        Refused::NumberSeries(refused @ number_series::Refused::Exhausted) => internal(refused),
        // No request of this dialect leads to these aggregates.
        Refused::Catalog(_)
        | Refused::Credit(_)
        | Refused::Discount(_)
        | Refused::Fulfilment(_)
        | Refused::Invoice(_)
        | Refused::Message(_)
        | Refused::Payment(_)
        | Refused::Preferences(_)
        | Refused::Subscription(_)
        | Refused::Tenant(_)
        | Refused::Usage(_)
        | Refused::UsageEntry(_) => internal(refused),
    }
}

fn template_refusal(refused: &billing_template::Refused) -> (StatusCode, Errors) {
    let errors = match refused {
        billing_template::Refused::Unknown => return (StatusCode::NOT_FOUND, Errors::all("Not found.", "not_found")),
        billing_template::Refused::Purchase(refused) => return purchase_refusal(refused),
        // UNCONFIRMED: the code for a template of the other kind.
        billing_template::Refused::WrongKind => Errors::all("The billing template is of the other kind.", "invalid"),
        billing_template::Refused::DueOutOfReach => Errors::field("subscription_due_period", above_all()),
        // A request that leaves the rhythm alone was overtaken by the first launch: sent again it is heeded.
        billing_template::Refused::AlreadyLaunched => Errors::all(refused.to_string(), "invalid"),
        billing_template::Refused::EmptyPeriod
        | billing_template::Refused::UnknownTimeZone
        | billing_template::Refused::AlreadyExists => return internal(refused),
    };
    (StatusCode::BAD_REQUEST, errors)
}

fn above_all() -> Errors {
    Errors::here("The calendar ends before.", "max_value")
}

fn purchase_refusal(refused: &purchase::Refused) -> (StatusCode, Errors) {
    let errors = match refused {
        purchase::Refused::Unknown => return (StatusCode::NOT_FOUND, Errors::all("Not found.", "not_found")),
        // A purchase is sent by the command that makes it, under an id of its own.
        purchase::Refused::AlreadyExists | purchase::Refused::NotToBeSent { .. } => return internal(refused),
        purchase::Refused::NoProducts => Errors::field(
            "purchase",
            Errors::field(
                "products",
                Errors::here("Ensure this field has at least 1 elements.", "min_length"),
            ),
        ),
        purchase::Refused::ProductSubtotalNegative { line } => Errors::field(
            "purchase",
            Errors::field("products", Errors::item(*line, subtotal_negative())),
        ),
        purchase::Refused::Overflow => total_too_large(),
        purchase::Refused::NothingToPay => nothing_to_pay(),
        purchase::Refused::DueInThePast => Errors::field("invoice_due", due_in_the_past()),
        purchase::Refused::NotCancellable { .. } => {
            Errors::all(format!("{}.", capitalised(refused)), "purchase_cancel_wrong_status")
        }
        // UNCONFIRMED: this code; the others of its family are known.
        purchase::Refused::NotPayable { .. } => Errors::all(
            format!("{}.", capitalised(refused)),
            "purchase_mark_as_paid_wrong_status",
        ),
        // UNCONFIRMED: that the vendor refuses it.
        purchase::Refused::PaidInTheFuture => Errors::field(
            "paid_on",
            Errors::here("`paid_on` cannot be in the future!", "max_value"),
        ),
    };
    (StatusCode::BAD_REQUEST, errors)
}

fn capitalised(refused: &purchase::Refused) -> String {
    let text = refused.to_string();
    let mut rest = text.chars();
    rest.next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(rest)
        .collect()
}

pub fn subtotal_negative() -> Errors {
    Errors::all(
        "Discount can't be larger than price * quantity!",
        "product_subtotal_negative",
    )
}

pub fn due_in_the_past() -> Errors {
    Errors::here("`due` cannot be in the past!", "due_not_greater_than_now")
}

// UNCONFIRMED: where the vendor complains of a total, and with which code.
pub fn nothing_to_pay() -> Errors {
    let here = Errors::here("Ensure this value is greater than or equal to 1.", "min_value");
    Errors::field("purchase", Errors::field("total", here))
}

pub fn total_too_large() -> Errors {
    let here = Errors::here(
        format!("Ensure this value is less than or equal to {}.", i64::MAX),
        "max_value",
    );
    Errors::field("purchase", Errors::field("total", here))
}
