//! The routes of our own door, with requests that name what another tenant may have.

use super::Route;

pub const CHARGE: &str =
    r#"{"name":"Seats","amount":"1.00","period_start":"2026-10-01","period_end":"2026-11-01","flat_fee":false}"#;

pub const ROUTES: &[Route] = &[
    ("POST", "/billstream/v1/plans", "{}"),
    ("POST", "/billstream/v1/discounts", "{}"),
    ("POST", "/billstream/v1/contracts/{contract}/charges", CHARGE),
    (
        "POST",
        "/billstream/v1/contracts/{contract}/activate",
        r#"{"on":"2026-10-20"}"#,
    ),
    (
        "POST",
        "/billstream/v1/contracts/{contract}/pause",
        r#"{"on":"2026-10-20"}"#,
    ),
    (
        "POST",
        "/billstream/v1/contracts/{contract}/resume",
        r#"{"on":"2026-10-20"}"#,
    ),
    (
        "POST",
        "/billstream/v1/contracts/{contract}/end",
        r#"{"on":"2026-10-20"}"#,
    ),
    (
        "POST",
        "/billstream/v1/contracts/{contract}/move",
        r#"{"customer":"{customer}"}"#,
    ),
    (
        "POST",
        "/billstream/v1/contracts/{contract}/reactivate",
        r#"{"on":"2026-10-20"}"#,
    ),
    ("GET", "/billstream/v1/contracts/{contract}/policy", ""),
    (
        "PUT",
        "/billstream/v1/contracts/{contract}/policy",
        r#"{"proration":"none"}"#,
    ),
    ("GET", "/billstream/v1/time-zone", ""),
    ("PUT", "/billstream/v1/time-zone", r#"{"time_zone":"Europe/Berlin"}"#),
    ("GET", "/billstream/v1/policy", ""),
    ("PUT", "/billstream/v1/policy", r#"{"proration":"actual_days"}"#),
    (
        "POST",
        "/billstream/v1/previews/preferences",
        r#"{"months":1,"contract_id":"{contract}","policy":{"proration":"none"}}"#,
    ),
    (
        "POST",
        "/billstream/v1/contracts/{contract}/usage-periods/close",
        r#"{"through":"2026-11-01"}"#,
    ),
    // Usage of what is not one's own is kept as matching nothing: tests/billstream/usage.rs.
    ("POST", "/billstream/v1/usage", r#"{"records":[]}"#),
    ("GET", "/billstream/v1/usage/unmatched", ""),
    ("POST", "/billstream/v1/sessions", "{}"),
    ("GET", "/billstream/v1/clock", ""),
    ("POST", "/billstream/v1/clock", "{}"),
    ("GET", "/billstream/v1/unbilled", ""),
    ("GET", "/billstream/v1/invoices/{invoice}/explain", ""),
    ("POST", "/billstream/v1/invoices/{invoice}/void", r#"{"reason":"x"}"#),
    ("GET", "/billstream/v1/invoices/{invoice}/payments", ""),
    (
        "POST",
        "/billstream/v1/invoices/{invoice}/payments",
        r#"{"reference":"ch_1","amount":"1.00"}"#,
    ),
    ("GET", "/billstream/v1/payments", ""),
    ("GET", "/billstream/v1/payments/{payment}", ""),
    (
        "POST",
        "/billstream/v1/payments/{payment}/succeeded",
        r#"{"reference":"ch_2"}"#,
    ),
    (
        "POST",
        "/billstream/v1/payments/{payment}/failed",
        r#"{"reason":"declined"}"#,
    ),
    ("GET", "/billstream/v1/customers/{customer}/credit", ""),
    (
        "POST",
        "/billstream/v1/customers/{customer}/credit",
        r#"{"amount":"1.00","currency":"EUR","reason":"goodwill"}"#,
    ),
    ("GET", "/billstream/v1/messages", ""),
    ("GET", "/billstream/v1/messages/{message}", ""),
    ("POST", "/billstream/v1/messages/{message}/sent", ""),
    ("POST", "/billstream/v1/messages/{message}/failed", r#"{"reason":"x"}"#),
    ("GET", "/billstream/v1/fulfilments", ""),
    ("POST", "/billstream/v1/fulfilments/{fulfilment}/complete", ""),
    (
        "POST",
        "/billstream/v1/previews/run",
        r#"{"until":"2027-01-01T00:00:00Z","contract_id":"{contract}"}"#,
    ),
    (
        "POST",
        "/billstream/v1/previews/run",
        r#"{"until":"2027-01-01T00:00:00Z","customer_id":"{customer}"}"#,
    ),
    (
        "POST",
        "/billstream/v1/previews/invoices",
        r#"{"invoice_item_ids":["{charge}"]}"#,
    ),
    (
        "POST",
        "/billstream/v1/previews/invoices",
        r#"{"contract_id":"{contract}"}"#,
    ),
    ("GET", "/billstream/v1/events", ""),
    ("GET", "/billstream/v1/streams/{type}/{stream}", ""),
    (
        "GET",
        "/billstream/v1/streams/{type}/{stream}?at=2026-10-06T00:00:00Z",
        "",
    ),
];
