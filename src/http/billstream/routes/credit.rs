//! `/billstream/v1/customers/{id}/credit`: what a customer has, and giving them some.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::super::{
    convert,
    error::{Error, Result},
    extract::{Caller, Command, PathText},
    payments::{self, Credits, GrantInput, Granted},
};
use crate::app::App;

pub async fn show(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    PathText(customer): PathText,
) -> Result<Json<Credits>> {
    let customer = convert::customer_id(&customer)?;
    let found = app.credit_with_grants(&principal.tenant, customer).await?;
    let credit = found.ok_or_else(|| Error::not_found("customer"))?;
    Ok(Json(payments::credits(customer.0, credit)))
}

pub async fn grant(
    State(app): State<Arc<App>>,
    PathText(customer): PathText,
    Command { request, body }: Command<GrantInput>,
) -> Result<(StatusCode, Json<Granted>)> {
    let customer = convert::customer_id(&customer)?;
    let (amount, reason) = payments::grant(body)?;
    let balance = app.grant_credit(&request, customer, amount, &reason).await?;
    Ok((
        StatusCode::CREATED,
        Json(payments::granted(customer.0, amount, balance)),
    ))
}
