//! Payments: the decisions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Command, Event, Refused, Wanted};
use crate::{
    Decider,
    id::{InvoiceId, PaymentId, TenantId},
};

/// How long a reason may be.
const MAX_REASON: usize = 500;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payment {
    #[default]
    Absent,
    Requested {
        wanted: Wanted,
    },
    Succeeded {
        wanted: Wanted,
        reference: String,
    },
    Failed {
        wanted: Wanted,
        reason: String,
    },
    Withdrawn {
        wanted: Wanted,
    },
}

/// The one payment that is asked for an invoice.
pub fn payment_id(tenant: &TenantId, invoice: InvoiceId) -> PaymentId {
    PaymentId(tenant.derive(&format!("payment/{invoice}")))
}

impl Payment {
    /// What was asked for.
    pub fn wanted(&self) -> Option<&Wanted> {
        match self {
            Self::Absent => None,
            Self::Requested { wanted }
            | Self::Succeeded { wanted, .. }
            | Self::Failed { wanted, .. }
            | Self::Withdrawn { wanted } => Some(wanted),
        }
    }

    /// Somebody may be taking the money at this moment.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Requested { .. })
    }
}

impl Decider for Payment {
    const TYPE: &'static str = "payment";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (Self::Absent, Command::Request { at, wanted }) => request(*at, wanted),
            // Asked for once, and ended once: whoever says so again finds it done.
            (
                Self::Requested { .. } | Self::Succeeded { .. } | Self::Failed { .. } | Self::Withdrawn { .. },
                Command::Request { .. },
            )
            | (
                Self::Absent | Self::Succeeded { .. } | Self::Failed { .. } | Self::Withdrawn { .. },
                Command::Withdraw { .. },
            )
            | (Self::Failed { .. } | Self::Withdrawn { .. }, Command::Fail { .. }) => Ok(Vec::new()),
            (Self::Requested { wanted }, Command::Withdraw { at }) => Ok(vec![Event::Withdrawn {
                at: *at,
                invoice: wanted.invoice,
            }]),
            (Self::Absent, Command::Succeed { .. } | Command::Fail { .. }) => Err(Refused::Unknown),
            // The money of one that was withdrawn too late has really come.
            (Self::Requested { wanted } | Self::Withdrawn { wanted }, Command::Succeed { at, reference }) => {
                Ok(vec![Event::Succeeded {
                    at: *at,
                    invoice: wanted.invoice,
                    reference: reference.clone(),
                }])
            }
            (Self::Requested { wanted }, Command::Fail { at, reason }) => fail(*at, wanted, reason),
            (Self::Succeeded { reference: known, .. }, Command::Succeed { reference, .. }) if known == reference => {
                Ok(Vec::new())
            }
            (Self::Succeeded { reference, .. }, Command::Succeed { .. } | Command::Fail { .. }) => {
                let reference = reference.clone();
                Err(Refused::AlreadySucceeded { reference })
            }
            (Self::Failed { reason, .. }, Command::Succeed { .. }) => {
                let reason = reason.clone();
                Err(Refused::AlreadyFailed { reason })
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        let wanted = self.wanted().cloned();
        match (event, wanted) {
            (Event::Requested { wanted, .. }, _) => *self = Self::Requested { wanted: wanted.clone() },
            (Event::Succeeded { reference, .. }, Some(wanted)) => {
                let reference = reference.clone();
                *self = Self::Succeeded { wanted, reference };
            }
            (Event::Failed { reason, .. }, Some(wanted)) => {
                let reason = reason.clone();
                *self = Self::Failed { wanted, reason };
            }
            (Event::Withdrawn { .. }, Some(wanted)) => *self = Self::Withdrawn { wanted },
            (Event::Succeeded { .. } | Event::Failed { .. } | Event::Withdrawn { .. }, None) => {}
        }
    }
}

fn request(at: DateTime<Utc>, wanted: &Wanted) -> Result<Vec<Event>, Refused> {
    if wanted.amount.minor <= 0 {
        return Err(Refused::NothingToCollect);
    }
    let wanted = wanted.clone();
    Ok(vec![Event::Requested { at, wanted }])
}

fn fail(at: DateTime<Utc>, wanted: &Wanted, reason: &str) -> Result<Vec<Event>, Refused> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(Refused::ReasonMissing);
    }
    let reason = reason.to_owned();
    Ok(vec![Event::Failed {
        at,
        invoice: wanted.invoice,
        reason,
        customer: wanted.notice.as_ref().map(|_| wanted.customer),
        notice: wanted.notice.clone(),
    }])
}
