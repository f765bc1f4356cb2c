//! Why a change of a tenant is refused.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the tenant exists already")]
    AlreadyExists,
    #[error("a tenant needs a name")]
    NameMissing,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "tenant_already_exists",
            Self::NameMissing => "name_missing",
        }
    }
}
