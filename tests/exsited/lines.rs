//! Lines of orders, and billing preferences of single ones.

use serde_json::{Value, json};

use super::Client;
use crate::support::{TestApp, on_both};

/// An order from 1 October 2026 of recurring lines at these prices.
async fn order(client: &Client<'_>, prices: &[&str], properties: Value) -> (String, Vec<String>) {
    let account = client.account().await;
    let line = |price: &&str| json!({"item_id": "ITEM-1", "item_price_snapshot": {"pricing_rule": {"price": price}}});
    let lines: Vec<_> = prices.iter().map(line).collect();
    let body = json!({"order": {
        "account_id": account, "order_start_date": "2026-10-01", "properties": properties, "lines": lines,
    }});
    let made = client.ok("POST", "/api/v3/orders", &body).await;
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let lines = made["order"]["lines"].as_array().expect("lines");
    let lines = lines.iter().map(|line| text(&line["charge_item_uuid"])).collect();
    (text(&made["order"]["id"]), lines)
}

fn path(prefix: &str, order: &str, line: &str) -> String {
    let spelling = if prefix == "/api/v4" {
        "billing_preferences"
    } else {
        "billing-preferences"
    };
    format!("{prefix}/orders/{order}/lines/{line}/{spelling}")
}

fn wrapped(properties: &Value) -> Value {
    json!({"order": {"line": {"item_properties": properties}}})
}

/// What the order is charged on that day, by first day, last day and amount.
async fn billed(test: &TestApp, order: &str, day: &str) -> Vec<(String, String, String)> {
    test.clock.set(&format!("{day}T12:00:00Z"));
    let client = Client::of(test).await;
    let answer = client
        .send("POST", &format!("/api/v3/orders/{order}/invoices"), "{}")
        .await;
    if answer.status == 409 {
        return Vec::new();
    }
    let made = answer.json();
    let word = |value: &Value| value.as_str().expect("text").to_owned();
    let invoices = made["invoices"].as_array().expect("invoices").iter();
    let lines = invoices.flat_map(|invoice| invoice["lines"].as_array().expect("lines").clone());
    let three = |line: Value| {
        let of = |name: &str| word(&line[name]);
        (of("charging_start_date"), of("charging_end_date"), of("total"))
    };
    let mut lines: Vec<_> = lines.map(three).collect();
    lines.sort();
    lines
}

fn charge(first: &str, last: &str, amount: &str) -> (String, String, String) {
    (first.to_owned(), last.to_owned(), amount.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_read_together_and_one_by_one() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["10", "20"], json!({})).await;
        let expected = json!({
            "billing_mode": "IN_ADVANCE", "charging_period": "Same as billing period",
            "charging_start_date": "ORDER_START_DATE", "charging_and_billing_alignment": "true",
            "pro_rata_partial_charging_period": "false", "pro_rata_partial_pricing_period": "false",
            "pro_rata_partial_unit": "false",
        });
        let all = client
            .ok("GET", &format!("/api/v3/orders/{order}/lines"), &Value::Null)
            .await;
        assert_eq!(all["order"]["lines"].as_array().map(Vec::len), Some(2));
        assert_eq!(all["order"]["lines"][1]["item_properties"], expected);
        let one = client
            .ok(
                "GET",
                &format!("/api/v3/orders/{order}/lines/{}", lines[1]),
                &Value::Null,
            )
            .await;
        assert_eq!(one["order"]["line"], all["order"]["lines"][1]);
        let one = client
            .ok(
                "GET",
                &format!("/api/v4/orders/{order}/lines/{}", lines[0]),
                &Value::Null,
            )
            .await;
        assert_eq!(one["order_line"]["object"], "order_line");
        assert_eq!(one["order_line"]["charge_item_uuid"], json!(lines[0]));
        let read = client
            .ok("GET", &path("/api/v3", &order, &lines[0]), &Value::Null)
            .await;
        assert_eq!(read["order"]["line"]["item_properties"], expected);
        for unknown in ["x", "11111a3a-2b38-4689-a32d-14bf2e62b1a1"] {
            let line = format!("/api/v3/orders/{order}/lines/{unknown}");
            assert_eq!(client.send("GET", &line, "").await.status, 404);
            assert_eq!(
                client.send("GET", &path("/api/v4", &order, unknown), "").await.status,
                404
            );
            let put = wrapped(&json!({"billing_mode": "IN_ARREARS"})).to_string();
            assert_eq!(
                client.send("PUT", &path("/api/v3", &order, unknown), &put).await.status,
                404
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patch_merges_put_replaces_and_each_version_answers_in_its_own_way() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["10"], json!({})).await;
        let v3 = path("/api/v3", &order, &lines[0]);
        let sample = json!({
            "billing_mode": "IN_ADVANCE", "charging_period": "Same as billing period",
            "charging_and_billing_alignment": "false", "pro_rata_partial_charging_period": "true",
            "pro_rata_partial_pricing_period": "true", "pro_rata_partial_unit": "true",
        });
        let put = client.ok("PUT", &v3, &wrapped(&sample)).await;
        let shown = &put["order"]["line"]["item_properties"];
        for (name, value) in sample.as_object().expect("an object") {
            assert_eq!(&shown[name], value, "{name}");
        }
        let v4 = path("/api/v4", &order, &lines[0]);
        let body = wrapped(&json!({"charging_start_date": "SUBSCRIPTION_START_DATE"}));
        let patched = client.ok("PATCH", &v4, &body).await;
        assert_eq!(patched["order"]["id"], json!(order));
        let properties = &patched["order"]["lines"][0]["item_properties"];
        assert_eq!(properties["charging_start_date"], "SUBSCRIPTION_START_DATE");
        assert_eq!(properties["pro_rata_partial_charging_period"], "true");
        let body = json!({"order": {"line": {"billing_preferences": {"billing_mode": "in_arrears"}}}});
        let replaced = client.ok("PUT", &v4, &body).await;
        let properties = &replaced["order"]["lines"][0]["item_properties"];
        assert_eq!(properties["billing_mode"], "IN_ARREARS");
        assert_eq!(properties["pro_rata_partial_charging_period"], "false");
        assert_eq!(properties["charging_start_date"], "ORDER_START_DATE");
        // The order's own preferences are what they were.
        let read = client.ok("GET", &format!("/api/v3/orders/{order}"), &Value::Null).await;
        assert_eq!(read["order"]["properties"]["pro_rata_partial_charging_period"], false);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_in_arrears_is_charged_when_its_period_is_over() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["10", "20"], json!({})).await;
        let body = wrapped(&json!({"billing_mode": "IN_ARREARS"}));
        client.ok("PUT", &path("/api/v3", &order, &lines[1]), &body).await;
        assert_eq!(
            billed(&test, &order, "2026-10-05").await,
            [charge("2026-10-01", "2026-10-31", "10.00")]
        );
        assert_eq!(
            billed(&test, &order, "2026-11-01").await,
            [
                charge("2026-10-01", "2026-10-31", "20.00"),
                charge("2026-11-01", "2026-11-30", "10.00"),
            ]
        );
        // Back in advance: the period under way is charged at its end, the next one at its start.
        let client = Client::of(&test).await;
        let body = wrapped(&json!({"billing_mode": "IN_ADVANCE"}));
        client.ok("PATCH", &path("/api/v3", &order, &lines[1]), &body).await;
        assert_eq!(billed(&test, &order, "2026-11-15").await, []);
        assert_eq!(
            billed(&test, &order, "2026-12-01").await,
            [
                charge("2026-11-01", "2026-11-30", "20.00"),
                charge("2026-12-01", "2026-12-31", "10.00"),
                charge("2026-12-01", "2026-12-31", "20.00"),
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charging_period_of_its_own_begins_with_the_next_charge_and_outlives_the_orders() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["10", "30"], json!({})).await;
        assert_eq!(billed(&test, &order, "2026-10-05").await.len(), 2);
        let client = Client::of(&test).await;
        let body = wrapped(&json!({"charging_period": "3 Month"}));
        client.ok("PUT", &path("/api/v3", &order, &lines[1]), &body).await;
        assert_eq!(
            billed(&test, &order, "2026-11-01").await,
            [
                charge("2026-11-01", "2026-11-30", "10.00"),
                charge("2026-11-01", "2027-01-31", "30.00"),
            ]
        );
        // Another period of the order changes the other line, and a change of price leaves the line its own.
        let client = Client::of(&test).await;
        let yearly = json!({"order": {"properties": {"billing_period": "1 Year"}}});
        client
            .ok("PATCH", &format!("/api/v3/orders/{order}/billing-preferences"), &yearly)
            .await;
        let dearer = json!({"order": {"effective_date": "2027-02-01", "lines": [
            {"op": "change", "uuid": lines[1], "item_price_snapshot": {"pricing_rule": {"price": "45"}}},
        ]}});
        client
            .ok("POST", &format!("/api/v3/orders/{order}/change"), &dearer)
            .await;
        assert_eq!(
            billed(&test, &order, "2027-02-01").await,
            [
                charge("2026-12-01", "2027-11-30", "10.00"),
                charge("2027-02-01", "2027-04-30", "45.00"),
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_billing_period_leaves_a_line_with_periods_of_its_own_alone() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["10", "30"], json!({})).await;
        let body = wrapped(&json!({"charging_period": "3 Month"}));
        client.ok("PUT", &path("/api/v3", &order, &lines[1]), &body).await;
        assert_eq!(
            billed(&test, &order, "2026-10-05").await,
            [
                charge("2026-10-01", "2026-10-31", "10.00"),
                charge("2026-10-01", "2026-12-31", "30.00"),
            ]
        );
        let client = Client::of(&test).await;
        let yearly = json!({"order": {"effective_date": "2026-11-01", "properties": {"billing_period": "1 Year"}}});
        client
            .ok("POST", &format!("/api/v3/orders/{order}/change"), &yearly)
            .await;
        assert_eq!(
            billed(&test, &order, "2026-11-01").await,
            [charge("2026-11-01", "2027-10-31", "10.00")]
        );
        assert_eq!(
            billed(&test, &order, "2027-01-01").await,
            [charge("2027-01-01", "2027-03-31", "30.00")]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_with_a_start_of_its_own_pays_for_the_days_it_has() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["31", "62"], json!({})).await;
        let aligned = json!({"fixed_start_date": "2026-10-10", "pro_rata_partial_charging_period": true});
        client
            .ok("PUT", &path("/api/v3", &order, &lines[0]), &wrapped(&aligned))
            .await;
        let own = json!({"fixed_start_date": "2026-10-10", "charging_and_billing_alignment": false});
        client
            .ok("PUT", &path("/api/v3", &order, &lines[1]), &wrapped(&own))
            .await;
        assert_eq!(
            billed(&test, &order, "2026-10-10").await,
            [
                charge("2026-10-10", "2026-10-31", "22.00"),
                charge("2026-10-10", "2026-11-09", "62.00"),
            ]
        );
        assert_eq!(
            billed(&test, &order, "2026-11-10").await,
            [
                charge("2026-11-01", "2026-11-30", "31.00"),
                charge("2026-11-10", "2026-12-09", "62.00"),
            ]
        );
        let client = Client::of(&test).await;
        let late = wrapped(&json!({"fixed_start_date": "2026-12-01"})).to_string();
        let answer = client.send("PATCH", &path("/api/v3", &order, &lines[0]), &late).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["field"], "fixed_start_date");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_can_be_ordered_with_the_line() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let line = |properties: Value| {
            json!({"order": {"account_id": account, "order_start_date": "2026-10-01", "lines": [{
                "item_id": "ITEM-1", "item_order_quantity": "1.5", "item_properties": properties,
                "item_price_snapshot": {"pricing_rule": {"price": "10"}},
            }]}})
        };
        let body = line(json!({"billing_mode": "IN_ARREARS", "pro_rata_partial_unit": "true"}));
        let made = client.ok("POST", "/api/v3/orders", &body).await;
        assert_eq!(
            made["order"]["lines"][0]["item_properties"]["billing_mode"],
            "IN_ARREARS"
        );
        let order = made["order"]["id"].as_str().expect("an id");
        assert_eq!(billed(&test, order, "2026-10-31").await, []);
        assert_eq!(
            billed(&test, order, "2026-11-01").await,
            [charge("2026-10-01", "2026-10-31", "15.00")]
        );
        let client = Client::of(&test).await;
        for (field, value) in [("billing_mode", "LATER"), ("fixed_start_date", "2026-09-30")] {
            let wrong = line(json!({field: value})).to_string();
            let answer = client.send("POST", "/api/v3/orders", &wrong).await;
            assert_eq!(answer.status, 400);
            let named = format!("lines[0].item_properties.{field}");
            assert_eq!(answer.json()["errors"][0]["field"], named.as_str());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_line_cannot_have_is_refused_by_field_and_leaves_nothing() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["10"], json!({})).await;
        let at = path("/api/v3", &order, &lines[0]);
        let events = test.events().await;
        for (properties, field) in [
            (json!({"billing_mode": "LATER"}), "billing_mode"),
            (json!({"charging_period": "0 Month"}), "charging_period"),
            (json!({"charging_start_date": "2026-10-01"}), "charging_start_date"),
            (json!({"fixed_start_date": "soon"}), "fixed_start_date"),
            (json!({"fixed_start_date": "2026-09-30"}), "fixed_start_date"),
            (json!({"pro_rata_partial_unit": "perhaps"}), "pro_rata_partial_unit"),
        ] {
            for method in ["PATCH", "PUT"] {
                let answer = client.send(method, &at, &wrapped(&properties).to_string()).await;
                assert_eq!(answer.status, 400, "{answer:?}");
                assert_eq!(answer.json()["errors"][0]["field"], field, "{answer:?}");
            }
        }
        for body in [
            json!({}),
            json!({"order": {"line": {}}}),
            json!({"order": {"line": {"item_properties": 1}}}),
        ] {
            let answer = client.send("PUT", &at, &body.to_string()).await;
            assert_eq!(answer.json()["errors"][0]["field"], "item_properties", "{answer:?}");
        }
        assert_eq!(test.events().await, events);
        let cancel = format!("/api/v3/orders/{order}/cancel");
        client
            .ok("POST", &cancel, &json!({"order": {"effective_date": "2026-10-05"}}))
            .await;
        let put = wrapped(&json!({"billing_mode": "IN_ARREARS"})).to_string();
        assert_eq!(client.send("PUT", &at, &put).await.status, 409);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_over_has_no_preferences_any_more() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["10", "20"], json!({})).await;
        let remove = json!({"order": {"lines": [{"op": "remove", "uuid": lines[1]}]}});
        client
            .ok("POST", &format!("/api/v3/orders/{order}/change"), &remove)
            .await;
        let events = test.events().await;
        let body = wrapped(&json!({"billing_mode": "IN_ARREARS"})).to_string();
        for method in ["PUT", "PATCH"] {
            for prefix in ["/api/v3", "/api/v4"] {
                let answer = client.send(method, &path(prefix, &order, &lines[1]), &body).await;
                assert_eq!(answer.status, 404, "{answer:?}");
            }
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_keeps_to_its_own_periods_or_to_the_orders_whenever_that_is_said() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["31", "62"], json!({})).await;
        let own = path("/api/v3", &order, &lines[0]);
        let start = json!({"fixed_start_date": "2026-10-10", "pro_rata_partial_charging_period": true});
        client.ok("PUT", &own, &wrapped(&start)).await;
        let apart = json!({"charging_and_billing_alignment": "false"});
        client.ok("PATCH", &own, &wrapped(&apart)).await;
        assert_eq!(
            billed(&test, &order, "2026-10-10").await,
            [
                charge("2026-10-01", "2026-10-31", "62.00"),
                charge("2026-10-10", "2026-11-09", "31.00"),
            ]
        );
        // From the next charge on the line has the order's periods: 21 of the 30 days of November first.
        let client = Client::of(&test).await;
        let together = json!({"charging_and_billing_alignment": "true"});
        client.ok("PATCH", &own, &wrapped(&together)).await;
        let events = test.events().await;
        let moved = wrapped(&json!({"fixed_start_date": "2026-10-12"})).to_string();
        let answer = client.send("PATCH", &own, &moved).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["field"], "fixed_start_date");
        assert_eq!(test.events().await, events);
        assert_eq!(
            billed(&test, &order, "2026-11-10").await,
            [
                charge("2026-11-01", "2026-11-30", "62.00"),
                charge("2026-11-10", "2026-11-30", "21.70"),
            ]
        );
        // And its own again.
        let client = Client::of(&test).await;
        client.ok("PATCH", &own, &wrapped(&apart)).await;
        assert_eq!(
            billed(&test, &order, "2026-12-10").await,
            [
                charge("2026-12-01", "2026-12-09", "9.30"),
                charge("2026-12-01", "2026-12-31", "62.00"),
                charge("2026-12-10", "2027-01-09", "31.00"),
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_of_its_own_can_be_taken_back() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client, &["31", "62"], json!({})).await;
        let start = wrapped(&json!({"fixed_start_date": "2026-10-20", "charging_and_billing_alignment": "false"}));
        for line in &lines {
            client.ok("PUT", &path("/api/v3", &order, line), &start).await;
        }
        assert_eq!(billed(&test, &order, "2026-10-05").await, []);
        let client = Client::of(&test).await;
        let back = wrapped(&json!({"fixed_start_date": null}));
        let read = client.ok("PATCH", &path("/api/v3", &order, &lines[0]), &back).await;
        assert_eq!(
            read["order"]["line"]["item_properties"]["fixed_start_date"],
            Value::Null
        );
        // PUT says everything anew.
        let nothing = wrapped(&json!({}));
        let read = client.ok("PUT", &path("/api/v3", &order, &lines[1]), &nothing).await;
        assert_eq!(
            read["order"]["line"]["item_properties"]["fixed_start_date"],
            Value::Null
        );
        assert_eq!(
            billed(&test, &order, "2026-10-05").await,
            [
                charge("2026-10-01", "2026-10-31", "31.00"),
                charge("2026-10-01", "2026-10-31", "62.00"),
            ]
        );
    })
    .await;
}
