//! `/v1/c/preferences/invoicing`: how the tenant invoices.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};

use super::{
    super::{
        convert,
        error::Result,
        extract::{Command, Reader},
        wire::InvoicingPreferences,
    },
    empty,
};
use crate::app::App;

/// Merges what is sent into the preferences; answers 200 without a body.
pub async fn update(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<InvoicingPreferences>,
) -> Result<Response> {
    app.update_invoicing_preferences(&request, convert::changes(&body))
        .await?;
    Ok(empty())
}

/// Our extension: the preferences in force, in the form in which they are sent.
pub async fn show(State(app): State<Arc<App>>, Reader(principal): Reader) -> Result<Json<InvoicingPreferences>> {
    let now = app.invoicing_preferences(&principal.tenant).await?;
    Ok(Json(convert::preferences(&now)))
}
