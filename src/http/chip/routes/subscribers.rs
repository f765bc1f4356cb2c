//! The clients of a billing template: add, list, read, change.

use std::sync::Arc;

use aggregates::{
    Refused, customer,
    id::{BillingTemplateId, SubscriptionId, TenantId},
    subscriber,
};
use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use projections::{billing_template::BillingTemplateView, subscriber::SubscriberView};
use serde_json::{Value, json};

use super::{purchases, templates};
use crate::{
    app::App,
    http::chip::{
        auth::{Call, Id, Ids},
        convert::{billing::does_not_exist, subscriber as convert},
        error::{Errors, Failure, answer},
        page, wire,
    },
    journal::CommandError,
};

pub async fn add(State(app): State<Arc<App>>, Id(id): Id, call: Call) -> Result<Response, Failure> {
    let (template, tenant) = (templates::parse(&id)?, &call.principal.tenant);
    templates::known(&app, tenant, template).await?;
    let (client, choices) = convert::added(&wire::parse(&call.body)?)?;
    let added = app.add_subscriber(&call.request, template, client, &choices).await;
    let added = added.map_err(|error| match error {
        // UNCONFIRMED: the code for a client that does not exist.
        CommandError::Refused(Refused::Customer(customer::Refused::Unknown | customer::Refused::Forgotten)) => {
            Errors::field("client_id", does_not_exist(client.0)).into()
        }
        error => Failure::from(error),
    })?;
    let purchase = match added.purchase {
        Some(purchase) => purchases::shown(&app, &call, purchase).await?,
        None => Value::Null,
    };
    let (subscriber, template) = known(&app, tenant, template, added.subscriber).await?;
    let subscriber = convert::show(&subscriber, &template);
    let body = json!({"billing_template_client": subscriber, "purchase": purchase});
    Ok(answer(StatusCode::OK, &body))
}

pub async fn list(
    State(app): State<Arc<App>>,
    Id(id): Id,
    RawQuery(query): RawQuery,
    call: Call,
) -> Result<Response, Failure> {
    let (template, tenant) = (templates::parse(&id)?, &call.principal.tenant);
    let known = templates::known(&app, tenant, template).await?;
    let page = page::wanted(query.as_deref())?;
    let found = app.subscribers_of(tenant, template, &page).await?;
    Ok(page::show(
        &call,
        &page,
        &[],
        found,
        |view| view.position,
        |view| convert::show(view, &known),
    ))
}

pub async fn read(State(app): State<Arc<App>>, ids: Ids, call: Call) -> Result<Response, Failure> {
    let (template, id) = parse(&ids)?;
    let (view, template) = known(&app, &call.principal.tenant, template, id).await?;
    Ok(answer(StatusCode::OK, &convert::show(&view, &template)))
}

pub async fn change(State(app): State<Arc<App>>, ids: Ids, call: Call) -> Result<Response, Failure> {
    let ((template, id), tenant) = (parse(&ids)?, &call.principal.tenant);
    let (view, _) = known(&app, tenant, template, id).await?;
    if !app.subscriber_changed(&call.request).await? {
        let (sent, paused) = convert::changed(&wire::parse(&call.body)?, view.status)?;
        let changed = app.change_subscriber(&call.request, id, paused, |choices| sent.apply(choices));
        changed.await.map_err(|error| match error {
            CommandError::Refused(Refused::Subscriber(subscriber::Refused::NotLaunched)) => {
                Errors::field("status", convert::read_only()).into()
            }
            error => Failure::from(error),
        })?;
    }
    let (view, template) = known(&app, tenant, template, id).await?;
    Ok(answer(StatusCode::OK, &convert::show(&view, &template)))
}

fn parse(Ids(template, id): &Ids) -> Result<(BillingTemplateId, SubscriptionId), Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    Ok((templates::parse(template)?, id))
}

/// A subscriber of that template, while the template is there.
async fn known(
    app: &App,
    tenant: &TenantId,
    template: BillingTemplateId,
    id: SubscriptionId,
) -> Result<(SubscriberView, BillingTemplateView), Failure> {
    let terms = templates::known(app, tenant, template).await?;
    let view = app.subscriber(tenant, id).await?;
    let view = view.filter(|view| view.template == template);
    Ok((view.ok_or(Failure::NotFound)?, terms))
}
