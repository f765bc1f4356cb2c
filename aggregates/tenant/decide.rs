//! Tenants: the decisions.

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
                    credentials,
                },
            ) => {
                let created = Event::Created {
                    at: *at,
                    name: name.clone(),
                    company_id: *company_id,
                    brand_id: *brand_id,
                };
                let issued = credentials.iter().map(|credential| Event::CredentialIssued {
                    at: *at,
                    credential: credential.clone(),
                });
                Ok(std::iter::once(created).chain(issued).collect())
            }
            (Self::Active { .. }, Command::Create { .. }) => Err(Refused::AlreadyExists),
        }
    }

    fn apply(&mut self, event: &Event) {
        match (self, event) {
            (
                state,
                Event::Created {
                    name,
                    company_id,
                    brand_id,
                    ..
                },
            ) => {
                *state = Self::Active {
                    name: name.clone(),
                    company_id: *company_id,
                    brand_id: *brand_id,
                    credentials: Vec::new(),
                };
            }
            (Self::Active { credentials, .. }, Event::CredentialIssued { credential, .. }) => {
                credentials.push(credential.clone());
            }
            (Self::Absent, Event::CredentialIssued { .. }) => {} // no history begins so
        }
    }
}
