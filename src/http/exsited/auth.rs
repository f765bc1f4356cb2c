//! Who calls, under which version and key, and with what: the extractors of the Exsited door.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde_json::Value;

use super::{Api, RequestId, error::ApiError, json};
use crate::{
    app::{App, Principal, access::TokenKind},
    journal,
};

const DIALECT: &str = "exsited";
/// Stands for ids that are no text a database could keep: no account and no order has it.
const NOBODYS_ID: &str = "\u{fffd}";

/// A request whose token was found good.
pub(super) struct Caller {
    pub api: Api,
    pub request: journal::Request,
}

/// A write: the caller, and the JSON that was sent, its keys in lower case; null where nothing was.
pub(super) struct Call {
    pub api: Api,
    pub request: journal::Request,
    pub body: Value,
}

/// The `{id}` of a path.
pub(super) struct Id(pub String);

/// The `{id}` and the `{line}` of a path.
pub(super) struct LinePath {
    pub order: String,
    pub line: String,
}

impl<S: Send + Sync> FromRequestParts<S> for LinePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (order, line) = path.map_or_else(|_| Default::default(), |Path(both)| both);
        let order = Some(order).filter(|order| !order.is_empty() && !order.contains('\0'));
        Ok(Self {
            order: order.unwrap_or_else(|| NOBODYS_ID.to_owned()),
            line,
        })
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers).ok_or_else(ApiError::unauthorized)?;
        let principal = app.token_principal(token, TokenKind::ExsitedAccess).await?;
        let principal = principal.ok_or_else(ApiError::unauthorized)?;
        Ok(Self {
            api: Api::of(parts.uri.path()),
            request: envelope(app, &principal, parts).await?,
        })
    }
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let Caller { api, request } = Caller::from_request_parts(&mut parts, app).await?;
        let key = idempotency_key(&parts.headers)?;
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let body = body_bytes(Request::from_parts(parts, body), app).await?;
        let request = match key {
            Some(key) => request.with_key(&key, &[method.as_str().as_bytes(), path.as_bytes(), &body]),
            None => request,
        };
        Ok(Self {
            api,
            request,
            body: json::parse(&body)?,
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().map(|Path(id)| id).filter(|id| !id.contains('\0'));
        Ok(Self(id.unwrap_or_else(|| NOBODYS_ID.to_owned())))
    }
}

/// The whole body, up to the limit.
pub(super) async fn body_bytes(request: Request, app: &Arc<App>) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, app).await.map_err(|rejection| {
        if let BytesRejection::FailedToBufferBody(failure) = &rejection
            && failure.status() == StatusCode::PAYLOAD_TOO_LARGE
        {
            let message = format!("a body has at most {} bytes", crate::http::MAX_BODY_BYTES);
            return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message);
        }
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", "the body ended early")
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn envelope(app: &App, principal: &Principal, parts: &Parts) -> Result<journal::Request, ApiError> {
    let request = app.request(principal, DIALECT).await?;
    Ok(match parts.extensions.get::<RequestId>() {
        Some(RequestId(id)) => journal::Request {
            request_id: id.clone(),
            ..request
        },
        None => request,
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let header = ["idempotency-key", "x-idempotency-key"]
        .iter()
        .find_map(|name| headers.get(*name).map(|value| (name, value)));
    let Some((name, value)) = header else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|c| c.is_ascii_graphic()) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(ApiError::field(
            name,
            "invalid",
            "an idempotency key has 1 to 255 visible ASCII characters",
        )),
    }
}
