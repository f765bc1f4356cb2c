use serde_json::{Value, json};

use super::{NOBODY, call, get, post, refused};
use crate::{
    support::{TestApp, on_both},
    wingback::Door,
};

const PLANS: &str = "/billstream/v1/plans";

async fn keyed(test: &TestApp, path: &str, key: &str, body: &Value) -> crate::support::Answer {
    let bearer = format!("Bearer {}", test.tenant.billstream.api_key);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    test.send("POST", path, &headers, &body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_created_and_bad_ones_are_refused() {
    on_both(async |test| {
        let made = post(&test, PLANS, &json!({"name": "Basic", "currency": "EUR", "lines": []})).await;
        assert_eq!(made.status, 201);
        assert!(
            made.json()["id"].as_str().is_some_and(|id| id.starts_with("Plan_")),
            "{made:?}"
        );
        let events = test.events().await;
        for (body, code, field) in [
            (json!({"currency": "EUR"}), "missing", "name"),
            (json!({"name": "x"}), "missing", "currency"),
            (json!({"name": " ", "currency": "EUR"}), "name_missing", "name"),
            (json!({"name": 1, "currency": "EUR"}), "invalid", "name"),
            (json!({"name": "x", "currency": "euro"}), "invalid", "currency"),
            (json!({"name": "x", "currency": "XXX"}), "invalid", "currency"),
            (json!({"name": "x", "currency": "XAU"}), "invalid", "currency"),
            (
                json!({"name": "x", "currency": "EUR", "lines": [{}]}),
                "missing",
                "lines[0].kind",
            ),
        ] {
            refused(&post(&test, PLANS, &body).await, 400, code, Some(field));
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_is_added_once_under_its_key() {
    on_both(async |test| {
        let contract = Door::new(&test).contract().await;
        let path = format!("/billstream/v1/contracts/{contract}/charges");
        let body =
            json!({"name": "Seats", "amount": "12.34", "period_start": "2026-10-01", "period_end": "2026-11-01"});
        let first = keyed(&test, &path, "c1", &body).await;
        assert_eq!(first.status, 201, "{first:?}");
        assert!(first.json()["id"].as_str().is_some_and(|id| id.starts_with("Item_")));
        let events = test.events().await;
        assert_eq!(keyed(&test, &path, "c1", &body).await.text, first.text);
        let mut other = body.clone();
        other["amount"] = json!("12.35");
        refused(
            &keyed(&test, &path, "c1", &other).await,
            409,
            "idempotency_key_reused",
            None,
        );
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_charge_is_refused_and_leaves_nothing() {
    on_both(async |test| {
        let contract = Door::new(&test).contract().await;
        let foreign = Door::other(&test).await.contract().await;
        let events = test.events().await;
        let good = json!({"name": "Seats", "amount": "12.34", "period_start": "2026-10-01", "period_end": null});
        let path = |contract: &str| format!("/billstream/v1/contracts/{contract}/charges");
        for (field, value, code) in [
            ("name", Value::Null, "missing"),
            ("name", json!(""), "charge_name_missing"),
            ("amount", Value::Null, "missing"),
            ("amount", json!(12.34), "invalid"),
            ("amount", json!("12,34"), "amount_invalid"),
            ("amount", json!("12.345"), "amount_invalid"),
            ("amount", json!("1e3"), "amount_invalid"),
            ("amount", json!("99999999999999999999"), "amount_invalid"),
            ("period_start", Value::Null, "missing"),
            ("period_start", json!("1.10.2026"), "invalid"),
            ("period_end", json!("2026-02-30"), "invalid"),
            ("period_end", json!("2026-09-30"), "period_reversed"),
            ("flat_fee", json!("no"), "invalid"),
            ("automatic_payment", json!(0), "invalid"),
        ] {
            let mut body = good.clone();
            body[field] = value;
            refused(&post(&test, &path(&contract), &body).await, 400, code, Some(field));
        }
        for unknown in [format!("Cont_{NOBODY}"), foreign] {
            refused(
                &post(&test, &path(&unknown), &good).await,
                404,
                "subscription_unknown",
                None,
            );
        }
        refused(
            &post(&test, &path("Inv_1"), &good).await,
            400,
            "invalid",
            Some("contract_id"),
        );
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_refuses_in_its_own_shape() {
    on_both(async |test| {
        let wingback = test.tenant.wingback.api_key.clone();
        for key in ["", "bs_wrong", &wingback] {
            for (method, path) in [
                ("POST", PLANS),
                ("POST", "/billstream/v1/sessions"),
                ("GET", "/billstream/v1/events"),
            ] {
                let answer = call(&test, key, method, path, "{}").await;
                refused(&answer, 401, "unauthorized", None);
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
        refused(
            &test.send("POST", PLANS, &[("authorization", "Basic eA==")], "{}").await,
            401,
            "unauthorized",
            None,
        );
        let key = test.tenant.billstream.api_key.clone();
        for body in ["", "[]", "{", "{}x", r#"{"name":"\u0000"}"#] {
            refused(&call(&test, &key, "POST", PLANS, body).await, 400, "malformed", None);
        }
        let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
        refused(
            &call(&test, &key, "POST", PLANS, &huge).await,
            413,
            "body_too_large",
            None,
        );
        refused(&get(&test, PLANS).await, 405, "method_not_allowed", None);
        refused(&get(&test, "/billstream/v1/nothing").await, 404, "not_found", None);
        let answer = test
            .send("GET", "/billstream/v1/events", &[("x-request-id", "r1")], "")
            .await;
        assert_eq!(answer.headers["x-request-id"], "r1");
    })
    .await;
}
