//! `POST /oauth2/token`: client credentials or a refresh token for an access token.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    extract::{Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::super::{auth, error::ApiError, fields::Reader, json as body_json};
use crate::app::{
    App, Principal,
    access::{TOKEN_SECONDS, TokenKind},
};

/// JSON as the vendor's clients send it, or a form as the standard has it; what is not asked for is ignored.
pub(in super::super) async fn issue(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let form = is_form(request.headers());
    let body = auth::body_bytes(request, &app).await?;
    let sent = if form {
        self::form(&body)?
    } else {
        body_json::parse(&body)?
    };
    let Value::Object(sent) = sent else {
        return Err(ApiError::field(
            "grant_type",
            "required",
            "grant_type: this is required",
        ));
    };
    let mut reader = Reader::new(&sent);
    let [grant, id, secret, refresh] =
        ["grant_type", "client_id", "client_secret", "refresh_token"].map(|field| reader.text(field));
    let refreshing = match grant.as_deref() {
        Some("client_credentials") => false,
        Some("refresh_token") => true,
        Some(_) => {
            return Err(ApiError::field(
                "grant_type",
                "unsupported_grant_type",
                "grant_type: client_credentials or refresh_token was expected",
            ));
        }
        None => {
            return Err(ApiError::field(
                "grant_type",
                "required",
                "grant_type: this is required",
            ));
        }
    };
    for (field, value) in [("client_id", &id), ("client_secret", &secret)] {
        if value.is_none() {
            reader.wrong(field, "required", "this is required");
        }
    }
    if refreshing && refresh.is_none() {
        reader.wrong("refresh_token", "required", "this is required");
    }
    reader.done()?;
    let principal = app
        .client_principal(&id.unwrap_or_default(), &secret.unwrap_or_default())
        .await?;
    // UNCONFIRMED: the vendor answers bad credentials with a redirect to its sign-in page.
    let principal = principal.ok_or_else(bad_client)?;
    let refresh = match refresh.filter(|_| refreshing) {
        // UNCONFIRMED: whether a refresh gives a new refresh token.
        Some(token) => check_refresh(&app, &principal, token).await?,
        None => app.issue_token(&principal, TokenKind::ExsitedRefresh).await?,
    };
    let access = app.issue_token(&principal, TokenKind::ExsitedAccess).await?;
    let body = json!({
        "access_token": access,
        "refresh_token": refresh,
        "expires_in": TOKEN_SECONDS,
        "token_type": "Bearer",
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

async fn check_refresh(app: &App, principal: &Principal, token: String) -> Result<String, ApiError> {
    let owner = app.token_principal(&token, TokenKind::ExsitedRefresh).await?;
    match owner {
        Some(owner) if owner == *principal => Ok(token),
        _ => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "the refresh token is not valid",
        )),
    }
}

fn bad_client() -> ApiError {
    let message = "client_id and client_secret do not belong together";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| {
        kind.to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
    })
}

/// A form is written like a query.
fn form(body: &[u8]) -> Result<Value, ApiError> {
    let invalid = || ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", "the form cannot be read");
    let text = std::str::from_utf8(body).map_err(|_| invalid())?;
    let uri = format!("/?{text}").parse().map_err(|_| invalid())?;
    let Query(pairs) = Query::<HashMap<String, String>>::try_from_uri(&uri).map_err(|_| invalid())?;
    let pairs: Map<String, Value> = pairs.into_iter().map(|(key, value)| (key, value.into())).collect();
    Ok(Value::Object(pairs))
}
