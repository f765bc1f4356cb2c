use serde_json::{Value, json};

use super::{billing, one_product, with};
use crate::support::{TestApp, on_both};

/// What is wrong, at this pointer, with this code; and nothing was written.
async fn refused(test: &TestApp, body: &Value, pointer: &str, code: &str) {
    let events = test.events().await;
    let answer = test.bill(body).await;
    assert_eq!(answer.status, 400, "{pointer} {code}: {answer:?}");
    let errors = answer.json();
    let here = errors.pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {errors}"));
    assert_eq!(here[0]["code"], code, "{pointer}: {errors}");
    assert!(here[0]["message"].is_string(), "{errors}");
    assert_eq!(test.events().await, events, "{pointer} {code}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_value_is_refused_at_its_place() {
    on_both(async |test| {
        let cases: Vec<(&str, Value, &str)> = vec![
            ("/clients", Value::Null, "null"),
            ("/clients", json!([]), "min_length"),
            ("/clients", json!({}), "not_a_list"),
            ("/clients", json!(vec![json!({"email": "a@b.c"}); 1001]), "max_length"),
            ("/clients/0/client_id", "x".into(), "invalid"),
            ("/clients/0/email", "x".into(), "invalid"),
            ("/clients/0/payment_method_whitelist", json!([]), "min_length"),
            ("/clients/0/payment_method_whitelist", json!(["gold"]), "invalid_choice"),
            ("/clients/0/payment_method_whitelist", "visa".into(), "not_a_list"),
            ("/clients/0/country", "Atlantis".into(), "invalid_choice"),
            ("/clients/0/phone", "1".repeat(33).into(), "max_length"),
            ("/clients/0/full_name", Value::Null, "null"),
            ("/clients/0/cc", json!(["x"]), "invalid"),
            ("/clients/0/send_receipt", "maybe".into(), "invalid"),
            ("/purchase", Value::Null, "null"),
            ("/purchase/products", Value::Null, "null"),
            ("/purchase/products", json!([]), "min_length"),
            ("/purchase/currency", "XXX".into(), "invalid_choice"),
            ("/purchase/currency", "myr".into(), "invalid_choice"),
            ("/purchase/currency", Value::Null, "null"),
            ("/purchase/language", "eng".into(), "max_length"),
            ("/purchase/notes", "n".repeat(10_001).into(), "max_length"),
            ("/purchase/email_message", "e".repeat(257).into(), "max_length"),
            ("/purchase/timezone", "Mars/Base".into(), "invalid_choice"),
            ("/purchase/due_strict", 2.into(), "invalid"),
            ("/purchase/debt", 1.5.into(), "invalid"),
            ("/purchase/debt", Value::Null, "null"),
            ("/purchase/total_override", "x".into(), "invalid"),
            (
                "/purchase/request_client_details",
                json!(["shoe_size"]),
                "invalid_choice",
            ),
            ("/brand_id", "x".into(), "invalid"),
            ("/brand_id", Value::Null, "null"),
            (
                "/brand_id",
                "1026967d-0705-4e24-ab35-9c125e5701ea".into(),
                "does_not_exist",
            ),
            ("/invoice_issued", "2026-02-30".into(), "invalid"),
            ("/invoice_issued", 20_260_101.into(), "invalid"),
            ("/invoice_due", Value::Null, "required"),
            ("/invoice_due", "soon".into(), "invalid"),
            ("/invoice_due", true.into(), "invalid"),
            ("/invoice_due", 1_791_201_600.into(), "due_not_greater_than_now"),
            ("/invoice_due", 0.into(), "due_not_greater_than_now"),
            ("/invoice_due", 2_147_483_648_i64.into(), "max_value"),
            ("/invoice_due", "9".repeat(1001).into(), "max_string_length"),
            ("/invoice_skip_capture", "?".into(), "invalid"),
            ("/invoice_send_receipt", Value::Null, "null"),
            ("/force_recurring", json!([]), "invalid"),
        ];
        for (pointer, value, code) in cases {
            let at = pointer.replace("/clients/0/client_id", "/clients/0/__all__");
            let body = with(pointer, value);
            let (at, code) = if at == pointer {
                (pointer, code)
            } else {
                (at.as_str(), "purchase_client_or_id_only")
            };
            refused(&test, &body, at, code).await;
        }
        refused(
            &test,
            &with("/clients/0", json!({"client_id": "x"})),
            "/clients/0/client_id",
            "invalid",
        )
        .await;
        refused(
            &test,
            &with("/clients/0", json!({})),
            "/clients/0/client_id",
            "required",
        )
        .await;
        refused(&test, &with("/clients/0", 7.into()), "/clients/0/__all__", "invalid").await;
        refused(&test, &with("/purchase", "x".into()), "/purchase/__all__", "invalid").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_product_is_refused_at_its_place_in_the_list() {
    on_both(async |test| {
        let cases: Vec<(Value, &str, &str)> = vec![
            (json!({"price": 1}), "name", "required"),
            (json!({"name": "", "price": 1}), "name", "blank"),
            (json!({"name": "n".repeat(257), "price": 1}), "name", "max_length"),
            (
                json!({"name": "a\u{0}b", "price": 1}),
                "name",
                "null_characters_not_allowed",
            ),
            (json!({"name": ["x"], "price": 1}), "name", "invalid"),
            (json!({"name": "x"}), "price", "required"),
            (json!({"name": "x", "price": -1}), "price", "min_value"),
            (json!({"name": "x", "price": 1.5}), "price", "invalid"),
            (json!({"name": "x", "price": "1e30"}), "price", "max_value"),
            (
                json!({"name": "x", "price": 1, "discount": -1}),
                "discount",
                "min_value",
            ),
            (
                json!({"name": "x", "price": 1, "discount": 2}),
                "__all__",
                "product_subtotal_negative",
            ),
            (
                json!({"name": "x", "price": 1, "quantity": -1}),
                "quantity",
                "min_value",
            ),
            (
                json!({"name": "x", "price": 1, "quantity": "1.00001"}),
                "quantity",
                "max_decimal_places",
            ),
            (
                json!({"name": "x", "price": 1, "quantity": "1".repeat(15)}),
                "quantity",
                "max_digits",
            ),
            (
                json!({"name": "x", "price": 1, "quantity": "NaN"}),
                "quantity",
                "invalid",
            ),
            (
                json!({"name": "x", "price": 1, "quantity": "9".repeat(1001)}),
                "quantity",
                "max_string_length",
            ),
            (json!({"name": "x", "price": 1, "quantity": null}), "quantity", "null"),
            (
                json!({"name": "x", "price": 1, "tax_percent": 101}),
                "tax_percent",
                "max_value",
            ),
            (
                json!({"name": "x", "price": 1, "tax_percent": -0.01}),
                "tax_percent",
                "min_value",
            ),
            (
                json!({"name": "x", "price": 1, "tax_percent": "1.234"}),
                "tax_percent",
                "max_decimal_places",
            ),
            (
                json!({"name": "x", "price": 1, "tax_percent": "1234.56"}),
                "tax_percent",
                "max_digits",
            ),
            (json!({"name": "x", "price": 1, "category": null}), "category", "null"),
            (
                json!({"name": "x", "price": 1, "total_price_override": -1}),
                "total_price_override",
                "min_value",
            ),
            (json!("x"), "__all__", "invalid"),
        ];
        for (product, field, code) in cases {
            let body = billing(json!({"products": [{"name": "fine", "price": 5}, product]}));
            refused(&test, &body, &format!("/purchase/products/1/{field}"), code).await;
            let errors = test.bill(&body).await.json();
            assert_eq!(errors["purchase"]["products"][0], json!({}), "{errors}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_that_cannot_be_paid_or_held_are_refused() {
    on_both(async |test| {
        let free = json!({"products": [{"name": "x", "price": 0}]});
        refused(&test, &billing(free.clone()), "/purchase/total", "min_value").await;
        let mut reserved = billing(free);
        reserved["invoice_skip_capture"] = true.into();
        assert_eq!(test.bill(&reserved).await.status, 200);
        let credit = json!({"products": [{"name": "x", "price": 100}], "debt": -101});
        refused(&test, &billing(credit), "/purchase/total", "min_value").await;
        let huge = json!({"products": [{"name": "x", "price": i64::MAX, "quantity": 2}]});
        refused(&test, &billing(huge), "/purchase/total", "max_value").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_missing_is_named_at_once() {
    on_both(async |test| {
        let events = test.events().await;
        for body in ["{}", "", "  "] {
            let answer = test.chip("POST", "/api/v1/billing/", body).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            let required = json!([{"message": "This field is required.", "code": "required"}]);
            assert_eq!(
                answer.json(),
                json!({"clients": required, "purchase": required, "invoice_due": required})
            );
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_client_refuses_the_whole_call() {
    on_both(async |test| {
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let answer = test
            .send(
                "POST",
                "/clients/",
                &[("authorization", &format!("Bearer {}", other.chip.secret_key))],
                r#"{"email":"b@example.com"}"#,
            )
            .await;
        let foreign = answer.json()["id"].as_str().expect("an id").to_owned();
        for id in [foreign.as_str(), "1026967d-0705-4e24-ab35-9c125e5701ea"] {
            let mut body = billing(one_product());
            body["clients"] = json!([{"email": "a@example.com"}, {"client_id": id}, {"email": "c@example.com"}]);
            refused(&test, &body, "/clients/1/client_id", "does_not_exist").await;
            let errors = test.bill(&body).await.json();
            assert_eq!(errors["clients"][0], json!({}), "{errors}");
            assert_eq!(errors["clients"][2], json!({}), "{errors}");
        }
        let clients = test.chip("GET", "/clients/", "").await.json();
        assert_eq!(clients["results"], json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_no_text_is_401_without_a_key_and_404_with_one() {
    on_both(async |test| {
        for (method, path) in [
            ("GET", "/api/v1/purchases/%ff/"),
            ("GET", "/clients/%ff/"),
            ("PUT", "/clients/%ff/"),
            ("PATCH", "/api/v1/clients/%ff/"),
            ("DELETE", "/clients/%ff/"),
        ] {
            for (answer, status, code) in [
                (test.send(method, path, &[], "{}").await, 401, "authentication_failed"),
                (test.chip(method, path, "{}").await, 404, "not_found"),
            ] {
                assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
                assert_eq!(answer.json()["__all__"][0]["code"], code, "{answer:?}");
            }
        }
        let page = test.send("GET", "/p/%ff/", &[], "").await;
        assert_eq!(page.status, 404);
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    })
    .await;
}
