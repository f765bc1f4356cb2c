//! `/billstream/v1/sessions`: a browser exchanges a key for a cookie.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};

use super::super::{error::Result, extract::Caller, wire::Session};
use crate::app::{
    App,
    access::{SESSION_SECONDS, TokenKind},
};

/// The cookie is for this host's own pages only: scripts cannot read it, other sites cannot make a browser send it.
pub async fn open(State(app): State<Arc<App>>, Caller(principal): Caller) -> Result<Response> {
    let token = app.issue_token(&principal, TokenKind::Session).await?;
    let cookie = format!("app-session={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={SESSION_SECONDS}");
    let session = Session {
        expires_in: SESSION_SECONDS,
    };
    let headers = AppendHeaders([(header::SET_COOKIE, cookie)]);
    Ok((StatusCode::CREATED, headers, Json(session)).into_response())
}
