//! When invoices of orders are issued and due.

use serde_json::{Value, json};

use super::Client;
use crate::support::{TestApp, on_both};

async fn order(client: &Client<'_>, charge_type: &str, properties: Value) -> (String, String) {
    let account = client.account().await;
    let body = json!({"order": {
        "account_id": account, "order_start_date": "2026-10-01", "properties": properties,
        "lines": [{
            "item_id": "ITEM-1", "item_charge_type": charge_type,
            "item_price_snapshot": {"pricing_rule": {"price": "31"}},
        }],
    }});
    let made = client.ok("POST", "/api/v3/orders", &body).await;
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&made["order"]["id"]), text(&made["order"]["lines"][0]["uuid"]))
}

fn at(test: &TestApp, day: &str) {
    test.clock.set(&format!("{day}T12:00:00Z"));
}

/// When the last invoice that is made on a day is issued and due.
async fn invoiced(test: &TestApp, order: &str, day: &str) -> (String, String) {
    at(test, day);
    let client = Client::of(test).await;
    let made = client
        .ok("POST", &format!("/api/v3/orders/{order}/invoices"), &json!({}))
        .await;
    let last = made["invoices"]
        .as_array()
        .and_then(|all| all.last())
        .expect("an invoice");
    let date = |name: &str| last[name].as_str().expect("a date").to_owned();
    (date("issue_date"), date("due_date"))
}

fn dates(issued: &str, due: &str) -> (String, String) {
    (issued.to_owned(), due.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_term_that_counts_from_the_invoice_counts_from_the_day_it_is_issued() {
    on_both(async |test| {
        at(&test, "2026-10-01");
        let client = Client::of(&test).await;
        let from_invoice = json!({"payment_term": "Net 30", "payment_term_alignment": "INVOICE_DATE"});
        let (metered, _) = order(&client, "METERED", from_invoice.clone()).await;
        let (advance, _) = order(&client, "RECURRING", from_invoice.clone()).await;
        let mut by_hand = from_invoice;
        by_hand["invoice_mode"] = json!("MANUAL");
        let (manual, _) = order(&client, "RECURRING", by_hand.clone()).await;
        by_hand["payment_term_alignment"] = json!("BILLING_DATE");
        let (aligned, _) = order(&client, "RECURRING", by_hand).await;
        let first = invoiced(&test, &advance, "2026-10-01").await;
        assert_eq!(first, dates("2026-10-01", "2026-10-31"));
        let usage = invoiced(&test, &metered, "2026-11-01").await;
        assert_eq!(usage, dates("2026-11-01", "2026-12-01"));
        let called = invoiced(&test, &manual, "2026-11-15").await;
        assert_eq!(called, dates("2026-11-15", "2026-12-15"));
        let billing_start = invoiced(&test, &aligned, "2026-11-15").await;
        assert_eq!(billing_start, dates("2026-11-15", "2026-11-15"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_order_that_is_invoiced_late_is_previewed_and_one_invoiced_early_is_not_dated_back() {
    on_both(async |test| {
        for (term, issued) in [("Net 30", "2026-11-19"), ("Net -7", "2026-10-20")] {
            at(&test, "2026-10-01");
            let client = Client::of(&test).await;
            let properties = json!({"invoice_term": term, "pro_rata_partial_charging_period": true});
            let (order, line) = order(&client, "RECURRING", properties).await;
            if term == "Net -7" {
                invoiced(&test, &order, "2026-10-01").await;
            }
            at(&test, "2026-10-20");
            let client = Client::of(&test).await;
            let body = json!({"order": {"effective_date": "2026-10-20", "lines": [
                {"op": "change", "uuid": line, "item_price_snapshot": {"pricing_rule": {"price": "62"}}},
            ]}});
            let path = format!("/api/v3/orders/{order}/change");
            let preview = client.ok("POST", &format!("{path}/preview"), &body).await;
            let invoices = preview["order"]["invoices"].as_array().expect("invoices");
            let last = invoices.last().expect("an invoice");
            assert_eq!(last["issue_date"], issued, "{preview}");
            client.ok("POST", &path, &body).await;
            let made = invoiced(&test, &order, issued).await;
            assert_eq!(
                (&last["issue_date"], &last["due_date"]),
                (&json!(made.0), &json!(made.1))
            );
        }
    })
    .await;
}

/// An order whose only line is billed when its period is over: by usage, or by its billing mode.
async fn order_in_arrears(client: &Client<'_>, metered: bool, properties: &Value) -> String {
    let account = client.account().await;
    let mut line = json!({
        "item_id": "ITEM-1", "item_charge_type": "METERED",
        "item_price_snapshot": {"pricing_rule": {"price": "31"}},
    });
    if !metered {
        line["item_charge_type"] = json!("RECURRING");
        line["item_properties"] = json!({"billing_mode": "IN_ARREARS"});
    }
    let body = json!({"order": {
        "account_id": account, "order_start_date": "2026-10-01", "properties": properties, "lines": [line],
    }});
    let made = client.ok("POST", "/api/v3/orders", &body).await;
    made["order"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_billed_in_arrears_is_issued_and_due_after_the_end_of_its_period() {
    const BEGINS: &str = "Billing Start Date";
    on_both(async |test| {
        for (invoice, payment, alignment, arrears, metered) in [
            // Of October: its billing starts on 1 November.
            (BEGINS, "Net 30", "BILLING_DATE", ("2026-11-01", "2026-12-01"), None),
            (BEGINS, "Net 30", "INVOICE_DATE", ("2026-11-01", "2026-12-01"), None),
            // Usage is never billed before its period is over.
            (
                "Net -7",
                "Net 30",
                "BILLING_DATE",
                ("2026-10-25", "2026-12-01"),
                Some(("2026-11-01", "2026-12-01")),
            ),
            (
                "Net -7",
                "Net 30",
                "INVOICE_DATE",
                ("2026-10-25", "2026-11-24"),
                Some(("2026-11-01", "2026-12-01")),
            ),
            (
                "Net 7",
                "Due on Receipt",
                "BILLING_DATE",
                ("2026-11-08", "2026-11-08"),
                None,
            ),
        ] {
            for is_metered in [false, true] {
                at(&test, "2026-10-01");
                let client = Client::of(&test).await;
                let properties = json!({
                    "invoice_term": invoice, "payment_term": payment, "payment_term_alignment": alignment,
                });
                let order = order_in_arrears(&client, is_metered, &properties).await;
                let (issued, due) = metered.filter(|_| is_metered).unwrap_or(arrears);
                let made = invoiced(&test, &order, issued).await;
                assert_eq!(made, dates(issued, due), "{properties} {is_metered}");
            }
        }
    })
    .await;
}
