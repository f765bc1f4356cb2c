//! The journal as a cqrs-es `EventStore`, for programs that bring an unmodified `CqrsFramework`.

use std::{collections::HashMap, marker::PhantomData, sync::Arc};

use aggregates::{Decider, id::TenantId};
use cqrs_es::{Aggregate, AggregateContext, AggregateError, EventEnvelope, EventStore};

use super::{CommandError, Journal, Request, Streams, reader::ReadLogError, unit::TryFromAny};
use crate::clock::Clock;

/// One tenant's part of the log.
pub struct TenantStore<A> {
    journal: Journal,
    tenant: TenantId,
    clock: Arc<dyn Clock>,
    aggregate: PhantomData<fn() -> A>,
}

impl<A> TenantStore<A> {
    pub fn new(journal: Journal, tenant: TenantId, clock: Arc<dyn Clock>) -> Self {
        Self {
            journal,
            tenant,
            clock,
            aggregate: PhantomData,
        }
    }
}

/// An aggregate as of a version; the version is checked when its events are committed.
pub struct Context<A> {
    id: String,
    version: i64,
    aggregate: A,
}

impl<A: Aggregate> AggregateContext<A> for Context<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.aggregate
    }
}

impl<A> EventStore<A> for TenantStore<A>
where
    A: Decider + Aggregate<Event = <A as Decider>::Event>,
    <A as Decider>::Event: TryFromAny,
    <A as Aggregate>::Error: Send + Sync,
{
    type AC = Context<A>;

    async fn load_events(&self, id: &str) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let history = self
            .journal
            .stream_after(&self.tenant, <A as Decider>::TYPE, id, 0)
            .await
            .map_err(read)?;
        let mut envelopes = Vec::with_capacity(history.len());
        for recording in history {
            let metadata: HashMap<String, String> = serde_json::from_str(&recording.stored.metadata)
                .map_err(|error| AggregateError::DeserializationError(Box::new(error)))?;
            for event in &recording.events {
                if let Some(event) = <A as Decider>::Event::try_from_any(event) {
                    envelopes.push(EventEnvelope {
                        aggregate_id: id.to_owned(),
                        sequence: usize::try_from(recording.stored.sequence).unwrap_or(usize::MAX),
                        payload: event.clone(),
                        metadata: metadata.clone(),
                    });
                }
            }
        }
        Ok(envelopes)
    }

    async fn load_aggregate(&self, id: &str) -> Result<Context<A>, AggregateError<A::Error>> {
        let history = self
            .journal
            .stream_after(&self.tenant, <A as Decider>::TYPE, id, 0)
            .await
            .map_err(read)?;
        let mut aggregate = A::default();
        for event in history.iter().flat_map(|recording| &recording.events) {
            if let Some(event) = <A as Decider>::Event::try_from_any(event) {
                Decider::apply(&mut aggregate, event);
            }
        }
        let version = history.last().map_or(0, |last| last.stored.sequence);
        Ok(Context {
            id: id.to_owned(),
            version,
            aggregate,
        })
    }

    async fn commit(
        &self,
        events: Vec<<A as Decider>::Event>,
        context: Context<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let Context { id, version, .. } = context;
        let actor = metadata.get("actor").cloned().unwrap_or_else(|| "cqrs-es".to_owned());
        let mut request = Request::new(self.tenant.clone(), actor, "cqrs-es", self.clock.now());
        if let Some(request_id) = metadata.get("request_id") {
            request.request_id.clone_from(request_id);
        }
        self.journal
            .execute(&request, Streams::new().with::<A>(&id), |unit| {
                unit.append::<A>(&id, version, &events)
            })
            .await
            .map_err(|error| match error {
                CommandError::Conflict => AggregateError::AggregateConflict,
                CommandError::Corrupt(error) => AggregateError::DeserializationError(error),
                CommandError::Unavailable(error) => AggregateError::DatabaseConnectionError(error),
                error @ (CommandError::Refused(_) | CommandError::KeyReused) => {
                    AggregateError::UnexpectedError(Box::new(error))
                }
            })?;
        let envelope = |(sequence, payload)| EventEnvelope {
            aggregate_id: id.clone(),
            sequence,
            payload,
            metadata: metadata.clone(),
        };
        let first = usize::try_from(version).unwrap_or(usize::MAX);
        Ok((first.saturating_add(1)..).zip(events).map(envelope).collect())
    }
}

fn read<E: std::error::Error>(error: ReadLogError) -> AggregateError<E> {
    match error {
        ReadLogError::Store(error) => AggregateError::DatabaseConnectionError(Box::new(error)),
        error => AggregateError::DeserializationError(Box::new(error)),
    }
}
