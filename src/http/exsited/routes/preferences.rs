//! `/orders/{id}/billing-preferences`: how one order is invoiced, paid and fulfilled.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::Value;

use super::{
    super::{
        Generation,
        auth::{Call, Caller, Id},
        convert,
        error::ApiError,
        wire,
    },
    orders,
};
use crate::app::{App, orders::BillingUpdate};

pub(in super::super) async fn read(
    State(app): State<Arc<App>>,
    Id(number): Id,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let order = orders::find(&app, &caller.request, &number).await?;
    let generation = caller.api.generation;
    Ok(Json(wire::order_billing(&number, &order.billing, generation)))
}

/// PATCH: what is not sent stays.
pub(in super::super) async fn merge(
    State(app): State<Arc<App>>,
    Id(number): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let changes = convert::order_billing(&call.body, call.api.generation)?;
    update(&app, &number, &call, &BillingUpdate::Merge(changes)).await
}

/// PUT: what is not sent falls back to the account's. UNCONFIRMED: the vendor does not say what becomes of it.
pub(in super::super) async fn replace(
    State(app): State<Arc<App>>,
    Id(number): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let changes = convert::order_billing(&call.body, call.api.generation)?;
    update(&app, &number, &call, &BillingUpdate::Replace(changes)).await
}

async fn update(app: &App, number: &str, call: &Call, update: &BillingUpdate) -> Result<Json<Value>, ApiError> {
    let placed = app.update_order_billing(&call.request, number, update).await?;
    Ok(Json(match call.api.generation {
        Generation::Legacy => wire::order_billing(number, &placed.billing, Generation::Legacy),
        Generation::V4 => orders::whole(app, &call.request, call.api, &placed).await?,
    }))
}
