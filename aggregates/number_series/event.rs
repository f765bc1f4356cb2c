//! What happened to a number series.

use serde::{Deserialize, Serialize};

use crate::Recordable;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    NumberTaken { number: u64, for_document: String },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::NumberTaken { .. } => "number_series.number_taken",
        }
    }
}
