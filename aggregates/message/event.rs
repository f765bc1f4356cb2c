//! What happened to a message.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Recordable,
    id::{CustomerId, InvoiceId, MessageId},
};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// An invoice was issued.
    Invoice,
    /// What was open of it could not be collected.
    PaymentFailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Email,
}

/// How something is told: as the communication profile says that was in force then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub profile: String,
    pub channel: Channel,
    pub template: String,
}

/// A message names nobody: whoever delivers it looks the customer up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub message: MessageId,
    pub invoice: InvoiceId,
    pub customer: CustomerId,
    pub occasion: Occasion,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Sent {
        at: DateTime<Utc>,
        #[serde(flatten)]
        about: About,
    },
    Failed {
        at: DateTime<Utc>,
        #[serde(flatten)]
        about: About,
        reason: String,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "message.sent",
            Self::Failed { .. } => "message.failed",
        }
    }
}
