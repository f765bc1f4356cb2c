//! Accounts, and the billing preferences that their new orders start with.

use std::sync::Arc;

use aggregates::customer::Profile;
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use projections::customer::CustomerView;
use serde_json::{Value, json};

use super::super::{
    Api, Generation,
    auth::{Call, Caller, Id},
    convert,
    error::ApiError,
    fields, wire,
};
use crate::{
    app::{
        App,
        customers::{CREATED, customer_with_code},
    },
    journal::Request,
};

pub(in super::super) async fn create(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let account = convert::account(&call.body)?;
    let id = app
        .create_customer(&call.request, account.code.as_deref(), account.profile, account.contact)
        .await?;
    let view = app.customer_as_of(&call.request.tenant, id, CREATED).await?;
    let view = view.ok_or_else(|| ApiError::unknown("account"))?;
    let body = Json(json!({"account": wire::account(&view, call.api)}));
    Ok((StatusCode::CREATED, body).into_response())
}

pub(in super::super) async fn read(
    State(app): State<Arc<App>>,
    Id(code): Id,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let view = find(&app, &caller.request, &code).await?;
    Ok(Json(json!({"account": wire::account(&view, caller.api)})))
}

pub(in super::super) async fn read_billing(
    State(app): State<Arc<App>>,
    Id(code): Id,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let view = find(&app, &caller.request, &code).await?;
    Ok(Json(answer(&view.code, &view.profile, caller.api)))
}

/// Replaces them all: what is not sent falls back to the instance's defaults. Orders that exist keep theirs.
pub(in super::super) async fn replace_billing(
    State(app): State<Arc<App>>,
    Id(code): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    // The first three versions wrap the preferences in the account, the fourth does not; both are understood.
    let wrapped = call.body.get("account").unwrap_or(&call.body);
    let (billing, start) = convert::account_billing(fields::object(wrapped, "billing_preferences")?)?;
    let mut view = find(&app, &call.request, &code).await?;
    let set = |profile: &mut Profile| {
        profile.billing = Some(Box::new(billing.clone()));
        profile.billing_start = start;
    };
    app.update_customer(&call.request, view.id, |profile, _| set(profile))
        .await?;
    set(&mut view.profile);
    Ok(Json(answer(&view.code, &view.profile, call.api)))
}

fn answer(code: &str, profile: &Profile, api: Api) -> Value {
    let billing = wire::account_billing(profile, api.generation);
    match api.generation {
        Generation::Legacy => json!({"account": {"id": code, "billing_preferences": billing}}),
        Generation::V4 => json!({"account": {"object": "account", "id": code, "billing_preferences": billing}}),
    }
}

/// The account with this code. One that was forgotten is gone.
pub(super) async fn find(app: &App, request: &Request, code: &str) -> Result<CustomerView, ApiError> {
    let view = app
        .customer(&request.tenant, customer_with_code(&request.tenant, code))
        .await?;
    view.filter(|view| !view.forgotten)
        .ok_or_else(|| ApiError::unknown("account"))
}
