//! `/billstream/v1/messages`: what is to be told to customers, and what became of it.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::super::{
    convert,
    error::{Error, Result},
    extract::{Caller, Command, Envelope, PathText, Search},
    messages::{self, Message, Messages},
    payments::{FailedInput, ListQuery},
};
use crate::app::{App, messages::Delivery};

/// In the order in which there was something to tell; `next_after` is where the next page starts.
pub async fn list(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    Search(query): Search<ListQuery>,
) -> Result<Json<Messages>> {
    let status = convert::word("status", query.status.as_deref())?;
    let (after, limit) = convert::page(query.after.as_deref(), query.limit.as_deref())?;
    let found = app.messages(&principal.tenant, status, after, limit).await?;
    Ok(Json(Messages {
        next_after: found.last().map_or(after, |last| last.position),
        messages: found.into_iter().map(messages::message).collect(),
    }))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<Json<Message>> {
    let found = app.message(&principal.tenant, messages::message_id(&id)?).await?;
    let found = found.ok_or_else(|| Error::not_found("message"))?;
    Ok(Json(messages::message(found)))
}

/// Says that it was delivered; no body is needed.
pub async fn sent(
    State(app): State<Arc<App>>,
    PathText(id): PathText,
    Envelope { request, .. }: Envelope,
) -> Result<Json<Message>> {
    let settled = app
        .settle_message(&request, messages::message_id(&id)?, &Delivery::Sent)
        .await?;
    Ok(Json(messages::message(settled)))
}

pub async fn failed(
    State(app): State<Arc<App>>,
    PathText(id): PathText,
    Command { request, body }: Command<FailedInput>,
) -> Result<Json<Message>> {
    let reason = body.reason.ok_or_else(|| Error::missing("reason"))?;
    let settled = app
        .settle_message(&request, messages::message_id(&id)?, &Delivery::Failed { reason })
        .await?;
    Ok(Json(messages::message(settled)))
}
