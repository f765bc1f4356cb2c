//! `GET /purchases/{id}/`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    app::App,
    http::chip::{
        auth::{Call, Id},
        convert,
        error::{Failure, answer},
    },
};

pub async fn read(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    let tenant = &call.principal.tenant;
    let purchase = app.purchase(tenant, id).await?.ok_or(Failure::NotFound)?;
    let client = app.purchase_client(tenant, id).await?;
    let merchant = app.merchant(tenant).await?;
    Ok(answer(
        StatusCode::OK,
        &convert::purchase::purchase(&purchase, &client, &merchant, &call.origin),
    ))
}
