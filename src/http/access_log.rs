//! A line of the log for every request: what was asked and how it went, never a body, a header or a query.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    response::Response,
};
use tracing::Level;

/// Whoever knows the address of such a page may read it: the log must not tell it.
const PAGES: &str = "/p/";

/// A request whose answer is on its way.
pub struct Line {
    method: Method,
    path: String,
    start: Instant,
}

impl Line {
    /// `None` where nobody listens.
    pub fn begin(request: &Request) -> Option<Self> {
        if !tracing::enabled!(Level::INFO) {
            return None;
        }
        let path = request.uri().path();
        let route = request.extensions().get::<MatchedPath>();
        let path = match route {
            Some(route) if path.starts_with(PAGES) => route.as_str(),
            None if path.starts_with(PAGES) => PAGES,
            _ => path,
        };
        Some(Self {
            method: request.method().clone(),
            path: path.to_owned(),
            start: Instant::now(),
        })
    }

    pub fn end(self, request_id: &str, response: &Response) {
        tracing::info!(
            method = %self.method,
            path = self.path,
            status = response.status().as_u16(),
            milliseconds = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            request_id,
            "request"
        );
    }
}
