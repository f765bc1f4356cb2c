//! `/billstream/v1/contracts/{id}/...`: where a contract begins, stands still, goes on and ends.

use std::sync::Arc;

use aggregates::id::SubscriptionId;
use axum::{Json, extract::State};
use chrono::NaiveDate;

use super::super::{
    convert,
    error::Result,
    extract::{Command, PathText},
    wire::{ContractState, DayInput},
};
use crate::{app::App, journal::Request};

/// The call as it is understood: who asks, which contract, and the day, today where none is named.
fn read(contract: &str, call: Command<DayInput>) -> Result<(Request, SubscriptionId, Option<NaiveDate>)> {
    let day = call.body.on.map(|on| convert::date("on", &on)).transpose()?;
    Ok((call.request, convert::contract_id(contract)?, day))
}

pub async fn activate(
    State(app): State<Arc<App>>,
    PathText(contract): PathText,
    call: Command<DayInput>,
) -> Result<Json<ContractState>> {
    let (request, contract, day) = read(&contract, call)?;
    Ok(Json(app.activate(&request, contract, day).await?.into()))
}

pub async fn pause(
    State(app): State<Arc<App>>,
    PathText(contract): PathText,
    call: Command<DayInput>,
) -> Result<Json<ContractState>> {
    let (request, contract, day) = read(&contract, call)?;
    Ok(Json(app.pause(&request, contract, day).await?.into()))
}

pub async fn resume(
    State(app): State<Arc<App>>,
    PathText(contract): PathText,
    call: Command<DayInput>,
) -> Result<Json<ContractState>> {
    let (request, contract, day) = read(&contract, call)?;
    Ok(Json(app.resume(&request, contract, day).await?.into()))
}

pub async fn end(
    State(app): State<Arc<App>>,
    PathText(contract): PathText,
    call: Command<DayInput>,
) -> Result<Json<ContractState>> {
    let (request, contract, day) = read(&contract, call)?;
    Ok(Json(app.end(&request, contract, day).await?.into()))
}

pub async fn reactivate(
    State(app): State<Arc<App>>,
    PathText(contract): PathText,
    call: Command<DayInput>,
) -> Result<Json<ContractState>> {
    let (request, contract, day) = read(&contract, call)?;
    Ok(Json(app.reactivate(&request, contract, day).await?.into()))
}
