//! Billing templates: list, create, read, change, delete, and the invoices of one-off ones.

use std::sync::Arc;

use aggregates::id::{BillingTemplateId, TenantId};
use axum::{
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use projections::billing_template::BillingTemplateView;

use crate::{
    app::{
        App,
        send_billing::{BillingError, Payer},
    },
    http::chip::{
        auth::{Call, Id},
        convert::{self, template},
        error::{Errors, Failure, answer},
        page, wire,
    },
};

pub async fn list(State(app): State<Arc<App>>, RawQuery(query): RawQuery, call: Call) -> Result<Response, Failure> {
    let query = query.as_deref();
    let (filter, page) = (template::filter(query)?, page::wanted(query)?);
    let tenant = &call.principal.tenant;
    let (merchant, found) = (
        app.merchant(tenant).await?,
        app.templates(tenant, &filter, &page).await?,
    );
    let mut filters = Vec::new();
    if let Some(recurring) = filter.recurring {
        filters.push(("is_subscription", recurring.to_string()));
    }
    if let Some(brand) = filter.brand {
        filters.push(("brand_id", brand.to_string()));
    }
    let show = |view: &BillingTemplateView| template::show(view, &merchant);
    Ok(page::show(&call, &page, &filters, found, |view| view.position, show))
}

pub async fn create(State(app): State<Arc<App>>, call: Call) -> Result<Response, Failure> {
    let tenant = &call.principal.tenant;
    // A call that was answered is answered alike for ever, also once its due time has passed.
    if let Some(id) = app.template_answered(&call.request).await? {
        return show(&app, tenant, id, StatusCode::CREATED).await;
    }
    let merchant = app.merchant(tenant).await?;
    let body = wire::parse(&call.body)?;
    // Of a body that does not say its kind, the fields of a one-off template are not missed.
    let recurring = template::is_subscription(&body);
    let sent = template::new_template(
        &body,
        *recurring.as_ref().unwrap_or(&true),
        merchant.brand_id,
        call.request.at,
    );
    let sent = match (recurring, sent) {
        (Ok(_), sent) => sent?,
        (Err(kind), Ok(_)) => return Err(kind.into()),
        (Err(kind), Err(errors)) => return Err(kind.and(errors).into()),
    };
    let id = app.create_template(&call.request, &sent).await?;
    show(&app, tenant, id, StatusCode::CREATED).await
}

pub async fn read(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    show(&app, &call.principal.tenant, parse(&id)?, StatusCode::OK).await
}

pub async fn replace(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    let (id, tenant) = (parse(&id)?, &call.principal.tenant);
    if app.template_answered(&call.request).await?.is_none() {
        let known = known(&app, tenant, id).await?;
        let merchant = app.merchant(tenant).await?;
        let recurring = known.terms.recurring().is_some();
        let body = wire::parse(&call.body)?;
        let sent = template::template(&body, recurring, merchant.brand_id, call.request.at)?;
        app.update_template(&call.request, id, |known| sent.over(known)).await?;
    }
    show(&app, tenant, id, StatusCode::OK).await
}

pub async fn remove(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    app.delete_template(&call.request, parse(&id)?).await?;
    Ok((StatusCode::NO_CONTENT, [(header::CONTENT_TYPE, "application/json")]).into_response())
}

pub async fn send_invoice(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    let (id, tenant) = (parse(&id)?, &call.principal.tenant);
    known(&app, tenant, id).await?;
    let recipient = convert::billing::recipient(&wire::parse(&call.body)?)?;
    let purchase = app.send_template_invoice(&call.request, id, &recipient).await;
    let purchase = purchase.map_err(|error| match error {
        // UNCONFIRMED: the code for a client that does not exist.
        BillingError::UnknownCustomer { .. } => match &recipient.payer {
            Payer::Known(id) => Errors::field("client_id", convert::billing::does_not_exist(id.0)).into(),
            Payer::ByEmail { .. } => Failure::NotFound,
        },
        BillingError::Command(error) => error.into(),
        BillingError::NoRecipients | BillingError::TooMany | BillingError::TooLarge => {
            Errors::all("This cannot be sent to one client.", "invalid").into()
        }
    })?;
    super::purchases::show(&app, &call, purchase).await
}

pub(super) fn parse(id: &str) -> Result<BillingTemplateId, Failure> {
    id.parse().map_err(|_| Failure::NotFound)
}

pub(super) async fn known(app: &App, tenant: &TenantId, id: BillingTemplateId) -> Result<BillingTemplateView, Failure> {
    app.template(tenant, id).await?.ok_or(Failure::NotFound)
}

async fn show(app: &App, tenant: &TenantId, id: BillingTemplateId, status: StatusCode) -> Result<Response, Failure> {
    let (view, merchant) = (known(app, tenant, id).await?, app.merchant(tenant).await?);
    Ok(answer(status, &template::show(&view, &merchant)))
}
