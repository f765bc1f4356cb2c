//! `/billstream/v1/contracts/{id}/...`: where a contract begins, stands still, goes on and ends, and whose it is.

use std::sync::Arc;

use aggregates::id::SubscriptionId;
use axum::{Json, extract::State};
use chrono::NaiveDate;

use super::super::{
    convert,
    error::{Error, Result},
    extract::{Command, PathText},
    wire::{ContractState, DayInput, MoveInput, MovedContract},
};
use crate::{
    app::{App, moves::Move},
    journal::Request,
};

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

/// From the day on it is another customer's, as another contract.
pub async fn hand_over(
    State(app): State<Arc<App>>,
    PathText(contract): PathText,
    Command { request, body }: Command<MoveInput>,
) -> Result<Json<MovedContract>> {
    let contract = convert::contract_id(&contract)?;
    let customer = body.customer.ok_or_else(|| Error::missing("customer"))?;
    let day = |day: String| convert::date("effective", &day);
    let to = Move {
        customer: convert::new_customer(&customer)?,
        effective: body.effective.map(day).transpose()?,
        order: body.order_id.map(convert::order_number).transpose()?,
    };
    let moved = app.move_subscription(&request, contract, &to).await;
    let moved = moved.map_err(|error| Error::from(error).renamed("on", "effective"))?;
    Ok(Json(convert::moved(contract, to.customer, moved)))
}
