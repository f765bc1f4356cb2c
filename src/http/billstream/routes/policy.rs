//! `/billstream/v1/policy` and `/billstream/v1/contracts/{id}/policy`: how parts of periods and taxes are dealt with.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::super::{
    convert,
    error::Result,
    extract::{Caller, Command, PathText},
    wire::{Policy, PolicyInput},
};
use crate::app::App;

/// What new contracts are billed by.
pub async fn show(State(app): State<Arc<App>>, Caller(principal): Caller) -> Result<Json<Policy>> {
    let policy = app.policy(&principal.tenant).await?;
    Ok(Json(convert::print_policy(policy)))
}

/// Changes it for contracts that are signed from now on.
pub async fn update(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<PolicyInput>,
) -> Result<Json<Policy>> {
    let policy = app.update_policy(&request, convert::policy(body)).await?;
    Ok(Json(convert::print_policy(policy)))
}

/// What a contract is billed by.
pub async fn show_of(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    PathText(contract): PathText,
) -> Result<Json<Policy>> {
    let contract = convert::contract_id(&contract)?;
    let policy = app.policy_of(&principal.tenant, contract).await?;
    Ok(Json(convert::print_policy(policy)))
}

/// Changes it for what is not charged yet.
pub async fn update_of(
    State(app): State<Arc<App>>,
    PathText(contract): PathText,
    Command { request, body }: Command<PolicyInput>,
) -> Result<Json<Policy>> {
    let contract = convert::contract_id(&contract)?;
    let policy = app.update_policy_of(&request, contract, convert::policy(body)).await?;
    Ok(Json(convert::print_policy(policy)))
}
