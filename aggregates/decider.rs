//! The one shape every aggregate has, and its ten-line bridge to `cqrs_es::Aggregate`.

use cqrs_es::DomainEvent;
use serde::{Serialize, de::DeserializeOwned};

/// A pure aggregate: `decide` says what a command leads to, `apply` folds what happened.
pub trait Decider: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable name of the aggregate in the log.
    const TYPE: &'static str;
    /// Version of the serialised state: a snapshot of another version is not read.
    const STATE_VERSION: u32 = 1;
    /// After how many events a snapshot of the state is kept; 0 for aggregates whose streams stay short or whose state
    /// holds personal data.
    const SNAPSHOT_EVERY: i64 = 0;
    /// Shared by many commands: locked last.
    const HOT: bool = false;
    type Command: Send + Sync;
    type Event: Recordable;
    type Refused: std::error::Error + Into<crate::Refused> + Send + Sync + 'static;

    fn decide(&self, command: &Self::Command) -> Result<Vec<Self::Event>, Self::Refused>;
    fn apply(&mut self, event: &Self::Event);
}

/// What the log must know about an event besides its payload.
pub trait Recordable: DomainEvent + Into<crate::AnyEvent> + 'static {
    /// Stable written name, `aggregate.past_tense`.
    fn name(&self) -> &'static str;
    /// Version of the stored form.
    fn version(&self) -> u32 {
        1
    }
    /// Whose personal data the payload's `personal` field holds; the journal seals that field with the subject's key.
    fn subject(&self) -> Option<String> {
        None
    }
    /// Who is forgotten by this event: the journal destroys the subject's key in the same append.
    fn forgets(&self) -> Option<String> {
        None
    }
}

/// Implements `cqrs_es::Aggregate` and `DomainEvent` for a [`Decider`] (the orphan rule forbids a blanket one).
#[macro_export]
macro_rules! cqrs_aggregate {
    ($state:ty, $event:ty) => {
        impl ::cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                $crate::Recordable::name(self).to_owned()
            }
            fn event_version(&self) -> String {
                $crate::Recordable::version(self).to_string()
            }
        }
        impl ::cqrs_es::Aggregate for $state {
            const TYPE: &'static str = <$state as $crate::Decider>::TYPE;
            type Command = <$state as $crate::Decider>::Command;
            type Event = $event;
            type Error = <$state as $crate::Decider>::Refused;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                _: &(),
                sink: &::cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in $crate::Decider::decide(self, &command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }
            fn apply(&mut self, event: Self::Event) {
                $crate::Decider::apply(self, &event);
            }
        }
    };
}
