//! The Exsited door: accounts and orders in the shapes of v1-v3 and of v4, over one model.

mod auth;
mod change;
mod convert;
mod error;
mod fields;
mod invoice;
mod json;
mod line;
mod list;
mod routes;
mod start;
mod tax;
mod usage;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use self::error::ApiError;
use crate::{app::App, clock};

/// The paths the API is served under; the bare one is the generation of the first three.
const PREFIXES: [&str; 5] = ["", "/api/v1", "/api/v2", "/api/v3", "/api/v4"];
const REQUEST_ID: &str = "x-request-id";

/// Which shape an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    Legacy,
    V4,
}

/// The version a request was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Api {
    generation: Generation,
    prefix: &'static str,
}

impl Api {
    fn of(path: &str) -> Self {
        let versioned = |prefix: &&&str| {
            !prefix.is_empty()
                && path
                    .strip_prefix(**prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let prefix = PREFIXES.iter().find(versioned).copied().unwrap_or("");
        let generation = match prefix {
            "/api/v4" => Generation::V4,
            _ => Generation::Legacy,
        };
        Self { generation, prefix }
    }
}

/// The caller's own id of the request, or one made here: in the log, in the answer's header, in errors.
#[derive(Clone, Debug)]
struct RequestId(String);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        match sent {
            Some(id) if (1..=128).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_graphic()) => {
                Self(id.to_owned())
            }
            _ => Self(format!("req_{}", clock::random_uuid())),
        }
    }
}

pub fn router() -> Router<Arc<App>> {
    let mut router = Router::new();
    for prefix in PREFIXES {
        let path = |rest: &str| format!("{prefix}{rest}");
        router = router
            .route(&path("/oauth2/token"), post(routes::token::issue))
            .route(&path("/accounts"), post(routes::accounts::create))
            .route(&path("/accounts/{id}"), get(routes::accounts::read))
            .route(&path("/orders"), post(routes::orders::create).get(routes::orders::list))
            .route(&path("/orders/{id}"), get(routes::orders::read))
            .route(&path("/orders/{id}/cancel"), post(routes::orders::cancel))
            .route(&path("/orders/{id}/activate"), post(routes::order_changes::activate))
            .route(
                &path("/orders/{id}/reactivate"),
                post(routes::order_changes::reactivate),
            )
            .route(&path("/orders/{id}/change"), post(routes::order_changes::change))
            .route(
                &path("/orders/{id}/change/preview"),
                post(routes::order_changes::preview),
            )
            .route(
                &path("/orders/{id}/invoices"),
                get(routes::order_changes::invoices).post(routes::order_changes::issue),
            )
            .route(&path("/accounts/{id}/orders"), get(routes::orders::list_of_account))
            .route(&path("/orders/{id}/lines"), get(routes::lines::list))
            .route(&path("/orders/{id}/lines/{line}"), get(routes::lines::read))
            .route(&path("/settings/{kind}"), get(routes::settings::list))
            .route(&path("/settings/{kind}/{id}"), get(routes::settings::read))
            .route(&path("/usages"), post(routes::usages::create).get(routes::usages::list))
            .route(
                &path("/usages/{id}"),
                get(routes::usages::read)
                    .patch(routes::usages::merge)
                    .put(routes::usages::replace)
                    .delete(routes::usages::withdraw),
            );
        for spelling in ["billing-preferences", "billing_preferences"] {
            router = router
                .route(
                    &path(&format!("/orders/{{id}}/{spelling}")),
                    get(routes::preferences::read)
                        .patch(routes::preferences::merge)
                        .put(routes::preferences::replace),
                )
                .route(
                    &path(&format!("/orders/{{id}}/lines/{{line}}/{spelling}")),
                    get(routes::lines::read_billing)
                        .patch(routes::lines::merge)
                        .put(routes::lines::replace),
                )
                .route(
                    &path(&format!("/accounts/{{id}}/{spelling}")),
                    get(routes::accounts::read_billing).put(routes::accounts::replace_billing),
                );
        }
    }
    router
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(middleware::from_fn(answer))
}

/// A path that no route has.
pub fn not_found(path: &str, headers: &HeaderMap) -> Response {
    finish(
        ApiError::unknown_path(path).into_response(),
        Api::of(path),
        &RequestId::of(headers),
    )
}

/// Gives each request its id, and each error the shape of the version it was sent to.
async fn answer(mut request: Request, next: Next) -> Response {
    let api = Api::of(request.uri().path());
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    finish(next.run(request).await, api, &id)
}

fn finish(response: Response, api: Api, id: &RequestId) -> Response {
    let (mut parts, mut body) = response.into_parts();
    let json = HeaderValue::from_static("application/json");
    if let Some(error) = parts.extensions.remove::<ApiError>() {
        body = Body::from(wire::error(&error, api.generation, &id.0).to_string());
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.insert(header::CONTENT_TYPE, json);
    } else {
        // A client of the first generation reads it of every answer, also of an empty one.
        parts.headers.entry(header::CONTENT_TYPE).or_insert(json);
    }
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        parts.headers.insert(REQUEST_ID, id);
    }
    Response::from_parts(parts, body)
}
