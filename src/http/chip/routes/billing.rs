//! `POST /billing/`: one invoice to many clients.

use std::sync::Arc;

use aggregates::id::PurchaseId;
use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    app::{
        App,
        send_billing::{BillingError, MAX_RECIPIENTS, Payer, Recipient},
    },
    http::chip::{
        auth::Call,
        convert,
        error::{Errors, Failure, answer},
        fields, wire,
    },
};

pub async fn send(State(app): State<Arc<App>>, call: Call) -> Result<Response, Failure> {
    // A call that was answered is answered alike for ever, also once its due time has passed.
    if let Some(done) = app.billing_sent(&call.request).await? {
        return Ok(ids(&done));
    }
    let merchant = app.merchant(&call.principal.tenant).await?;
    let body = wire::parse(&call.body)?;
    let (recipients, order) = convert::billing::billing(&body, merchant.brand_id, call.request.at)?;
    match app.send_billing(&call.request, &recipients, &order).await {
        Ok(purchases) => Ok(ids(&purchases)),
        Err(error) => Err(failure(error, &recipients)),
    }
}

fn ids(purchases: &[PurchaseId]) -> Response {
    let ids = purchases.iter().map(PurchaseId::to_string).collect();
    answer(StatusCode::OK, &ids)
}

fn failure(error: BillingError, recipients: &[Recipient]) -> Failure {
    let clients = match error {
        BillingError::NoRecipients => fields::too_few(1),
        BillingError::TooMany => fields::too_many(MAX_RECIPIENTS),
        BillingError::TooLarge => Errors::here("These are too many for a purchase of this size.", "max_length"),
        // UNCONFIRMED: the code for a client that does not exist.
        BillingError::UnknownCustomer { index } => {
            let errors = match recipients.get(index).map(|recipient| &recipient.payer) {
                Some(Payer::Known(id)) => Errors::field("client_id", convert::billing::does_not_exist(id.0)),
                Some(Payer::ByEmail { .. }) | None => Errors::all("Not found.", "not_found"),
            };
            let mut items = vec![Errors::Clean; recipients.len()];
            if let Some(item) = items.get_mut(index) {
                *item = errors;
            }
            Errors::Items(items)
        }
        BillingError::Command(error) => return error.into(),
    };
    Errors::field("clients", clients).into()
}
