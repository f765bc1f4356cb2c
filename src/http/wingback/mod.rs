//! The Wingback-style door: invoicing preferences, invoices, customers and contracts under `/v1/c`.

mod auth;
mod contract;
mod convert;
mod error;
mod estimates;
mod extract;
mod id;
mod item;
mod page;
mod periods;
mod refused;
mod routes;
mod usage;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use error::Error;
use routes::{contracts, customers, invoices, preferences};

use crate::{app::App, http::MAX_USAGE_BYTES};

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route(
            "/v1/c/preferences/invoicing",
            get(preferences::show).post(preferences::update),
        )
        .route("/v1/c/invoice", get(invoices::list).post(invoices::create))
        .route("/v1/c/invoice/{invoice_id}", get(invoices::show))
        .route("/v1/c/customer", get(customers::search).post(customers::put))
        .route(
            "/v1/c/customer/{customer_id}",
            get(customers::show).delete(customers::forget),
        )
        .route("/v1/c/contract", post(contracts::sign))
        .route("/v1/c/contract/{contract_id}", get(contracts::show))
        .route("/v1/c/contract/{contract_id}/activate", post(contracts::activate))
        .route("/v1/c/contract/{contract_id}/cancel", post(contracts::cancel))
        .route("/v1/c/contract/{contract_id}/upgrade", post(contracts::upgrade))
        .route(
            "/v1/c/contract/{contract_id}/upgrade_estimate",
            post(contracts::estimate_upgrade),
        )
        .route("/v1/c/usage", post(routes::usage::record))
        .route(
            "/v1/c/usage/bulk",
            post(routes::usage::bulk).layer(DefaultBodyLimit::max(MAX_USAGE_BYTES)),
        )
        .method_not_allowed_fallback(extract::wrong_method)
        .layer(middleware::from_fn(extract::request_id))
}

pub fn not_found() -> Response {
    Error::not_found("path", "path").into_response()
}
