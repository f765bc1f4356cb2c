//! Orders that share their invoices and are collected by different processors: an invoice is collected by one.

use serde_json::{Value, json};

use super::{Client, wrapped};
use crate::{
    billstream::{get, post},
    support::{TestApp, on_both},
};

/// An order of 10.00 a month from the first of October on, that shares its invoices.
async fn order(client: &Client<'_>, account: &str, mode: &str, processor: &str) -> String {
    let body = json!({"order": {
        "account_id": account, "order_start_date": "2026-10-01",
        "properties": {"consolidate_invoice": true, "consolidate_key": "north", "payment_mode": mode,
            "payment_processor": processor, "payment_term": "Due on Receipt", "invoice_mode": "MANUAL"},
        "lines": [{"item_id": "ITEM-1", "item_price_snapshot": {"pricing_rule": {"price": "10.00"}}}],
    }});
    let placed = client.ok("POST", "/api/v3/orders", &body).await;
    placed["order"]["id"].as_str().expect("an id").to_owned()
}

async fn prefer(client: &Client<'_>, order: &str, preferences: &Value) {
    let path = format!("/api/v3/orders/{order}/billing-preferences");
    client.ok("PATCH", &path, &wrapped("/api/v3", preferences)).await;
}

fn totals(invoices: &Value) -> Vec<String> {
    let rows = invoices.as_array().expect("invoices").iter();
    let mut totals: Vec<String> = rows
        .map(|row| format!("{} {}", row["automatic_payment"], row["total"]))
        .collect();
    totals.sort();
    totals
}

async fn collected(test: &TestApp) -> Vec<String> {
    let asked = get(test, "/billstream/v1/payments").await.json();
    let rows = asked["payments"].as_array().expect("payments").iter();
    let mut asked: Vec<String> = rows
        .map(|row| format!("{} {}", row["processor"], row["amount"]))
        .collect();
    asked.sort();
    asked
}

async fn to(test: &TestApp, day: &str) {
    let now = format!("{day}T00:00:00Z");
    let moved = post(test, "/billstream/v1/clock", &json!({"now": now})).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    test.clock.set(&now);
}

/// Three orders with a month that is charged and waits to be collected by their processors, and that are paid by hand
/// since.
async fn paid_by_hand_since(test: &mut TestApp) -> Vec<String> {
    test.tenant = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
    let client = Client::of(test).await;
    let account = client.account().await;
    let mut orders = Vec::new();
    for processor in ["Stripe", "securepay", "Stripe"] {
        orders.push(order(&client, &account, "AUTOMATIC", processor).await);
    }
    to(test, "2026-10-06").await;
    // Hours have gone by: with a token of its own.
    let client = Client::of(test).await;
    for order in &orders {
        prefer(&client, order, &json!({"payment_mode": "MANUAL"})).await;
    }
    orders
}

#[tokio::test(flavor = "multi_thread")]
async fn charges_that_waited_while_their_orders_came_to_be_paid_by_hand_are_collected_by_their_own_processors() {
    on_both(async |mut test| {
        let orders = paid_by_hand_since(&mut test).await;
        let client = Client::of(&test).await;
        for order in &orders {
            prefer(&client, order, &json!({"invoice_mode": "AUTOMATIC"})).await;
        }
        let until = json!({"until": "2026-11-05T00:00:00Z"});
        let preview = post(&test, "/billstream/v1/previews/run", &until).await.json();
        let expected = ["false \"30.00\"", "true \"10.00\"", "true \"20.00\""];
        assert_eq!(totals(&preview["invoices"]), expected, "{preview}");
        to(&test, "2026-11-05").await;
        assert_eq!(
            collected(&test).await,
            ["\"Stripe\" \"20.00\"", "\"securepay\" \"10.00\""]
        );
        let books = test.app.journal.store();
        let sql = "SELECT total FROM invoices ORDER BY total";
        let rows = books.read(sql, &[]).await.expect("invoices");
        let made: Vec<i64> = rows.iter().map(|row| row.int(0).expect("a total")).collect();
        assert_eq!(
            made,
            [1000, 2000, 3000],
            "what is paid by hand is shared whatever processor is named"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_what_waits_makes_an_invoice_a_processor_and_none_of_what_is_not_shared() {
    on_both(async |mut test| {
        let orders = paid_by_hand_since(&mut test).await;
        let everything = post(&test, "/billstream/v1/previews/invoices", &json!({})).await.json();
        assert_eq!(
            totals(&everything["invoices"]),
            ["true \"10.00\"", "true \"20.00\""],
            "{everything}"
        );
        let client = Client::of(&test).await;
        let made = client
            .ok("POST", &format!("/api/v4/orders/{}/invoices", orders[0]), &json!({}))
            .await;
        assert_eq!(made["invoices"].as_array().map(Vec::len), Some(1), "{made}");
        assert_eq!(made["invoice"]["total"], "20.00", "{made}");
        let made = client
            .ok("POST", &format!("/api/v4/orders/{}/invoices", orders[1]), &json!({}))
            .await;
        assert_eq!(made["invoice"]["total"], "10.00", "{made}");
        let made = client
            .send("POST", &format!("/api/v4/orders/{}/invoices", orders[2]), "{}")
            .await;
        assert_eq!(made.status, 409, "{made:?}");
        to(&test, "2026-10-07").await;
        assert_eq!(
            collected(&test).await,
            ["\"Stripe\" \"20.00\"", "\"securepay\" \"10.00\""]
        );
    })
    .await;
}
