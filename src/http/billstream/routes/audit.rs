//! `/billstream/v1/events` and `/billstream/v1/streams`: the log, as auditors read it.

use std::sync::Arc;

use aggregates::event::state_after;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};

use super::super::{
    convert,
    error::{Error, Result},
    extract::{Caller, PathStream, Search},
    wire::{Events, EventsQuery, StateAt, Stream, StreamQuery},
};
use crate::{app::App, journal::CommandError};

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;

/// The tenant's events in the order in which they took effect; `next_after` is where the next page starts.
pub async fn events(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    Search(query): Search<EventsQuery>,
) -> Result<Json<Events>> {
    let after = convert::number("after", query.after.as_deref(), 0)?.unwrap_or(0);
    let limit = convert::number("limit", query.limit.as_deref(), 1)?.unwrap_or(DEFAULT_LIMIT);
    let limit = usize::try_from(limit.min(MAX_LIMIT)).unwrap_or(1);
    let feed = app.events(&principal.tenant, after, limit).await?;
    Ok(Json(Events {
        events: feed.recordings.into_iter().map(convert::event).collect::<Result<_>>()?,
        next_after: feed.next_after,
        head: feed.head,
    }))
}

/// The history of one stream; with `at`, the state it had then.
pub async fn stream(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    PathStream(aggregate_type, id): PathStream,
    Search(query): Search<StreamQuery>,
) -> Result<Response> {
    let unknown = || Error::not_found("stream");
    let at = query.at.map(|at| convert::instant("at", &at)).transpose()?;
    if id.contains('\0') || aggregate_type.contains('\0') {
        return Err(unknown());
    }
    let mut history = app.history(&principal.tenant, &aggregate_type, &id).await?;
    if let Some(at) = at {
        history.retain(|recording| recording.stored.recorded_at <= at.timestamp_micros());
    }
    let version = history.last().ok_or_else(unknown)?.stored.sequence;
    let Some(at) = at else {
        return Ok(Json(Stream {
            r#type: aggregate_type,
            id,
            events: history.into_iter().map(convert::event).collect::<Result<_>>()?,
        })
        .into_response());
    };
    let state = state_after(&aggregate_type, history.iter().flat_map(|recording| &recording.events))
        .ok_or_else(unknown)?
        .map_err(|error| CommandError::Corrupt(Box::new(error)))?;
    Ok(Json(StateAt {
        r#type: aggregate_type,
        id,
        at: convert::print_time(at),
        version,
        state,
    })
    .into_response())
}
