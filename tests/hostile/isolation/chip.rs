//! The routes of CHIP's door, with requests that name what another tenant may have.

use super::Route;

pub const BILLING: &str = r#"{"clients":[{"email":"own@example.com"},{"client_id":"{client}"}],"invoice_due":1793491200,
    "purchase":{"products":[{"name":"x","price":1000}]}}"#;
pub const TEMPLATE: &str =
    r#"{"is_subscription":true,"purchase":{"products":[{"name":"x","price":1000}]},"title":"Northwind gym"}"#;
const SUBSCRIBER: &str = r#"{"client_id":"{client}"}"#;

pub const ROUTES: &[Route] = &[
    ("GET", "/p/{purchase}", ""),
    ("GET", "/p/{purchase}/invoice", ""),
    ("POST", "/billing", BILLING),
    ("GET", "/purchases/{purchase}", ""),
    ("POST", "/purchases/{purchase}/cancel", ""),
    ("POST", "/purchases/{purchase}/mark_as_paid", ""),
    ("GET", "/billing_templates", ""),
    ("POST", "/billing_templates", "{}"),
    ("GET", "/billing_templates/{template}", ""),
    ("PUT", "/billing_templates/{template}", TEMPLATE),
    ("DELETE", "/billing_templates/{template}", ""),
    ("POST", "/billing_templates/{template}/send_invoice", SUBSCRIBER),
    ("POST", "/billing_templates/{template}/add_subscriber", SUBSCRIBER),
    ("GET", "/billing_templates/{template}/clients", ""),
    ("GET", "/billing_templates/{template}/clients/{subscriber}", ""),
    (
        "PATCH",
        "/billing_templates/{template}/clients/{subscriber}",
        r#"{"status":"subscription_paused"}"#,
    ),
    ("GET", "/clients", ""),
    ("POST", "/clients", "{}"),
    ("GET", "/clients/{client}", ""),
    ("PUT", "/clients/{client}", r#"{"email":"b@example.com"}"#),
    ("PATCH", "/clients/{client}", r#"{"city":"Ipoh"}"#),
    ("DELETE", "/clients/{client}", ""),
];
