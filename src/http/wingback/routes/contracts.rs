//! `/v1/c/contract`: customers subscribe to plans.

use std::sync::Arc;

use aggregates::{discount::DiscountRecord, id::SubscriptionId};
use axum::{Json, extract::State};

use super::super::{
    contract,
    error::{Error, Result},
    extract::{Command, PathId, Reader},
    id::Id,
    refused,
    wire::{ActivationInput, CancellationInput, ContractDetail, ContractInput, UpgradeEstimate, UpgradeInput},
};
use crate::app::{App, contracts::followed::successor};

/// Signs a contract.
// UNCONFIRMED: the body of the 200; other creations answer with the bare id.
pub async fn sign(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<ContractInput>,
) -> Result<Json<Id<SubscriptionId>>> {
    let signed = app.sign_contract(&request, contract::new_contract(&body)?).await;
    let id = signed.map_err(|error| refused::not_signed(error, &body))?;
    Ok(Json(Id(id)))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Reader(principal): Reader,
    PathId(id): PathId<SubscriptionId>,
) -> Result<Json<ContractDetail>> {
    let tenant = &principal.tenant;
    let found = app.contract(tenant, id).await?;
    let found = found.ok_or_else(|| Error::not_found("contract_id", "contract"))?;
    let plan = match found.plan {
        Some(plan) => app.plan(tenant, plan).await?,
        None => None,
    };
    let customer = app.customer(tenant, found.customer).await?;
    let state = app.subscription_state(tenant, id).await?;
    let named = contract::discount_of(&state).and_then(|discount| discount.id);
    let discount_name = match named {
        Some(id) => match app.discount(tenant, id).await? {
            DiscountRecord::Active { name, .. } => Some(name),
            DiscountRecord::Absent => None,
        },
        None => None,
    };
    let insight = contract::Insight {
        state: &state,
        moved: app.contract(tenant, successor(tenant, id)).await?.is_some()
            || state.progress().is_some_and(|progress| progress.moved_to.is_some()),
        discount_name,
    };
    let now = app.now(&principal).await?;
    Ok(Json(contract::contract(&found, plan, customer.as_ref(), &insight, now)))
}

/// Begins a contract that waits for it, today where no day is named.
// UNCONFIRMED: the whole endpoint; the vendor says that pending contracts are activated by hand, and shows no call.
pub async fn activate(
    State(app): State<Arc<App>>,
    PathId(id): PathId<SubscriptionId>,
    Command { request, body }: Command<ActivationInput>,
) -> Result<Json<Id<SubscriptionId>>> {
    let day = body
        .activation
        .as_deref()
        .map(|text| contract::activation("activation", text));
    let activated = app.activate(&request, id, day.transpose()?).await;
    activated.map_err(|error| Error::from(error).renamed("date", "activation"))?;
    Ok(Json(Id(id)))
}

/// Ends a contract, today where no day is named. What was paid for days behind it becomes credit.
// UNCONFIRMED: the whole endpoint; the vendor has cancellation as an action and as webhooks, and shows no call.
pub async fn cancel(
    State(app): State<Arc<App>>,
    PathId(id): PathId<SubscriptionId>,
    Command { request, body }: Command<CancellationInput>,
) -> Result<Json<Id<SubscriptionId>>> {
    let day = body.date.as_deref().map(|text| contract::activation("date", text));
    app.end(&request, id, day.transpose()?).await?;
    Ok(Json(Id(id)))
}

/// Answers with the contract that goes on: a new one under a new plan, the same one where only units change.
pub async fn upgrade(
    State(app): State<Arc<App>>,
    PathId(id): PathId<SubscriptionId>,
    Command { request, body }: Command<UpgradeInput>,
) -> Result<Json<Id<SubscriptionId>>> {
    let upgraded = app.upgrade_contract(&request, id, &contract::upgrade(&body)?).await;
    let upgraded = upgraded.map_err(|error| refused::not_upgraded(error, &body))?;
    Ok(Json(Id(upgraded)))
}

/// Writes nothing.
pub async fn estimate_upgrade(
    State(app): State<Arc<App>>,
    PathId(id): PathId<SubscriptionId>,
    Command { request, body }: Command<UpgradeInput>,
) -> Result<Json<UpgradeEstimate>> {
    let upgrade = contract::upgrade(&body)?;
    let found = app.contract(&request.tenant, id).await?;
    let found = found.ok_or_else(|| Error::not_found("contract", "contract"))?;
    let estimate = app.estimate_upgrade(&request.tenant, id, &upgrade, request.at).await;
    let estimate = estimate.map_err(|error| refused::not_upgraded(error, &body))?;
    Ok(Json(contract::estimate(&estimate, found.customer)))
}
