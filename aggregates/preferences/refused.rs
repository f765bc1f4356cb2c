//! Why a change of the invoicing preferences is refused.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("a periodic trigger needs a cycle count of at least 1")]
    EmptyCycle,
    #[error("\"{0}\" is no time zone, such as Europe/Berlin")]
    UnknownTimeZone(String),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::EmptyCycle => "empty_cycle",
            Self::UnknownTimeZone(_) => "time_zone_unknown",
        }
    }
}
