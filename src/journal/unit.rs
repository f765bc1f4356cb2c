//! One command's work on the streams it has locked: read states, decide, collect events.

use std::any::Any;

use aggregates::{
    AnyEvent, Decider, Recordable,
    event::{Visitor, visit},
    id::TenantId,
};
use chrono::{DateTime, Utc};

use super::{
    CommandError,
    cache::{Loaded, SlotGuard},
    record::{GENESIS, Hash, StreamKey},
};

/// The streams a command wants to work on.
#[derive(Default)]
pub struct Streams {
    pub(super) wanted: Vec<Wanted>,
}

pub(super) struct Wanted {
    pub aggregate_type: &'static str,
    pub id: String,
    pub hot: bool,
    pub looked_up: LookedUp,
    pub kind: AggregateKind,
}

/// Whether there is a stream of that id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LookedUp {
    /// By the command, which loads it.
    Before,
    /// By the writer: the command takes it to be new.
    Behind,
    /// By the writer where the command begins it; otherwise by nobody.
    IfBegun,
}

/// What the journal must know to load an aggregate of a type it does not know.
#[derive(Clone, Copy)]
pub(super) struct AggregateKind {
    pub state_version: u32,
    pub empty: fn() -> Box<dyn Any + Send + Sync>,
    pub apply: fn(&mut (dyn Any + Send + Sync), &AnyEvent),
    pub restore: fn(&str) -> Result<Box<dyn Any + Send + Sync>, serde_json::Error>,
    pub save: fn(&(dyn Any + Send + Sync)) -> Result<String, serde_json::Error>,
    pub snapshot_every: i64,
}

impl AggregateKind {
    /// Of the aggregate with that stable name.
    pub fn named(aggregate_type: &str) -> Option<Self> {
        visit(aggregate_type, OfKind)
    }

    pub fn of<A: Decider>() -> Self
    where
        A::Event: TryFromAny,
    {
        Self {
            state_version: A::STATE_VERSION,
            empty: || Box::new(A::default()),
            apply: |state, event| {
                if let (Some(state), Some(event)) = (state.downcast_mut::<A>(), A::Event::try_from_any(event)) {
                    state.apply(event);
                }
            },
            restore: |text| Ok(Box::new(serde_json::from_str::<A>(text)?)),
            save: |state| serde_json::to_string(&state.downcast_ref::<A>()),
            snapshot_every: A::SNAPSHOT_EVERY,
        }
    }
}

struct OfKind;

impl Visitor for OfKind {
    type Output = AggregateKind;

    fn visit<A: Decider + cqrs_es::Aggregate>(self) -> AggregateKind
    where
        <A as Decider>::Event: TryFromAny,
    {
        AggregateKind::of::<A>()
    }
}

pub use aggregates::event::TryFromAny;

impl Streams {
    pub fn new() -> Self {
        Self::default()
    }

    /// A stream to load, whether it exists or not.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "ids are small and read better by value")]
    pub fn with<A: Decider>(self, id: impl ToString) -> Self
    where
        A::Event: TryFromAny,
    {
        self.add::<A>(id.to_string(), LookedUp::Before)
    }

    /// A stream that most likely does not exist: it is taken to be empty without looking, and the writer checks.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "ids are small and read better by value")]
    pub fn with_new<A: Decider>(self, id: impl ToString) -> Self
    where
        A::Event: TryFromAny,
    {
        self.add::<A>(id.to_string(), LookedUp::Behind)
    }

    /// A stream that this command may begin: where it does not, it does not rely on it either.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "ids are small and read better by value")]
    pub fn with_spare<A: Decider>(self, id: impl ToString) -> Self
    where
        A::Event: TryFromAny,
    {
        self.add::<A>(id.to_string(), LookedUp::IfBegun)
    }

    fn add<A: Decider>(mut self, id: String, looked_up: LookedUp) -> Self
    where
        A::Event: TryFromAny,
    {
        self.wanted.push(Wanted {
            aggregate_type: A::TYPE,
            id,
            hot: A::HOT,
            looked_up,
            kind: AggregateKind::of::<A>(),
        });
        self
    }
}

/// A stream locked by this command.
pub(super) struct Held {
    pub key: StreamKey,
    pub guard: SlotGuard,
    pub kind: AggregateKind,
    /// Version before this command.
    pub expected: i64,
    /// Of the last event before this command.
    pub expected_hash: Hash,
    pub events: Vec<New>,
    /// Read from the log by this very command.
    pub fresh: bool,
    /// Nobody has looked whether the stream exists.
    pub supposed: Option<LookedUp>,
}

/// An event decided but not yet written.
pub(super) struct New {
    /// How many events the command had decided before, over all its streams.
    pub order: usize,
    pub event: AnyEvent,
    pub name: &'static str,
    pub version: u32,
    pub payload: String,
    pub subject: Option<String>,
}

/// What `decide` closures work with.
pub struct Unit<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) at: DateTime<Utc>,
    pub(super) held: &'a mut Vec<Held>,
    /// How many events were decided so far.
    pub(super) decided: usize,
    pub(super) forgotten: Vec<String>,
}

impl Unit<'_> {
    pub fn tenant(&self) -> &TenantId {
        self.tenant
    }

    /// The command's time.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Whether the command has asked for that stream.
    pub fn holds<A: Decider>(&self, id: &str) -> bool {
        self.place::<A>(id).is_some()
    }

    /// They are held in the order in which they were locked: by their keys.
    fn place<A: Decider>(&self, id: &str) -> Option<usize> {
        let wanted = (A::HOT, A::TYPE, id);
        let found = self
            .held
            .binary_search_by(|held| (held.key.hot, held.key.aggregate_type, held.key.id.as_str()).cmp(&wanted));
        found.ok()
    }

    /// The state of a stream that the command has asked for.
    ///
    /// # Panics
    /// When the stream was not asked for: a fault of the use case, not of the data.
    #[track_caller]
    pub fn state<A: Decider>(&self, id: &str) -> &A {
        let held = self.place::<A>(id).map(|place| &self.held[place]);
        held.and_then(|held| held.guard.loaded.as_ref())
            .and_then(|loaded| loaded.state.downcast_ref())
            .unwrap_or_else(|| panic!("the use case did not ask for {} {id}", A::TYPE))
    }

    /// How many events a stream that the command has asked for has by now, those decided here among them.
    pub fn version<A: Decider>(&self, id: &str) -> i64 {
        let held = self.place::<A>(id).map(|place| &self.held[place]);
        held.map_or(0, |held| {
            held.expected + i64::try_from(held.events.len()).unwrap_or(i64::MAX)
        })
    }

    /// Sends a command to an aggregate: its events are collected, its state moves on.
    #[track_caller]
    pub fn send<A: Decider>(&mut self, id: &str, command: &A::Command) -> Result<Vec<A::Event>, CommandError> {
        let events = self
            .state::<A>(id)
            .decide(command)
            .map_err(|refused| CommandError::Refused(refused.into()))?;
        self.record::<A>(id, &events)?;
        Ok(events)
    }

    /// Adds events that were decided elsewhere on the stream's version `expected`.
    pub(super) fn append<A: Decider>(
        &mut self,
        id: &str,
        expected: i64,
        events: &[A::Event],
    ) -> Result<(), CommandError> {
        let held = self.place::<A>(id).map(|place| &self.held[place]);
        if held.is_none_or(|held| held.expected != expected) {
            return Err(CommandError::Conflict);
        }
        self.record::<A>(id, events)
    }

    fn record<A: Decider>(&mut self, id: &str, events: &[A::Event]) -> Result<(), CommandError> {
        let held = self.place::<A>(id).map(|place| &mut self.held[place]);
        let Some((news, state)) = held.and_then(|held| {
            let Held { guard, events, .. } = held;
            let loaded = guard.loaded.as_mut()?;
            Some((events, loaded.state.downcast_mut::<A>()?))
        }) else {
            return Err(CommandError::Corrupt(
                format!("the use case did not ask for {} {id}", A::TYPE).into(),
            ));
        };
        for event in events {
            let payload = serde_json::to_string(event).map_err(|error| CommandError::Corrupt(Box::new(error)))?;
            state.apply(event);
            self.forgotten.extend(event.forgets());
            news.push(New {
                order: self.decided,
                name: event.name(),
                version: Recordable::version(event),
                subject: event.subject(),
                payload,
                event: event.clone().into(),
            });
            self.decided += 1;
        }
        Ok(())
    }
}

/// A stream of which nothing is in the log.
pub(super) fn empty(kind: &AggregateKind) -> Loaded {
    Loaded {
        state: (kind.empty)(),
        version: 0,
        hash: GENESIS,
        last_at: i64::MIN,
        epoch: 0,
    }
}
