//! Why a change of a message is refused.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no such message")]
    Unknown,
    #[error("a reason of 1 to 500 characters is needed")]
    ReasonMissing,
    #[error("the message was sent already")]
    AlreadySent,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "message_unknown",
            Self::ReasonMissing => "reason_missing",
            Self::AlreadySent => "message_sent",
        }
    }
}
