//! Customers: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Contact, Event, Profile, Refused};
use crate::{Decider, id::CustomerId, personal::Personal};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Customer {
    #[default]
    Absent,
    Known {
        id: CustomerId,
        code: String,
        profile: Profile,
        contact: Personal<Contact>,
    },
    Forgotten {
        id: CustomerId,
        code: String,
    },
}

impl Customer {
    pub fn profile(&self) -> Option<&Profile> {
        match self {
            Self::Known { profile, .. } => Some(profile),
            Self::Absent | Self::Forgotten { .. } => None,
        }
    }

    pub fn contact(&self) -> Option<&Contact> {
        match self {
            Self::Known { contact, .. } => contact.get(),
            Self::Absent | Self::Forgotten { .. } => None,
        }
    }
}

impl Decider for Customer {
    const TYPE: &'static str = "customer";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (
                Self::Absent,
                Command::Create {
                    at,
                    customer,
                    code,
                    profile,
                    contact,
                },
            ) => Ok(vec![Event::Created {
                at: *at,
                customer: *customer,
                code: code.clone(),
                profile: profile.clone(),
                personal: Personal::known(contact.clone()),
            }]),
            (Self::Known { .. } | Self::Forgotten { .. }, Command::Create { .. }) => Err(Refused::AlreadyExists),
            (
                Self::Known {
                    profile: now,
                    contact: known,
                    ..
                },
                Command::Update { profile, contact, .. },
            ) if now == profile && known.get() == Some(contact) => Ok(Vec::new()),
            (Self::Known { id, .. }, Command::Update { at, profile, contact }) => Ok(vec![Event::Updated {
                at: *at,
                customer: *id,
                profile: profile.clone(),
                personal: Personal::known(contact.clone()),
            }]),
            (Self::Known { id, .. }, Command::Forget { at }) => Ok(vec![Event::Forgotten { at: *at, customer: *id }]),
            (Self::Forgotten { .. }, Command::Update { .. }) => Err(Refused::Forgotten),
            (Self::Forgotten { .. }, Command::Forget { .. }) => Ok(Vec::new()), // already so: a retry is not an error
            (Self::Absent, Command::Update { .. } | Command::Forget { .. }) => Err(Refused::Unknown),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Created {
                customer,
                code,
                profile,
                personal,
                ..
            } => {
                *self = Self::Known {
                    id: *customer,
                    code: code.clone(),
                    profile: profile.clone(),
                    contact: personal.clone(),
                };
            }
            Event::Updated {
                profile: new_profile,
                personal,
                ..
            } => {
                if let Self::Known { profile, contact, .. } = self {
                    *profile = new_profile.clone();
                    *contact = personal.clone();
                }
            }
            Event::Forgotten { .. } => {
                if let Self::Known { id, code, .. } = self {
                    *self = Self::Forgotten {
                        id: *id,
                        code: std::mem::take(code),
                    };
                }
            }
        }
    }
}
