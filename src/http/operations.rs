//! For the people who run the service: liveness, readiness, metrics.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::SecondsFormat;
use serde_json::json;

use crate::{app::App, journal::CommandError};

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .method_not_allowed_fallback(wrong_method)
}

async fn wrong_method() -> Response {
    let body = Json(json!({"status": "this path does not know that method"}));
    (StatusCode::METHOD_NOT_ALLOWED, body).into_response()
}

/// The process runs.
async fn live() -> Json<serde_json::Value> {
    Json(json!({"status": "live"}))
}

/// The log can be read, its writers take work, and what falls due is billed.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let late = match app.journal.check().await {
        Ok(()) => app.late_since().await.map_err(CommandError::from),
        Err(error) => Err(error),
    };
    match late {
        Ok(None) => Json(json!({"status": "ready"})).into_response(),
        Ok(Some(since)) => {
            let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
            not_ready(&format!("billing is late: something has been due since {since}"))
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            not_ready(&error.to_string())
        }
    }
}

fn not_ready(reason: &str) -> Response {
    let body = Json(json!({"status": "not ready", "reason": reason}));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

/// Counters and histograms in Prometheus' text form.
async fn metrics(State(app): State<Arc<App>>) -> Response {
    match &app.metrics {
        Some(recorder) => (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            recorder.render(),
        )
            .into_response(),
        None => (
            StatusCode::NOT_FOUND,
            Json(json!({"status": "metrics are not recorded"})),
        )
            .into_response(),
    }
}
