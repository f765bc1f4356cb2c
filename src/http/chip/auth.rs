//! A call that may come in: who it is from, what it brings, and the envelope of the command it may become.

use std::sync::Arc;

use aggregates::tenant::CredentialKind;
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    middleware::Next,
    response::Response,
};

use super::error::{Errors, Failure};
use crate::{
    app::{App, Principal},
    clock, journal,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longer keys and request ids are not kept.
const MAX_KEY: usize = 255;
const MAX_REQUEST_ID: usize = 128;

/// The id a request goes by in the log and in its answer.
#[derive(Clone)]
struct RequestId(String);

/// An authorised call, read to its end.
pub struct Call {
    pub principal: Arc<Principal>,
    pub request: journal::Request,
    pub body: Bytes,
    /// Scheme and host as the caller knows this service, for the URLs in answers.
    pub origin: String,
    /// Path and query, without the query: lists continue on it.
    pub path: String,
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let principal = authorise(request.headers(), app).await?;
        let headers = request.headers().clone();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let id = request.extensions().get::<RequestId>().cloned();
        let body = Bytes::from_request(request, app).await.map_err(|rejection| {
            if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
                Failure::TooLarge
            } else {
                Failure::Unreadable
            }
        })?;
        let mut envelope = app.request(&principal, "chip").await?;
        if let Some(RequestId(id)) = id {
            envelope.request_id = id;
        }
        if let Some(key) = headers.get(IDEMPOTENCY_KEY) {
            let key = visible(key, MAX_KEY).ok_or_else(|| {
                Errors::all(
                    format!("An idempotency key has 1 to {MAX_KEY} visible ASCII characters."),
                    "invalid",
                )
            })?;
            envelope = envelope.with_key(key, &[method.as_str().as_bytes(), path.as_bytes(), &body]);
        }
        Ok(Self {
            principal,
            request: envelope,
            body,
            origin: origin(&headers),
            path,
        })
    }
}

/// The id in the path; empty, which no id is, where the path holds no text. It refuses nothing: the key is asked first.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = Path::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(id)| id).unwrap_or_default()))
    }
}

/// Two ids in the path, read like [`Id`].
#[derive(Default)]
pub struct Ids(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = Path::from_request_parts(parts, state).await;
        Ok(path.map(|Path((one, other))| Self(one, other)).unwrap_or_default())
    }
}

async fn authorise(headers: &HeaderMap, app: &App) -> Result<Arc<Principal>, Failure> {
    let header = headers.get(header::AUTHORIZATION).ok_or(Failure::NoAuthorization)?;
    let key = header.to_str().ok().and_then(|header| {
        let (scheme, key) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    let principal = match key {
        Some(key) => app.principal(CredentialKind::Chip, key).await?,
        None => None,
    };
    principal.ok_or(Failure::WrongKey)
}

/// The value of a header, if it is short and visible.
fn visible(value: &HeaderValue, max: usize) -> Option<&str> {
    let text = value.to_str().ok()?;
    (1..=max)
        .contains(&text.len())
        .then_some(text)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// Scheme and host of the service as the caller has reached it.
pub fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |host: &&str| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
    };
    let host = host
        .filter(|host| !host.is_empty())
        .filter(plain)
        .unwrap_or("localhost");
    let secure = headers
        .get("x-forwarded-proto")
        .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    format!("{}://{host}", if secure { "https" } else { "http" })
}

/// Gives every request an id, the caller's where it is usable, and returns it with the answer.
pub async fn with_request_id(mut request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| visible(id, MAX_REQUEST_ID));
    let id = given.map_or_else(|| clock::command_uuid().to_string(), str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
