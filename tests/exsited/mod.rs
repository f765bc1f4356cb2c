//! The Exsited dialect over HTTP, in both generations of its shapes.

mod amounts;
mod collectors;
mod consolidation;
mod dates;
mod errors;
mod far_dates;
mod lines;
mod messages;
mod order_changes;
mod orders;
mod payments;
mod preferences;
mod python_client;
mod settings;
mod starts;
mod taxes;
mod tokens;
mod usages;

use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

/// The paths of an order's preferences: as the seed document has it, and as the vendor serves it.
const SPELLINGS: [(&str, &str); 5] = [
    ("", "billing-preferences"),
    ("/api/v1", "billing-preferences"),
    ("/api/v3", "billing-preferences"),
    ("/api/v3", "billing_preferences"),
    ("/api/v4", "billing_preferences"),
];

/// A client with a token.
struct Client<'a> {
    test: &'a TestApp,
    authorization: String,
}

impl<'a> Client<'a> {
    async fn of(test: &'a TestApp) -> Self {
        let (id, secret) = (&test.tenant.exsited.client_id, &test.tenant.exsited.client_secret);
        Self::with(test, id, secret).await
    }

    async fn with(test: &'a TestApp, id: &str, secret: &str) -> Self {
        let body = json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret});
        let answer = test.send("POST", "/api/v1/oauth2/token", &[], &body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        Self {
            test,
            authorization: format!("Bearer {token}"),
        }
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send_with(method, path, &[], body).await
    }

    async fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("authorization", self.authorization.as_str())];
        all.extend(headers);
        self.test.send(method, path, &all, body).await
    }

    async fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, &body.to_string()).await;
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path} {body}: {answer:?}"
        );
        assert_eq!(answer.headers["content-type"], "application/json");
        answer.json()
    }

    async fn account(&self) -> String {
        let body = json!({"account": {"name": "Example Ltd", "email_address": "billing@example.com"}});
        let account = self.ok("POST", "/api/v3/accounts", &body).await;
        account["account"]["id"].as_str().expect("an id").to_owned()
    }

    async fn order(&self) -> String {
        let account = self.account().await;
        let order = self.ok("POST", "/api/v3/orders", &new_order(&account)).await;
        order["order"]["id"].as_str().expect("an id").to_owned()
    }
}

fn new_order(account: &str) -> Value {
    json!({"order": {
        "account_id": account,
        "order_start_date": "2026-10-01",
        "lines": [{
            "item_id": "ITEM-0001",
            "item_name": "Support",
            "item_order_quantity": "2",
            "item_price_snapshot": {"pricing_rule": {"price": "6.25"}},
        }],
    }})
}

/// Preferences as a request of this version wraps them.
fn wrapped(prefix: &str, preferences: &Value) -> Value {
    match prefix {
        "/api/v4" => json!({"order": {"billing_preferences": preferences}}),
        _ => json!({"order": {"properties": preferences}}),
    }
}

/// Preferences as an answer of this version holds them.
fn shown(prefix: &str, answer: &Value) -> Value {
    match prefix {
        "/api/v4" => answer["order"]["billing_preferences"].clone(),
        _ => answer["order"]["properties"].clone(),
    }
}
