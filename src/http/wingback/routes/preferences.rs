//! `/v1/c/preferences/invoicing`: how the tenant invoices.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::super::{
    convert,
    error::Result,
    extract::{Command, Reader},
    wire::InvoicingPreferences,
};
use crate::app::App;

/// Merges what is sent into the preferences; answers 200 without a body.
pub async fn update(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<InvoicingPreferences>,
) -> Result<Response> {
    app.update_invoicing_preferences(&request, convert::changes(&body))
        .await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "").into_response())
}

/// Our extension: the preferences in force, in the form in which they are sent.
pub async fn show(State(app): State<Arc<App>>, Reader(principal): Reader) -> Result<Json<InvoicingPreferences>> {
    let now = app.invoicing_preferences(&principal.tenant).await?;
    Ok(Json(convert::preferences(&now)))
}
