//! Where use cases of billing decide: on locked streams, or on copies that nobody keeps. A preview is the same decision
//! as the bill, at the other desk.

use std::{any::Any, collections::HashMap};

use aggregates::{
    Decider,
    id::{ChargeId, TenantId},
    subscription::{self, Charge},
};
use chrono::{DateTime, Utc};

use crate::journal::{CommandError, Unit};

pub trait Desk {
    fn tenant(&self) -> &TenantId;
    /// The command's time.
    fn at(&self) -> DateTime<Utc>;
    /// Whether a stream was laid on the desk.
    fn holds<A: Decider>(&self, id: &str) -> bool;
    /// The state of a stream that was laid on the desk.
    fn state<A: Decider>(&self, id: &str) -> &A;
    /// Sends a command to an aggregate; its state moves on.
    fn send<A: Decider>(&mut self, id: &str, command: &A::Command) -> Result<Vec<A::Event>, CommandError>;
}

impl Desk for Unit<'_> {
    fn tenant(&self) -> &TenantId {
        Unit::tenant(self)
    }

    fn at(&self) -> DateTime<Utc> {
        Unit::at(self)
    }

    fn holds<A: Decider>(&self, id: &str) -> bool {
        Unit::holds::<A>(self, id)
    }

    fn state<A: Decider>(&self, id: &str) -> &A {
        Unit::state(self, id)
    }

    fn send<A: Decider>(&mut self, id: &str, command: &A::Command) -> Result<Vec<A::Event>, CommandError> {
        Unit::send::<A>(self, id, command)
    }
}

type Key = (&'static str, String);
type State = Box<dyn Any + Send + Sync>;

/// Decides on copies: nothing that is sent here takes effect.
pub struct Rehearsal {
    tenant: TenantId,
    at: DateTime<Utc>,
    states: HashMap<Key, State>,
    /// Where they are wanted: the charges that were made here, as they were made.
    charges: Option<HashMap<ChargeId, Charge>>,
    /// While something is attempted: what was touched, as it was before.
    before: Option<HashMap<Key, Option<State>>>,
}

impl Rehearsal {
    pub fn new(tenant: TenantId, at: DateTime<Utc>) -> Self {
        Self {
            tenant,
            at,
            states: HashMap::new(),
            charges: None,
            before: None,
        }
    }

    /// As one append: where it fails, nothing that was sent in it has happened.
    pub fn attempt<T, E>(&mut self, what: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.before = Some(HashMap::new());
        let done = what(self);
        let before = self.before.take().unwrap_or_default();
        if done.is_err() {
            for (key, state) in before {
                match state {
                    Some(state) => self.states.insert(key, state),
                    None => self.states.remove(&key),
                };
            }
        }
        done
    }

    fn note<A: Decider>(&mut self, key: &Key) {
        let Some(before) = &mut self.before else { return };
        if !before.contains_key(key) {
            let now = self.states.get(key).and_then(|state| state.downcast_ref::<A>());
            before.insert(key.clone(), now.map(|state| Box::new(state.clone()) as State));
        }
    }

    /// From now on the charges that are made are remembered.
    pub fn remember_charges(&mut self) {
        self.charges.get_or_insert_default();
    }

    /// Those of what happened elsewhere.
    pub fn remember(&mut self, event: &subscription::Event) {
        let Some(known) = &mut self.charges else { return };
        let made = match event {
            subscription::Event::Accrued { charges, .. } => charges.as_slice(),
            subscription::Event::ChargeAdded { charge, .. } => std::slice::from_ref(charge),
            _ => &[],
        };
        known.extend(made.iter().map(|charge| (charge.id, charge.clone())));
    }

    /// One that was made elsewhere.
    pub fn remember_one(&mut self, charge: &Charge) {
        if let Some(known) = &mut self.charges {
            known.insert(charge.id, charge.clone());
        }
    }

    /// The charge as it was made, where charges are remembered.
    pub fn charge(&self, id: ChargeId) -> Option<&Charge> {
        self.charges.as_ref()?.get(&id)
    }

    /// From now on it is that time.
    pub fn move_to(&mut self, at: DateTime<Utc>) {
        self.at = at;
    }

    /// Something has happened to a stream, whatever would be decided on this desk.
    pub fn happen<A: Decider>(&mut self, id: &str, event: &A::Event) {
        let key = (A::TYPE, id.to_owned());
        let state = self.states.entry(key).or_insert_with(|| Box::new(A::default()));
        if let Some(state) = state.downcast_mut::<A>() {
            state.apply(event);
        }
        if let Some(event) = (event as &dyn Any).downcast_ref() {
            self.remember(event);
        }
    }

    pub fn lay<A: Decider>(&mut self, id: &str, state: A) {
        self.states.insert((A::TYPE, id.to_owned()), Box::new(state));
    }
}

impl Desk for Rehearsal {
    fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn holds<A: Decider>(&self, id: &str) -> bool {
        self.states.contains_key(&(A::TYPE, id.to_owned()))
    }

    #[track_caller]
    fn state<A: Decider>(&self, id: &str) -> &A {
        self.states
            .get(&(A::TYPE, id.to_owned()))
            .and_then(|state| state.downcast_ref())
            .unwrap_or_else(|| panic!("the use case did not ask for {} {id}", A::TYPE))
    }

    fn send<A: Decider>(&mut self, id: &str, command: &A::Command) -> Result<Vec<A::Event>, CommandError> {
        let key = (A::TYPE, id.to_owned());
        let state = self.states.entry(key.clone()).or_insert_with(|| Box::new(A::default()));
        let Some(state) = state.downcast_ref::<A>() else {
            return Err(CommandError::Corrupt(format!("{id} is no {}", A::TYPE).into()));
        };
        let events = state
            .decide(command)
            .map_err(|refused| CommandError::Refused(refused.into()))?;
        if !events.is_empty() {
            self.note::<A>(&key);
            for event in &events {
                self.happen::<A>(id, event);
            }
        }
        Ok(events)
    }
}
