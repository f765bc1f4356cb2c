//! Billing templates: the decisions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Command, Event, Kind, Refused, Template};
use crate::{
    Decider,
    calendar::{self, Tz},
    subscriber::Pause,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BillingTemplate {
    #[default]
    Absent,
    Known(Box<Known>),
    Deleted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub terms: Template,
    /// Whether a subscriber's cycle has begun.
    pub launched: bool,
    /// When it stood still, oldest first; the last may go on.
    halts: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

impl Known {
    /// The days it stood still, as the zone counts them.
    pub fn pauses(&self, zone: Tz) -> Vec<Pause> {
        let day = |at| calendar::local_date(at, zone);
        let halts = self.halts.iter();
        halts
            .map(|(from, to)| Pause {
                from: day(*from),
                to: to.map(day),
            })
            .collect()
    }

    fn take(&mut self, terms: &Template, at: DateTime<Utc>) {
        let active = terms.recurring().is_none_or(|terms| terms.active);
        let open = self.halts.last_mut().filter(|(_, to)| to.is_none());
        match (active, open) {
            (true, Some((_, to))) => *to = Some(at),
            (false, None) => self.halts.push((at, None)),
            (true, None) | (false, Some(_)) => {}
        }
        self.terms = terms.clone();
    }
}

impl BillingTemplate {
    pub fn known(&self) -> Option<&Known> {
        match self {
            Self::Absent | Self::Deleted => None,
            Self::Known(known) => Some(known),
        }
    }
}

impl Decider for BillingTemplate {
    const TYPE: &'static str = "billing_template";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (Self::Absent, Command::Create { at, template, terms }) => {
                terms.check(*at)?;
                Ok(vec![Event::Created {
                    at: *at,
                    template: *template,
                    terms: terms.clone(),
                }])
            }
            (Self::Known(_) | Self::Deleted, Command::Create { .. }) => Err(Refused::AlreadyExists),
            (Self::Known(known), Command::Update { at, terms }) => update(known, *at, terms),
            (Self::Known(known), Command::Launch { at }) => match (&known.terms.kind, known.launched) {
                (Kind::OneOff(_), _) => Err(Refused::WrongKind),
                (Kind::Recurring(_), false) => Ok(vec![Event::Launched { at: *at }]),
                (Kind::Recurring(_), true) => Ok(Vec::new()),
            },
            (Self::Known(_), Command::Delete { at }) => Ok(vec![Event::Deleted { at: *at }]),
            (
                Self::Absent | Self::Deleted,
                Command::Update { .. } | Command::Launch { .. } | Command::Delete { .. },
            ) => Err(Refused::Unknown),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Created { at, terms, .. } => {
                let mut known = Known {
                    terms: (**terms).clone(),
                    launched: false,
                    halts: Vec::new(),
                };
                known.take(terms, *at);
                *self = Self::Known(Box::new(known));
            }
            Event::Updated { at, terms } => {
                if let Self::Known(known) = self {
                    known.take(terms, *at);
                }
            }
            Event::Launched { .. } => {
                if let Self::Known(known) = self {
                    known.launched = true;
                }
            }
            Event::Deleted { .. } => *self = Self::Deleted,
        }
    }
}

fn update(known: &Known, at: DateTime<Utc>, terms: &Template) -> Result<Vec<Event>, Refused> {
    match (&known.terms.kind, &terms.kind) {
        (Kind::Recurring(now), Kind::Recurring(new)) if known.launched && now.rhythm != new.rhythm => {
            return Err(Refused::AlreadyLaunched);
        }
        (Kind::OneOff(_), Kind::OneOff(_)) | (Kind::Recurring(_), Kind::Recurring(_)) => {}
        (Kind::OneOff(_), Kind::Recurring(_)) | (Kind::Recurring(_), Kind::OneOff(_)) => {
            return Err(Refused::WrongKind);
        }
    }
    terms.check(at)?;
    if known.terms == *terms {
        return Ok(Vec::new());
    }
    Ok(vec![Event::Updated {
        at,
        terms: Box::new(terms.clone()),
    }])
}
