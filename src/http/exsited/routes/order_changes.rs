//! Changes of orders: lines and periods, a new beginning; previews of them; and the invoices of an order.

use std::sync::Arc;

use aggregates::{
    id::{InvoiceId, LineId},
    subscription::LineChange,
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use projections::{
    order::OrderView,
    page::{Order, Page},
};
use serde_json::{Value, json};

use super::{
    super::{
        Api, Generation,
        auth::{Call, Caller, Id},
        change,
        error::ApiError,
        invoice,
        list::Part,
    },
    orders::{find, whole},
};
use crate::{app::App, journal::Request};

pub(in super::super) async fn change(
    State(app): State<Arc<App>>,
    Id(number): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let wanted = change::order_change(&call.body, |n| LineId(call.request.derive(&format!("line/{n}"))))?;
    let placed = app.change_order(&call.request, &number, &wanted).await;
    let placed = placed.map_err(|error| change::refused(error, &call.body, &wanted))?;
    Ok(Json(whole(&app, &call.request, call.api, &placed).await?))
}

/// The order as it is, and beside it what the change would cost. Writes nothing.
pub(in super::super) async fn preview(
    State(app): State<Arc<App>>,
    Id(number): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let request = &call.request;
    let wanted = change::order_change(&call.body, |n| LineId(request.derive(&format!("line/{n}"))))?;
    let mut order = with_all_lines(&app, request, find(&app, request, &number).await?).await?;
    let preview = app
        .preview_order_change(&request.tenant, order.id, &wanted, request.at)
        .await
        .map_err(|error| change::refused(error, &call.body, &wanted))?;
    for change in &wanted.lines {
        if let LineChange::Add { line, .. } = change {
            order.details.lines.push(line.clone());
        }
    }
    let mut body = invoice::preview(&preview, &order, call.api);
    body["id"] = number.into();
    if call.api.generation == Generation::V4 {
        body["object"] = "order".into();
    }
    Ok(Json(json!({"order": body})))
}

pub(in super::super) async fn activate(
    State(app): State<Arc<App>>,
    Id(number): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    start(&app, &number, &call, false).await
}

pub(in super::super) async fn reactivate(
    State(app): State<Arc<App>>,
    Id(number): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    start(&app, &number, &call, true).await
}

async fn start(app: &App, number: &str, call: &Call, again: bool) -> Result<Json<Value>, ApiError> {
    let effective = change::effective_date(&call.body)?;
    let placed = app.start_order(&call.request, number, effective, again).await?;
    Ok(Json(whole(app, &call.request, call.api, &placed).await?))
}

/// Issues what is due and pending. UNCONFIRMED: the vendor's answer where there is nothing; here it is a conflict.
pub(in super::super) async fn issue(
    State(app): State<Arc<App>>,
    Id(number): Id,
    call: Call,
) -> Result<Response, ApiError> {
    let made = app.invoice_order(&call.request, &number).await?;
    let order = find(&app, &call.request, &number).await?;
    let order = with_all_lines(&app, &call.request, order).await?;
    let invoices = shown(&app, &call.request, call.api, &order, &made).await?;
    // UNCONFIRMED: where one call makes several invoices, the last stands for them.
    let body = json!({"invoice": invoices.last(), "invoices": invoices});
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// The latest first.
pub(in super::super) async fn invoices(
    State(app): State<Arc<App>>,
    Id(number): Id,
    uri: Uri,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let order = find(&app, &caller.request, &number).await?;
    let order = with_all_lines(&app, &caller.request, order).await?;
    let tenant = &caller.request.tenant;
    let part = Part::of(&uri, caller.api.generation)?;
    let page = Page {
        limit: part.asked() as usize,
        after: part.after,
        order: Order::NewestFirst,
    };
    let records = match caller.api.generation {
        Generation::Legacy => app.invoice_count_of_order(tenant, order.id).await?,
        Generation::V4 => 0,
    };
    let mut views = app.invoices_of_order(tenant, order.id, &page, part.skip()).await?;
    let more = views.len() > part.limit as usize;
    views.truncate(part.limit as usize);
    let ids: Vec<InvoiceId> = views.iter().map(|view| view.id).collect();
    let rows = shown(&app, &caller.request, caller.api, &order, &ids).await?;
    let last = views.last().map(|last| last.position);
    Ok(Json(part.answer("invoices", &rows, records, more, last)))
}

/// The order with all lines that it ever had: what was charged for one that is gone names its item still.
async fn with_all_lines(app: &App, request: &Request, mut order: OrderView) -> Result<OrderView, ApiError> {
    order.details.lines = app.order_lines_ever(&request.tenant, order.id).await?;
    Ok(order)
}

async fn shown(
    app: &App,
    request: &Request,
    api: Api,
    order: &OrderView,
    ids: &[InvoiceId],
) -> Result<Vec<Value>, ApiError> {
    let mut invoices = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some((view, lines)) = app.explained_invoice(&request.tenant, *id).await? {
            invoices.push(invoice::invoice(&view, &lines, order, api));
        }
    }
    Ok(invoices)
}
