//! Where billing starts: what accounts and orders say of it, and which days it leads to.

use serde_json::{Value, json};

use super::Client;
use crate::support::{TestApp, on_both};

async fn order_of(client: &Client<'_>, account: &str, more: Value) -> Value {
    let mut order = json!({
        "account_id": account, "order_start_date": "2026-10-01",
        "lines": [{"item_id": "ITEM-1", "item_price_snapshot": {"pricing_rule": {"price": "31"}}}],
    });
    let fields = order.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    client.ok("POST", "/api/v3/orders", &json!({"order": order})).await["order"].clone()
}

/// First day, last day and amount of what is charged on that day.
async fn billed(test: &TestApp, order: &Value, day: &str) -> Vec<[String; 3]> {
    test.clock.set(&format!("{day}T12:00:00Z"));
    let client = Client::of(test).await;
    let path = format!("/api/v3/orders/{}/invoices", order["id"].as_str().expect("an id"));
    let made = client.ok("POST", &path, &json!({})).await;
    let lines = made["invoice"]["lines"].as_array().expect("lines").iter();
    lines
        .map(|line| {
            ["charging_start_date", "charging_end_date", "total"]
                .map(|name| line[name].as_str().expect("text").to_owned())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_preferences_hold_every_key_of_their_version() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let v3 = format!("/api/v3/accounts/{account}/billing-preferences");
        let v4 = format!("/api/v4/accounts/{account}/billing_preferences");
        let sample = json!({"account": {"billing_preferences": {
            "communication_profile": "DEFAULT", "invoice_mode": "AUTOMATIC", "invoice_term": "Net 7",
            "billing_period": "1 Month", "billing_start_date": "DAY_OF_MONTH",
            "billing_start_day_of_month": "15th of The Month", "charging_and_billing_alignment": "true",
            "payment_processor": "Cash", "payment_mode": "MANUAL", "payment_term": "Net 30",
            "payment_term_alignment": "BILLING_DATE",
        }}});
        let put = client.ok("PUT", &v3, &sample).await;
        let shown = &put["account"]["billing_preferences"];
        assert_eq!(shown["billing_start_date"], "DAY_OF_MONTH");
        assert_eq!(shown["billing_start_day_of_month"], "15");
        assert_eq!(shown["charging_and_billing_alignment"], "true");
        assert_eq!(client.ok("GET", &v3, &Value::Null).await, put);
        let read = client.ok("GET", &v4, &Value::Null).await;
        let shown = &read["account"]["billing_preferences"];
        assert_eq!(shown["billing_start_day_of_month"], 15);
        assert_eq!(shown["charges_aligned_to_billing"], true);
        assert_eq!(shown["invoice_term"], "Net 7");
        for name in [
            "proforma_properties",
            "communication_group",
            "event_profile",
            "charging_period",
        ] {
            assert!(shown.get(name).is_some(), "{name}");
        }
        // PUT says everything anew.
        let body = json!({"billing_preferences": {"billing_start_date": "ORDER_ACTIVATION_DATE"}});
        let put = client.ok("PUT", &v4, &body).await;
        let shown = &put["account"]["billing_preferences"];
        assert_eq!(shown["billing_start_date"], "ORDER_ACTIVATION_DATE");
        assert_eq!(shown["billing_start_day_of_month"], Value::Null);
        let events = test.events().await;
        for (field, value, code) in [
            ("billing_start_date", json!("2026-10-01"), "matches_invalid"),
            ("billing_start_date", json!("DAY_OF_MONTH"), "required"),
            ("billing_start_day_of_month", json!("32"), "invalid"),
            ("billing_start_day_of_month", json!("0th of the month"), "invalid"),
            ("charging_and_billing_alignment", json!("perhaps"), "invalid"),
        ] {
            let body = json!({"billing_preferences": {field: value}}).to_string();
            let answer = client.send("PUT", &v4, &body).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            assert_eq!(answer.json()["errors"][0]["code"], code, "{answer:?}");
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_an_account_are_billed_on_its_day_of_the_month() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let body = json!({"account": {"billing_preferences": {
            "billing_start_date": "DAY_OF_MONTH", "billing_start_day_of_month": 15,
        }}});
        client
            .ok("PUT", &format!("/api/v3/accounts/{account}/billing-preferences"), &body)
            .await;
        let pro_rata = json!({"properties": {"pro_rata_partial_charging_period": true}});
        let first = order_of(&client, &account, pro_rata).await;
        assert_eq!(first["billing_start_date"], "DAY_OF_MONTH");
        assert_eq!(first["billing_start_day_of_month"], "15");
        let end = json!({"billing_start_date": "DAY_OF_MONTH", "billing_start_day_of_month": "End of the Month"});
        let last = order_of(&client, &account, end).await;
        let date = order_of(&client, &account, json!({"billing_start_date": "ORDER_START_DATE"})).await;
        // 14 of the 30 days from 15 September on; then whole months.
        assert_eq!(
            billed(&test, &first, "2026-10-05").await,
            [["2026-10-01", "2026-10-14", "14.47"]]
        );
        assert_eq!(
            billed(&test, &first, "2026-10-15").await,
            [["2026-10-15", "2026-11-14", "31.00"]]
        );
        assert_eq!(
            billed(&test, &last, "2026-10-15").await,
            [["2026-10-01", "2026-10-30", "31.00"]]
        );
        assert_eq!(
            billed(&test, &last, "2026-10-31").await,
            [["2026-10-31", "2026-11-29", "31.00"]]
        );
        assert_eq!(
            billed(&test, &date, "2026-10-31").await,
            [["2026-10-01", "2026-10-31", "31.00"]]
        );
        let client = Client::of(&test).await;
        let wrong = json!({"order": {
            "account_id": account, "billing_start_date": "SOMETIME", "lines": [{"item_id": "ITEM-1"}],
        }});
        let answer = client.send("POST", "/api/v3/orders", &wrong.to_string()).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["errors"][0]["field"], "billing_start_date");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_names_a_day_takes_no_rule_of_its_account() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let path = format!("/api/v3/accounts/{account}/billing-preferences");
        let body = json!({"account": {"billing_preferences": {
            "billing_start_date": "DAY_OF_MONTH", "billing_start_day_of_month": 15,
            "charging_and_billing_alignment": "false",
        }}});
        client.ok("PUT", &path, &body).await;
        let dated = order_of(&client, &account, json!({"billing_start_date": "2026-10-03"})).await;
        assert_eq!(dated["billing_start_date"], "2026-10-03");
        assert_eq!(dated["billing_start_day_of_month"], Value::Null);
        // What it does not say of its lines, the account does.
        let properties = &dated["lines"][0]["item_properties"];
        assert_eq!(properties["charging_and_billing_alignment"], "false");
        let ruled = order_of(&client, &account, json!({"billing_start_date": "DAY_OF_MONTH"})).await;
        assert_eq!(ruled["billing_start_day_of_month"], "15");
        let day = order_of(&client, &account, json!({"billing_start_day_of_month": 20})).await;
        assert_eq!(day["billing_start_date"], "DAY_OF_MONTH");
        assert_eq!(day["billing_start_day_of_month"], "20");
        assert_eq!(
            billed(&test, &dated, "2026-10-05").await,
            [["2026-10-03", "2026-11-02", "31.00"]]
        );
        assert_eq!(
            billed(&test, &ruled, "2026-10-05").await,
            [["2026-10-01", "2026-10-14", "31.00"]]
        );
        assert_eq!(
            billed(&test, &day, "2026-10-05").await,
            [["2026-10-01", "2026-10-19", "31.00"]]
        );
        let other = client.account().await;
        let events = test.events().await;
        for (body, field, code) in [
            (
                json!({"billing_start_date": "DAY_OF_MONTH"}),
                "billing_start_day_of_month",
                "required",
            ),
            (
                json!({"billing_start_date": "1990-01-01"}),
                "billing_start_date",
                "invalid",
            ),
            (json!({"order_start_date": "1990-01-01"}), "order_start_date", "invalid"),
        ] {
            let mut order = json!({"account_id": other, "lines": [{"item_id": "ITEM-1"}]});
            let fields = order.as_object_mut().expect("an object");
            fields.extend(body.as_object().expect("an object").clone());
            let body = json!({"order": order}).to_string();
            let answer = client.send("POST", "/api/v4/orders", &body).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            let error = &answer.json()["errors"][0];
            assert_eq!((&error["field"], &error["code"]), (&json!(field), &json!(code)));
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_a_start_begins_on_the_day_it_is_where_its_account_is() {
    on_both(async |test| {
        for (now, zone, day) in [
            ("2026-10-05T13:59:59Z", "Australia/Brisbane", "2026-10-05"),
            ("2026-10-05T14:00:00Z", "Australia/Brisbane", "2026-10-06"),
            ("2026-10-06T03:59:59Z", "America/New_York", "2026-10-05"),
            ("2026-10-06T04:00:00Z", "America/New_York", "2026-10-06"),
        ] {
            test.clock.set(now);
            let client = Client::of(&test).await;
            let body = json!({"account": {"name": "Example Ltd", "time_zone": zone}});
            let account = client.ok("POST", "/api/v3/accounts", &body).await;
            let body = json!({"order": {"account_id": account["account"]["id"], "lines": [{"item_id": "ITEM-1"}]}});
            let made = client.ok("POST", "/api/v3/orders", &body).await;
            assert_eq!(made["order"]["order_start_date"], day, "{now} {zone}");
        }
    })
    .await;
}
