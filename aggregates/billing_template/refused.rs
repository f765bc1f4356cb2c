//! Why a change of a billing template, or a purchase made of it, is refused.

use crate::purchase;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the billing template exists already")]
    AlreadyExists,
    #[error("there is no such billing template")]
    Unknown,
    #[error("the billing template is of the other kind")]
    WrongKind,
    #[error("a period lasts at least one unit")]
    EmptyPeriod,
    #[error("the rhythm cannot be changed: subscribers are billed in it")]
    AlreadyLaunched,
    #[error("there is no time zone of that name")]
    UnknownTimeZone,
    #[error("the calendar ends before the purchase is due")]
    DueOutOfReach,
    #[error(transparent)]
    Purchase(#[from] purchase::Refused),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "billing_template_already_exists",
            Self::Unknown => "billing_template_unknown",
            Self::WrongKind => "billing_template_wrong_kind",
            Self::EmptyPeriod => "billing_template_empty_period",
            Self::AlreadyLaunched => "billing_template_already_launched",
            Self::UnknownTimeZone => "billing_template_time_zone_unknown",
            Self::DueOutOfReach => "billing_template_due_out_of_reach",
            Self::Purchase(refused) => refused.code(),
        }
    }
}
