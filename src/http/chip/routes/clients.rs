//! Clients: create, read, list, change, forget.

use std::sync::Arc;

use aggregates::{
    customer::Profile,
    id::{CustomerId, TenantId},
};
use axum::{
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use projections::page::{Order, Page};
use serde_json::{Value, json};

use crate::{
    app::{App, customers::CREATED},
    http::chip::{
        auth::{Call, Id},
        convert::client::{self, Details},
        error::{Errors, Failure, answer},
        wire,
    },
};

/// UNCONFIRMED: how many the vendor shows at once.
const PAGE: usize = 100;

pub async fn create(State(app): State<Arc<App>>, call: Call) -> Result<Response, Failure> {
    let details = Details::whole(&wire::parse(&call.body)?)?;
    let id = app
        .create_customer(&call.request, None, Profile::default(), details.contact())
        .await?;
    show_as_of(&app, &call.principal.tenant, id, CREATED, StatusCode::CREATED).await
}

pub async fn read(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    let client = known(&app, &call.principal.tenant, id).await?;
    Ok(answer(StatusCode::OK, &client))
}

pub async fn replace(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    change(&app, &id, &call, Details::whole).await
}

pub async fn merge(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    change(&app, &id, &call, Details::partial).await
}

pub async fn forget(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    app.forget_customer(&call.request, id).await?;
    Ok((StatusCode::NO_CONTENT, [(header::CONTENT_TYPE, "application/json")]).into_response())
}

async fn change(
    app: &App,
    id: &str,
    call: &Call,
    read: fn(&wire::Json) -> Result<Details, Errors>,
) -> Result<Response, Failure> {
    let id: CustomerId = id.parse().map_err(|_| Failure::NotFound)?;
    let tenant = &call.principal.tenant;
    known(app, tenant, id).await?;
    let details = read(&wire::parse(&call.body)?)?;
    let version = app
        .update_customer(&call.request, id, |_, contact| details.apply(contact))
        .await?;
    show_as_of(app, tenant, id, version, StatusCode::OK).await
}

async fn known(app: &App, tenant: &TenantId, id: CustomerId) -> Result<Value, Failure> {
    let customer = app.customer(tenant, id).await?;
    let customer = customer.filter(|customer| !customer.forgotten);
    customer.as_ref().map(client::client).ok_or(Failure::NotFound)
}

/// The client as a write left it, also where it has been changed since: a write that is sent again gets its answer.
async fn show_as_of(
    app: &App,
    tenant: &TenantId,
    id: CustomerId,
    version: i64,
    status: StatusCode,
) -> Result<Response, Failure> {
    let customer = app.customer_as_of(tenant, id, version).await?;
    let client = customer.as_ref().map(client::client).ok_or(Failure::NotFound)?;
    Ok(answer(status, &client))
}

/// Newest first. A cursor is a direction and the position it starts from, both of which only this list reads.
pub async fn list(State(app): State<Arc<App>>, RawQuery(query): RawQuery, call: Call) -> Result<Response, Failure> {
    let mut parameters = query.as_deref().unwrap_or_default().split('&');
    let cursor = parameters.find_map(|parameter| parameter.strip_prefix("cursor="));
    let (order, after) = match cursor {
        None => (Order::NewestFirst, None),
        Some(text) => {
            let (order, after) = read_cursor(text).ok_or(Failure::NotFound)?;
            (order, Some(after))
        }
    };
    let page = Page {
        limit: PAGE + 1,
        after,
        order,
    };
    let mut clients = app.customers(&call.principal.tenant, &page).await?;
    let more = clients.len() > PAGE;
    clients.truncate(PAGE);
    let (goes_on, began_before) = match order {
        Order::NewestFirst => (more, after.is_some()),
        Order::OldestFirst => {
            clients.reverse();
            (true, more)
        }
    };
    let url = |sign: char, position: i64| format!("{}{}/?cursor={sign}{position}", call.origin, call.path);
    let next = clients.last().filter(|_| goes_on).map(|last| url('o', last.position));
    let previous = clients
        .first()
        .filter(|_| began_before)
        .map(|first| url('n', first.position));
    let results: Vec<Value> = clients.iter().map(client::client).collect();
    Ok(answer(
        StatusCode::OK,
        &json!({"results": results, "next": next, "previous": previous}),
    ))
}

fn read_cursor(text: &str) -> Option<(Order, i64)> {
    let order = match text.chars().next()? {
        'o' => Order::NewestFirst,
        'n' => Order::OldestFirst,
        _ => return None,
    };
    text.get(1..)?.parse().ok().map(|position| (order, position))
}
