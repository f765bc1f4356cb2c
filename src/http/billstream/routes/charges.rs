//! `/billstream/v1/contracts/{id}/charges`: what is owed on a contract and not yet invoiced.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::super::{
    convert,
    error::Result,
    extract::{Command, PathText},
    wire::{ChargeInput, Created},
};
use crate::app::App;

pub async fn add(
    State(app): State<Arc<App>>,
    PathText(contract): PathText,
    Command { request, body }: Command<ChargeInput>,
) -> Result<(StatusCode, Json<Created>)> {
    let contract = convert::contract_id(&contract)?;
    let charge = app.add_charge(&request, contract, &convert::charge(body)?).await?;
    let id = convert::print_id("Item", charge.0);
    Ok((StatusCode::CREATED, Json(Created { id })))
}
