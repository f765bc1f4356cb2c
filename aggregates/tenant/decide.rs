//! Tenants: the decisions.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Command, Credential, Event, Refused};
use crate::Decider;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tenant {
    #[default]
    Absent,
    Active {
        name: String,
        company_id: Uuid,
        brand_id: Uuid,
        credentials: Vec<Credential>,
        /// What the tenant's own clock shows; `None` where the tenant lives in real time.
        clock: Option<DateTime<Utc>>,
    },
}

impl Decider for Tenant {
    const TYPE: &'static str = "tenant";
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
                    name,
                    company_id,
                    brand_id,
                    test_mode,
                    credentials,
                },
            ) => {
                let created = Event::Created {
                    at: *at,
                    name: name.clone(),
                    company_id: *company_id,
                    brand_id: *brand_id,
                    test_mode: *test_mode,
                };
                let issued = credentials.iter().map(|credential| Event::CredentialIssued {
                    at: *at,
                    credential: credential.clone(),
                });
                Ok(std::iter::once(created).chain(issued).collect())
            }
            (Self::Active { .. }, Command::Create { .. }) => Err(Refused::AlreadyExists),
            (Self::Absent, Command::MoveClock { .. }) => Err(Refused::Unknown),
            (Self::Active { clock: None, .. }, Command::MoveClock { .. }) => Err(Refused::NotInTestMode),
            (Self::Active { clock: Some(now), .. }, Command::MoveClock { to }) => match to.cmp(now) {
                Ordering::Less => Err(Refused::ClockBackwards { now: *now }),
                Ordering::Equal => Ok(Vec::new()), // there already: a retry is not an error
                Ordering::Greater => Ok(vec![Event::ClockMoved { at: *to }]),
            },
        }
    }

    fn apply(&mut self, event: &Event) {
        match (self, event) {
            (
                state,
                Event::Created {
                    at,
                    name,
                    company_id,
                    brand_id,
                    test_mode,
                },
            ) => {
                *state = Self::Active {
                    name: name.clone(),
                    company_id: *company_id,
                    brand_id: *brand_id,
                    credentials: Vec::new(),
                    clock: test_mode.then_some(*at),
                };
            }
            (Self::Active { credentials, .. }, Event::CredentialIssued { credential, .. }) => {
                credentials.push(credential.clone());
            }
            (Self::Active { clock, .. }, Event::ClockMoved { at }) => *clock = Some(*at),
            (Self::Absent, Event::CredentialIssued { .. } | Event::ClockMoved { .. }) => {} // no history begins so
        }
    }
}
