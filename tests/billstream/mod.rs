//! Our own door: plans, charges, and the log over HTTP.

mod audit;
mod commands;
mod contracts;
mod usage;

use serde_json::Value;

use crate::support::{Answer, TestApp};

pub const NOBODY: &str = "11111a3a-2b38-4689-a32d-14bf2e62b1a1";

pub async fn call(test: &TestApp, key: &str, method: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    test.send(method, path, &[("authorization", &bearer)], body).await
}

pub async fn get(test: &TestApp, path: &str) -> Answer {
    call(test, &test.tenant.billstream.api_key, "GET", path, "").await
}

pub async fn post(test: &TestApp, path: &str, body: &Value) -> Answer {
    call(test, &test.tenant.billstream.api_key, "POST", path, &body.to_string()).await
}

/// Asserts our error shape.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str, field: Option<&str>) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], code, "{answer:?}");
    assert_eq!(error["field"].as_str(), field, "{answer:?}");
    assert!(
        error["message"].as_str().is_some_and(|text| !text.is_empty()),
        "{answer:?}"
    );
}
