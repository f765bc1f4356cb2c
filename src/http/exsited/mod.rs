//! The exsited door.

use std::sync::Arc;

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::app::App;

pub fn router() -> Router<Arc<App>> {
    Router::new()
}

pub fn not_found(_path: &str) -> Response {
    StatusCode::NOT_FOUND.into_response()
}
