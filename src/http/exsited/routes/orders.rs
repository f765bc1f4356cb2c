//! Orders: placed, read, listed, cancelled.

use std::sync::Arc;

use aggregates::{
    calendar::{Tz, time_zone},
    id::{CustomerId, LineId},
    subscription::order_total,
};
use axum::{
    Json,
    extract::{Query, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use projections::order::{OrderView, Window};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        Api, Generation,
        auth::{Call, Caller, Id},
        change, convert,
        error::ApiError,
        wire,
    },
    accounts,
};
use crate::{
    app::{
        App,
        orders::{NewOrder, Placed},
    },
    journal::Request,
};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

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
    order_total(&order.lines, currency).map_err(|(line, error)| {
        let message = format!("lines[{line}]: with this line the order's total cannot be written: {error}");
        ApiError::field(&format!("lines[{line}]"), "invalid", message)
    })?;
    let new = NewOrder {
        customer: account.id,
        account: account.code,
        number: order.number,
        name: order.name,
        currency,
        start: order.start.unwrap_or(call.request.at.date_naive()),
        price_tax_inclusive: order.price_tax_inclusive,
        lines: order.lines,
        billing: order.billing,
    };
    let placed = app.create_order(&call.request, &new).await?;
    let body = whole(&app, &call.request, call.api, &placed).await?;
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

pub(in super::super) async fn read(
    State(app): State<Arc<App>>,
    Id(number): Id,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let order = with_lines(&app, &caller.request, find(&app, &caller.request, &number).await?).await?;
    let order = shown(&app, &caller.request, caller.api, &order).await?;
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
    let order = with_lines(app, request, order).await?;
    Ok(json!({"order": shown(app, request, api, &order).await?}))
}

pub(super) async fn find(app: &App, request: &Request, number: &str) -> Result<OrderView, ApiError> {
    let order = app.order(&request.tenant, number).await?;
    order.ok_or_else(|| ApiError::unknown("order"))
}

/// The order with its lines as they are billed now.
async fn with_lines(app: &App, request: &Request, mut order: OrderView) -> Result<OrderView, ApiError> {
    order.details.lines = app.order_lines(&request.tenant, order.id, request.at).await?;
    Ok(order)
}

async fn shown(app: &App, request: &Request, api: Api, order: &OrderView) -> Result<Value, ApiError> {
    let account = app.customer(&request.tenant, order.customer).await?;
    let zone = account
        .as_ref()
        .and_then(|account| account.profile.time_zone.as_deref());
    let zone = zone.and_then(time_zone).unwrap_or(Tz::UTC);
    let name = account.and_then(|account| account.contact.name);
    Ok(wire::order(order, name.as_deref(), zone, api))
}

/// `limit` and `offset` of the first three versions, `limit` and `cursor` of the fourth.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// A number of a list's query. Clients of the first generation send the words None and NULL for what they do not mean.
fn count(name: &str, sent: Option<&str>) -> Result<Option<u32>, ApiError> {
    match sent {
        None | Some("" | "None" | "NULL") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| ApiError::field(name, "invalid", format!("{name}: \"{text}\" is no whole number"))),
    }
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
    let unreadable = |_| ApiError::new(StatusCode::BAD_REQUEST, "invalid", "the query cannot be read");
    let Query(wanted) = Query::<Wanted>::try_from_uri(uri).map_err(unreadable)?;
    let limit = count("limit", wanted.limit.as_deref())?
        .unwrap_or(DEFAULT_LIMIT)
        .clamp(1, MAX_LIMIT);
    let offset = count("offset", wanted.offset.as_deref())?.unwrap_or_default();
    let (tenant, path) = (&caller.request.tenant, uri.path());
    let mut window = Window {
        customer,
        limit,
        after: None,
        skip: 0,
    };
    let (orders, pagination) = match caller.api.generation {
        Generation::Legacy => {
            window.skip = offset;
            let records = app.order_count(tenant, customer).await?;
            let beyond = i64::from(offset) + i64::from(limit);
            let next = (beyond < records).then(|| format!("{path}?limit={limit}&offset={beyond}"));
            let before = (offset > 0).then(|| format!("{path}?limit={limit}&offset={}", offset.saturating_sub(limit)));
            let pagination = json!({
                "records": records,
                "limit": limit,
                "offset": offset,
                "previous_page": before.unwrap_or_default(),
                "next_page": next.unwrap_or_else(|| "NULL".to_owned()),
            });
            (app.orders(tenant, window).await?, pagination)
        }
        Generation::V4 => {
            window.after = match wanted.cursor {
                None => None,
                Some(cursor) => Some(
                    cursor
                        .parse()
                        .map_err(|_| ApiError::field("cursor", "invalid", "cursor: this is no cursor of this list"))?,
                ),
            };
            window.limit = limit + 1;
            let mut orders = app.orders(tenant, window).await?;
            let more = orders.len() > limit as usize;
            orders.truncate(limit as usize);
            let cursor = orders.last().filter(|_| more).map(|last| last.position.to_string());
            let next = cursor
                .as_ref()
                .map(|cursor| format!("{path}?limit={limit}&cursor={cursor}"));
            let pagination = json!({
                "limit": limit,
                "has_more": more,
                "next_cursor": cursor,
                "prev_cursor": null,
                "links": {"next": next, "prev": null},
            });
            (orders, pagination)
        }
    };
    let mut rows = Vec::with_capacity(orders.len());
    for order in &orders {
        let mut row = shown(app, &caller.request, caller.api, order).await?;
        if let Some(row) = row.as_object_mut() {
            row.remove("lines");
        }
        rows.push(row);
    }
    Ok(Json(match caller.api.generation {
        Generation::Legacy => json!({"orders": rows, "pagination": pagination}),
        Generation::V4 => json!({"object": "list", "url": path, "data": rows, "pagination": pagination}),
    }))
}
