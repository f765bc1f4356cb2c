//! `/billstream/v1/plans`: what contracts are signed for.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::super::{
    convert,
    error::Result,
    extract::Command,
    wire::{Created, PlanInput},
};
use crate::app::App;

pub async fn create(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<PlanInput>,
) -> Result<(StatusCode, Json<Created>)> {
    let (name, currency, lines) = convert::plan(&body)?;
    let plan = app.create_plan_with(&request, name, currency, lines).await?;
    let id = convert::print_id("Plan", plan.0);
    Ok((StatusCode::CREATED, Json(Created { id })))
}
