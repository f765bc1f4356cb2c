//! Why a change of a customer is refused.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the customer exists already")]
    AlreadyExists,
    #[error("there is no such customer")]
    Unknown,
    #[error("the customer was forgotten on request and cannot be changed")]
    Forgotten,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "customer_already_exists",
            Self::Unknown => "customer_unknown",
            Self::Forgotten => "customer_forgotten",
        }
    }
}
