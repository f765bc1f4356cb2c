//! What happened to a fulfilment.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Recordable,
    calendar::Period,
    id::{FulfilmentId, LineId, SubscriptionId},
};

/// What is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub fulfilment: FulfilmentId,
    pub subscription: SubscriptionId,
    /// The period that was billed.
    pub period: Period,
    /// Nobody has to say that it is done.
    pub automatic: bool,
    /// The one line it is for; what is charged for the period together where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Opened {
        at: DateTime<Utc>,
        #[serde(flatten)]
        task: Task,
    },
    Completed {
        at: DateTime<Utc>,
    },
    /// Was never opened, and never will be.
    Withdrawn {
        at: DateTime<Utc>,
        #[serde(flatten)]
        task: Task,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "fulfilment.opened",
            Self::Completed { .. } => "fulfilment.completed",
            Self::Withdrawn { .. } => "fulfilment.withdrawn",
        }
    }
}
