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
use serde_json::Value;

use crate::{
    app::{App, customers::CREATED},
    http::chip::{
        auth::{Call, Id},
        convert::client::{self, Details},
        error::{Errors, Failure, answer},
        page, wire,
    },
};

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

pub async fn list(State(app): State<Arc<App>>, RawQuery(query): RawQuery, call: Call) -> Result<Response, Failure> {
    let page = page::wanted(query.as_deref())?;
    let clients = app.customers(&call.principal.tenant, &page).await?;
    Ok(page::show(
        &call,
        &page,
        &[],
        clients,
        |client| client.position,
        client::client,
    ))
}
