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
    app::App,
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
    show(&app, &call.principal.tenant, id, StatusCode::CREATED).await
}

pub async fn read(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    show(&app, &call.principal.tenant, id, StatusCode::OK).await
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
    app.update_customer(&call.request, id, |_, contact| details.apply(contact))
        .await?;
    show(app, tenant, id, StatusCode::OK).await
}

async fn known(app: &App, tenant: &TenantId, id: CustomerId) -> Result<Value, Failure> {
    let customer = app.customer(tenant, id).await?;
    let customer = customer.filter(|customer| !customer.forgotten);
    customer.as_ref().map(client::client).ok_or(Failure::NotFound)
}

async fn show(app: &App, tenant: &TenantId, id: CustomerId, status: StatusCode) -> Result<Response, Failure> {
    Ok(answer(status, &known(app, tenant, id).await?))
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
