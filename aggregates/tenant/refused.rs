//! Why a change of a tenant is refused.

use chrono::{DateTime, Utc};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the tenant exists already")]
    AlreadyExists,
    #[error("a tenant needs a name")]
    NameMissing,
    #[error("there is no such tenant")]
    Unknown,
    #[error("the tenant is not in test mode: its clock is everybody's and cannot be moved")]
    NotInTestMode,
    #[error("a clock moves forward only: it shows {now} already")]
    ClockBackwards { now: DateTime<Utc> },
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "tenant_already_exists",
            Self::NameMissing => "name_missing",
            Self::Unknown => "tenant_unknown",
            Self::NotInTestMode => "not_in_test_mode",
            Self::ClockBackwards { .. } => "clock_backwards",
        }
    }
}
