//! `/orders/{id}/lines`: the lines of an order, and the billing preferences of single ones.

use std::sync::Arc;

use aggregates::id::LineId;
use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{
    super::{
        Generation,
        auth::{Call, Caller, Id, LinePath},
        error::ApiError,
        line, wire,
    },
    orders,
};
use crate::{
    app::{App, orders::LineUpdate},
    journal::Request,
};

/// UNCONFIRMED: how the fourth version wraps the list; as the order is wrapped.
pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    Id(number): Id,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let order = orders::whole_view(&app, &caller.request, &number).await?;
    let lines = wire::lines(&order, caller.api);
    Ok(Json(match caller.api.generation {
        Generation::Legacy => json!({"order": {"id": number, "lines": lines}}),
        Generation::V4 => json!({"order": {"object": "order", "id": number, "lines": lines}}),
    }))
}

/// One line: under `order.line` in the first versions, under `order_line` in the fourth.
pub(in super::super) async fn read(
    State(app): State<Arc<App>>,
    LinePath { order, line }: LinePath,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let found = find(&app, &caller, &order, &line).await?;
    Ok(Json(match caller.api.generation {
        Generation::Legacy => line::answer(&found),
        Generation::V4 => json!({"order_line": found}),
    }))
}

/// The vendor has no such read; the properties stand where a write has them.
pub(in super::super) async fn read_billing(
    State(app): State<Arc<App>>,
    LinePath { order, line }: LinePath,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let found = find(&app, &caller, &order, &line).await?;
    Ok(Json(line::answer(&json!({
        "charge_item_uuid": found["charge_item_uuid"],
        "item_properties": found["item_properties"],
    }))))
}

/// PATCH: what is not sent stays.
pub(in super::super) async fn merge(
    State(app): State<Arc<App>>,
    LinePath { order, line }: LinePath,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let update = LineUpdate::Merge(line::sent(&call.body)?);
    change(&app, &order, &line, &call, &update).await
}

/// PUT: what is not sent falls back to the order's. UNCONFIRMED: the vendor leaves open what becomes of it.
pub(in super::super) async fn replace(
    State(app): State<Arc<App>>,
    LinePath { order, line }: LinePath,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let update = LineUpdate::Replace(line::sent(&call.body)?.named);
    change(&app, &order, &line, &call, &update).await
}

/// UNCONFIRMED: what the first versions answer; the line with everything it has. The fourth answers the whole order.
async fn change(
    app: &App,
    number: &str,
    line: &str,
    call: &Call,
    update: &LineUpdate,
) -> Result<Json<Value>, ApiError> {
    let id = line_id(line)?;
    let placed = app.update_line_billing(&call.request, number, id, update).await;
    let placed = placed.map_err(|error| ApiError::from(error).renamed("effective_date", "fixed_start_date"))?;
    let whole = orders::whole(app, &call.request, call.api, &placed).await?;
    Ok(Json(match call.api.generation {
        Generation::Legacy => line::answer(&of_order(&whole, id)?),
        Generation::V4 => whole,
    }))
}

async fn find(app: &App, caller: &Caller, number: &str, line: &str) -> Result<Value, ApiError> {
    let id = line_id(line)?;
    let request: &Request = &caller.request;
    let order = orders::whole_view(app, request, number).await?;
    let place = order.details.lines.iter().position(|line| line.id == id);
    let found = place.and_then(|place| wire::lines(&order, caller.api).into_iter().nth(place));
    found.ok_or_else(|| ApiError::unknown("line"))
}

fn line_id(text: &str) -> Result<LineId, ApiError> {
    text.parse().map_err(|_| ApiError::unknown("line"))
}

/// The line among those of an order as it is shown.
fn of_order(whole: &Value, id: LineId) -> Result<Value, ApiError> {
    let id = id.to_string();
    let mut lines = whole["order"]["lines"].as_array().into_iter().flatten();
    let found = lines.find(|line| line["charge_item_uuid"] == id.as_str());
    found.cloned().ok_or_else(|| ApiError::unknown("line"))
}
