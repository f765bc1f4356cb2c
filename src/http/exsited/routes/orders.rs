//! Orders: placed, read, listed, cancelled.

use std::sync::Arc;

use aggregates::{
    billing::{TaxLevel, TaxMode, TaxPolicy},
    calendar::{Tz, local_date, time_zone},
    id::{CustomerId, LineId},
    subscription::order_totals,
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;
use projections::{
    customer::CustomerView,
    order::{OrderView, Window},
};
use serde_json::{Value, json};

use super::{
    super::{
        Api, Generation,
        auth::{Call, Caller, Id},
        change, convert,
        error::ApiError,
        list::Part,
        wire,
    },
    accounts,
};
use crate::{
    app::{
        App,
        orders::{NewOrder, Particulars, Placed},
    },
    journal::Request,
};

pub(in super::super) async fn create(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let order = convert::order(&call.body, |n| LineId(call.request.derive(&format!("line/{n}"))))?;
    // UNCONFIRMED: how the vendor answers an unknown account here.
    let unknown = || {
        ApiError::field(
            "account_id",
            "resource_not_found",
            "account_id: there is no such account",
        )
    };
    let account = accounts::find(&app, &call.request, &order.account)
        .await
        .map_err(|error| {
            if error.status == StatusCode::NOT_FOUND {
                unknown()
            } else {
                error
            }
        })?;
    let currency = order
        .currency
        .or(account.profile.currency)
        .unwrap_or(wire::DEFAULT_CURRENCY);
    let mode = if order.price_tax_inclusive {
        TaxMode::Inclusive
    } else {
        TaxMode::Exclusive
    };
    let level = TaxLevel::default();
    order_totals(&order.lines, currency, TaxPolicy { level, mode }).map_err(|(line, error)| {
        let message = format!("lines[{line}]: with this line the order's total cannot be written: {error}");
        ApiError::field(&format!("lines[{line}]"), "invalid", message)
    })?;
    let zone = zone_of(&account);
    let start = order.start.unwrap_or_else(|| local_date(call.request.at, zone));
    let early = |id: &LineId| {
        let own = order.line_billing.get(id).and_then(|own| own.fixed_start);
        own.is_some_and(|own| own < start)
    };
    if let Some(n) = order.lines.iter().position(|line| early(&line.id)) {
        let field = format!("lines[{n}].item_properties.fixed_start_date");
        let message = format!("{field}: the order starts on {start}");
        return Err(ApiError::field(&field, "invalid", message));
    }
    let new = NewOrder {
        customer: account.id,
        account: account.code,
        number: order.number,
        name: order.name,
        currency,
        start,
        price_tax_inclusive: order.price_tax_inclusive,
        lines: order.lines,
        billing: order.billing,
    };
    // What the order does not say of its start, the account does.
    let particulars = Particulars {
        lines: order.line_billing,
        start: order.billing_start.over(account.profile.billing_start)?,
    };
    let placed = app.create_order_with(&call.request, &new, &particulars).await;
    let placed = placed.map_err(|error| ApiError::from(error).renamed("effective_date", order.start_field))?;
    let body = whole(&app, &call.request, call.api, &placed).await?;
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

pub(in super::super) async fn read(
    State(app): State<Arc<App>>,
    Id(number): Id,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let order = find(&app, &caller.request, &number).await?;
    let order = shown(&app, &caller.request, caller.api, order).await?;
    Ok(Json(json!({"order": order})))
}

pub(in super::super) async fn cancel(
    State(app): State<Arc<App>>,
    Id(number): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let effective = change::effective_date(&call.body)?;
    let placed = app.cancel_order(&call.request, &number, effective).await?;
    let mut body = whole(&app, &call.request, call.api, &placed).await?;
    if call.api.generation == Generation::Legacy {
        body["event_uuid"] = call.request.derive("cancel").to_string().into();
    }
    Ok(Json(body))
}

/// The whole order, as the command left it.
pub(super) async fn whole(app: &App, request: &Request, api: Api, placed: &Placed) -> Result<Value, ApiError> {
    let mut order = find(app, request, &placed.number).await?;
    order.status = placed.status;
    order.billing = placed.billing.clone();
    Ok(json!({"order": shown(app, request, api, order).await?}))
}

pub(super) async fn find(app: &App, request: &Request, number: &str) -> Result<OrderView, ApiError> {
    let order = app.order(&request.tenant, number).await?;
    order.ok_or_else(|| ApiError::unknown("order"))
}

/// Gives the order its lines as they are billed now; answers with its first day that is not billed yet.
async fn put_lines(app: &App, request: &Request, order: &mut OrderView) -> Result<Option<NaiveDate>, ApiError> {
    let lines = app.order_lines(&request.tenant, order.id, request.at).await?;
    order.details.lines = lines.lines;
    order.details.line_billing = lines.billing;
    Ok(lines.bills_from)
}

/// The order with this number and its lines.
pub(super) async fn whole_view(app: &App, request: &Request, number: &str) -> Result<OrderView, ApiError> {
    let mut order = find(app, request, number).await?;
    put_lines(app, request, &mut order).await?;
    Ok(order)
}

/// The zone in whose days the account's orders are counted.
fn zone_of(account: &CustomerView) -> Tz {
    let named = account.profile.time_zone.as_deref().and_then(time_zone);
    named.unwrap_or(Tz::UTC)
}

/// The order with its lines as they are billed now.
async fn shown(app: &App, request: &Request, api: Api, mut order: OrderView) -> Result<Value, ApiError> {
    let bills_from = put_lines(app, request, &mut order).await?;
    let account = app.customer(&request.tenant, order.customer).await?;
    let zone = account.as_ref().map_or(Tz::UTC, zone_of);
    let name = account.and_then(|account| account.contact.name);
    Ok(wire::order(&order, bills_from, (name.as_deref(), zone), api))
}

pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    page(&app, &caller, &uri, None).await
}

pub(in super::super) async fn list_of_account(
    State(app): State<Arc<App>>,
    Id(code): Id,
    uri: Uri,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let account = accounts::find(&app, &caller.request, &code).await?;
    page(&app, &caller, &uri, Some(account.id)).await
}

async fn page(app: &App, caller: &Caller, uri: &Uri, customer: Option<CustomerId>) -> Result<Json<Value>, ApiError> {
    let tenant = &caller.request.tenant;
    let part = Part::of(uri, caller.api.generation)?;
    let window = Window {
        customer,
        limit: part.asked(),
        after: part.after,
        skip: part.skip(),
    };
    let records = match caller.api.generation {
        Generation::Legacy => app.order_count(tenant, customer).await?,
        Generation::V4 => 0,
    };
    let mut orders = app.orders(tenant, window).await?;
    let more = orders.len() > part.limit as usize;
    orders.truncate(part.limit as usize);
    let mut rows = Vec::with_capacity(orders.len());
    let last = orders.last().map(|last| last.position);
    for order in orders {
        let mut row = shown(app, &caller.request, caller.api, order).await?;
        if let Some(row) = row.as_object_mut() {
            row.remove("lines");
        }
        rows.push(row);
    }
    Ok(Json(part.answer("orders", &rows, records, more, last)))
}
