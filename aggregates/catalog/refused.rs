//! Why a plan is refused.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the plan exists already")]
    AlreadyExists,
    #[error("a plan needs a name")]
    NameMissing,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "plan_already_exists",
            Self::NameMissing => "name_missing",
        }
    }
}
