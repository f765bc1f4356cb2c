//! The doors: one folder a dialect, each with its own extractors, errors and wire types. None knows another.

mod access_log;
pub mod billstream;
pub mod chip;
pub mod exsited;
mod operations;
mod server;
pub mod wingback;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, Uri},
    middleware::{self, Next},
    response::Response,
};

pub use server::serve;

use crate::{app::App, clock};

/// What paths of the Exsited dialect begin with; it shares `/api/v1/` with CHIP.
const EXSITED: [&str; 13] = [
    "/api/v1/accounts",
    "/api/v1/oauth2",
    "/api/v1/orders",
    "/api/v1/settings",
    "/api/v1/usages",
    "/api/v2/",
    "/api/v3/",
    "/api/v4/",
    "/accounts",
    "/oauth2",
    "/orders",
    "/settings",
    "/usages",
];

const REQUEST_ID: &str = "x-request-id";

/// Bodies above this are answered with 413.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// Bodies of usage in bulk above this are answered with 413: 150,000 records of some 400 bytes fit.
pub const MAX_USAGE_BYTES: usize = 64 * 1024 * 1024;

/// Every route of every dialect. Requests go through [`normalise`] first: routes are written without a final slash.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(wingback::router())
        .merge(exsited::router())
        .merge(chip::router())
        .merge(billstream::router())
        .merge(operations::router())
        .fallback(unknown_path)
        .layer(middleware::from_fn(accompany))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(app)
}

/// A path that no route has: answered in the shape of the dialect it looks like.
async fn unknown_path(State(_app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if path.starts_with("/v1/") {
        wingback::not_found()
    } else if EXSITED.iter().any(|start| path.starts_with(start)) {
        exsited::not_found(path, &headers)
    } else if ["/api/v1/", "/billing", "/purchases", "/clients"]
        .iter()
        .any(|start| path.starts_with(start))
    {
        chip::not_found()
    } else {
        billstream::not_found()
    }
}

/// Gives an id to the answers that no dialect gave one (the caller's where it is short and visible), and each a line
/// in the log.
async fn accompany(request: Request, next: Next) -> Response {
    let line = access_log::Line::begin(&request);
    let sent = request.headers().get(REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if !response.headers().contains_key(REQUEST_ID) {
        let usable = |id: &HeaderValue| (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
        let made = || HeaderValue::from_str(&clock::command_uuid().to_string()).ok();
        if let Some(id) = sent.filter(usable).or_else(made) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
    }
    if let Some(line) = line {
        let id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        line.end(id.unwrap_or_default(), &response);
    }
    response
}

/// Collapses doubled slashes and drops a final one, as some vendors' clients send them.
pub fn normalise(mut request: Request) -> Request {
    let uri = request.uri();
    let path = uri.path();
    if path.len() > 1 && (path.ends_with('/') || path.contains("//")) {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let clean = format!("/{}{query}", segments.join("/"));
        if let Ok(clean) = clean.parse() {
            *request.uri_mut() = clean;
        }
    }
    request
}
