use serde_json::{Value, json};

use super::{Client, SPELLINGS, wrapped};
use crate::support::{Answer, on_both};

/// Whether this is an error as this version writes it.
#[track_caller]
fn expect_error(prefix: &str, answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json");
    let body = answer.json();
    if prefix == "/api/v4" {
        assert_eq!(body["object"], "error", "{body}");
        assert_eq!(body["status"], status);
        assert_eq!(body["code"], code);
        assert_eq!(
            body["request_id"].as_str(),
            answer.headers["x-request-id"].to_str().ok()
        );
        assert!(body["message"].is_string() && body["errors"].is_array() && body["doc_url"].is_string());
    } else {
        assert_eq!(body["errors"][0]["code"], code, "{body}");
        assert!(body["errors"][0]["message"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_order_and_a_foreign_one_get_the_same_404() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        let other = test.app.create_tenant("other").await.expect("a tenant").exsited;
        let stranger = Client::with(&test, &other.client_id, &other.client_secret).await;
        let events = test.events().await;
        for (prefix, spelling) in SPELLINGS {
            for method in ["GET", "PATCH", "PUT"] {
                let mut answers = Vec::new();
                for number in [order.as_str(), "ORD-NOBODY-0001", "%FF"] {
                    let body = wrapped(prefix, &json!({"billing_period": "1 Year"})).to_string();
                    let path = format!("{prefix}/orders/{number}/{spelling}");
                    let headers = [("x-request-id", "same")];
                    let answer = stranger.send_with(method, &path, &headers, &body).await;
                    expect_error(prefix, &answer, 404, "resource_not_found");
                    answers.push(answer.text);
                }
                assert_eq!(answers[0], answers[1]);
            }
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_cannot_be_understood_are_refused_in_the_versions_own_shape() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        let events = test.events().await;
        let large = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
        for (prefix, spelling) in SPELLINGS {
            let path = format!("{prefix}/orders/{order}/{spelling}");
            let malformed = client.send("PATCH", &path, "{\"order\": \n oops}").await;
            expect_error(prefix, &malformed, 400, "invalid_json");
            assert!(malformed.text.contains("line 2 column 2"), "{malformed:?}");
            for body in [
                "",
                "[]",
                "7",
                "{}",
                "{\"order\": 7}",
                "{\"order\": {}}",
                "{\"order\": {\"properties\": 7}}",
            ] {
                let answer = client.send("PUT", &path, body).await;
                assert_eq!(answer.status, 400, "{body}: {answer:?}");
                assert!(answer.json()["errors"][0]["field"].is_string(), "{answer:?}");
            }
            expect_error(
                prefix,
                &client.send("PATCH", &path, &large).await,
                413,
                "payload_too_large",
            );
            expect_error(
                prefix,
                &client.send("DELETE", &path, "").await,
                405,
                "method_not_allowed",
            );
            let nowhere = format!("{prefix}/orders/{order}/nowhere");
            expect_error(
                prefix,
                &client.send("GET", &nowhere, "").await,
                404,
                "resource_not_found",
            );
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_sent_again_under_its_key_has_the_stored_answer() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        for (n, (prefix, spelling)) in SPELLINGS.into_iter().enumerate() {
            let path = format!("{prefix}/orders/{order}/{spelling}");
            let body = wrapped(prefix, &json!({"payment_term": "Net 90"})).to_string();
            let headers = [("x-idempotency-key", format!("key-{n}"))];
            let headers = [(headers[0].0, headers[0].1.as_str())];
            let first = client.send_with("PATCH", &path, &headers, &body).await;
            assert_eq!(first.status, 200, "{first:?}");
            let other = wrapped(prefix, &json!({"payment_term": "Net 7"})).to_string();
            client.send("PATCH", &path, &other).await;
            let events = test.events().await;
            let again = client.send_with("PATCH", &path, &headers, &body).await;
            assert_eq!(again.status, 200);
            let preferences = |answer: &Answer| super::shown(prefix, &answer.json());
            assert_eq!(preferences(&again), preferences(&first));
            let reused = client.send_with("PATCH", &path, &headers, &other).await;
            expect_error(prefix, &reused, 409, "idempotency_key_reused");
            assert_eq!(test.events().await, events);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_placed_twice_under_one_key_is_one_order() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let body = super::new_order(&client.account().await).to_string();
        let key = [("idempotency-key", "order-1")];
        let first = client.send_with("POST", "/api/v4/orders", &key, &body).await;
        assert_eq!(first.status, 201, "{first:?}");
        let events = test.events().await;
        let again = client.send_with("POST", "/api/v4/orders", &key, &body).await;
        assert_eq!((again.status, again.json()), (201, first.json()));
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_request_id_is_in_the_answer_and_in_the_log() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        let path = format!("/orders/{order}/billing-preferences");
        let body = wrapped("", &json!({"billing_period": "1 Year"})).to_string();
        let answer = client
            .send_with("PATCH", &path, &[("x-request-id", "mine-7")], &body)
            .await;
        assert_eq!(answer.headers["x-request-id"], "mine-7");
        let rows = test.app.journal.store();
        let rows = rows
            .read("SELECT COUNT(*) FROM journal WHERE metadata LIKE '%\"mine-7\"%'", &[])
            .await
            .expect("rows");
        assert_eq!(rows[0].int(0).expect("a count"), 1);
        let odd = client.send_with("GET", &path, &[("x-request-id", "a b")], "").await;
        assert!(odd.headers["x-request-id"].to_str().expect("text").starts_with("req_"));
        assert_eq!(
            odd.json()["order"]["properties"]["billing_period"],
            Value::from("1 Year")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nul_is_in_no_id_and_no_text() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let events = test.events().await;
        for (prefix, spelling) in SPELLINGS {
            for id in ["%00", "ORD%00", "%FF"] {
                for (method, path, body) in [
                    ("GET", format!("orders/{id}"), String::new()),
                    ("POST", format!("orders/{id}/cancel"), String::new()),
                    ("GET", format!("accounts/{id}"), String::new()),
                    ("GET", format!("accounts/{id}/orders"), String::new()),
                    (
                        "PATCH",
                        format!("orders/{id}/{spelling}"),
                        wrapped(prefix, &json!({"invoice_mode": "MANUAL"})).to_string(),
                    ),
                ] {
                    let answer = client.send(method, &format!("{prefix}/{path}"), &body).await;
                    expect_error(prefix, &answer, 404, "resource_not_found");
                }
            }
        }
        for (field, place) in [
            ("account_id", "/order/account_id"),
            ("lines[0].item_id", "/order/lines/0/item_id"),
            ("lines[0].item_name", "/order/lines/0/item_name"),
        ] {
            let mut body = super::new_order(&account);
            *body.pointer_mut(place).expect("a place") = "a\0b".into();
            let answer = client.send("POST", "/api/v4/orders", &body.to_string()).await;
            expect_error("/api/v4", &answer, 400, "validation_error");
            assert_eq!(answer.json()["errors"][0]["field"], field, "{answer:?}");
        }
        let body = json!({"account": {"name": "a\0b"}}).to_string();
        let answer = client.send("POST", "/api/v3/accounts", &body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["field"], "name");
        assert_eq!(test.events().await, events);
    })
    .await;
}

/// It showed the account with the preferences it had got since.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_sent_again_under_its_key_has_its_first_answer() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let body = json!({"account": {"id": "EXAMPL", "name": "Example Ltd"}}).to_string();
        let key = [("idempotency-key", "account-1")];
        let first = client.send_with("POST", "/api/v3/accounts", &key, &body).await;
        assert_eq!(first.status, 201, "{first:?}");
        let change = json!({"account": {"billing_preferences": {"payment_term": "Net 7"}}});
        client.ok("PUT", "/accounts/EXAMPL/billing-preferences", &change).await;
        let again = client.send_with("POST", "/api/v3/accounts", &key, &body).await;
        assert_eq!((again.status, again.json()), (201, first.json()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discount_on_a_line_is_refused_where_it_stands_and_nothing_is_billed_without_it() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let mut body = super::new_order(&client.account().await);
        // What says that there is none is taken.
        for nothing in [Value::Null, json!(""), json!(0), json!("0.00")] {
            body["order"]["lines"][0]["discount"] = nothing;
            body["order"]["lines"][0]["discount_type"] = json!("PERCENTAGE");
            client.ok("POST", "/api/v3/orders", &body).await;
        }
        let order = client.order().await;
        let events = test.events().await;
        for (discount, kind) in [
            (json!("10"), json!("PERCENTAGE")),
            (json!(10), json!("FIXED")),
            (json!("ten"), Value::Null),
            (json!({"amount": 10}), Value::Null),
        ] {
            body["order"]["lines"][0]["discount"] = discount.clone();
            body["order"]["lines"][0]["discount_type"] = kind.clone();
            let mut added = body["order"]["lines"][0].clone();
            added["op"] = json!("add");
            let change = json!({"order": {"lines": [added]}});
            for (prefix, code) in [("/api/v3", "invalid"), ("/api/v4", "validation_error")] {
                for (path, body) in [
                    ("/orders".to_owned(), &body),
                    (format!("/orders/{order}/change"), &change),
                    (format!("/orders/{order}/change/preview"), &change),
                ] {
                    let answer = client.send("POST", &format!("{prefix}{path}"), &body.to_string()).await;
                    expect_error(prefix, &answer, 400, code);
                    assert!(answer.text.contains("lines[0].discount"), "{answer:?}");
                }
            }
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}
