//! `/v1/c/contract`: customers subscribe to plans.

use std::sync::Arc;

use aggregates::id::SubscriptionId;
use axum::{Json, extract::State};

use super::super::{
    convert,
    error::{Error, Result},
    extract::{Command, PathId, Reader},
    id::Id,
    wire::{ContractDetail, ContractInput},
};
use crate::app::App;

/// Signs a contract.
// UNCONFIRMED: the body of the 200; other creations answer with the bare id.
pub async fn sign(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<ContractInput>,
) -> Result<Json<Id<SubscriptionId>>> {
    let id = app.sign_contract(&request, convert::new_contract(&body)?).await?;
    Ok(Json(Id(id)))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Reader(principal): Reader,
    PathId(id): PathId<SubscriptionId>,
) -> Result<Json<ContractDetail>> {
    let tenant = &principal.tenant;
    let contract = app.contract(tenant, id).await?;
    let contract = contract.ok_or_else(|| Error::not_found("contract_id", "contract"))?;
    let plan = match contract.plan {
        Some(plan) => app.plan(tenant, plan).await?,
        None => None,
    };
    let customer = app.customer(tenant, contract.customer).await?;
    let now = app.now(&principal).await?;
    Ok(Json(convert::contract(&contract, plan, customer.as_ref(), now)))
}
