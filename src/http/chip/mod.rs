//! The CHIP-style door: billing, templates and their subscribers, purchases and clients.

mod auth;
mod convert;
mod country;
mod error;
mod fields;
mod page;
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
        .merge(both(
            "/billing_templates",
            get(routes::templates::list).post(routes::templates::create),
        ))
        .merge(both(
            "/billing_templates/{id}",
            get(routes::templates::read)
                .put(routes::templates::replace)
                .delete(routes::templates::remove),
        ))
        .merge(both(
            "/billing_templates/{id}/send_invoice",
            post(routes::templates::send_invoice),
        ))
        .merge(both(
            "/billing_templates/{id}/add_subscriber",
            post(routes::subscribers::add),
        ))
        .merge(both("/billing_templates/{id}/clients", get(routes::subscribers::list)))
        .merge(both(
            "/billing_templates/{id}/clients/{client}",
            get(routes::subscribers::read).patch(routes::subscribers::change),
        ))
        .merge(both("/purchases/{id}", get(routes::purchases::read)))
        .merge(both("/purchases/{id}/cancel", post(routes::purchases::cancel)))
        .merge(both(
            "/purchases/{id}/mark_as_paid",
            post(routes::purchases::mark_as_paid),
        ))
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
