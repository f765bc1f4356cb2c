//! The routes of Exsited's door, with requests that name what another tenant may have.

use super::Route;

const ACCOUNT_BILLING: &str = r#"{"account":{"billing_preferences":{"payment_term":"Net 30"}}}"#;
const ORDER_BILLING: &str =
    r#"{"order":{"properties":{"payment_term":"Net 60"},"billing_preferences":{"payment_term":"Net 60"}}}"#;
const ORDER_CHANGE: &str = r#"{"order":{"lines":[{"op":"add","item_id":"ITEM-2"}]}}"#;
pub const ORDER: &str = r#"{"order":{"account_id":"{account}","order_start_date":"2026-10-01","lines":[{"item_id":"ITEM-1",
    "item_name":"Support","item_order_quantity":"2","item_price_snapshot":{"pricing_rule":{"price":"6.25"}}},
    {"item_id":"ITEM-CALLS","item_charge_type":"METERED"}]}}"#;
const LINE_BILLING: &str = r#"{"order":{"line":{"item_properties":{"pro_rata_partial_unit":"true"}}}}"#;
pub const USAGE: &str = r#"{"usage":{"charge_item_uuid":"{line}","quantity":"3","end_time":"2026-10-04 09:00:00"}}"#;
const USAGE_CHANGE: &str = r#"{"usage":{"quantity":"2"}}"#;

pub const ROUTES: &[Route] = &[
    ("POST", "/oauth2/token", ""),
    ("POST", "/accounts", "{}"),
    ("GET", "/accounts/{account}", ""),
    ("GET", "/orders", ""),
    ("POST", "/orders", ORDER),
    ("GET", "/orders/{order}", ""),
    ("POST", "/orders/{order}/cancel", "{}"),
    ("POST", "/orders/{order}/activate", "{}"),
    ("POST", "/orders/{order}/reactivate", "{}"),
    ("POST", "/orders/{order}/change", ORDER_CHANGE),
    ("POST", "/orders/{order}/change/preview", ORDER_CHANGE),
    ("GET", "/orders/{order}/invoices", ""),
    ("POST", "/orders/{order}/invoices", "{}"),
    ("GET", "/orders/{order}/lines", ""),
    ("GET", "/orders/{order}/lines/{line}", ""),
    ("GET", "/orders/{order}/lines/{line}/{spelling}", ""),
    ("PATCH", "/orders/{order}/lines/{line}/{spelling}", LINE_BILLING),
    ("PUT", "/orders/{order}/lines/{line}/{spelling}", LINE_BILLING),
    ("GET", "/usages", ""),
    ("POST", "/usages", USAGE),
    ("GET", "/usages/{usage}", ""),
    ("PATCH", "/usages/{usage}", USAGE_CHANGE),
    ("PUT", "/usages/{usage}", USAGE_CHANGE),
    ("DELETE", "/usages/{usage}", ""),
    ("GET", "/accounts/{account}/orders", ""),
    ("GET", "/orders/{order}/{spelling}", ""),
    ("PATCH", "/orders/{order}/{spelling}", ORDER_BILLING),
    ("PUT", "/orders/{order}/{spelling}", ORDER_BILLING),
    ("GET", "/accounts/{account}/{spelling}", ""),
    ("PUT", "/accounts/{account}/{spelling}", ACCOUNT_BILLING),
    ("GET", "/settings/{list}", ""),
    ("GET", "/settings/{list}/{setting}", ""),
];
