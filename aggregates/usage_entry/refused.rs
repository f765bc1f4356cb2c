//! Why a statement of usage is refused.

use serde::{Deserialize, Serialize};

use crate::usage;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refused {
    #[error("the usage exists already")]
    AlreadyExists,
    #[error("there is no such usage")]
    Unknown,
    #[error("usage stays on the line it was recorded on")]
    OtherLine,
    #[error("usage does not end before it starts")]
    EndsBeforeStart,
    #[error(transparent)]
    Record(#[from] usage::Refused),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "usage_already_exists",
            Self::Unknown => "usage_unknown",
            Self::OtherLine => "usage_of_other_line",
            Self::EndsBeforeStart => "usage_ends_before_start",
            Self::Record(refused) => refused.code(),
        }
    }
}
