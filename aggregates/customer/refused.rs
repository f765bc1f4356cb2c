//! Why a change of a customer is refused.

use crate::money::Currency;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the customer exists already")]
    AlreadyExists,
    #[error("there is no such customer")]
    Unknown,
    #[error("the customer was forgotten on request and cannot be changed")]
    Forgotten,
    #[error("the customer is billed in {own} alone, not in {got}", own = own.code(), got = got.code())]
    OtherCurrency { own: Currency, got: Currency },
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "customer_already_exists",
            Self::Unknown => "customer_unknown",
            Self::Forgotten => "customer_forgotten",
            Self::OtherCurrency { .. } => "customer_currency",
        }
    }
}
