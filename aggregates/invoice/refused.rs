//! Why an invoice is refused.

use crate::money::MoneyError;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the invoice was issued already")]
    AlreadyIssued,
    #[error("an invoice needs at least one line")]
    NoLines,
    #[error("automatic and manual charges cannot share an invoice")]
    MixedPayment,
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyIssued => "invoice_already_issued",
            Self::NoLines => "invoice_without_lines",
            Self::MixedPayment => "mixed_payment",
            Self::Money(_) => "amount_invalid",
        }
    }
}
