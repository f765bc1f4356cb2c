//! The pages that `checkout_url` and `invoice_url` lead to: what is to be paid, and whether it still can be.

use std::sync::Arc;

use aggregates::purchase::printed_number;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    app::App,
    http::chip::{auth::Id, convert::purchase::word},
};

pub async fn checkout(app: State<Arc<App>>, id: Id) -> Response {
    show(app, id, "Payment").await
}

pub async fn invoice(app: State<Arc<App>>, id: Id) -> Response {
    show(app, id, "Invoice").await
}

pub async fn wrong_method() -> Response {
    page(StatusCode::METHOD_NOT_ALLOWED, "Not allowed", "<h1>Not allowed</h1>")
}

async fn show(State(app): State<Arc<App>>, Id(id): Id, title: &str) -> Response {
    let found = match id.parse() {
        Ok(id) => app.purchase_page(id).await,
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some(view)) => {
            let number = printed_number(view.number);
            let mut lines = String::new();
            for product in &view.order.details.products {
                let (quantity, name) = (product.quantity.normalize(), escape(&product.name));
                lines.extend(["<li>", &quantity.to_string(), " &times; ", &name, "</li>"]);
            }
            let body = format!(
                "<h1>{title} {number}</h1><ul>{lines}</ul><p>Total: {} {}</p><p>Due: {}</p><p>Status: {}</p>",
                view.total.currency.code(),
                view.total,
                view.order.due.format("%Y-%m-%d %H:%M UTC"),
                word(view.status),
            );
            page(StatusCode::OK, &format!("{title} {number}"), &body)
        }
        Ok(None) => page(StatusCode::NOT_FOUND, "Not found", "<h1>Not found</h1>"),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a page was not served");
            let body = "<h1>The service is not available</h1>";
            page(StatusCode::SERVICE_UNAVAILABLE, "Not available", body)
        }
    }
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body>{body}</body></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, html).into_response()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
