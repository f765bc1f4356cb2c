//! Why a plan is refused.

use crate::billing::PriceRefused;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the plan exists already")]
    AlreadyExists,
    #[error("a plan needs a name")]
    NameMissing,
    /// `line` counts from zero; `place` is the name of its field.
    #[error("lines[{line}].{place}: {why}")]
    Line {
        line: usize,
        place: &'static str,
        why: &'static str,
    },
    #[error("lines[{line}].price: {refused}")]
    Price { line: usize, refused: PriceRefused },
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "plan_already_exists",
            Self::NameMissing => "name_missing",
            Self::Line { .. } => "line_invalid",
            Self::Price { refused, .. } => refused.code(),
        }
    }
}
