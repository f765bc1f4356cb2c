//! Why a discount is refused.

use crate::billing::PriceRefused;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the discount exists already")]
    AlreadyExists,
    #[error("a discount needs a name")]
    NameMissing,
    #[error("a discount takes a percentage off, or a fixed amount")]
    Nothing,
    #[error("a fixed amount needs a currency")]
    CurrencyMissing,
    #[error(transparent)]
    Amount(PriceRefused),
    #[error(transparent)]
    Fixed(PriceRefused),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "discount_already_exists",
            Self::NameMissing => "discount_name_missing",
            Self::Nothing => "discount_empty",
            Self::CurrencyMissing => "discount_currency_missing",
            Self::Amount(_) | Self::Fixed(_) => "discount_amount_invalid",
        }
    }
}
