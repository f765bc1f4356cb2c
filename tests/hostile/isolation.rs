//! No door shows or lets change what is another tenant's: what exists there answers like what exists nowhere.

use std::{collections::BTreeSet, fs, path::Path};

use billstream::{
    app::due::Whose,
    processes::{duties, run::How},
};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, on_both};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Door {
    Billstream,
    Chip,
    Exsited,
    Operations,
    Wingback,
}

impl Door {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Billstream, "billstream/mod.rs"),
        (Self::Chip, "chip/mod.rs"),
        (Self::Exsited, "exsited/mod.rs"),
        (Self::Operations, "operations.rs"),
        (Self::Wingback, "wingback/mod.rs"),
    ];

    /// What the paths of its routes begin with.
    fn prefixes(self, path: &str) -> &'static [&'static str] {
        match self {
            Self::Exsited => &["", "/api/v1", "/api/v2", "/api/v3", "/api/v4"],
            Self::Chip if !path.starts_with("/p/") => &["", "/api/v1"],
            Self::Chip | Self::Billstream | Self::Operations | Self::Wingback => &[""],
        }
    }
}

/// Answers without a credential, by design: tokens are asked for there, pages are opened by whoever pays.
const OPEN: [&str; 6] = [
    "/oauth2/token",
    "/p/{purchase}",
    "/p/{purchase}/invoice",
    "/health/live",
    "/health/ready",
    "/metrics",
];

const ACCOUNT_BILLING: &str = r#"{"account":{"billing_preferences":{"payment_term":"Net 30"}}}"#;
const ORDER_BILLING: &str =
    r#"{"order":{"properties":{"payment_term":"Net 60"},"billing_preferences":{"payment_term":"Net 60"}}}"#;
const CONTRACT: &str = r#"{"customer":"{customer}","plan":"{plan}","currency":"eur","cycle":"month"}"#;
const OWN_CUSTOMER: &str = r#"{"customer":"{own_customer}","plan":"{plan}","currency":"eur","cycle":"month"}"#;
const ORDER_CHANGE: &str = r#"{"order":{"lines":[{"op":"add","item_id":"ITEM-2"}]}}"#;
const UPGRADE: &str =
    r#"{"upgrade_configuration":{"upgrade_strategy":"change_unit_count","unit_count_configuration":{"seats":2}}}"#;
const CHARGE: &str =
    r#"{"name":"Seats","amount":"1.00","period_start":"2026-10-01","period_end":"2026-11-01","flat_fee":false}"#;
const BILLING: &str = r#"{"clients":[{"email":"own@example.com"},{"client_id":"{client}"}],"invoice_due":1793491200,
    "purchase":{"products":[{"name":"x","price":1000}]}}"#;
const TEMPLATE: &str =
    r#"{"is_subscription":true,"purchase":{"products":[{"name":"x","price":1000}]},"title":"Northwind gym"}"#;
const SUBSCRIBER: &str = r#"{"client_id":"{client}"}"#;
const ORDER: &str = r#"{"order":{"account_id":"{account}","order_start_date":"2026-10-01","lines":[{"item_id":"ITEM-1",
    "item_name":"Support","item_order_quantity":"2","item_price_snapshot":{"pricing_rule":{"price":"6.25"}}},
    {"item_id":"ITEM-CALLS","item_charge_type":"METERED"}]}}"#;
const LINE_BILLING: &str = r#"{"order":{"line":{"item_properties":{"pro_rata_partial_unit":"true"}}}}"#;
const USAGE: &str = r#"{"usage":{"charge_item_uuid":"{line}","quantity":"3","end_time":"2026-10-04 09:00:00"}}"#;
const USAGE_CHANGE: &str = r#"{"usage":{"quantity":"2"}}"#;

/// Every route, with requests that name what another tenant may have.
const ROUTES: &[(Door, &str, &str, &str)] = &[
    (Door::Billstream, "POST", "/billstream/v1/plans", "{}"),
    (Door::Billstream, "POST", "/billstream/v1/discounts", "{}"),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/contracts/{contract}/charges",
        CHARGE,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/contracts/{contract}/activate",
        r#"{"on":"2026-10-20"}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/contracts/{contract}/pause",
        r#"{"on":"2026-10-20"}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/contracts/{contract}/resume",
        r#"{"on":"2026-10-20"}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/contracts/{contract}/end",
        r#"{"on":"2026-10-20"}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/contracts/{contract}/move",
        r#"{"customer":"{customer}"}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/contracts/{contract}/reactivate",
        r#"{"on":"2026-10-20"}"#,
    ),
    (
        Door::Billstream,
        "GET",
        "/billstream/v1/contracts/{contract}/policy",
        "",
    ),
    (
        Door::Billstream,
        "PUT",
        "/billstream/v1/contracts/{contract}/policy",
        r#"{"proration":"none"}"#,
    ),
    (Door::Billstream, "GET", "/billstream/v1/time-zone", ""),
    (
        Door::Billstream,
        "PUT",
        "/billstream/v1/time-zone",
        r#"{"time_zone":"Europe/Berlin"}"#,
    ),
    (Door::Billstream, "GET", "/billstream/v1/policy", ""),
    (
        Door::Billstream,
        "PUT",
        "/billstream/v1/policy",
        r#"{"proration":"actual_days"}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/previews/preferences",
        r#"{"months":1,"contract_id":"{contract}","policy":{"proration":"none"}}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/contracts/{contract}/usage-periods/close",
        r#"{"through":"2026-11-01"}"#,
    ),
    // Usage of what is not one's own is kept as matching nothing: tests/billstream/usage.rs.
    (Door::Billstream, "POST", "/billstream/v1/usage", r#"{"records":[]}"#),
    (Door::Billstream, "GET", "/billstream/v1/usage/unmatched", ""),
    (Door::Billstream, "POST", "/billstream/v1/sessions", "{}"),
    (Door::Billstream, "GET", "/billstream/v1/clock", ""),
    (Door::Billstream, "POST", "/billstream/v1/clock", "{}"),
    (Door::Billstream, "GET", "/billstream/v1/unbilled", ""),
    (Door::Billstream, "GET", "/billstream/v1/invoices/{invoice}/explain", ""),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/invoices/{invoice}/void",
        r#"{"reason":"x"}"#,
    ),
    (
        Door::Billstream,
        "GET",
        "/billstream/v1/invoices/{invoice}/payments",
        "",
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/invoices/{invoice}/payments",
        r#"{"reference":"ch_1","amount":"1.00"}"#,
    ),
    (Door::Billstream, "GET", "/billstream/v1/payments", ""),
    (Door::Billstream, "GET", "/billstream/v1/payments/{payment}", ""),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/payments/{payment}/succeeded",
        r#"{"reference":"ch_2"}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/payments/{payment}/failed",
        r#"{"reason":"declined"}"#,
    ),
    (
        Door::Billstream,
        "GET",
        "/billstream/v1/customers/{customer}/credit",
        "",
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/customers/{customer}/credit",
        r#"{"amount":"1.00","currency":"EUR","reason":"goodwill"}"#,
    ),
    (Door::Billstream, "GET", "/billstream/v1/messages", ""),
    (Door::Billstream, "GET", "/billstream/v1/messages/{message}", ""),
    (Door::Billstream, "POST", "/billstream/v1/messages/{message}/sent", ""),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/messages/{message}/failed",
        r#"{"reason":"x"}"#,
    ),
    (Door::Billstream, "GET", "/billstream/v1/fulfilments", ""),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/fulfilments/{fulfilment}/complete",
        "",
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/previews/run",
        r#"{"until":"2027-01-01T00:00:00Z","contract_id":"{contract}"}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/previews/run",
        r#"{"until":"2027-01-01T00:00:00Z","customer_id":"{customer}"}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/previews/invoices",
        r#"{"invoice_item_ids":["{charge}"]}"#,
    ),
    (
        Door::Billstream,
        "POST",
        "/billstream/v1/previews/invoices",
        r#"{"contract_id":"{contract}"}"#,
    ),
    (Door::Billstream, "GET", "/billstream/v1/events", ""),
    (Door::Billstream, "GET", "/billstream/v1/streams/{type}/{stream}", ""),
    (
        Door::Billstream,
        "GET",
        "/billstream/v1/streams/{type}/{stream}?at=2026-10-06T00:00:00Z",
        "",
    ),
    (Door::Chip, "GET", "/p/{purchase}", ""),
    (Door::Chip, "GET", "/p/{purchase}/invoice", ""),
    (Door::Chip, "POST", "/billing", BILLING),
    (Door::Chip, "GET", "/purchases/{purchase}", ""),
    (Door::Chip, "POST", "/purchases/{purchase}/cancel", ""),
    (Door::Chip, "POST", "/purchases/{purchase}/mark_as_paid", ""),
    (Door::Chip, "GET", "/billing_templates", ""),
    (Door::Chip, "POST", "/billing_templates", "{}"),
    (Door::Chip, "GET", "/billing_templates/{template}", ""),
    (Door::Chip, "PUT", "/billing_templates/{template}", TEMPLATE),
    (Door::Chip, "DELETE", "/billing_templates/{template}", ""),
    (
        Door::Chip,
        "POST",
        "/billing_templates/{template}/send_invoice",
        SUBSCRIBER,
    ),
    (
        Door::Chip,
        "POST",
        "/billing_templates/{template}/add_subscriber",
        SUBSCRIBER,
    ),
    (Door::Chip, "GET", "/billing_templates/{template}/clients", ""),
    (
        Door::Chip,
        "GET",
        "/billing_templates/{template}/clients/{subscriber}",
        "",
    ),
    (
        Door::Chip,
        "PATCH",
        "/billing_templates/{template}/clients/{subscriber}",
        r#"{"status":"subscription_paused"}"#,
    ),
    (Door::Chip, "GET", "/clients", ""),
    (Door::Chip, "POST", "/clients", "{}"),
    (Door::Chip, "GET", "/clients/{client}", ""),
    (Door::Chip, "PUT", "/clients/{client}", r#"{"email":"b@example.com"}"#),
    (Door::Chip, "PATCH", "/clients/{client}", r#"{"city":"Ipoh"}"#),
    (Door::Chip, "DELETE", "/clients/{client}", ""),
    (Door::Exsited, "POST", "/oauth2/token", ""),
    (Door::Exsited, "POST", "/accounts", "{}"),
    (Door::Exsited, "GET", "/accounts/{account}", ""),
    (Door::Exsited, "GET", "/orders", ""),
    (Door::Exsited, "POST", "/orders", ORDER),
    (Door::Exsited, "GET", "/orders/{order}", ""),
    (Door::Exsited, "POST", "/orders/{order}/cancel", "{}"),
    (Door::Exsited, "POST", "/orders/{order}/activate", "{}"),
    (Door::Exsited, "POST", "/orders/{order}/reactivate", "{}"),
    (Door::Exsited, "POST", "/orders/{order}/change", ORDER_CHANGE),
    (Door::Exsited, "POST", "/orders/{order}/change/preview", ORDER_CHANGE),
    (Door::Exsited, "GET", "/orders/{order}/invoices", ""),
    (Door::Exsited, "POST", "/orders/{order}/invoices", "{}"),
    (Door::Exsited, "GET", "/orders/{order}/lines", ""),
    (Door::Exsited, "GET", "/orders/{order}/lines/{line}", ""),
    (Door::Exsited, "GET", "/orders/{order}/lines/{line}/{spelling}", ""),
    (
        Door::Exsited,
        "PATCH",
        "/orders/{order}/lines/{line}/{spelling}",
        LINE_BILLING,
    ),
    (
        Door::Exsited,
        "PUT",
        "/orders/{order}/lines/{line}/{spelling}",
        LINE_BILLING,
    ),
    (Door::Exsited, "GET", "/usages", ""),
    (Door::Exsited, "POST", "/usages", USAGE),
    (Door::Exsited, "GET", "/usages/{usage}", ""),
    (Door::Exsited, "PATCH", "/usages/{usage}", USAGE_CHANGE),
    (Door::Exsited, "PUT", "/usages/{usage}", USAGE_CHANGE),
    (Door::Exsited, "DELETE", "/usages/{usage}", ""),
    (Door::Exsited, "GET", "/accounts/{account}/orders", ""),
    (Door::Exsited, "GET", "/orders/{order}/{spelling}", ""),
    (Door::Exsited, "PATCH", "/orders/{order}/{spelling}", ORDER_BILLING),
    (Door::Exsited, "PUT", "/orders/{order}/{spelling}", ORDER_BILLING),
    (Door::Exsited, "GET", "/accounts/{account}/{spelling}", ""),
    (Door::Exsited, "PUT", "/accounts/{account}/{spelling}", ACCOUNT_BILLING),
    (Door::Exsited, "GET", "/settings/{list}", ""),
    (Door::Exsited, "GET", "/settings/{list}/{setting}", ""),
    (Door::Operations, "GET", "/health/live", ""),
    (Door::Operations, "GET", "/health/ready", ""),
    (Door::Operations, "GET", "/metrics", ""),
    (Door::Wingback, "GET", "/v1/c/preferences/invoicing", ""),
    (Door::Wingback, "POST", "/v1/c/preferences/invoicing", "{}"),
    (Door::Wingback, "GET", "/v1/c/invoice", ""),
    (Door::Wingback, "GET", "/v1/c/invoice?customer={customer}", ""),
    (
        Door::Wingback,
        "POST",
        "/v1/c/invoice",
        r#"{"invoice_item_ids":["{charge}"]}"#,
    ),
    (
        Door::Wingback,
        "POST",
        "/v1/c/invoice",
        r#"{"contract_id":"{contract}"}"#,
    ),
    (
        Door::Wingback,
        "POST",
        "/v1/c/invoice",
        r#"{"customer_id":"{customer}"}"#,
    ),
    (Door::Wingback, "GET", "/v1/c/invoice/{invoice}", ""),
    (Door::Wingback, "GET", "/v1/c/customer?email={email}", ""),
    (
        Door::Wingback,
        "GET",
        "/v1/c/customer?customer_reference={reference}",
        "",
    ),
    (
        Door::Wingback,
        "POST",
        "/v1/c/customer",
        r#"{"id":"{customer}","name":"B"}"#,
    ),
    (Door::Wingback, "GET", "/v1/c/customer/{customer}", ""),
    (Door::Wingback, "DELETE", "/v1/c/customer/{customer}", ""),
    (Door::Wingback, "POST", "/v1/c/usage", "{}"),
    (Door::Wingback, "POST", "/v1/c/usage/bulk", "[]"),
    (Door::Wingback, "POST", "/v1/c/contract", CONTRACT),
    (Door::Wingback, "POST", "/v1/c/contract", OWN_CUSTOMER),
    (Door::Wingback, "GET", "/v1/c/contract/{contract}", ""),
    (Door::Wingback, "POST", "/v1/c/contract/{contract}/activate", "{}"),
    (Door::Wingback, "POST", "/v1/c/contract/{contract}/cancel", "{}"),
    (Door::Wingback, "POST", "/v1/c/contract/{contract}/upgrade", UPGRADE),
    (
        Door::Wingback,
        "POST",
        "/v1/c/contract/{contract}/upgrade_estimate",
        UPGRADE,
    ),
];

/// Everything in braces becomes `{}`: source and table name their parameters differently.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let part = |part: &str| {
        if part.starts_with('{') {
            "{}".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Method and shape of every route that a source text declares.
fn declared(source: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for opening in [".route(", "both("] {
        for (start, _) in source.match_indices(opening) {
            let rest = &source[start + opening.len()..];
            let mut depth = 1;
            let end = rest.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            let call = &rest[..end.expect("the call ends")];
            let Some(path) = call.split('"').nth(1).filter(|path| !path.contains("{path}")) else {
                continue; // where `both` is made of two routes
            };
            for method in ["get", "post", "put", "patch", "delete", "any", "head", "on"] {
                let calls = call.match_indices(&format!("{method}(")).any(|(at, _)| {
                    let before = call[..at].chars().next_back();
                    before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
                });
                if calls {
                    found.insert((method.to_uppercase(), shape(path)));
                }
            }
        }
    }
    found
}

#[test]
fn the_table_names_every_route_and_no_other() {
    let http = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut count = 0;
    for (door, file) in Door::ALL {
        let declared = declared(&fs::read_to_string(http.join(file)).expect("a source"));
        let listed: BTreeSet<_> = ROUTES
            .iter()
            .filter(|route| route.0 == door)
            .map(|(_, method, path, _)| ((*method).to_owned(), shape(path)))
            .collect();
        assert_eq!(
            declared, listed,
            "{door:?}: left what the source declares, right the table of this test"
        );
        count += declared.len();
    }
    assert!(count > 35, "only {count} routes were found");
    // A route elsewhere would not be seen above.
    let mut files = vec![http.clone()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                fs::read_dir(&path)
                    .expect("a directory")
                    .map(|entry| entry.expect("an entry").path()),
            );
        } else if !Door::ALL.iter().any(|(_, file)| http.join(file) == path) {
            let source = fs::read_to_string(&path).expect("a source");
            for way in [".route(", ".route_service(", ".nest(", ".nest_service("] {
                assert!(!source.contains(way), "{} has a route of its own", path.display());
            }
        }
    }
}

/// The values of the table's placeholders.
type Ids = Vec<(&'static str, String)>;

fn filled(template: &str, ids: &Ids) -> String {
    ids.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// A tenant's credentials at every door.
struct Keys {
    wingback: String,
    bearers: [(Door, String); 3],
}

impl Keys {
    async fn of(test: &TestApp, tenant: &billstream::app::tenants::NewTenant) -> Self {
        let token = json!({"grant_type": "client_credentials", "client_id": tenant.exsited.client_id,
            "client_secret": tenant.exsited.client_secret});
        let token = test.send("POST", "/api/v3/oauth2/token", &[], &token.to_string()).await;
        let token = token.json()["access_token"].as_str().expect("a token").to_owned();
        Self {
            wingback: tenant.wingback.api_key.clone(),
            bearers: [
                (Door::Billstream, format!("Bearer {}", tenant.billstream.api_key)),
                (Door::Chip, format!("Bearer {}", tenant.chip.secret_key)),
                (Door::Exsited, format!("Bearer {token}")),
            ],
        }
    }

    async fn send(&self, test: &TestApp, door: Door, method: &str, path: &str, body: &str) -> Answer {
        let mut headers = vec![("content-type", "application/json"), ("x-request-id", "r-1")];
        if door == Door::Wingback {
            headers.push(("wb-key", &self.wingback));
        }
        if let Some((_, bearer)) = self.bearers.iter().find(|(of, _)| *of == door) {
            headers.push(("authorization", bearer));
        }
        test.send(method, path, &headers, body).await
    }

    async fn made(&self, test: &TestApp, door: Door, path: &str, body: Value) -> Value {
        let answer = self.send(test, door, "POST", path, &body.to_string()).await;
        assert!((200..300).contains(&answer.status), "{path} {body}: {answer:?}");
        answer.json()
    }

    /// A payment that was asked for, an open fulfilment, and a message to be sent.
    async fn duties(&self, test: &TestApp, account: &str) -> (String, String, String) {
        let mut body: Value = serde_json::from_str(&ORDER.replace("{account}", account)).expect("JSON");
        body["order"]["properties"] = json!({"payment_mode": "AUTOMATIC", "payment_term": "Due on Receipt"});
        let order = self.made(test, Door::Exsited, "/api/v3/orders", body).await;
        let order = order["order"]["id"].as_str().expect("an id");
        let invoices = format!("/api/v3/orders/{order}/invoices");
        self.made(test, Door::Exsited, &invoices, json!({})).await;
        let how = How {
            actor: "test".to_owned(),
            until: test.app.clock.now(),
            at: None,
        };
        let (whose, mut known) = (Whose::RealTime, BTreeSet::new());
        let failed = duties::everything(&test.app, &whose, &how, &mut known, std::future::pending());
        assert_eq!(failed.await.expect("the database"), []);
        let first = async |list: &str| {
            let path = format!("/billstream/v1/{list}");
            let answer = self.send(test, Door::Billstream, "GET", &path, "").await;
            answer.json()[list][0]["id"].as_str().expect("an id").to_owned()
        };
        (
            first("payments").await,
            first("fulfilments").await,
            first("messages").await,
        )
    }

    /// Makes one of everything.
    async fn fill(&self, test: &TestApp) -> Ids {
        let read = |value: &Value| value.as_str().expect("an id").to_owned();
        let body = json!({"name": "Northwind", "email": "northwind@example.com", "customer_reference": "northwind-1"});
        let customer = read(&self.made(test, Door::Wingback, "/v1/c/customer", body).await);
        let plan = json!({"name": "Northwind plan", "currency": "EUR", "lines": []});
        let plan = read(&self.made(test, Door::Billstream, "/billstream/v1/plans", plan).await["id"]);
        let body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month"});
        let contract = read(&self.made(test, Door::Wingback, "/v1/c/contract", body).await);
        let charges = format!("/billstream/v1/contracts/{contract}/charges");
        let body: Value = serde_json::from_str(CHARGE).expect("JSON");
        self.made(test, Door::Billstream, &charges, body.clone()).await;
        let invoices = self
            .made(test, Door::Wingback, "/v1/c/invoice", json!({"contract_id": contract}))
            .await;
        let charge = read(&self.made(test, Door::Billstream, &charges, body).await["id"]);
        let body = json!({"account": {"name": "Northwind", "email_address": "northwind@example.com"}});
        let account = read(&self.made(test, Door::Exsited, "/api/v3/accounts", body).await["account"]["id"]);
        let body: Value = serde_json::from_str(&ORDER.replace("{account}", &account)).expect("JSON");
        let made = self.made(test, Door::Exsited, "/api/v3/orders", body).await;
        let order = read(&made["order"]["id"]);
        let line = read(&made["order"]["lines"][1]["charge_item_uuid"]);
        let body: Value = serde_json::from_str(&USAGE.replace("{line}", &line)).expect("JSON");
        let usage = read(&self.made(test, Door::Exsited, "/api/v3/usages", body).await["usage"]["uuid"]);
        let (payment, fulfilment, message) = self.duties(test, &account).await;
        let body = json!({"email": "northwind@example.com"});
        let client = read(&self.made(test, Door::Chip, "/clients/", body).await["id"]);
        let body: Value = serde_json::from_str(&BILLING.replace("{client}", &client)).expect("JSON");
        let purchase = read(&self.made(test, Door::Chip, "/billing/", body).await[1]);
        let body: Value = serde_json::from_str(TEMPLATE).expect("JSON");
        let template = read(&self.made(test, Door::Chip, "/billing_templates/", body).await["id"]);
        let path = format!("/billing_templates/{template}/add_subscriber/");
        let added = self.made(test, Door::Chip, &path, json!({"client_id": client})).await;
        let subscriber = read(&added["billing_template_client"]["id"]);
        let path = "/api/v3/settings/payment_terms";
        let settings = self.send(test, Door::Exsited, "GET", path, "").await.json();
        let setting = read(&settings["payment_terms"][0]["uuid"]);
        let stream = customer.split_once('_').expect("a class").1.to_owned();
        vec![
            ("customer", customer),
            ("plan", plan),
            ("contract", contract),
            ("invoice", read(&invoices[0])),
            ("charge", charge),
            ("account", account),
            ("order", order),
            ("line", line),
            ("usage", usage),
            ("client", client),
            ("purchase", purchase),
            ("template", template),
            ("subscriber", subscriber),
            ("setting_v4", format!("pt_{}", setting.replace('-', ""))),
            ("setting", setting),
            ("payment", payment),
            ("fulfilment", fulfilment),
            ("message", message),
            ("stream", stream),
            ("type", "customer".to_owned()),
            ("email", "northwind@example.com".to_owned()),
            ("reference", "northwind-1".to_owned()),
        ]
    }
}

/// Ids of the same form that nothing has.
fn unknown() -> Ids {
    let uuid = "11111a3a-2b38-4689-a32d-14bf2e62b1a1";
    vec![
        ("customer", format!("Cust_{uuid}")),
        ("plan", format!("Plan_{uuid}")),
        ("contract", format!("Cont_{uuid}")),
        ("invoice", format!("Inv_{uuid}")),
        ("charge", format!("Item_{uuid}")),
        ("payment", format!("Pay_{uuid}")),
        ("fulfilment", format!("Ful_{uuid}")),
        ("message", format!("Msg_{uuid}")),
        ("account", "ZZZZ99".to_owned()),
        ("order", "ORD-ZZZZ99-0001".to_owned()),
        ("line", "22221a3a-2b38-4689-a32d-14bf2e62b1a2".to_owned()),
        ("usage", "33331a3a-2b38-4689-a32d-14bf2e62b1a3".to_owned()),
        ("client", uuid.to_owned()),
        ("purchase", uuid.to_owned()),
        ("template", uuid.to_owned()),
        ("subscriber", uuid.to_owned()),
        ("setting_v4", format!("pt_{}", uuid.replace('-', ""))),
        ("setting", uuid.to_owned()),
        ("stream", uuid.to_owned()),
        ("type", "customer".to_owned()),
        ("email", "nobody@example.com".to_owned()),
        ("reference", "nobody-1".to_owned()),
    ]
}

/// Every path and body that a line of the table stands for, placeholders still in it.
fn requests() -> impl Iterator<Item = (Door, &'static str, String, &'static str)> {
    ROUTES.iter().flat_map(|(door, method, path, body)| {
        let spellings: &[&str] = if path.contains("{spelling}") {
            &["billing-preferences", "billing_preferences"]
        } else {
            &[""]
        };
        door.prefixes(path).iter().flat_map(move |prefix| {
            // The lists of settings are everybody's, their ids a tenant's own, and v4 spells them otherwise.
            let path = path.replace("{list}", "payment_terms");
            let path = match *prefix {
                "/api/v4" => path.replace("{setting}", "{setting_v4}"),
                _ => path,
            };
            spellings.iter().map(move |spelling| {
                (
                    *door,
                    *method,
                    format!("{prefix}{}", path.replace("{spelling}", spelling)),
                    *body,
                )
            })
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_credential_nothing_is_shown_and_nothing_happens() {
    on_both(async |test| {
        let ids = Keys::of(&test, &test.tenant).await.fill(&test).await;
        let events = test.events().await;
        for (_, method, path, body) in requests().filter(|request| !OPEN.iter().any(|open| request.2.ends_with(open))) {
            let (path, body) = (filled(&path, &ids), filled(body, &ids));
            for headers in [&[][..], &[("authorization", "Bearer wrong"), ("wb-key", "wrong")]] {
                let answer = test.send(method, &path, headers, &body).await;
                assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
                assert!(
                    !answer.text.to_lowercase().contains("northwind"),
                    "{method} {path}: {answer:?}"
                );
            }
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_tenants_answers_like_what_is_nobodys() {
    on_both(async |test| {
        let theirs = Keys::of(&test, &test.tenant).await;
        let mut foreign = theirs.fill(&test).await;
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let other = Keys::of(&test, &other).await;
        let own = other
            .made(&test, Door::Wingback, "/v1/c/customer", json!({"name": "Own"}))
            .await;
        let own = own.as_str().expect("an id").to_owned();
        let mut nobodys = unknown();
        foreign.push(("own_customer", own.clone()));
        nobodys.push(("own_customer", own));
        let events = test.events().await;
        for (door, method, path, body) in requests() {
            let names = |template: &str| {
                foreign
                    .iter()
                    .any(|(name, _)| template.contains(&format!("{{{name}}}")))
            };
            if OPEN.iter().any(|open| path.ends_with(open)) || !(names(&path) || names(body)) {
                continue;
            }
            let mut answers = Vec::new();
            for ids in [&foreign, &nobodys] {
                let (path, body) = (filled(&path, ids), filled(body, ids));
                let answer = other.send(&test, door, method, &path, &body).await;
                let text = ids
                    .iter()
                    .fold(answer.text.clone(), |text, (name, id)| text.replace(id, name));
                assert!(
                    !text.to_lowercase().contains("northwind"),
                    "{method} {path}: {answer:?}"
                );
                answers.push((answer.status, text));
            }
            assert_eq!(answers[0], answers[1], "{method} {path} {body}");
            let list = path.contains('?') && !path.contains("?at=");
            assert!(
                list || (400..500).contains(&answers[0].0),
                "{method} {path}: {answers:?}"
            );
            let in_path = names(path.split('?').next().unwrap_or_default());
            assert!(!in_path || answers[0].0 == 404, "{method} {path}: {answers:?}");
            assert_eq!(test.events().await, events, "{method} {path} {body}");
            if method == "GET" {
                let path = filled(&path, &foreign);
                let owner = theirs.send(&test, door, method, &path, "").await;
                assert_eq!(owner.status, 200, "the owner reads it: {path}: {owner:?}");
            }
        }
    })
    .await;
}
