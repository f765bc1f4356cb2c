//! `/billstream/v1/previews/...`: what billing would do now. Nothing is written.

use std::sync::Arc;

use aggregates::invoice;
use axum::{Json, extract::State};
use projections::subscription::Scope;

use super::super::{
    convert,
    error::{Error, Result},
    explained,
    extract::Command,
    what_if,
    wire::{Invoices, InvoicesPreviewInput, Preview, RunPreviewInput},
};
use crate::{
    app::{App, invoicing::Selection},
    journal::CommandError,
};

/// What billing everything up to a moment would charge and invoice.
pub async fn run(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<RunPreviewInput>,
) -> Result<Json<Preview>> {
    let until = body.until.as_deref().ok_or_else(|| Error::missing("until"))?;
    let until = convert::until("until", until)?;
    let scope = scope(body.customer_id.as_deref(), body.contract_id.as_deref())?;
    let preview = app.preview_run(&request, scope, until).await?;
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
    let drafts = app.preview_invoices(&request, &selection).await?;
    let invoices = drafts.iter().map(|issued| explained::draft(issued, |_| None)).collect();
    Ok(Json(Invoices { invoices }))
}

/// What the last months would have been billed under other terms.
pub async fn preferences(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<what_if::Input>,
) -> Result<Json<what_if::Answer>> {
    let scope = scope(body.customer_id.as_deref(), body.contract_id.as_deref())?;
    let (months, supposed) = what_if::question(body)?;
    let comparison = app.preview_terms(&request.tenant, scope, months, &supposed).await?;
    let answer = what_if::answer(&comparison).map_err(|error| CommandError::from(invoice::Refused::Money(error)))?;
    Ok(Json(answer))
}

fn scope(customer: Option<&str>, contract: Option<&str>) -> Result<Scope> {
    Ok(Scope {
        customer: customer.map(convert::customer_id).transpose()?,
        subscription: contract.map(convert::contract_id).transpose()?,
    })
}
