//! The CHIP-style door, as its clients see it.

mod billing;
mod clients;
mod forgotten;
mod purchases;
mod refusals;
mod sdk;
mod shapes;
mod subscribers;
pub mod templates;

use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

/// 2026-11-01.
pub const DUE: i64 = 1_793_491_200;

impl TestApp {
    /// An authorised JSON request.
    pub async fn chip(&self, method: &str, path: &str, body: &str) -> Answer {
        self.chip_with(method, path, &[], body).await
    }

    pub async fn chip_with(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let key = format!("Bearer {}", self.tenant.chip.secret_key);
        let mut headers = vec![
            ("authorization", key.as_str()),
            ("content-type", "application/json"),
            ("host", "pay.example.com"),
        ];
        headers.extend(more);
        self.send(method, path, &headers, body).await
    }

    pub async fn bill(&self, body: &Value) -> Answer {
        self.chip("POST", "/api/v1/billing/", &body.to_string()).await
    }

    /// Bills one new client for this `purchase` and reads it back.
    pub async fn billed(&self, purchase: Value) -> Value {
        let answer = self.bill(&billing(purchase)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        let id = answer[0].as_str().expect("an id");
        self.purchase(id).await
    }

    pub async fn purchase(&self, id: &str) -> Value {
        let answer = self.chip("GET", &format!("/api/v1/purchases/{id}/"), "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub async fn new_client(&self, email: &str) -> String {
        let body = json!({"email": email}).to_string();
        let answer = self.chip("POST", "/api/v1/clients/", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }
}

/// A request that is right, around this `purchase`.
pub fn billing(purchase: Value) -> Value {
    let mut body = json!({"clients": [{"email": "ada@example.com"}], "invoice_due": DUE});
    body["purchase"] = purchase;
    body
}

pub fn one_product() -> Value {
    json!({"products": [{"name": "x", "price": 1000}]})
}

/// The right request with one field (by JSON pointer) set to a value.
pub fn with(pointer: &str, value: Value) -> Value {
    let mut body = billing(one_product());
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).expect("a parent");
    match parent {
        Value::Array(items) => items[name.parse::<usize>().expect("an index")] = value,
        parent => parent[name] = value,
    }
    body
}
