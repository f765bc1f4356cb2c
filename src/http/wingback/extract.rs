//! What handlers take out of a request, refused in this dialect's own shape where it is not as it must be.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderValue, Method, StatusCode, Uri, request::Parts},
    middleware::Next,
    response::Response,
};
use serde::de::DeserializeOwned;

use super::{
    auth,
    error::{Error, Result},
    id::{Class, Id},
};
use crate::{
    app::{App, Principal},
    clock, journal,
};

const REQUEST_ID: &str = "x-request-id";
const MAX_HEADER_TEXT: usize = 128;

/// The caller's id for this request, or one made here: kept with every event, and sent back.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Gives every request its id and every answer the id of its request.
pub async fn request_id(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(visible).map(str::to_owned);
    let id = given.unwrap_or_else(|| clock::command_uuid().to_string());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The text of a header that is short and visible.
fn visible(value: &HeaderValue) -> Option<&str> {
    value
        .to_str()
        .ok()
        .filter(|text| (1..=MAX_HEADER_TEXT).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic()))
}

/// Somebody who may read.
pub struct Reader(pub Principal);

impl FromRequestParts<Arc<App>> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        auth::principal(app, parts).await.map(Self)
    }
}

/// A request that changes something: who asks, under which key, and its body as it came.
pub struct Envelope {
    pub request: journal::Request,
    pub body: Bytes,
}

impl FromRequest<Arc<App>> for Envelope {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let principal = auth::principal(app, &parts).await?;
        let (method, uri, headers) = (parts.method.clone(), parts.uri.clone(), parts.headers.clone());
        let mut envelope = app.request(&principal, "wingback").await?;
        if let Some(RequestId(id)) = parts.extensions.get() {
            envelope.request_id.clone_from(id);
        }
        let body = Bytes::from_request(Request::from_parts(parts, body), app)
            .await
            .map_err(|rejection| Error::new(rejection.status(), "body", rejection.body_text()))?;
        if let Some(key) = headers.get("idempotency-key") {
            let key = visible(key).ok_or_else(|| {
                let limits = format!("an idempotency key is 1 to {MAX_HEADER_TEXT} visible ASCII characters");
                Error::bad("idempotency_key", limits)
            })?;
            envelope = keyed(envelope, key, &method, &uri, &body);
        }
        Ok(Self {
            request: envelope,
            body,
        })
    }
}

fn keyed(request: journal::Request, key: &str, method: &Method, uri: &Uri, body: &[u8]) -> journal::Request {
    request.with_key(key, &[method.as_str().as_bytes(), uri.path().as_bytes(), body])
}

/// A request that changes something, with its JSON body.
pub struct Command<T> {
    pub request: journal::Request,
    pub body: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Command<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        let envelope = Envelope::from_request(request, app).await?;
        let body = json(&envelope.body)?;
        Ok(Self {
            request: envelope.request,
            body,
        })
    }
}

/// Reads a JSON object; what does not fit is named by its path.
fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    match body.trim_ascii_start().first() {
        Some(b'{') => {}
        None => return Err(Error::bad("body", "a JSON object is needed, the body is empty")),
        Some(_) => return Err(Error::bad("body", "a JSON object is needed")),
    }
    if holds_nul(body) {
        return Err(Error::bad("body", "the character U+0000 cannot be stored"));
    }
    // Fields that nobody reads must be JSON and UTF-8 as well, and no deeper than the rest.
    let _: serde_json::Value = serde_json::from_slice(body).map_err(|error| Error::bad("body", error))?;
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(body)).map_err(|error| {
        let path = error.path().to_string();
        let topic = if path == "." { "body".to_owned() } else { path };
        Error::bad(topic, error.inner())
    })
}

/// Reads a long JSON text whose values are looked at one by one.
pub fn bulk<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    if holds_nul(body) {
        return Err(Error::bad("body", "the character U+0000 cannot be stored"));
    }
    serde_json::from_slice(body).map_err(|error| Error::bad("body", error))
}

/// Whether a JSON text has `\u0000` in a string: legal JSON, but no text that a database keeps.
fn holds_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[at..].starts_with(b"\\u0000") {
            return true;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

/// The id in the path.
pub struct PathId<T>(pub T);

impl<T: Class> FromRequestParts<Arc<App>> for PathId<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let Path(text) = Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|rejection| Error::bad(T::FIELD, rejection.body_text()))?;
        let Id(id) = text.parse().map_err(|error| Error::bad(T::FIELD, error))?;
        Ok(Self(id))
    }
}

/// The query string.
pub struct Search<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Search<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self> {
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Error::bad("query", "the character U+0000 cannot be searched for"));
        }
        let Query(query) =
            Query::try_from_uri(&parts.uri).map_err(|rejection| Error::bad("query", rejection.body_text()))?;
        Ok(Self(query))
    }
}

pub async fn wrong_method() -> Error {
    Error::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        "this path does not know that method",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_must_be_json_as_well() {
        #[derive(serde::Deserialize)]
        struct Nothing {}
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
        let bad: [&[u8]; 5] = [
            b"{\"x\":\"\xff\"}",
            br#"{"x":"\ud800"}"#,
            b"{\"x\":1e400}",
            b"{} x",
            deep.as_bytes(),
        ];
        for body in bad {
            assert!(json::<Nothing>(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
        assert!(json::<Nothing>(br#"{"x":[1,"\ud83d\ude00"]}"#).is_ok());
    }

    #[test]
    fn a_nul_is_found_where_it_is_one() {
        assert!(holds_nul(br#"{"a":"\u0000"}"#));
        assert!(holds_nul(br#"{"a":"\\\u0000"}"#));
        assert!(!holds_nul(br#"{"a":"\\u0000"}"#));
        assert!(!holds_nul(br#"{"a":"\"#));
    }
}
