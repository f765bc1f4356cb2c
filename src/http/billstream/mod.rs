//! Our own door: plans and charges, which no vendor's API creates, payments, credit and fulfilments, the clock of a test,
//! what could not be billed, sessions, and the log for auditors.

mod auth;
mod convert;
mod error;
mod explained;
mod extract;
mod fulfilments;
mod messages;
mod origins;
mod payments;
mod prices;
mod routes;
mod usage;
mod what_if;
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
use routes::{
    audit, charges, clock, contracts, credit, invoices, plans, policy, previews, sessions, time_zone, unbilled,
};

use crate::{app::App, http::MAX_USAGE_BYTES};

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/billstream/v1/plans", post(plans::create))
        .route("/billstream/v1/discounts", post(routes::discounts::create))
        .route("/billstream/v1/contracts/{contract_id}/charges", post(charges::add))
        .route(
            "/billstream/v1/contracts/{contract_id}/activate",
            post(contracts::activate),
        )
        .route("/billstream/v1/contracts/{contract_id}/pause", post(contracts::pause))
        .route("/billstream/v1/contracts/{contract_id}/resume", post(contracts::resume))
        .route("/billstream/v1/contracts/{contract_id}/end", post(contracts::end))
        .route(
            "/billstream/v1/contracts/{contract_id}/reactivate",
            post(contracts::reactivate),
        )
        .route(
            "/billstream/v1/contracts/{contract_id}/move",
            post(contracts::hand_over),
        )
        .route("/billstream/v1/clock", get(clock::show).post(clock::move_on))
        .route("/billstream/v1/unbilled", get(unbilled::list))
        .route("/billstream/v1/invoices/{invoice_id}/explain", get(invoices::explain))
        .route("/billstream/v1/invoices/{invoice_id}/void", post(invoices::void))
        .route("/billstream/v1/time-zone", get(time_zone::show).put(time_zone::update))
        .route("/billstream/v1/policy", get(policy::show).put(policy::update))
        .route(
            "/billstream/v1/contracts/{contract_id}/policy",
            get(policy::show_of).put(policy::update_of),
        )
        .route(
            "/billstream/v1/invoices/{invoice_id}/payments",
            get(routes::payments::of_invoice).post(routes::payments::record),
        )
        .route("/billstream/v1/payments", get(routes::payments::list))
        .route("/billstream/v1/payments/{payment_id}", get(routes::payments::show))
        .route(
            "/billstream/v1/payments/{payment_id}/succeeded",
            post(routes::payments::succeeded),
        )
        .route(
            "/billstream/v1/payments/{payment_id}/failed",
            post(routes::payments::failed),
        )
        .route("/billstream/v1/messages", get(routes::messages::list))
        .route("/billstream/v1/messages/{message_id}", get(routes::messages::show))
        .route(
            "/billstream/v1/messages/{message_id}/sent",
            post(routes::messages::sent),
        )
        .route(
            "/billstream/v1/messages/{message_id}/failed",
            post(routes::messages::failed),
        )
        .route("/billstream/v1/fulfilments", get(routes::fulfilments::list))
        .route(
            "/billstream/v1/fulfilments/{fulfilment_id}/complete",
            post(routes::fulfilments::complete),
        )
        .route(
            "/billstream/v1/customers/{customer_id}/credit",
            get(credit::show).post(credit::grant),
        )
        .route("/billstream/v1/previews/run", post(previews::run))
        .route("/billstream/v1/previews/preferences", post(previews::preferences))
        .route("/billstream/v1/previews/invoices", post(previews::invoices))
        .route(
            "/billstream/v1/contracts/{contract_id}/usage-periods/close",
            post(routes::usage::close),
        )
        .route(
            "/billstream/v1/usage",
            post(routes::usage::record).layer(DefaultBodyLimit::max(MAX_USAGE_BYTES)),
        )
        .route("/billstream/v1/usage/unmatched", get(routes::usage::unmatched))
        .route("/billstream/v1/sessions", post(sessions::open))
        .route("/billstream/v1/events", get(audit::events))
        .route("/billstream/v1/streams/{type}/{id}", get(audit::stream))
        .method_not_allowed_fallback(extract::wrong_method)
        .layer(middleware::from_fn(extract::request_id))
}

pub fn not_found() -> Response {
    Error::not_found("path").into_response()
}
