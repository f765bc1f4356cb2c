//! What happened to a plan.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::PlanLine;
use crate::{Recordable, id::PlanId, money::Currency};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Created {
        at: DateTime<Utc>,
        plan: PlanId,
        name: String,
        currency: Currency,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines: Vec<PlanLine>,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "plan.created",
        }
    }
}
