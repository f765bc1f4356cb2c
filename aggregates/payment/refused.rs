//! Why a change of a payment is refused.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no such payment")]
    Unknown,
    #[error("there is nothing to collect")]
    NothingToCollect,
    #[error("the invoice is not collected yet: its due date has not come")]
    NotDue,
    #[error("a reason of 1 to 500 characters is needed")]
    ReasonMissing,
    #[error("the payment has succeeded already, under the reference \"{reference}\"")]
    AlreadySucceeded { reference: String },
    #[error("the payment has failed already: {reason}")]
    AlreadyFailed { reason: String },
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "payment_unknown",
            Self::NothingToCollect => "nothing_to_collect",
            Self::NotDue => "payment_not_due",
            Self::ReasonMissing => "reason_missing",
            Self::AlreadySucceeded { .. } => "payment_succeeded",
            Self::AlreadyFailed { .. } => "payment_failed",
        }
    }
}
