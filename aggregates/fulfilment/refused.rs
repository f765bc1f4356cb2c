//! Why a change of a fulfilment is refused.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no such fulfilment, or its day has not come")]
    Unknown,
    #[error("the fulfilment was withdrawn: its order was over before its day came")]
    Withdrawn,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "fulfilment_unknown",
            Self::Withdrawn => "fulfilment_withdrawn",
        }
    }
}
