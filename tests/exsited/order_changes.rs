use aggregates::id::TenantId;
use billstream::{clock::Clock, journal::Request};
use serde_json::{Value, json};

use super::Client;
use crate::support::{TestApp, on_both};

/// An order of one line from the first of May 2012, in proportion for parts of periods.
async fn order(client: &Client<'_>, price: &str, properties: Value) -> (String, String) {
    let account = client.account().await;
    let mut properties = properties;
    properties["pro_rata_partial_charging_period"] = json!(true);
    let body = json!({"order": {
        "account_id": account, "order_start_date": "2012-05-01", "properties": properties,
        "lines": [{"item_id": "ITEM-1", "item_price_snapshot": {"pricing_rule": {"price": price}}}],
    }});
    let made = client.ok("POST", "/api/v3/orders", &body).await;
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&made["order"]["id"]), text(&made["order"]["lines"][0]["uuid"]))
}

async fn issued(client: &Client<'_>, order: &str) -> Value {
    client
        .ok("POST", &format!("/api/v3/orders/{order}/invoices"), &json!({}))
        .await
}

fn amounts(value: &Value) -> Vec<&str> {
    let rows = value.as_array().expect("rows").iter();
    rows.map(|row| row["total"].as_str().expect("a total")).collect()
}

fn at(test: &TestApp, day: &str) {
    test.clock.set(&format!("{day}T12:00:00Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_price_costs_what_its_preview_says() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, line) = order(&client, "599.95", json!({})).await;
        assert_eq!(issued(&client, &order).await["invoice"]["total"], "599.95");
        for (day, price, charged, credit) in [
            ("2012-05-07", "9.95", ["8.02", "-483.83"], "-475.81"),
            ("2012-05-08", "29.95", ["23.19", "-7.70"], "15.49"),
        ] {
            at(&test, day);
            let client = Client::of(&test).await;
            let body = json!({"order": {"effective_date": day, "lines": [
                {"op": "change", "uuid": line, "item_price_snapshot": {"pricing_rule": {"price": price}}},
            ]}});
            let events = test.events().await;
            let path = format!("/api/v3/orders/{order}/change");
            let preview = client.ok("POST", &format!("{path}/preview"), &body).await;
            assert_eq!(test.events().await, events);
            assert_eq!(amounts(&preview["order"]["charges"]), charged);
            assert_eq!(amounts(&preview["order"]["invoices"]), [credit]);
            let changed = client.ok("POST", &path, &body).await;
            assert_eq!(changed["order"]["lines"][0]["uuid"], line);
            let made = issued(&client, &order).await;
            assert_eq!(made["invoice"]["total"], credit);
            let mut lines = amounts(&made["invoice"]["lines"]);
            lines.sort_unstable_by_key(|amount| amount.starts_with('-'));
            assert_eq!(lines, charged);
            assert_eq!(made["invoice"]["due"], "0.00");
        }
        let client = Client::of(&test).await;
        let list = client
            .ok("GET", &format!("/api/v4/orders/{order}/invoices"), &Value::Null)
            .await;
        assert_eq!(amounts(&list["data"]), ["15.49", "-475.81", "599.95"]);
        assert_eq!(list["data"][2]["billing_end_date"], "2012-05-31");
        let read = client.ok("GET", &format!("/api/v3/orders/{order}"), &Value::Null).await;
        assert_eq!(read["order"]["next_billing_from_date"], "2012-06-01");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_come_and_go_and_a_manual_order_is_invoiced_by_a_call_once() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, line) = order(&client, "10", json!({"invoice_mode": "MANUAL"})).await;
        let path = format!("/api/v4/orders/{order}/change");
        let add = json!({"order": {"lines": [
            {"op": "add", "item_id": "ITEM-2", "item_price_snapshot": {"pricing_rule": {"price": 5}}},
        ]}});
        let added = client.ok("POST", &path, &add).await;
        assert_eq!(added["order"]["lines"].as_array().map(Vec::len), Some(2));
        assert_eq!(added["order"]["total"], "15.00");
        let invoices = format!("/api/v4/orders/{order}/invoices");
        let key = [("x-idempotency-key", "invoice-1")];
        let first = client.send_with("POST", &invoices, &key, "{}").await;
        assert_eq!(
            (first.status, &first.json()["invoice"]["total"]),
            (201, &json!("15.00"))
        );
        let events = test.events().await;
        let again = client.send_with("POST", &invoices, &key, "{}").await;
        assert_eq!((again.status, again.text), (201, first.text));
        assert_eq!(client.send("POST", &invoices, "{}").await.status, 409);
        for (lines, status) in [
            (json!([]), 400),
            (json!([{"op": "swap", "uuid": line}]), 400),
            (json!([{"op": "remove"}]), 400),
            (
                json!([{"op": "remove", "uuid": "11111a3a-2b38-4689-a32d-14bf2e62b1a1"}]),
                404,
            ),
        ] {
            for call in ["", "/preview"] {
                let body = json!({"order": {"lines": lines}}).to_string();
                assert_eq!(
                    client.send("POST", &format!("{path}{call}"), &body).await.status,
                    status
                );
            }
        }
        assert_eq!(test.events().await, events);
        let remove = json!({"order": {"effective_date": "2012-05-01", "lines": [{"op": "remove", "uuid": line}]}});
        let left = client.ok("POST", &path, &remove).await;
        assert_eq!(left["order"]["lines"][0]["item"]["id"], "ITEM-2");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_ends_on_its_day_and_goes_on_again() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, _) = order(&client, "31", json!({})).await;
        issued(&client, &order).await;
        let post = async |call: &str, day: &str| {
            let body = json!({"order": {"effective_date": day}});
            client
                .ok("POST", &format!("/api/v3/orders/{order}/{call}"), &body)
                .await["order"]["status"]
                .clone()
        };
        assert_eq!(post("activate", "2012-05-01").await, "ACTIVE");
        assert_eq!(post("cancel", "2012-05-21").await, "ACTIVE");
        assert_eq!(post("reactivate", "2012-05-01").await, "ACTIVE");
        assert_eq!(post("cancel", "2012-05-01").await, "INACTIVE");
        assert_eq!(post("reactivate", "2012-05-11").await, "ACTIVE");
        let events = test.events().await;
        assert_eq!(post("reactivate", "2012-05-11").await, "ACTIVE");
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_named_twice_in_one_change_is_refused_and_not_billed_twice() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, line) = order(&client, "10.00", json!({})).await;
        let events = test.events().await;
        let body = json!({"order": {"effective_date": "2012-05-07", "lines": [
            {"op": "change", "uuid": line, "item_order_quantity": "2"},
            {"op": "change", "uuid": line, "item_price_snapshot": {"pricing_rule": {"price": "12.00"}}},
        ]}});
        for path in ["change", "change/preview"] {
            let path = format!("/api/v3/orders/{order}/{path}");
            let answer = client.send("POST", &path, &body.to_string()).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            assert_eq!(answer.json()["errors"][0]["field"], "lines[1].uuid");
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_invoices_that_was_cut_off_names_what_it_made_when_it_is_sent_again() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (number, _) = order(&client, "10.00", json!({})).await;
        let tenant = TenantId::from_stored(&test.tenant.tenant_id);
        let id = test
            .app
            .order(&tenant, &number)
            .await
            .expect("readable")
            .expect("an order")
            .id;
        let request = Request::new(tenant, "test", "exsited", test.clock.now()).with_key("k", &[b"once"]);
        // It was cut off behind its first step.
        let billing = request.part("billing");
        let first = test
            .app
            .bill_subscription(&billing, id, request.at)
            .await
            .expect("billed");
        assert_eq!(first.invoices.len(), 1);
        let events = test.events().await;
        for _ in 0..2 {
            let again = test.app.invoice_order(&request, &number).await.expect("the same");
            assert_eq!(again, first.invoices);
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_billing_period_begins_on_its_day_and_not_before() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, _) = order(&client, "31", json!({})).await;
        issued(&client, &order).await;
        at(&test, "2012-05-10");
        let client = Client::of(&test).await;
        let body = json!({"order": {"effective_date": "2012-07-01", "properties": {"billing_period": "1 Year"}}});
        let path = format!("/api/v3/orders/{order}/change");
        let changed = client.ok("POST", &path, &body).await;
        assert_eq!(changed["order"]["properties"]["billing_period"], "1 Year");
        at(&test, "2012-07-02");
        let client = Client::of(&test).await;
        issued(&client, &order).await;
        let list = client
            .ok("GET", &format!("/api/v4/orders/{order}/invoices"), &Value::Null)
            .await;
        let invoices = list["data"].as_array().expect("invoices").iter();
        let ends: Vec<_> = invoices.map(|invoice| invoice["billing_end_date"].clone()).collect();
        assert_eq!(ends, [json!("2013-06-30"), json!("2012-06-30"), json!("2012-05-31")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_leaves_out_is_what_holds_on_its_day() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, line) = order(&client, "31", json!({})).await;
        issued(&client, &order).await;
        let path = format!("/api/v3/orders/{order}/change");
        let change = |day: &str, what: Value| {
            let mut row = json!({"op": "change", "uuid": line});
            row.as_object_mut()
                .expect("a row")
                .extend(what.as_object().expect("fields").clone());
            json!({"order": {"effective_date": day, "lines": [row]}})
        };
        let price = json!({"item_price_snapshot": {"pricing_rule": {"price": "62"}}});
        client.ok("POST", &path, &change("2012-08-01", price)).await;
        let body = change("2012-05-17", json!({"item_order_quantity": "2"}));
        let preview = client.ok("POST", &format!("{path}/preview"), &body).await;
        assert_eq!(amounts(&preview["order"]["charges"]), ["30.00", "-15.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_order_that_is_not_divided_reverses_what_it_replaces() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let account = client.account().await;
        let body = json!({"order": {
            "account_id": account, "order_start_date": "2012-05-01",
            "lines": [{"item_id": "ITEM-1", "item_price_snapshot": {"pricing_rule": {"price": "31"}}}],
        }});
        let made = client.ok("POST", "/api/v3/orders", &body).await;
        let order = made["order"]["id"].as_str().expect("an id").to_owned();
        issued(&client, &order).await;
        let change = json!({"order": {"effective_date": "2012-05-17", "lines": [
            {"op": "change", "uuid": made["order"]["lines"][0]["uuid"], "item_order_quantity": "2"},
        ]}});
        let path = format!("/api/v3/orders/{order}/change/preview");
        let preview = client.ok("POST", &path, &change).await;
        assert_eq!(amounts(&preview["order"]["charges"]), ["62.00", "-31.00"]);
    })
    .await;
}
