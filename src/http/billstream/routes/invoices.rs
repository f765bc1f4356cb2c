//! `/billstream/v1/invoices/{id}/...`: how every line of an invoice came to be, and that it is void.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::super::{
    convert,
    error::{Error, Result},
    explained,
    extract::{Caller, Command, PathText},
    wire::{ExplainedInvoice, VoidInput, VoidedInvoice},
};
use crate::app::App;

pub async fn explain(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<Json<ExplainedInvoice>> {
    let id = convert::invoice_id(&id)?;
    let explained = app.traced_invoice(&principal.tenant, id).await?;
    let (invoice, charges) = explained.ok_or_else(|| Error::not_found("invoice"))?;
    Ok(Json(explained::invoice(&invoice, &charges)))
}

/// What is voided stays so: the same again changes nothing, whatever the reason.
pub async fn void(
    State(app): State<Arc<App>>,
    PathText(id): PathText,
    Command { request, body }: Command<VoidInput>,
) -> Result<Json<VoidedInvoice>> {
    let id = convert::invoice_id(&id)?;
    let reason = body.reason.ok_or_else(|| Error::missing("reason"))?;
    let voided = app.void_invoice(&request, id, &reason).await?;
    Ok(Json(explained::voided(&voided)))
}
