//! Messages: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Event, Occasion, Refused};
use crate::{
    Decider,
    id::{InvoiceId, MessageId, TenantId},
};

/// How long a reason may be.
const MAX_REASON: usize = 500;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Nobody has said what became of it.
    #[default]
    Absent,
    Sent,
    Failed {
        reason: String,
    },
}

/// The one message that tells this of an invoice.
pub fn message_id(tenant: &TenantId, occasion: Occasion, invoice: InvoiceId) -> MessageId {
    let occasion = match occasion {
        Occasion::Invoice => "invoice",
        Occasion::PaymentFailed => "payment_failed",
    };
    MessageId(tenant.derive(&format!("message/{occasion}/{invoice}")))
}

impl Decider for Message {
    const TYPE: &'static str = "message";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            // One that has failed may get through later.
            (Self::Absent | Self::Failed { .. }, Command::Send { at, about }) => Ok(vec![Event::Sent {
                at: *at,
                about: about.clone(),
            }]),
            (Self::Absent, Command::Fail { at, about, reason }) => {
                let reason = reason.trim();
                if reason.is_empty() || reason.chars().count() > MAX_REASON {
                    return Err(Refused::ReasonMissing);
                }
                Ok(vec![Event::Failed {
                    at: *at,
                    about: about.clone(),
                    reason: reason.to_owned(),
                }])
            }
            // Said once: whoever says so again finds it done.
            (Self::Sent, Command::Send { .. }) | (Self::Failed { .. }, Command::Fail { .. }) => Ok(Vec::new()),
            (Self::Sent, Command::Fail { .. }) => Err(Refused::AlreadySent),
        }
    }

    fn apply(&mut self, event: &Event) {
        *self = match event {
            Event::Sent { .. } => Self::Sent,
            Event::Failed { reason, .. } => Self::Failed { reason: reason.clone() },
        };
    }
}
