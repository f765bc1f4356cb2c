use serde_json::{Value, json};

use super::{
    billing, one_product,
    templates::{but, subscription},
};
use crate::support::on_both;

/// Requests as three of the vendor's client libraries send them.
const CAPTURED: &str = include_str!("sdk_requests.jsonl");
/// The brand and every id in the captured requests.
const CAPTURED_ID: &str = "1026967d-0705-4e24-ab35-9c125e5701ea";

/// Every error has arrays of messages and codes at its ends, so that the libraries can read it.
fn is_error_shape(errors: &Value) -> bool {
    match errors {
        Value::Object(fields) => fields.values().all(is_error_shape),
        Value::Array(items) => items
            .iter()
            .all(|item| (item["message"].is_string() && item["code"].is_string()) || is_error_shape(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_libraries_send_is_understood() {
    on_both(async |test| {
        let client = test.new_client("a@b.c").await;
        let ids = test.bill(&billing(one_product())).await.json();
        let purchase = ids[0].as_str().expect("an id");
        let key = format!("Bearer {}", test.tenant.chip.secret_key);
        let brand = test.tenant.chip.brand_id.to_string();
        let later = but(subscription(), json!({"subscription_charge_period_end": true}));
        let template = test.template_id(&later).await;
        let add = json!({"client_id": client}).to_string();
        let path = format!("/billing_templates/{template}/add_subscriber/");
        let added = test.chip("POST", &path, &add).await.json();
        let subscriber = added["billing_template_client"]["id"].as_str().expect("an id");
        let spare = test.template_id(&later).await;
        for line in CAPTURED.lines() {
            let captured: Value = serde_json::from_str(line).expect("a request");
            let text = |name: &str| captured[name].as_str().expect("text");
            let template = if text("m") == "DELETE" { &spare } else { &template };
            let path = text("p")
                .replacen(&format!("purchases/{CAPTURED_ID}"), &format!("purchases/{purchase}"), 1)
                .replacen(
                    &format!("billing_templates/{CAPTURED_ID}"),
                    &format!("billing_templates/{template}"),
                    1,
                )
                .replacen(&format!("clients/{CAPTURED_ID}"), &format!("clients/{subscriber}"), 1);
            let body = text("b")
                .replace(
                    &format!("\"client_id\":\"{CAPTURED_ID}"),
                    &format!("\"client_id\":\"{client}"),
                )
                .replace(CAPTURED_ID, &brand);
            let headers: Vec<(&str, &str)> = captured["h"]
                .as_object()
                .expect("headers")
                .iter()
                .map(|(name, value)| match name.as_str() {
                    "authorization" => ("authorization", key.as_str()),
                    name => (name, value.as_str().expect("text")),
                })
                .collect();
            let method = text("m");
            let answer = test.send(method, &path, &headers, &body).await;
            assert!(answer.status < 500, "{method} {path}: {answer:?}");
            assert_eq!(answer.headers["content-type"], "application/json", "{method} {path}");
            if answer.status >= 400 {
                assert!(is_error_shape(&answer.json()), "{method} {path}: {answer:?}");
            }
            let clean = path.replace("//", "/");
            let expected = match (method, clean.trim_start_matches("/api/v1")) {
                ("POST", "/billing/") | ("GET", "/clients/" | "/billing_templates/") => Some(200),
                ("POST", "/clients/" | "/billing_templates/") => Some(201),
                ("DELETE", path) if path.starts_with("/billing_templates/") => Some(204),
                (_, path) if path.starts_with("/billing_templates/null/") => Some(404),
                ("POST", path) if path.ends_with("/send_invoice/") => Some(400), // of the other kind
                (_, path) if path.starts_with("/billing_templates/") => Some(200),
                ("GET", "/purchases/unpaid/") => Some(404),
                ("GET", path) if path == format!("/purchases/{purchase}/") => Some(200),
                _ => None, // not served yet
            };
            if let Some(expected) = expected {
                assert_eq!(answer.status, expected, "{method} {path}: {answer:?}");
            }
        }
    })
    .await;
}
