//! `/billstream/v1/payments` and `.../invoices/{id}/payments`: what came in, and what is collected.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::super::{
    convert,
    error::{Error, Result},
    extract::{Caller, Command, PathText, Search},
    payments::{
        self, FailedInput, InvoicePayments, ListQuery, PageQuery, PaidInput, Payment, Payments, RecordedPayment,
        SucceededInput,
    },
};
use crate::app::{App, payments::Outcome};

/// 201 where the reference is new, 200 where it is known: then nothing has changed.
pub async fn record(
    State(app): State<Arc<App>>,
    PathText(invoice): PathText,
    Command { request, body }: Command<PaidInput>,
) -> Result<(StatusCode, Json<RecordedPayment>)> {
    let invoice = convert::invoice_id(&invoice)?;
    let recorded = app.record_payment(&request, invoice, &payments::paid(body)?).await?;
    let status = if recorded.new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(payments::recorded(recorded))))
}

/// In the order in which they were recorded; `next_after` is where the next page starts.
pub async fn of_invoice(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    PathText(invoice): PathText,
    Search(query): Search<PageQuery>,
) -> Result<Json<InvoicePayments>> {
    let invoice = convert::invoice_id(&invoice)?;
    let (after, limit) = convert::page(query.after.as_deref(), query.limit.as_deref())?;
    let (invoice, found) = app.payments_of(&principal.tenant, invoice, after, limit).await?;
    Ok(Json(payments::of_invoice(&invoice, found, after)))
}

/// In the order in which they were asked for; `next_after` is where the next page starts.
pub async fn list(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    Search(query): Search<ListQuery>,
) -> Result<Json<Payments>> {
    let status = convert::word("status", query.status.as_deref())?;
    let (after, limit) = convert::page(query.after.as_deref(), query.limit.as_deref())?;
    let found = app.payments(&principal.tenant, status, after, limit).await?;
    Ok(Json(Payments {
        next_after: found.last().map_or(after, |last| last.position),
        payments: found.into_iter().map(payments::payment).collect(),
    }))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<Json<Payment>> {
    let found = app.payment(&principal.tenant, payments::payment_id(&id)?).await?;
    let found = found.ok_or_else(|| Error::not_found("payment"))?;
    Ok(Json(payments::payment(found)))
}

pub async fn succeeded(
    State(app): State<Arc<App>>,
    PathText(id): PathText,
    Command { request, body }: Command<SucceededInput>,
) -> Result<Json<Payment>> {
    let reference = body.reference.ok_or_else(|| Error::missing("reference"))?;
    let outcome = Outcome::Succeeded { reference };
    let settled = app
        .settle_payment(&request, payments::payment_id(&id)?, &outcome)
        .await?;
    Ok(Json(payments::payment(settled)))
}

pub async fn failed(
    State(app): State<Arc<App>>,
    PathText(id): PathText,
    Command { request, body }: Command<FailedInput>,
) -> Result<Json<Payment>> {
    let reason = body.reason.ok_or_else(|| Error::missing("reason"))?;
    let outcome = Outcome::Failed { reason };
    let settled = app
        .settle_payment(&request, payments::payment_id(&id)?, &outcome)
        .await?;
    Ok(Json(payments::payment(settled)))
}
