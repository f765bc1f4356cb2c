//! `/billstream/v1/usage`: what customers have used, in bulk.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::super::{
    convert,
    error::{Error, Result},
    extract::{self, Caller, Command, Envelope, PathText, Search},
    usage::{Answer, CloseInput, Closed, Input, Strange, UnmatchedPage, UnmatchedQuery, kept, sent},
};
use crate::{
    app::{
        App,
        usage::{MAX_RECORDS, each},
    },
    journal::CommandError,
};

const DEFAULT_LIMIT: i64 = 10;
const MAX_LIMIT: i64 = 100;

/// Takes the records that are good, and says of each other one what is wrong with it.
pub async fn record(State(app): State<Arc<App>>, Envelope { request, body }: Envelope) -> Result<Json<Answer>> {
    let input: Input<'_> = extract::bulk(&body)?;
    let entries = input.records.ok_or_else(|| Error::missing("records"))?;
    if entries.len() > MAX_RECORDS {
        return Err(Error::invalid("records", format!("at most {MAX_RECORDS} in one call")));
    }
    let (records, faults) = each(&entries, |index, entry| sent(index, entry, request.at));
    let taken = app.record_usage(&request, &records).await?;
    let refused = taken.refused.into_iter();
    let refused = refused.map(|(index, refused)| (index, Error::from(CommandError::from(refused))));
    let faults = faults.into_iter().chain(refused);
    let mut errors: Vec<_> = faults.map(|(index, error)| error.of_entry(index)).collect();
    errors.sort_unstable_by_key(|error| error.index);
    let unmatched = taken.unmatched.into_iter();
    Ok(Json(Answer {
        recorded: taken.recorded,
        duplicates: taken.duplicates,
        unmatched: unmatched.map(|(index, why)| Strange { index, why }).collect(),
        errors,
    }))
}

/// Closes the usage of days before `through`, where it is closed by hand.
pub async fn close(
    State(app): State<Arc<App>>,
    PathText(contract): PathText,
    Command { request, body }: Command<CloseInput>,
) -> Result<Json<Closed>> {
    let contract = convert::contract_id(&contract)?;
    let through = body.through.ok_or_else(|| Error::missing("through"))?;
    let day = convert::date("through", &through)?;
    let closed = app.close_usage(&request, contract, day).await;
    closed.map_err(|error| Error::from(error).renamed("on", "through"))?;
    Ok(Json(Closed {
        closed_through: day.to_string(),
    }))
}

/// Usage that nothing meters, oldest first; `limit` counts calls, `next_after` is where the next page starts.
pub async fn unmatched(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    Search(query): Search<UnmatchedQuery>,
) -> Result<Json<UnmatchedPage>> {
    let after = convert::number("after", query.after.as_deref(), 0)?.unwrap_or(0);
    let limit = convert::number("limit", query.limit.as_deref(), 1)?.unwrap_or(DEFAULT_LIMIT);
    let limit = usize::try_from(limit.min(MAX_LIMIT)).unwrap_or(1);
    let found = app.unmatched_usage(&principal.tenant, after, limit).await?;
    Ok(Json(UnmatchedPage {
        next_after: found.last().map_or(after, |last| last.position),
        records: found.into_iter().flat_map(kept).collect(),
    }))
}
