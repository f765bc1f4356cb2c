//! Why an invoice is refused.

use crate::money::{Currency, Money, MoneyError};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the invoice was issued already")]
    AlreadyIssued,
    #[error("an invoice needs at least one line")]
    NoLines,
    #[error("automatic and manual charges cannot share an invoice")]
    MixedPayment,
    #[error("there is no such invoice")]
    Unknown,
    #[error("a payment needs a reference of 1 to 255 bytes")]
    ReferenceMissing,
    #[error("payment \"{reference}\" is known with another amount")]
    ReferenceTaken { reference: String },
    #[error("a payment is of more than nothing")]
    NothingPaid,
    #[error("the invoice is in {expected}, the payment is in {got}", expected = expected.code(), got = got.code())]
    WrongCurrency { expected: Currency, got: Currency },
    #[error("the money cannot have been paid in the future")]
    PaidInTheFuture,
    #[error("only {open} of the invoice is open")]
    MoreThanOpen { open: Money },
    #[error("a reason of 1 to 500 characters is needed")]
    ReasonMissing,
    #[error("money was received for the invoice: it cannot be voided")]
    Paid,
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyIssued => "invoice_already_issued",
            Self::NoLines => "invoice_without_lines",
            Self::MixedPayment => "mixed_payment",
            Self::Unknown => "invoice_unknown",
            Self::ReferenceMissing => "reference_missing",
            Self::ReferenceTaken { .. } => "payment_reference_taken",
            Self::NothingPaid => "nothing_paid",
            Self::WrongCurrency { .. } => "wrong_currency",
            Self::PaidInTheFuture => "paid_in_the_future",
            Self::MoreThanOpen { .. } => "more_than_open",
            Self::ReasonMissing => "reason_missing",
            Self::Paid => "invoice_paid",
            Self::Money(_) => "amount_invalid",
        }
    }
}
