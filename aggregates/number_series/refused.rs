//! Why a number is refused.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the number series is used up")]
    Exhausted,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exhausted => "number_series_exhausted",
        }
    }
}
