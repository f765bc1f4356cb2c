//! `/v1/c/customer`: the tenant's customers.

use std::sync::Arc;

use aggregates::{
    customer::{Contact, Profile},
    id::CustomerId,
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use projections::customer::Filter;

use super::super::{
    convert,
    error::{Error, Result},
    extract::{Command, Envelope, PathId, Reader, Search},
    id::Id,
    page::Wanted,
    wire::{Customer, CustomerInput, CustomerQuery, PageQuery, Paginated},
};
use crate::app::App;

/// Creates a customer or, with an id, changes one; answers with the bare id.
pub async fn put(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<CustomerInput>,
) -> Result<Json<Id<CustomerId>>> {
    convert::check_customer(&body)?;
    if let Some(Id(id)) = body.id {
        app.update_customer(&request, id, |profile, contact| {
            convert::merge_customer(&body, profile, contact);
        })
        .await?;
        return Ok(Json(Id(id)));
    }
    let (mut profile, mut contact) = (Profile::default(), Contact::default());
    convert::merge_customer(&body, &mut profile, &mut contact);
    let id = app.create_customer(&request, None, profile, contact).await?;
    Ok(Json(Id(id)))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Reader(principal): Reader,
    PathId(id): PathId<CustomerId>,
) -> Result<Json<Customer>> {
    let found = app.customer(&principal.tenant, id).await?;
    let customer = found
        .filter(|customer| !customer.forgotten)
        .ok_or_else(|| Error::not_found("customer_id", "customer"))?;
    let contracts = app.contracts_of(&principal.tenant, id).await?;
    let now = app.now(&principal).await?;
    Ok(Json(convert::customer(&customer, &contracts, now)))
}

pub async fn search(
    State(app): State<Arc<App>>,
    Reader(principal): Reader,
    Search(query): Search<CustomerQuery>,
) -> Result<Json<Paginated<Customer>>> {
    let filter = Filter {
        reference: query.customer_reference,
        email: query.email,
    };
    if filter == Filter::default() {
        return Err(Error::bad(
            "query",
            "at least one of customer_reference and email is needed",
        ));
    }
    let wanted = Wanted::read(&PageQuery {
        limit: query.limit,
        offset: query.offset,
        direction: query.direction,
    })?;
    let total = app.count_customers(&principal.tenant, &filter).await?;
    let rows = app
        .find_customers(&principal.tenant, &filter, &wanted.query(total))
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for customer in rows {
        let contracts = app.contracts_of(&principal.tenant, customer.id).await?;
        found.push((customer, contracts));
    }
    let now = app.now(&principal).await?;
    Ok(Json(wanted.answer(
        total,
        found,
        |(customer, _)| customer.position,
        |(customer, contracts)| convert::customer(customer, contracts, now),
    )))
}

/// Forgets the person behind the customer. What was billed stays in the books.
// UNCONFIRMED: what deleting means to the vendor, and that it answers 204.
pub async fn forget(
    State(app): State<Arc<App>>,
    PathId(id): PathId<CustomerId>,
    Envelope { request, .. }: Envelope,
) -> Result<Response> {
    app.forget_customer(&request, id).await?;
    let content_type = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((StatusCode::NO_CONTENT, content_type).into_response())
}
