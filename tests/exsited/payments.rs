//! What has been paid of an order's invoices, and what is collected by its preferences.

use std::sync::Arc;

use billstream::processes::scheduler::Scheduler;
use serde_json::{Value, json};

use super::{Client, new_order};
use crate::{
    payments::{asked, read, round},
    support::on_both,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_says_what_is_paid_and_what_is_due() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        let invoices = format!("/orders/{order}/invoices");
        let made = client.ok("POST", &format!("/api/v3{invoices}"), &json!({})).await;
        let uuid = made["invoice"]["uuid"].as_str().expect("an id").to_owned();
        let path = format!("/billstream/v1/invoices/{uuid}/payments");
        for (reference, amount, paid, due, status) in [
            ("", "", "0.00", "12.50", "unpaid"),
            ("ch_1", "2.50", "2.50", "10.00", "partial"),
            ("ch_2", "10.00", "12.50", "0.00", "paid"),
        ] {
            if !reference.is_empty() {
                let body = json!({"reference": reference, "amount": amount});
                assert_eq!(crate::billstream::post(&test, &path, &body).await.status, 201);
            }
            for (prefix, place, word) in [
                ("/api/v3", "invoices", status.to_uppercase()),
                ("/api/v4", "data", status.to_owned()),
            ] {
                let list = client.ok("GET", &format!("{prefix}{invoices}"), &Value::Null).await;
                let shown = &list[place][0];
                assert_eq!(
                    (&shown["paid"], &shown["due"], &shown["outstanding"]),
                    (&json!(paid), &json!(due), &json!(due))
                );
                assert_eq!(shown["payment_status"], word);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_order_is_collected_by_its_processor_on_the_due_date() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let mut body = new_order(&account);
        body["order"]["properties"] = json!({
            "payment_mode": "AUTOMATIC", "payment_processor": "Stripe", "payment_term": "Net 7",
        });
        client.ok("POST", "/api/v3/orders", &body).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        for (now, count) in [
            ("2026-10-05T12:00:00Z", 0),
            ("2026-10-07T23:59:59Z", 0),
            ("2026-10-08T00:00:00Z", 1),
        ] {
            test.clock.set(now);
            round(&mut scheduler).await;
            assert_eq!(asked(&test).await.len(), count, "{now}");
        }
        let payment = &read(&test, "/billstream/v1/payments?status=requested").await["payments"][0];
        assert_eq!(
            (&payment["processor"], &payment["amount"], &payment["currency"]),
            (&json!("Stripe"), &json!("12.50"), &json!("AUD"))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_delivered_where_it_begins_and_a_period_that_is_charged_again_is_not() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        let path = format!("/api/v3/orders/{order}");
        let shown = client.ok("GET", &path, &Value::Null).await;
        let line = shown["order"]["lines"][0]["uuid"].as_str().expect("an id").to_owned();
        for (day, starts) in [
            ("2026-10-01", &["2026-10-01"][..]),
            ("2026-10-11", &["2026-10-01", "2026-10-11"]),
        ] {
            test.clock.set("2026-10-11T12:00:00Z");
            let client = Client::of(&test).await;
            let body = json!({"order": {"effective_date": day, "lines": [
                {"op": "change", "uuid": line, "item_price_snapshot": {"pricing_rule": {"price": "9.00"}}},
            ]}});
            client.ok("POST", &format!("{path}/change"), &body).await;
            round(&mut scheduler).await;
            let listed = read(&test, "/billstream/v1/fulfilments?status=open").await;
            let found: Vec<_> = listed["fulfilments"]
                .as_array()
                .expect("fulfilments")
                .iter()
                .filter_map(|one| one["period_start"].as_str())
                .collect();
            assert_eq!(found, starts, "{day}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_on_its_invoice_does_not_bring_a_collection_forward() {
    on_both(async |test| {
        test.clock.set("2027-02-01T12:00:00Z");
        let client = Client::of(&test).await;
        let account = client.account().await;
        let line = |item: &str, charge_type: &str| {
            json!({
                "item_id": item, "item_charge_type": charge_type,
                "item_price_snapshot": {"pricing_rule": {"price": "30"}},
            })
        };
        let body = json!({"order": {
            "account_id": account, "order_start_date": "2027-02-01",
            "properties": {
                "payment_mode": "AUTOMATIC", "payment_processor": "Stripe", "payment_term": "Net 14",
            },
            "lines": [line("SEATS", "RECURRING"), line("CALLS", "METERED")],
        }});
        client.ok("POST", "/api/v3/orders", &body).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        for (now, count) in [
            ("2027-02-01T12:00:00Z", 0),
            ("2027-02-15T12:00:00Z", 1),
            // 30.00 for March, and nothing for the usage of February.
            ("2027-03-01T12:00:00Z", 1),
            ("2027-03-14T23:59:59Z", 1),
            ("2027-03-15T00:00:00Z", 2),
        ] {
            test.clock.set(now);
            round(&mut scheduler).await;
            assert_eq!(asked(&test).await.len(), count, "{now}");
        }
    })
    .await;
}
