//! Prices and quantities: read as they were written or refused, never changed.

use serde_json::{Value, json};

use super::{Client, new_order};
use crate::support::on_both;

const PRICE: &str = "/order/lines/0/item_price_snapshot/pricing_rule/price";

fn priced(account: &str, price: Value) -> Value {
    let mut body = new_order(account);
    *body.pointer_mut(PRICE).expect("a price") = price;
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_too_large_to_show_is_refused_and_the_largest_is_shown() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let events = test.events().await;
        for large in [
            "1000000000000000",
            "12345678901234567890123456",
            "79228162514264337593543950335",
        ] {
            for (field, pointer) in [
                ("lines[0].item_price_snapshot.pricing_rule.price", PRICE),
                ("lines[0].item_order_quantity", "/order/lines/0/item_order_quantity"),
            ] {
                let mut body = new_order(&account);
                *body.pointer_mut(pointer).expect("a place") = large.into();
                let answer = client.send("POST", "/api/v3/orders", &body.to_string()).await;
                assert_eq!(answer.status, 400, "{answer:?}");
                assert_eq!(answer.json()["errors"][0]["field"], field);
            }
        }
        assert_eq!(test.events().await, events);
        let largest = "999999999999999.999999";
        client
            .ok("POST", "/api/v3/orders", &priced(&account, largest.into()))
            .await;
        for prefix in ["/api/v1", "/api/v4"] {
            let path = format!("{prefix}/accounts/{account}/orders");
            client.ok("GET", &path, &Value::Null).await;
        }
        let path = format!("/api/v1/orders/ORD-{account}-0001");
        let order = client.ok("GET", &path, &Value::Null).await;
        assert_eq!(order.pointer(PRICE), Some(&largest.into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_or_preferences_of_the_wrong_type_are_refused_and_not_left_out() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let events = test.events().await;
        let snapshot = "lines[0].item_price_snapshot";
        for wrong in [json!("6.25"), json!([]), json!(6.25), json!(true)] {
            for (place, field) in [
                ("/order/lines/0/item_price_snapshot", snapshot.to_owned()),
                (
                    "/order/lines/0/item_price_snapshot/pricing_rule",
                    format!("{snapshot}.pricing_rule"),
                ),
                ("/order/properties", "properties".to_owned()),
                ("/order/billing_preferences", "billing_preferences".to_owned()),
            ] {
                let mut body = new_order(&account);
                let (parent, name) = place.rsplit_once('/').expect("a pointer");
                body.pointer_mut(parent).expect("a place")[name] = wrong.clone();
                let answer = client.send("POST", "/api/v3/orders", &body.to_string()).await;
                assert_eq!(answer.status, 400, "{place} {wrong}: {answer:?}");
                assert_eq!(answer.json()["errors"][0]["field"], field.as_str(), "{answer:?}");
            }
            let body = json!({"account": {"name": "Example Ltd", "billing_preferences": wrong}}).to_string();
            let answer = client.send("POST", "/api/v3/accounts", &body).await;
            assert_eq!(answer.status, 400, "{wrong}: {answer:?}");
            assert_eq!(answer.json()["errors"][0]["field"], "billing_preferences");
        }
        assert_eq!(test.events().await, events);
        for absent in [json!(null), json!({}), json!({"pricing_rule": null})] {
            let mut body = new_order(&account);
            body["order"]["lines"][0]["item_price_snapshot"] = absent;
            let order = client.ok("POST", "/api/v3/orders", &body).await;
            assert_eq!(order.pointer(PRICE), Some(&"0.000000".into()));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_sent_as_a_number_keeps_every_digit() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let marked = priced(&account, "PRICE".into()).to_string();
        for (sent, legacy, number) in [
            ("12345678901234.123456", "12345678901234.123456", false),
            ("9007199254.740991", "9007199254.740991", false),
            ("0.000001", "0.000001", true),
            ("1e-6", "0.000001", true),
            ("1.25E2", "125.000000", true),
            ("6.2500000", "6.250000", true),
            ("7", "7.000000", true),
        ] {
            let body = marked.replace("\"PRICE\"", sent);
            let answer = client.send("POST", "/api/v3/orders", &body).await;
            assert_eq!(answer.status, 201, "{sent}: {answer:?}");
            let order = answer.json();
            assert_eq!(order.pointer(PRICE), Some(&legacy.into()), "{sent}");
            let id = order["order"]["id"].as_str().expect("an id");
            let shown = client.ok("GET", &format!("/api/v4/orders/{id}"), &Value::Null).await;
            let shown = shown.pointer(PRICE).expect("a price");
            assert_eq!(shown.is_number(), number, "{shown}");
            if !number {
                assert_eq!(shown, legacy);
            }
        }
        let events = test.events().await;
        for sent in [
            "0.0000001",
            "1e-7",
            "1e15",
            "1e400",
            "-1",
            "0.12345600000000000000000000000000001",
        ] {
            let answer = client
                .send("POST", "/api/v3/orders", &marked.replace("\"PRICE\"", sent))
                .await;
            assert_eq!(answer.status, 400, "{sent}: {answer:?}");
            let field = "lines[0].item_price_snapshot.pricing_rule.price";
            assert_eq!(answer.json()["errors"][0]["field"], field, "{sent}");
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

/// The total of such an order was shown as null for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_total_cannot_be_written_is_refused_at_its_line() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let events = test.events().await;
        let line = |price: &str, quantity: &str| {
            json!({"item_id": "ITEM-0001", "item_order_quantity": quantity,
                "item_price_snapshot": {"pricing_rule": {"price": price}}})
        };
        for (currency, lines, field) in [
            ("AUD", vec![line("999999999999999", "999999999999999")], "lines[0]"),
            ("AUD", vec![line("1", "1"), line("900000000000000", "103")], "lines[1]"),
            (
                "AUD",
                vec![
                    line("900000000000000", "60"),
                    line("1", "1"),
                    line("900000000000000", "60"),
                ],
                "lines[2]",
            ),
            ("KWD", vec![line("900000000000000", "11")], "lines[0]"),
        ] {
            let mut body = new_order(&account);
            body["order"]["lines"] = lines.into();
            body["order"]["currency"] = currency.into();
            for prefix in ["/api/v3", "/api/v4"] {
                let answer = client
                    .send("POST", &format!("{prefix}/orders"), &body.to_string())
                    .await;
                assert_eq!(answer.status, 400, "{answer:?}");
                let errors = answer.json();
                assert_eq!(errors["errors"][0]["field"], field, "{errors}");
                assert_eq!(errors["errors"][0]["code"], "invalid");
            }
        }
        assert_eq!(test.events().await, events);
        let body = priced(&account, "46116860184273879".into());
        assert_eq!(
            client.send("POST", "/api/v3/orders", &body.to_string()).await.status,
            400
        );
        let order = client
            .ok("POST", "/api/v3/orders", &priced(&account, "999999999999999".into()))
            .await;
        assert_eq!(order["order"]["total"], "1999999999999998.00");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_a_real_address_or_time_zone_is_refused() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let events = test.events().await;
        for (field, wrong) in [
            ("email_address", "@"),
            ("email_address", "a@"),
            ("email_address", "@b.example"),
            ("email_address", "a@b@c"),
            ("email_address", "a b@c.example"),
            ("time_zone", "Mars/X"),
            ("time_zone", "+10:00"),
        ] {
            let mut body = json!({"account": {"name": "Example Ltd"}});
            body["account"][field] = wrong.into();
            for prefix in ["/api/v3", "/api/v4"] {
                let answer = client
                    .send("POST", &format!("{prefix}/accounts"), &body.to_string())
                    .await;
                assert_eq!(answer.status, 400, "{wrong}: {answer:?}");
                assert_eq!(answer.json()["errors"][0]["field"], field);
            }
        }
        assert_eq!(test.events().await, events);
        let good = json!({"account": {"name": "Example Ltd", "email_address": "a@b.example",
            "time_zone": "Australia/Sydney"}});
        client.ok("POST", "/api/v3/accounts", &good).await;
    })
    .await;
}
