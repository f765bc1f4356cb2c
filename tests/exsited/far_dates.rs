//! Orders that begin, change and end on the last day that a date can name: each is placed or refused, and a page holds all.

use serde_json::{Value, json};

use super::Client;
use crate::support::on_both;

const LAST_DAY: &str = "9999-12-31";

/// Orders of the last day, over the longest periods and terms, divided and not; of what is metered and bought, too.
async fn placed(client: &Client<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"] {
        let account = json!({"account": {
            "name": "Example Ltd", "email_address": "billing@example.com", "time_zone": zone,
        }});
        let account = client.ok("POST", "/api/v3/accounts", &account).await;
        for (period, term) in [
            ("10 Year", "Net 3650"),
            ("120 Month", "Net -3650"),
            ("3650 Day", "Net 3650"),
            ("1 Quarter", "Net -1"),
            ("1 Day", "Net 90"),
        ] {
            let line = |kind: &str| {
                json!({
                    "item_id": format!("ITEM-{kind}"), "item_charge_type": kind,
                    "item_price_snapshot": {"pricing_rule": {"price": "31"}},
                })
            };
            let body = json!({"order": {
                "account_id": account["account"]["id"], "order_start_date": LAST_DAY,
                "properties": {
                    "billing_period": period, "invoice_term": term, "payment_term": "120 Month",
                    "fulfillment_term": "Net 3650", "pro_rata_partial_charging_period": true,
                },
                "lines": [line("RECURRING"), line("METERED"), line("ONE_OFF")],
            }});
            all.push(client.ok("POST", "/api/v3/orders", &body).await["order"].take());
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_orders_of_the_last_day_that_a_date_can_name() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let orders = placed(&client).await;
        for (n, order) in orders.iter().enumerate() {
            let path = format!("/api/v3/orders/{}", order["id"].as_str().expect("an id"));
            let on_last_day = json!({"order": {"effective_date": LAST_DAY}});
            match n % 3 {
                0 => {
                    client.ok("POST", &format!("{path}/cancel"), &on_last_day).await;
                }
                1 => {
                    let change = json!({"order": {"effective_date": LAST_DAY, "lines": [{
                        "op": "change", "uuid": order["lines"][0]["uuid"],
                        "item_price_snapshot": {"pricing_rule": {"price": "62"}},
                    }]}});
                    client.ok("POST", &format!("{path}/change"), &change).await;
                }
                _ => {
                    let period = json!({"order": {"effective_date": LAST_DAY,
                        "properties": {"billing_period": "119 Month"}}});
                    client.ok("POST", &format!("{path}/change"), &period).await;
                }
            }
        }
        let near = client.order().await;
        for version in ["v1", "v3", "v4"] {
            let page = client
                .ok("GET", &format!("/api/{version}/orders?limit=100"), &Value::Null)
                .await;
            let rows = page["orders"].as_array().or(page["data"].as_array()).expect("a page");
            assert_eq!(rows.len(), orders.len() + 1, "{version}");
            for row in rows {
                let next = &row["next_billing_from_date"];
                if row["id"] == near {
                    assert_eq!(next, "2026-10-01", "{version}: {row}");
                } else {
                    // What is cancelled is billed no more.
                    assert!(next.is_null() || next == LAST_DAY, "{version}: {row}");
                }
            }
        }
    })
    .await;
}
