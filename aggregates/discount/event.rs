//! What happened to a discount.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Recordable, billing::Discount, id::DiscountId, money::Currency};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Created {
        at: DateTime<Utc>,
        discount: DiscountId,
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        currency: Option<Currency>,
        terms: Discount,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "discount.created",
        }
    }
}
