use serde_json::{Value, json};

use super::{DUE, billing, one_product, with};
use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_request_gets_the_documented_answer_and_reads_back() {
    on_both(async |test| {
        let client = test.new_client("ada@example.com").await;
        let body = json!({
            "clients": [{"client_id": client, "payment_method_whitelist": ["visa"]}],
            "purchase": {"currency": "MYR", "products": [{"name": "x", "price": 1000, "quantity": 1}]},
            "brand_id": test.tenant.chip.brand_id,
            "invoice_due": DUE,
        });
        let answer = test.bill(&body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/json");
        let ids = answer.json();
        assert_eq!(ids.as_array().map(Vec::len), Some(1));
        let id = ids[0].as_str().expect("an id");
        let purchase = test.purchase(id).await;
        let expected = json!({
            "type": "purchase", "id": id, "client_id": client, "status": "sent", "product": "billing_invoices",
            "billing_template_id": null, "reference": "", "reference_generated": "CH1", "issued": "2026-10-05",
            "due": DUE, "send_receipt": true, "skip_capture": false, "force_recurring": false,
            "payment_method_whitelist": ["visa"], "payment": null, "is_test": false, "viewed_on": null,
            "created_on": 1_791_201_600, "updated_on": 1_791_201_600,
            "checkout_url": format!("http://pay.example.com/p/{id}/"),
            "invoice_url": format!("http://pay.example.com/p/{id}/invoice/"),
        });
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(purchase[name], *value, "{name}");
        }
        assert_eq!(purchase["client"]["email"], "ada@example.com");
        assert_eq!(purchase["purchase"]["total"], 1000);
        assert_eq!(purchase["purchase"]["currency"], "MYR");
        let line = json!({
            "name": "x", "quantity": "1.0000", "price": 1000, "discount": 0, "tax_percent": "0.00", "category": "",
            "total_price_override": null,
        });
        assert_eq!(purchase["purchase"]["products"], json!([line]));
        let statuses: Vec<_> = purchase["status_history"]
            .as_array()
            .expect("a history")
            .iter()
            .map(|step| (step["status"].as_str(), step["timestamp"].as_i64()))
            .collect();
        assert_eq!(
            statuses,
            [
                (Some("created"), Some(1_791_201_600)),
                (Some("sent"), Some(1_791_201_600))
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_has_every_documented_key() {
    on_both(async |test| {
        let purchase = test.billed(one_product()).await;
        let keys = "type id created_on updated_on client client_id purchase brand_id payment issuer_details \
                    transaction_data status status_history viewed_on company_id is_test user_id billing_template_id \
                    order_id send_receipt is_recurring_token recurring_token skip_capture force_recurring reference \
                    reference_generated issued due refund_availability refundable_amount currency_conversion \
                    payment_method_whitelist success_redirect failure_redirect cancel_redirect success_callback \
                    creator_agent platform product created_from_ip invoice_url checkout_url direct_post_url \
                    marked_as_paid can_retrieve can_chargeback upsell_campaigns referral_campaign_id referral_code \
                    referral_code_details referral_code_generated retain_level_details";
        let purchase = purchase.as_object().expect("an object");
        for key in keys.split_whitespace() {
            assert!(purchase.contains_key(key), "{key}");
        }
        assert_eq!(purchase.len(), keys.split_whitespace().count());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_18_totals_are_those_of_the_documented_table() {
    on_both(async |test| {
        let table = [
            (r#"[{"name":"x","price":100,"quantity":3,"discount":1}]"#, 299),
            (
                r#"[{"name":"x","price":10,"tax_percent":6},{"name":"x","price":10,"tax_percent":"6"}]"#,
                22,
            ),
            (r#"[{"name":"x","price":100,"discount":10,"tax_percent":10}]"#, 99),
            (r#"[{"name":"x","price":100,"quantity":1.555,"tax_percent":10}]"#, 171),
            (
                r#"[{"name":"x","price":100,"quantity":1.555},{"name":"x","price":100,"quantity":"1.555"}]"#,
                312,
            ),
            (r#"[{"name":"x","price":150,"discount":1,"tax_percent":6.00}]"#, 158),
            (r#"[{"name":"x","price":100,"quantity":1.005}]"#, 101),
            (
                r#"[{"name":"x","price":1,"total_price_override":2500,"tax_percent":10}]"#,
                2500,
            ),
            (r#"[{"name":"x","price":10000,"tax_percent":"6.00"}]"#, 10600),
            (r#"[{"name":"x","price":999,"quantity":0},{"name":"x","price":"100"}]"#, 100),
            (r#"[{"name":"x","price":100,"tax_percent":1e2}]"#, 200),
            (r#"[{"name":"x","price":9223372036854775807}]"#, i64::MAX),
        ];
        for (products, total) in table {
            let body = format!(
                r#"{{"clients":[{{"email":"ada@example.com"}}],"purchase":{{"total":7,"products":{products}}},"invoice_due":{DUE}}}"#
            );
            let answer = test.chip("POST", "/billing", &body).await;
            assert_eq!(answer.status, 200, "{products}: {answer:?}");
            let answer = answer.json();
            let purchase = test.purchase(answer[0].as_str().expect("an id")).await;
            assert_eq!(purchase["purchase"]["total"], total, "{products}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn debt_and_override_move_the_total_and_decimals_come_back_with_their_places() {
    on_both(async |test| {
        let products = json!([{"name": "x", "price": 100, "quantity": 1.5, "tax_percent": "1e1"}]);
        let purchase = test.billed(json!({"products": products, "debt": -50})).await;
        assert_eq!(purchase["purchase"]["total"], 115);
        assert_eq!(purchase["purchase"]["products"][0]["quantity"], "1.5000");
        assert_eq!(purchase["purchase"]["products"][0]["tax_percent"], "10.00");
        let purchase = test
            .billed(json!({"products": products, "debt": 5, "total_override": 77}))
            .await;
        assert_eq!(purchase["purchase"]["total"], 77);
        assert_eq!(purchase["purchase"]["total_override"], 77);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_of_the_template_reaches_the_purchase() {
    on_both(async |test| {
        for (sent, kept, default) in [
            ("invoice_skip_capture", "skip_capture", false),
            ("invoice_send_receipt", "send_receipt", true),
            ("force_recurring", "force_recurring", false),
        ] {
            let mut body = billing(one_product());
            for (value, expected) in [(None, default), (Some(true), true), (Some(false), false)] {
                if let Some(value) = value {
                    body[sent] = value.into();
                }
                let ids = test.bill(&body).await.json();
                let purchase = test.purchase(ids[0].as_str().expect("an id")).await;
                assert_eq!(purchase[kept], expected, "{sent} {value:?}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_value_is_accepted() {
    on_both(async |test| {
        let accepted: Vec<(&str, Value)> = vec![
            ("/title", "t".into()),
            ("/is_subscription", true.into()),
            ("/subscription_period", 0.into()),
            ("/subscription_period_units", "years".into()),
            ("/subscription_active", "?".into()),
            ("/invoice_issued", Value::Null),
            ("/invoice_issued", "2020-02-29".into()),
            ("/invoice_due", i32::MAX.into()),
            ("/invoice_due", DUE.to_string().into()),
            ("/brand_id", test.tenant.chip.brand_id.to_string().into()),
            ("/unknown", json!({"a": 1})),
            ("/purchase/currency", "EUR".into()),
            ("/purchase/currency", "JPY".into()),
            ("/purchase/language", "ms".into()),
            ("/purchase/notes", "n".repeat(10_000).into()),
            ("/purchase/timezone", "Asia/Kuala_Lumpur".into()),
            ("/purchase/due_strict", true.into()),
            ("/purchase/email_message", "e".repeat(256).into()),
            ("/purchase/request_client_details", json!(["phone", "billing_address"])),
            ("/purchase/subtotal_override", 1.into()),
            ("/purchase/total_tax_override", Value::Null),
            ("/purchase/products/0/category", "".into()),
            ("/purchase/products/0/name", "n".repeat(256).into()),
            ("/purchase/products/0/quantity", "0.0005".into()),
            ("/purchase/products/0/tax_percent", 100.into()),
            ("/purchase/products/0/tax_percent", "0".into()),
            ("/purchase/products/0/total_price_override", Value::Null),
            ("/clients/0/payment_method_whitelist", Value::Null),
            ("/clients/0/payment_method_whitelist", json!(["fpx", "duitnow_qr"])),
            ("/clients/0/invoice_reference", "INV 7".into()),
            ("/clients/0/send_receipt", false.into()),
            ("/clients/0/country", "Malaysia".into()),
            ("/clients/0/country", "".into()),
            ("/clients/0/cc", Value::Null),
        ];
        for (pointer, value) in accepted {
            let answer = test.bill(&with(pointer, value.clone())).await;
            assert_eq!(answer.status, 200, "{pointer} {value}: {answer:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_issue_date_is_the_current_day_where_the_purchase_is() {
    on_both(async |test| {
        test.clock.set("2026-10-05T20:00:00Z");
        for (zone, expected) in [("UTC", "2026-10-05"), ("Asia/Kuala_Lumpur", "2026-10-06")] {
            let purchase = json!({"products": [{"name": "x", "price": 1}], "timezone": zone});
            assert_eq!(test.billed(purchase).await["issued"], expected, "{zone}");
        }
        let ids = test.bill(&with("/invoice_issued", "2026-01-31".into())).await.json();
        assert_eq!(
            test.purchase(ids[0].as_str().expect("an id")).await["issued"],
            "2026-01-31"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_are_billed_in_their_order_with_numbers_in_a_row() {
    on_both(async |test| {
        let ada = test.new_client("ada@example.com").await;
        let mut body = billing(one_product());
        body["clients"] = json!([
            {"email": "new@example.com", "full_name": "New"},
            {"client_id": ada, "invoice_reference": "R2"},
            {"client": {"email": "NEW@example.com"}},
            {"email": "ADA@example.com"},
        ]);
        let ids = test.bill(&body).await.json();
        let mut purchases = Vec::new();
        for id in ids.as_array().expect("ids") {
            purchases.push(test.purchase(id.as_str().expect("an id")).await);
        }
        let numbers: Vec<_> = purchases.iter().map(|p| p["reference_generated"].as_str()).collect();
        assert_eq!(numbers, [Some("CH1"), Some("CH2"), Some("CH3"), Some("CH4")]);
        assert_eq!(purchases[1]["client_id"], ada.as_str());
        assert_eq!(purchases[1]["reference"], "R2");
        assert_eq!(purchases[3]["client_id"], ada.as_str());
        assert_eq!(purchases[0]["client_id"], purchases[2]["client_id"]);
        assert_eq!(purchases[0]["client"]["full_name"], "New");
        let clients = test.chip("GET", "/clients/", "").await.json();
        assert_eq!(clients["results"].as_array().map(Vec::len), Some(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_callers_with_the_same_new_address_make_one_client() {
    on_both(async |test| {
        let test = std::sync::Arc::new(test);
        let calls = (0..20).map(|_| {
            let test = std::sync::Arc::clone(&test);
            tokio::spawn(async move { test.bill(&billing(one_product())).await })
        });
        for call in futures::future::join_all(calls).await {
            let answer = call.expect("no panic");
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let clients = test.chip("GET", "/clients/", "").await.json();
        assert_eq!(clients["results"].as_array().map(Vec::len), Some(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_bills_once_and_another_body_under_it_is_refused() {
    on_both(async |test| {
        let send = async |body: Value| {
            let headers = [("idempotency-key", "k1")];
            test.chip_with("POST", "/api/v1/billing/", &headers, &body.to_string())
                .await
        };
        let first = send(billing(one_product())).await;
        assert_eq!(first.status, 200, "{first:?}");
        let events = test.events().await;
        test.clock.set("2027-01-01T00:00:00Z"); // after its due time
        let again = send(billing(one_product())).await;
        assert_eq!((again.status, again.text), (200, first.text));
        let other = send(with("/invoice_due", (DUE + 1).into())).await;
        assert_eq!(other.status, 409, "{other:?}");
        assert_eq!(other.json()["__all__"][0]["code"], "conflict");
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_is_to_be_paid_and_runs_nothing_of_it() {
    on_both(async |test| {
        let product = json!({"name": "<script>alert(1)</script>", "price": 123_456});
        let purchase = test.billed(json!({"products": [product]})).await;
        let id = purchase["id"].as_str().expect("an id");
        for path in [format!("/p/{id}/"), format!("/p/{id}/invoice/")] {
            let page = test.send("GET", &path, &[], "").await;
            assert_eq!(page.status, 200, "{page:?}");
            assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
            for part in ["CH1", "MYR 1234.56", "sent", "&lt;script&gt;"] {
                assert!(page.text.contains(part), "{part}: {page:?}");
            }
            assert!(!page.text.contains("<script>"), "{page:?}");
        }
        assert_eq!(test.send("GET", "/p/unknown/", &[], "").await.status, 404);
    })
    .await;
}
