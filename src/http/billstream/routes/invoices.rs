//! `/billstream/v1/invoices/{id}/explain`: how every line of an invoice came to be.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::super::{
    convert,
    error::{Error, Result},
    explained,
    extract::{Caller, PathText},
    wire::ExplainedInvoice,
};
use crate::app::App;

pub async fn explain(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<Json<ExplainedInvoice>> {
    let id = convert::invoice_id(&id)?;
    let explained = app.explained_invoice(&principal.tenant, id).await?;
    let (invoice, charges) = explained.ok_or_else(|| Error::not_found("invoice"))?;
    Ok(Json(explained::invoice(&invoice, &charges)))
}
