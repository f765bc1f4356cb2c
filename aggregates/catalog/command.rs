//! What can be asked of a plan.

use chrono::{DateTime, Utc};

use super::PlanLine;
use crate::{id::PlanId, money::Currency};

#[derive(Clone, Debug)]
pub enum Command {
    Create {
        at: DateTime<Utc>,
        plan: PlanId,
        name: String,
        currency: Currency,
        lines: Vec<PlanLine>,
    },
}
