//! `/v1/c/usage`: what customers have used.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use serde_json::Value;

use super::{
    super::{
        error::{Error, Result, usage_topic},
        extract::{self, Envelope},
        usage::{UsageEvent, sent, unmatched},
    },
    empty,
};
use crate::{
    app::{
        App,
        usage::{MAX_RECORDS, Sent, Taken, each},
    },
    journal,
};

/// One event.
pub async fn record(State(app): State<Arc<App>>, Envelope { request, body }: Envelope) -> Result<Response> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::bad("body", "a JSON object is needed"));
    }
    let event: UsageEvent<'_> = extract::bulk(&body)?;
    let record = sent(0, &event, request.at)?;
    match take(&app, &request, &[record]).await?.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(empty()),
    }
}

/// Many events: only those that are faulty come back.
// UNCONFIRMED: that the status is 200 whatever came back.
pub async fn bulk(State(app): State<Arc<App>>, Envelope { request, body }: Envelope) -> Result<Json<Vec<Value>>> {
    let events: Vec<UsageEvent<'_>> = extract::bulk(&body)?;
    if events.len() > MAX_RECORDS {
        return Err(Error::bad("body", format!("at most {MAX_RECORDS} events in one call")));
    }
    let (records, mut faults) = each(&events, |index, event| sent(index, event, request.at));
    faults.extend(take(&app, &request, &records).await?);
    faults.sort_unstable_by_key(|(index, _)| *index);
    let faults = faults.into_iter().map(|(index, error)| error.of_entry(index));
    Ok(Json(faults.collect()))
}

/// What was wrong with which.
async fn take(app: &App, request: &journal::Request, records: &[Sent]) -> Result<Vec<(usize, Error)>> {
    let Taken {
        unmatched: strange,
        refused,
        ..
    } = app.record_usage(request, records).await?;
    let strange = strange
        .into_iter()
        .filter_map(|(index, why)| Some((index, unmatched(why)?)));
    let refused = refused
        .into_iter()
        .map(|(index, refused)| (index, Error::bad(usage_topic(refused), refused)));
    Ok(strange.chain(refused).collect())
}
