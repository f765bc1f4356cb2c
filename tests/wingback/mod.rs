//! The Wingback door: documented requests in, documented answers out.

mod carried;
mod contracts;
mod customers;
mod door;
mod invoices;
mod invoices_read;
mod parallel;
mod preferences;
mod terms;
mod upgrades;

use billstream::app::tenants::NewTenant;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

pub const PREFERENCES: &str = "/v1/c/preferences/invoicing";
pub const INVOICE: &str = "/v1/c/invoice";
pub const CUSTOMER: &str = "/v1/c/customer";
pub const CONTRACT: &str = "/v1/c/contract";
/// An id that nothing has, without its class.
pub const NOBODY: &str = "11111a3a-2b38-4689-a32d-14bf2e62b1a1";

/// A tenant at the door, with its keys.
pub struct Door<'a> {
    pub test: &'a TestApp,
    pub tenant: NewTenant,
}

impl<'a> Door<'a> {
    pub fn new(test: &'a TestApp) -> Self {
        let tenant = test.tenant.clone();
        Self { test, tenant }
    }

    /// Another tenant of the same engine.
    pub async fn other(test: &'a TestApp) -> Self {
        let tenant = test.app.create_tenant("other").await.expect("a tenant");
        Self { test, tenant }
    }

    pub async fn get(&self, path: &str) -> Answer {
        let key = &self.tenant.wingback.api_key;
        self.test.send("GET", path, &[("wb-key", key)], "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    pub async fn post_text(&self, path: &str, body: &str) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let key = self.tenant.wingback.api_key.clone();
        let mut all = vec![("wb-key", key.as_str()), ("content-type", "application/json")];
        all.extend(headers);
        self.test.send("POST", path, &all, body).await
    }

    /// Sends a request that must be accepted, and reads the bare string it is answered with.
    pub async fn id(&self, path: &str, body: &Value) -> String {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json().as_str().expect("an id").to_owned()
    }

    pub async fn customer(&self) -> String {
        self.id(CUSTOMER, &json!({"name": "Acme"})).await
    }

    pub async fn plan(&self) -> String {
        let body = json!({"name": "Basic", "currency": "EUR", "lines": []});
        self.own("/billstream/v1/plans", &body).await
    }

    /// A contract in EUR of a new customer.
    pub async fn contract(&self) -> String {
        let (customer, plan) = (self.customer().await, self.plan().await);
        self.contract_of(&customer, &plan, json!({})).await
    }

    pub async fn contract_of(&self, customer: &str, plan: &str, more: Value) -> String {
        let mut body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month"});
        let fields = body.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        self.id(CONTRACT, &body).await
    }

    /// A charge for October 2026.
    pub async fn charge(&self, contract: &str, amount: &str, automatic: Option<bool>) -> String {
        let body = json!({
            "name": "Seats", "amount": amount, "period_start": "2026-10-01", "period_end": "2026-11-01",
            "flat_fee": false, "automatic_payment": automatic,
        });
        self.own(&format!("/billstream/v1/contracts/{contract}/charges"), &body)
            .await
    }

    /// Creates something through our own API.
    pub async fn own(&self, path: &str, body: &Value) -> String {
        let bearer = format!("Bearer {}", self.tenant.billstream.api_key);
        let answer = self
            .test
            .send("POST", path, &[("authorization", &bearer)], &body.to_string())
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// The ids of the invoices that a call made.
    pub async fn invoices(&self, body: &Value) -> Vec<String> {
        let answer = self.post(INVOICE, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        ids(&answer)
    }
}

pub fn ids(answer: &Answer) -> Vec<String> {
    serde_json::from_value(answer.json()).expect("a list of ids")
}

/// Asserts the dialect's error shape: one topic, typed `error`, with a text.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, topic: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
    let body = answer.json();
    let feedback = body["feedback"].as_object().expect("feedback");
    assert_eq!(feedback.keys().collect::<Vec<_>>(), [topic], "{answer:?}");
    assert_eq!(feedback[topic]["type"], "error");
    assert!(
        feedback[topic]["value"].as_str().is_some_and(|text| !text.is_empty()),
        "{answer:?}"
    );
}
