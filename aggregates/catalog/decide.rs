//! Plans: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Event, PlanLine, Refused};
use crate::{
    Decider,
    billing::{Kind, Timing},
    money::Currency,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plan {
    #[default]
    Absent,
    Active {
        name: String,
        currency: Currency,
        lines: Vec<PlanLine>,
    },
}

impl Decider for Plan {
    const TYPE: &'static str = "plan";
    const STATE_VERSION: u32 = 2;
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
                    lines,
                },
            ) => {
                for (number, line) in lines.iter().enumerate() {
                    check(number, line)?;
                }
                Ok(vec![Event::Created {
                    at: *at,
                    plan: *plan,
                    name: name.clone(),
                    currency: *currency,
                    lines: lines.clone(),
                }])
            }
            (Self::Active { .. }, Command::Create { .. }) => Err(Refused::AlreadyExists),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Created {
                name, currency, lines, ..
            } => {
                *self = Self::Active {
                    name: name.clone(),
                    currency: *currency,
                    lines: lines.clone(),
                };
            }
        }
    }
}

/// A line that could not be billed is not taken into a plan.
fn check(line: usize, new: &PlanLine) -> Result<(), Refused> {
    let wrong = |place: &'static str, why: &'static str| Refused::Line { line, place, why };
    if new.name.trim().is_empty() {
        return Err(wrong("name", "a line needs a name"));
    }
    match &new.kind {
        Kind::Trial => return Err(wrong("kind", "a trial is agreed in the contract, not in the plan")),
        Kind::Metered { metric, .. } if metric.trim().is_empty() => {
            return Err(wrong("metric", "a metered line needs a metric"));
        }
        Kind::Metered { .. } if new.timing == Timing::Advance => {
            return Err(wrong("timing", "usage is billed in arrears"));
        }
        Kind::Metered { .. } | Kind::OneOff | Kind::Recurring => {}
    }
    new.price
        .validate()
        .map_err(|refused| Refused::Price { line, refused })?;
    if new.quantity.is_sign_negative() && !new.quantity.is_zero() {
        return Err(wrong("quantity", "a quantity is zero or more"));
    }
    if new
        .tax_rate
        .is_some_and(|rate| rate.is_sign_negative() && !rate.is_zero())
    {
        return Err(wrong("tax_rate", "a tax rate is zero or more percent"));
    }
    Ok(())
}
