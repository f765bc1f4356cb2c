//! Fulfilments: the decisions.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Command, Event, Refused, Task};
use crate::{
    Decider,
    id::{FulfilmentId, LineId, SubscriptionId, TenantId},
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
    Withdrawn {
        task: Task,
    },
}

/// The one fulfilment of the period of an order that starts on a day; or that of a line which came to it later.
pub fn fulfilment_id(
    tenant: &TenantId,
    subscription: SubscriptionId,
    start: NaiveDate,
    line: Option<LineId>,
    again: u32,
) -> FulfilmentId {
    let mut name = format!("fulfilment/{subscription}/{start}");
    if let Some(line) = line {
        name.push_str(&format!("/{line}"));
    }
    if again > 0 {
        name.push_str(&format!("/again/{again}"));
    }
    FulfilmentId(tenant.derive(&name))
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
            (Self::Absent, Command::Withdraw { at, task }) => Ok(vec![Event::Withdrawn {
                at: *at,
                task: task.clone(),
            }]),
            // Opened once, completed once, or never: whoever asks again finds it done.
            (
                Self::Open { .. } | Self::Completed { .. } | Self::Withdrawn { .. },
                Command::Open { .. } | Command::Withdraw { .. },
            )
            | (Self::Completed { .. }, Command::Complete { .. }) => Ok(Vec::new()),
            (Self::Open { .. }, Command::Complete { at }) => Ok(vec![Event::Completed { at: *at }]),
            (Self::Absent, Command::Complete { .. }) => Err(Refused::Unknown),
            (Self::Withdrawn { .. }, Command::Complete { .. }) => Err(Refused::Withdrawn),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Opened { task, .. } => *self = Self::Open { task: task.clone() },
            Event::Withdrawn { task, .. } => *self = Self::Withdrawn { task: task.clone() },
            Event::Completed { .. } => {
                if let Self::Open { task } = self {
                    *self = Self::Completed { task: task.clone() };
                }
            }
        }
    }
}
