//! The routes of Wingback's door, with requests that name what another tenant may have.

use super::Route;

const CONTRACT: &str = r#"{"customer":"{customer}","plan":"{plan}","currency":"eur","cycle":"month"}"#;
const OWN_CUSTOMER: &str = r#"{"customer":"{own_customer}","plan":"{plan}","currency":"eur","cycle":"month"}"#;
const UPGRADE: &str =
    r#"{"upgrade_configuration":{"upgrade_strategy":"change_unit_count","unit_count_configuration":{"seats":2}}}"#;

pub const ROUTES: &[Route] = &[
    ("GET", "/v1/c/preferences/invoicing", ""),
    ("POST", "/v1/c/preferences/invoicing", "{}"),
    ("GET", "/v1/c/invoice", ""),
    ("GET", "/v1/c/invoice?customer={customer}", ""),
    ("POST", "/v1/c/invoice", r#"{"invoice_item_ids":["{charge}"]}"#),
    ("POST", "/v1/c/invoice", r#"{"contract_id":"{contract}"}"#),
    ("POST", "/v1/c/invoice", r#"{"customer_id":"{customer}"}"#),
    ("GET", "/v1/c/invoice/{invoice}", ""),
    ("GET", "/v1/c/customer?email={email}", ""),
    ("GET", "/v1/c/customer?customer_reference={reference}", ""),
    ("POST", "/v1/c/customer", r#"{"id":"{customer}","name":"B"}"#),
    ("GET", "/v1/c/customer/{customer}", ""),
    ("DELETE", "/v1/c/customer/{customer}", ""),
    ("POST", "/v1/c/usage", "{}"),
    ("POST", "/v1/c/usage/bulk", "[]"),
    ("POST", "/v1/c/contract", CONTRACT),
    ("POST", "/v1/c/contract", OWN_CUSTOMER),
    ("GET", "/v1/c/contract/{contract}", ""),
    ("POST", "/v1/c/contract/{contract}/activate", "{}"),
    ("POST", "/v1/c/contract/{contract}/cancel", "{}"),
    ("POST", "/v1/c/contract/{contract}/upgrade", UPGRADE),
    ("POST", "/v1/c/contract/{contract}/upgrade_estimate", UPGRADE),
];
