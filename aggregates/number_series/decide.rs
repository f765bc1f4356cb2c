//! Number series: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Event, Refused};
use crate::Decider;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberSeries {
    /// The last number taken; 0 before the first.
    pub last: u64,
}

impl Decider for NumberSeries {
    const TYPE: &'static str = "number_series";
    const SNAPSHOT_EVERY: i64 = 256;
    const HOT: bool = true;
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match command {
            Command::TakeNumber { for_document } => {
                let number = self.last.checked_add(1).ok_or(Refused::Exhausted)?;
                Ok(vec![Event::NumberTaken {
                    number,
                    for_document: for_document.clone(),
                }])
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::NumberTaken { number, .. } => self.last = *number,
        }
    }
}
