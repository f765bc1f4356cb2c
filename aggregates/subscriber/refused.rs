//! Why a change of a subscriber is refused.

use chrono::NaiveDate;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the subscriber exists already")]
    AlreadyExists,
    #[error("there is no such subscriber")]
    Unknown,
    #[error("a first purchase is made where the first date is the launch, and only there")]
    FirstPurchase,
    #[error("there is no time zone of that name")]
    UnknownTimeZone,
    #[error("the subscriber waits for its first payment or is over: it is neither paused nor resumed")]
    NotLaunched,
    #[error("the subscriber is not billed now")]
    NotBilledNow,
    #[error("the next purchase is made on {date}")]
    NotDue { date: NaiveDate },
    #[error("the period is not the next one")]
    OtherPeriod,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "subscriber_already_exists",
            Self::Unknown => "subscriber_unknown",
            Self::FirstPurchase => "subscriber_first_purchase",
            Self::UnknownTimeZone => "subscriber_time_zone_unknown",
            Self::NotLaunched => "subscriber_not_launched",
            Self::NotBilledNow => "subscriber_not_billed_now",
            Self::NotDue { .. } => "subscriber_not_due",
            Self::OtherPeriod => "subscriber_other_period",
        }
    }
}
