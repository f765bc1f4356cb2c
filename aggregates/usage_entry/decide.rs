//! Statements of usage: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Entry, Event, Refused};
use crate::{Decider, usage};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsageEntry {
    #[default]
    Absent,
    Known(Box<Entry>),
    Withdrawn,
}

impl UsageEntry {
    /// What it says.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Absent | Self::Withdrawn => None,
            Self::Known(entry) => Some(entry),
        }
    }
}

fn check(entry: &Entry) -> Result<(), Refused> {
    if entry.start.is_some_and(|start| entry.end < start) {
        return Err(Refused::EndsBeforeStart);
    }
    Ok(usage::check(&entry.record())?)
}

impl Decider for UsageEntry {
    const TYPE: &'static str = "usage_entry";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (Self::Absent, Command::Record { at, by, entry }) => {
                check(entry)?;
                Ok(vec![Event::Recorded {
                    at: *at,
                    by: by.clone(),
                    entry: entry.clone(),
                }])
            }
            (Self::Known(_) | Self::Withdrawn, Command::Record { .. }) => Err(Refused::AlreadyExists),
            (Self::Known(now), Command::Correct { at, by, entry }) => {
                if (entry.subscription, entry.line) != (now.subscription, now.line) {
                    return Err(Refused::OtherLine);
                }
                check(entry)?;
                if now == entry {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::Corrected {
                    at: *at,
                    by: by.clone(),
                    entry: entry.clone(),
                }])
            }
            (Self::Known(_), Command::Withdraw { at, by }) => Ok(vec![Event::Withdrawn {
                at: *at,
                by: by.clone(),
            }]),
            (Self::Absent | Self::Withdrawn, Command::Correct { .. } | Command::Withdraw { .. }) => {
                Err(Refused::Unknown)
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        *self = match event {
            Event::Recorded { entry, .. } | Event::Corrected { entry, .. } => Self::Known(entry.clone()),
            Event::Withdrawn { .. } => Self::Withdrawn,
        };
    }
}
