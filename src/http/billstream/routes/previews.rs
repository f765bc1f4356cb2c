//! `/billstream/v1/previews/...`: what billing would do now. Nothing is written.

use std::sync::Arc;

use axum::{Json, extract::State};
use projections::subscription::Scope;

use super::super::{
    convert,
    error::{Error, Result},
    explained,
    extract::Command,
    wire::{Invoices, InvoicesPreviewInput, Preview, RunPreviewInput},
};
use crate::app::{App, invoicing::Selection};

/// What billing everything up to a moment would charge and invoice.
pub async fn run(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<RunPreviewInput>,
) -> Result<Json<Preview>> {
    let until = body.until.as_deref().ok_or_else(|| Error::missing("until"))?;
    let until = convert::instant("until", until)?;
    let scope = scope(body.customer_id.as_deref(), body.contract_id.as_deref())?;
    let preview = app.preview_run(&request.tenant, scope, until).await?;
    Ok(Json(explained::preview(&preview)))
}

/// The invoices that would be made of what is pending, or of the charges named.
pub async fn invoices(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<InvoicesPreviewInput>,
) -> Result<Json<Invoices>> {
    let scope = scope(body.customer_id.as_deref(), body.contract_id.as_deref())?;
    let selection = match body.invoice_item_ids {
        None => Selection::Pending(scope),
        Some(ids) => Selection::Charges(
            ids.iter().map(|id| convert::charge_id(id)).collect::<Result<_>>()?,
            scope,
        ),
    };
    let drafts = app.preview_invoices(&request.tenant, &selection).await?;
    let invoices = drafts.iter().map(|issued| explained::draft(issued, |_| None)).collect();
    Ok(Json(Invoices { invoices }))
}

fn scope(customer: Option<&str>, contract: Option<&str>) -> Result<Scope> {
    Ok(Scope {
        customer: customer.map(convert::customer_id).transpose()?,
        subscription: contract.map(convert::contract_id).transpose()?,
    })
}
