//! Plans: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Event, Refused};
use crate::{Decider, money::Currency};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plan {
    #[default]
    Absent,
    Active {
        name: String,
        currency: Currency,
    },
}

impl Decider for Plan {
    const TYPE: &'static str = "plan";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (Self::Absent, Command::Create { name, .. }) if name.trim().is_empty() => Err(Refused::NameMissing),
            (
                Self::Absent,
                Command::Create {
                    at,
                    plan,
                    name,
                    currency,
                },
            ) => Ok(vec![Event::Created {
                at: *at,
                plan: *plan,
                name: name.clone(),
                currency: *currency,
            }]),
            (Self::Active { .. }, Command::Create { .. }) => Err(Refused::AlreadyExists),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Created { name, currency, .. } => {
                *self = Self::Active {
                    name: name.clone(),
                    currency: *currency,
                };
            }
        }
    }
}
