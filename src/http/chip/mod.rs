//! The CHIP-style door: one-off billing, purchases and clients.

mod auth;
mod convert;
mod country;
mod error;
mod fields;
mod routes;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    http::Method,
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};

use self::{auth::Call, error::Failure};
use crate::app::App;

pub fn router() -> Router<Arc<App>> {
    let pages = Router::new()
        .route("/p/{id}", get(routes::pages::checkout))
        .route("/p/{id}/invoice", get(routes::pages::invoice))
        .method_not_allowed_fallback(routes::pages::wrong_method);
    both("/billing", post(routes::billing::send))
        .merge(both("/purchases/{id}", get(routes::purchases::read)))
        .merge(both(
            "/clients",
            get(routes::clients::list).post(routes::clients::create),
        ))
        .merge(both(
            "/clients/{id}",
            get(routes::clients::read)
                .put(routes::clients::replace)
                .patch(routes::clients::merge)
                .delete(routes::clients::forget),
        ))
        .merge(pages)
        .layer(middleware::from_fn(auth::with_request_id))
}

/// A route under the vendor's prefix and at its bare path.
fn both(path: &str, routes: MethodRouter<Arc<App>>) -> Router<Arc<App>> {
    let routes = routes.fallback(method_not_allowed);
    Router::new()
        .route(&format!("/api/v1{path}"), routes.clone())
        .route(path, routes)
}

/// As the vendor does it, only those who may come in are told which methods there are.
async fn method_not_allowed(method: Method, _call: Call) -> Failure {
    Failure::MethodNotAllowed(method)
}

pub fn not_found() -> Response {
    Failure::NotFound.into_response()
}
