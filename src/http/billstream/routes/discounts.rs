//! `/billstream/v1/discounts`: what can be taken off a contract's recurring lines.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::super::{
    convert,
    error::Result,
    extract::Command,
    wire::{Created, DiscountInput},
};
use crate::app::App;

pub async fn create(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<DiscountInput>,
) -> Result<(StatusCode, Json<Created>)> {
    let discount = app.create_discount(&request, &convert::discount(&body)?).await?;
    let id = convert::print_id("Disc", discount.0);
    Ok((StatusCode::CREATED, Json(Created { id })))
}
