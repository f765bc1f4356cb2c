//! `/v1/c/invoice`: charges become invoices, and invoices are read.

use std::sync::Arc;

use aggregates::id::InvoiceId;
use axum::{Json, extract::State, http::StatusCode};
use projections::{invoice::Filter, subscription::Scope};

use super::super::{
    convert,
    error::{Error, Result},
    extract::{Command, PathId, Reader, Search},
    id::Id,
    page::Wanted,
    wire::{CreateInvoices, InvoiceDetail, InvoiceQuery, ListedInvoice, PageQuery, Paginated},
};
use crate::app::{App, invoicing::Selection};

/// 201 with the new invoices' ids; 200 and an empty list where there was nothing to invoice.
pub async fn create(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<CreateInvoices>,
) -> Result<(StatusCode, Json<Vec<Id<InvoiceId>>>)> {
    let scope = Scope {
        customer: body.customer_id.map(|Id(id)| id),
        subscription: body.contract_id.map(|Id(id)| id),
    };
    let selection = match body.invoice_item_ids {
        None => Selection::Pending(scope),
        Some(ids) => Selection::Charges(ids.into_iter().map(|Id(id)| id).collect(), scope),
    };
    let made = app.create_invoices(&request, &selection).await?;
    let status = if made.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(made.into_iter().map(Id).collect())))
}

pub async fn list(
    State(app): State<Arc<App>>,
    Reader(principal): Reader,
    Search(query): Search<InvoiceQuery>,
) -> Result<Json<Paginated<ListedInvoice>>> {
    let customer = query.customer.as_deref().map(str::parse).transpose();
    let date = |topic, text: Option<&str>| text.map(|text| convert::date(topic, text)).transpose();
    // UNCONFIRMED: whether the two dates themselves are in; here they are.
    let filter = Filter {
        customer: customer
            .map_err(|error| Error::bad("customer", error))?
            .map(|Id(id)| id),
        subscription: None,
        issued_from: date("date_after", query.date_after.as_deref())?,
        issued_until: date("date_before", query.date_before.as_deref())?,
    };
    let wanted = Wanted::read(&PageQuery {
        limit: query.limit,
        offset: query.offset,
        direction: query.direction,
    })?;
    let total = app.count_invoices(&principal.tenant, &filter).await?;
    let rows = app.invoices(&principal.tenant, &filter, &wanted.query(total)).await?;
    let today = app.now(&principal).await?.date_naive();
    Ok(Json(wanted.answer(
        total,
        rows,
        |row| row.position,
        |row| convert::listed_invoice(row, today),
    )))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Reader(principal): Reader,
    PathId(id): PathId<InvoiceId>,
) -> Result<Json<InvoiceDetail>> {
    let found = app.explained_invoice(&principal.tenant, id).await?;
    let (invoice, lines) = found.ok_or_else(|| Error::not_found("invoice_id", "invoice"))?;
    let customer = app.customer(&principal.tenant, invoice.customer).await?;
    let customer = customer.ok_or_else(|| Error::not_found("customer", "customer"))?;
    let contracts = app.contracts_of(&principal.tenant, invoice.customer).await?;
    let customer = convert::customer(&customer, &contracts, app.now(&principal).await?);
    let tenant = app.tenant(&principal.tenant).await?;
    Ok(Json(convert::invoice_detail(&invoice, &lines, customer, tenant)))
}
