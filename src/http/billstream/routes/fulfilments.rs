//! `/billstream/v1/fulfilments`: what is to be delivered for billed periods of orders.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::super::{
    convert,
    error::Result,
    extract::{Caller, Envelope, PathText, Search},
    fulfilments::{self, Fulfilment, Fulfilments},
    payments::ListQuery,
};
use crate::app::App;

/// In the order in which their periods were billed; `next_after` is where the next page starts.
pub async fn list(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    Search(query): Search<ListQuery>,
) -> Result<Json<Fulfilments>> {
    let status = convert::word("status", query.status.as_deref())?;
    let (after, limit) = convert::page(query.after.as_deref(), query.limit.as_deref())?;
    let found = app.fulfilments(&principal.tenant, status, after, limit).await?;
    Ok(Json(Fulfilments {
        next_after: found.last().map_or(after, |last| last.position),
        fulfilments: found.into_iter().map(fulfilments::fulfilment).collect(),
    }))
}

/// Says that it is done; no body is needed.
pub async fn complete(
    State(app): State<Arc<App>>,
    PathText(id): PathText,
    Envelope { request, .. }: Envelope,
) -> Result<Json<Fulfilment>> {
    let done = app
        .complete_fulfilment(&request, fulfilments::fulfilment_id(&id)?)
        .await?;
    Ok(Json(fulfilments::fulfilment(done)))
}
