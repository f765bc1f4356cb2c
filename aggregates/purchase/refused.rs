//! Why a change of a purchase is refused.

use super::Status;
use crate::money::MoneyError;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the purchase exists already")]
    AlreadyExists,
    #[error("there is no such purchase")]
    Unknown,
    #[error("a purchase needs at least one product")]
    NoProducts,
    /// Lines are counted from 0.
    #[error("the discount of line {line} is larger than price times quantity")]
    ProductSubtotalNegative { line: usize },
    #[error("the total is too large to hold")]
    Overflow,
    #[error("there is nothing to pay")]
    NothingToPay,
    #[error("the due time is not in the future")]
    DueInThePast,
    #[error("a purchase that is {status} cannot be sent")]
    NotToBeSent { status: Status },
    #[error("a purchase that is {status} cannot be marked as paid")]
    NotPayable { status: Status },
    #[error("a purchase that is {status} cannot be cancelled")]
    NotCancellable { status: Status },
    #[error("the time of a payment lies in the future")]
    PaidInTheFuture,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "purchase_already_exists",
            Self::Unknown => "purchase_unknown",
            Self::NoProducts => "purchase_without_products",
            Self::ProductSubtotalNegative { .. } => "purchase_product_subtotal_negative",
            Self::Overflow => "purchase_amount_overflow",
            Self::NothingToPay => "purchase_nothing_to_pay",
            Self::DueInThePast => "purchase_due_in_the_past",
            Self::NotToBeSent { .. } => "purchase_send_wrong_status",
            Self::NotPayable { .. } => "purchase_mark_as_paid_wrong_status",
            Self::NotCancellable { .. } => "purchase_cancel_wrong_status",
            Self::PaidInTheFuture => "purchase_paid_in_the_future",
        }
    }
}

impl From<MoneyError> for Refused {
    fn from(error: MoneyError) -> Self {
        match error {
            MoneyError::Overflow
            | MoneyError::CurrencyMismatch { .. }
            | MoneyError::NotANumber { .. }
            | MoneyError::TooPrecise { .. } => Self::Overflow,
        }
    }
}
