//! Purchases: read, cancelled, marked as paid.

use std::sync::Arc;

use aggregates::id::PurchaseId;
use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::Value;

use crate::{
    app::App,
    http::chip::{
        auth::{Call, Id},
        convert,
        error::{Failure, answer},
        wire,
    },
};

pub async fn read(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    show(&app, &call, parse(&id)?).await
}

pub async fn cancel(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    let id = parse(&id)?;
    app.cancel_purchase(&call.request, id).await?;
    show(&app, &call, id).await
}

pub async fn mark_as_paid(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    let id = parse(&id)?;
    // What is not there is not there, whatever the body says.
    let known = app.purchase(&call.principal.tenant, id).await?;
    known.ok_or(Failure::NotFound)?;
    let paid_on = convert::purchase::paid_on(&wire::parse(&call.body)?)?;
    app.mark_purchase_as_paid(&call.request, id, paid_on).await?;
    show(&app, &call, id).await
}

fn parse(id: &str) -> Result<PurchaseId, Failure> {
    id.parse().map_err(|_| Failure::NotFound)
}

pub(super) async fn show(app: &App, call: &Call, id: PurchaseId) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &shown(app, call, id).await?))
}

pub(super) async fn shown(app: &App, call: &Call, id: PurchaseId) -> Result<Value, Failure> {
    let tenant = &call.principal.tenant;
    let purchase = app.purchase(tenant, id).await?.ok_or(Failure::NotFound)?;
    let client = app.purchase_client(tenant, id).await?;
    let merchant = app.merchant(tenant).await?;
    Ok(convert::purchase::purchase(&purchase, &client, &merchant, &call.origin))
}
