//! Fulfilments: the decisions.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Command, Event, Refused, Task};
use crate::{
    Decider,
    id::{FulfilmentId, SubscriptionId, TenantId},
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fulfilment {
    #[default]
    Absent,
    Open {
        task: Task,
    },
    Completed {
        task: Task,
    },
}

/// The one fulfilment of the period of an order that starts on a day.
pub fn fulfilment_id(tenant: &TenantId, subscription: SubscriptionId, start: NaiveDate) -> FulfilmentId {
    FulfilmentId(tenant.derive(&format!("fulfilment/{subscription}/{start}")))
}

impl Decider for Fulfilment {
    const TYPE: &'static str = "fulfilment";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (Self::Absent, Command::Open { at, task }) => {
                let opened = Event::Opened {
                    at: *at,
                    task: task.clone(),
                };
                let completed = task.automatic.then_some(Event::Completed { at: *at });
                Ok(std::iter::once(opened).chain(completed).collect())
            }
            // Opened once, completed once: whoever asks again finds it done.
            (Self::Open { .. } | Self::Completed { .. }, Command::Open { .. })
            | (Self::Completed { .. }, Command::Complete { .. }) => Ok(Vec::new()),
            (Self::Open { .. }, Command::Complete { at }) => Ok(vec![Event::Completed { at: *at }]),
            (Self::Absent, Command::Complete { .. }) => Err(Refused::Unknown),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Opened { task, .. } => *self = Self::Open { task: task.clone() },
            Event::Completed { .. } => {
                if let Self::Open { task } = self {
                    *self = Self::Completed { task: task.clone() };
                }
            }
        }
    }
}
