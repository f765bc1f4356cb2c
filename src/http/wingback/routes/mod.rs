//! The endpoints, one file a resource.

pub mod contracts;
pub mod customers;
pub mod invoices;
pub mod preferences;
pub mod usage;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// 200 without a body. Every answer says what it is, this one too.
fn empty() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "").into_response()
}
