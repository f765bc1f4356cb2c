//! Why a movement of credit is refused.

use crate::money::{Money, MoneyError};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("credit moves by more than nothing")]
    NothingToMove,
    #[error("there is only {balance} of credit")]
    NotEnough { balance: Money },
    #[error("{used} of the credit that the invoice granted is used already")]
    AlreadyUsed { used: Money },
    #[error("no more credit can be granted to this customer")]
    Exhausted,
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingToMove => "credit_of_nothing",
            Self::NotEnough { .. } => "credit_not_enough",
            Self::AlreadyUsed { .. } => "credit_used",
            Self::Exhausted => "credit_exhausted",
            Self::Money(_) => "amount_invalid",
        }
    }
}
