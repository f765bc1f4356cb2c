//! Usages of metered lines: recorded one by one and together, read, corrected, taken back, billed.

use serde_json::{Value, json};

use super::Client;
use crate::support::{Answer, TestApp, on_both};

/// Calls at 0.50 each, metered in two lines of one item, and a line that is not metered.
async fn order(client: &Client<'_>) -> (String, Vec<String>) {
    let account = client.account().await;
    let metered = |name: &str| {
        json!({
            "item_id": "ITEM-CALLS", "item_name": name, "item_charge_type": "METERED",
            "item_price_snapshot": {"pricing_rule": {"price": "0.5"}},
        })
    };
    let body = json!({"order": {"account_id": account, "order_start_date": "2026-10-01", "lines": [
        metered("Calls"), metered("Calls abroad"), {"item_id": "ITEM-DESK", "item_charge_type": "ONE_OFF"},
    ]}});
    let made = client.ok("POST", "/api/v3/orders", &body).await;
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let lines = made["order"]["lines"].as_array().expect("lines");
    let lines = lines.iter().map(|line| text(&line["charge_item_uuid"])).collect();
    (text(&made["order"]["id"]), lines)
}

fn usage(line: &str, quantity: &str) -> Value {
    json!({
        "charge_item_uuid": line, "charging_period": "2026-10-01-2026-10-31", "quantity": quantity,
        "start_time": "2026-10-04 09:00:00", "end_time": "2026-10-04 09:05:00", "type": "INCREMENTAL",
    })
}

async fn add(client: &Client<'_>, line: &str, quantity: &str) -> String {
    let body = json!({"usage": usage(line, quantity)});
    let made = client.ok("POST", "/api/v3/usages", &body).await;
    made["usage"]["uuid"].as_str().expect("a uuid").to_owned()
}

/// The lines of the invoice that is made on that day: what they are called, and what they come to.
async fn billed(test: &TestApp, order: &str, day: &str) -> Vec<(String, String)> {
    test.clock.set(&format!("{day}T12:00:00Z"));
    let client = Client::of(test).await;
    let made = client
        .ok("POST", &format!("/api/v3/orders/{order}/invoices"), &json!({}))
        .await;
    let word = |value: &Value| value.as_str().expect("text").to_owned();
    let invoices = made["invoices"].as_array().expect("invoices").iter();
    let lines = invoices.flat_map(|invoice| invoice["lines"].as_array().expect("lines").clone());
    let mut lines: Vec<_> = lines
        .map(|line| (word(&line["item_name"]), word(&line["total"])))
        .filter(|(_, total)| total != "0.00")
        .collect();
    lines.sort();
    lines
}

fn pairs(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, total): &(&str, &str)| ((*name).to_owned(), (*total).to_owned());
    lines.iter().map(owned).collect()
}

#[track_caller]
fn refused(answer: &Answer, field: &str, code: &str) {
    assert_eq!(answer.status, 400, "{answer:?}");
    let error = &answer.json()["errors"][0];
    assert_eq!(
        (&error["field"], &error["code"]),
        (&json!(field), &json!(code)),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_is_recorded_and_read_in_both_generations() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (_, lines) = order(&client).await;
        let mut body = usage(&lines[0], "2.50");
        body["custom_attributes"] = json!([{"name": "carrier", "value": "north"}]);
        body["usage_reference"] = json!("call-1");
        let answer = client
            .send("POST", "/api/v3/usages", &json!({"usage": body}).to_string())
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let made = answer.json()["usage"].clone();
        let uuid = made["uuid"].as_str().expect("a uuid");
        let by = &test.tenant.exsited.client_id;
        let expected = json!({
            "uuid": uuid, "version": "1", "charge_item_uuid": lines[0], "charge_item_name": "Calls",
            "charging_period": "2026-10-01-2026-10-31", "quantity": "2.5", "uom": "",
            "start_time": "2026-10-04T09:00:00Z", "end_time": "2026-10-04T09:05:00Z", "type": "INCREMENTAL",
            "charge_status": "PENDING", "source": "", "created_by": made["created_by"],
            "created_on": "2026-10-05T12:00:00Z", "last_updated_by": made["created_by"],
            "last_updated_on": "2026-10-05T12:00:00Z",
            "custom_attributes": [{"name": "carrier", "value": "north"}],
            "usage_note": null, "usage_reference": "call-1",
        });
        assert_eq!(made, expected, "{by}");
        let read = client.ok("GET", &format!("/api/v3/usages/{uuid}"), &Value::Null).await;
        assert_eq!(read["usage"], expected);
        let id = format!("usg_{}", uuid.replace('-', ""));
        let read = client.ok("GET", &format!("/api/v4/usages/{id}"), &Value::Null).await;
        let usage = &read["usage"];
        assert_eq!((&usage["object"], &usage["id"]), (&json!("usage"), &json!(id)));
        assert_eq!(usage["href"], format!("/api/v4/usages/{id}"));
        assert_eq!(
            usage["charge_item"],
            json!({"object": "charge_item", "id": lines[0], "name": "Calls"})
        );
        assert_eq!((&usage["quantity"], &usage["version"]), (&json!(2.5), &json!(1)));
        assert_eq!(
            (
                &usage["charging_start_date"],
                &usage["charging_end_date"],
                &usage["status"]
            ),
            (&json!("2026-10-01"), &json!("2026-10-31"), &json!("pending"))
        );
        let v4 = json!({"usage": {"charge_item_id": lines[0], "quantity": 1, "start_time": "2026-10-04T09:00:00Z"}});
        let made = client.ok("POST", "/api/v4/usages", &v4).await;
        assert_eq!(made["usage"]["object"], "usage");
        assert_eq!(made["usage"]["charging_period"], "2026-10-01-2026-10-31");
        assert_eq!(made["usage"]["quantity"], "1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usages_are_listed_page_by_page() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (_, lines) = order(&client).await;
        for quantity in ["1", "2", "3"] {
            add(&client, &lines[0], quantity).await;
        }
        let gone = add(&client, &lines[0], "4").await;
        let answer = client.send("DELETE", &format!("/api/v3/usages/{gone}"), "").await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        assert!(answer.headers.contains_key("content-type"));
        let quantities = |rows: &Value| -> Vec<Value> {
            let rows = rows.as_array().expect("rows").iter();
            rows.map(|row| row["quantity"].clone()).collect()
        };
        let page = client.ok("GET", "/api/v3/usages?limit=2&offset=2", &Value::Null).await;
        assert_eq!(quantities(&page["usages"]), ["3"]);
        assert_eq!(
            page["pagination"],
            json!({
                "records": 3, "limit": 2, "offset": 2, "previous_page": "/api/v3/usages?limit=2&offset=0",
                "next_page": "NULL",
            })
        );
        let first = client.ok("GET", "/api/v4/usages?limit=2", &Value::Null).await;
        assert_eq!(
            (&first["object"], &first["url"]),
            (&json!("list"), &json!("/api/v4/usages"))
        );
        assert_eq!(quantities(&first["data"]), [json!(1), json!(2)]);
        assert_eq!(first["pagination"]["has_more"], true);
        let next = first["pagination"]["links"]["next"].as_str().expect("a link");
        let last = client.ok("GET", next, &Value::Null).await;
        assert_eq!(quantities(&last["data"]), [json!(3)]);
        assert_eq!(last["pagination"]["has_more"], false);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_counts_for_its_own_line_and_is_billed_when_the_period_is_over() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client).await;
        add(&client, &lines[0], "10").await;
        add(&client, &lines[1], "3").await;
        let wrong = add(&client, &lines[0], "7").await;
        let path = format!("/api/v3/usages/{wrong}");
        let patched = client.ok("PATCH", &path, &json!({"usage": {"quantity": "4"}})).await;
        assert_eq!(patched["usage"]["quantity"], "4");
        assert_eq!(patched["usage"]["version"], "2");
        assert_eq!(patched["usage"]["start_time"], "2026-10-04T09:00:00Z");
        assert_eq!(
            billed(&test, &order, "2026-11-01").await,
            pairs(&[("Calls", "7.00"), ("Calls abroad", "1.50")])
        );
        let client = Client::of(&test).await;
        let read = client.ok("GET", &path, &Value::Null).await;
        assert_eq!(read["usage"]["charge_status"], "CHARGED");
        // What comes, changes or goes after the period was billed is corrected with the next.
        add(&client, &lines[1], "1").await;
        let reference = client
            .ok("PUT", &path.replace("v3", "v4"), &json!({"usage": {"quantity": 5}}))
            .await;
        assert_eq!(
            reference,
            json!({
                "usage": {
                    "object": "usage", "id": format!("usg_{}", wrong.replace('-', "")),
                    "href": format!("/api/v4/usages/usg_{}", wrong.replace('-', "")),
                },
                "note": null, "status": "charged",
            })
        );
        assert_eq!(
            billed(&test, &order, "2026-12-01").await,
            pairs(&[("Calls", "0.50"), ("Calls abroad", "0.50")])
        );
        let client = Client::of(&test).await;
        assert_eq!(client.send("DELETE", &path, "").await.status, 204);
        for method in ["GET", "DELETE"] {
            assert_eq!(client.send(method, &path, "").await.status, 404);
        }
        assert_eq!(billed(&test, &order, "2027-01-01").await, pairs(&[("Calls", "-2.50")]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_usages_each_may_fail_by_itself() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (_, lines) = order(&client).await;
        let mut november = usage(&lines[0], "1");
        november["charging_period"] = json!("2026-11-01-2026-11-30");
        let sent = [
            usage(&lines[0], "1"),
            usage(&lines[2], "1"),
            november,
            usage(&lines[1], "-1"),
            json!("nothing"),
            usage(&lines[1], "2"),
        ];
        let made = client.ok("POST", "/api/v3/usages", &json!({"usages": sent})).await;
        let quantities: Vec<_> = made["success"].as_array().expect("a list").iter().collect();
        assert_eq!(quantities.len(), 2);
        assert_eq!(
            (&quantities[0]["quantity"], &quantities[1]["quantity"]),
            (&json!("1"), &json!("2"))
        );
        let failed = made["failed"].as_array().expect("a list");
        let fields: Vec<_> = failed.iter().map(|one| one["errors"][0]["field"].clone()).collect();
        assert_eq!(
            fields,
            ["charge_item_uuid", "charging_period", "quantity", "charge_item_uuid"]
        );
        assert_eq!(failed[1]["charging_period"], "2026-11-01-2026-11-30");
        let made = client.ok("POST", "/api/v4/usages", &json!({"usages": sent})).await;
        let usages = &made["usages"];
        assert_eq!(usages["success"].as_array().map(Vec::len), Some(2));
        assert_eq!(usages["success"][0]["object"], "usage");
        assert_eq!(usages["failed"][0]["charge_item_id"], json!(lines[2]));
        assert_eq!(usages["failed"][0]["charging_period"], "2026-10-01-2026-10-31");
        assert_eq!(usages["failed"][0]["error"]["errors"][0]["code"], "resource_not_found");
        let listed = client.ok("GET", "/api/v3/usages", &Value::Null).await;
        assert_eq!(listed["pagination"]["records"], 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_that_cannot_be_taken_leaves_nothing() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (order, lines) = order(&client).await;
        let events = test.events().await;
        let with = |field: &str, value: Value| {
            let mut one = usage(&lines[0], "1");
            one[field] = value;
            json!({"usage": one})
        };
        for (body, field, code) in [
            (json!({"usage": [usage(&lines[0], "1")]}), "usage", "invalid"),
            (json!({"usages": {}}), "usages", "invalid"),
            (json!({}), "usage", "required"),
            (
                with("charge_item_uuid", json!("x")),
                "charge_item_uuid",
                "resource_not_found",
            ),
            (
                with("charge_item_uuid", json!(lines[2])),
                "charge_item_uuid",
                "resource_not_found",
            ),
            (with("charge_item_uuid", Value::Null), "charge_item_uuid", "required"),
            (
                with("charging_period", json!("2026-10-01")),
                "charging_period",
                "invalid",
            ),
            (
                with("charging_period", json!("2026-10-02-2026-10-31")),
                "charging_period",
                "invalid",
            ),
            (with("quantity", Value::Null), "quantity", "required"),
            (with("quantity", json!("-1")), "quantity", "invalid"),
            (with("type", json!("ABSOLUTE")), "type", "invalid"),
            (with("start_time", json!("yesterday")), "start_time", "invalid"),
            (
                with("start_time", json!("2026-09-30 23:59:59")),
                "start_time",
                "invalid",
            ),
            (with("end_time", json!("2026-10-04 08:59:59")), "end_time", "invalid"),
            (
                with("custom_attributes", json!([{"value": "x"}])),
                "custom_attributes[0]",
                "invalid",
            ),
        ] {
            let answer = client.send("POST", "/api/v3/usages", &body.to_string()).await;
            refused(&answer, field, code);
        }
        assert_eq!(test.events().await, events, "{order}");
        for (method, path) in [
            ("GET", "/api/v3/usages/x"),
            ("GET", "/api/v3/usages/11111a3a-2b38-4689-a32d-14bf2e62b1a1"),
            ("DELETE", "/api/v4/usages/usg_11111a3a2b384689a32d14bf2e62b1a1"),
        ] {
            assert_eq!(client.send(method, path, "").await.status, 404, "{path}");
        }
        let uuid = add(&client, &lines[0], "1").await;
        let moved = json!({"usage": {"charge_item_uuid": lines[1]}});
        let answer = client
            .send("PATCH", &format!("/api/v3/usages/{uuid}"), &moved.to_string())
            .await;
        refused(&answer, "charge_item_uuid", "invalid");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_that_is_sent_again_under_its_key_counts_once() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (_, lines) = order(&client).await;
        let body = json!({"usages": [usage(&lines[0], "1"), usage(&lines[1], "2")]}).to_string();
        let key = [("x-idempotency-key", "usage-1")];
        let first = client.send_with("POST", "/api/v4/usages", &key, &body).await;
        assert_eq!(first.status, 201, "{first:?}");
        let events = test.events().await;
        let again = client.send_with("POST", "/api/v4/usages", &key, &body).await;
        assert_eq!((again.status, again.text), (201, first.text));
        assert_eq!(test.events().await, events);
        let other = json!({"usage": usage(&lines[0], "1")}).to_string();
        let reused = client.send_with("POST", "/api/v4/usages", &key, &other).await;
        assert_eq!(reused.status, 409, "{reused:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_usage_can_be_said_otherwise_or_taken_back() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (_, lines) = order(&client).await;
        let mut body = usage(&lines[0], "2");
        body["usage_note"] = json!("by hand");
        body["usage_reference"] = json!("call-1");
        body["custom_attributes"] = json!([{"name": "carrier", "value": "north"}]);
        let made = client.ok("POST", "/api/v3/usages", &json!({"usage": body})).await;
        let uuid = made["usage"]["uuid"].as_str().expect("a uuid");
        let (v3, v4) = (format!("/api/v3/usages/{uuid}"), format!("/api/v4/usages/{uuid}"));
        let events = test.events().await;
        for quantity in [json!(null), json!(" ")] {
            let body = json!({"usage": {"quantity": quantity}}).to_string();
            let answer = client.send("PUT", &v3, &body).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            assert_eq!(answer.json()["errors"][0]["field"], "quantity", "{answer:?}");
        }
        refused(
            &client.send("PUT", &v3, r#"{"usage": {"quantity": null}}"#).await,
            "quantity",
            "required",
        );
        assert_eq!(test.events().await, events);
        let id = format!("usg_{}", uuid.replace('-', ""));
        let patched = client
            .ok("PATCH", &v4, &json!({"usage": {"usage_reference": "call-2"}}))
            .await;
        assert_eq!(
            patched,
            json!({"usage": {"object": "usage", "id": id, "href": format!("/api/v4/usages/{id}")},
                "note": "by hand", "status": "pending"})
        );
        let read = client.ok("GET", &v3, &Value::Null).await;
        assert_eq!(
            (&read["usage"]["usage_note"], &read["usage"]["usage_reference"]),
            (&json!("by hand"), &json!("call-2"))
        );
        let nothing = json!({"usage": {"usage_note": null, "usage_reference": "", "custom_attributes": null}});
        let read = client.ok("PATCH", &v3, &nothing).await;
        assert_eq!(
            (
                &read["usage"]["usage_note"],
                &read["usage"]["usage_reference"],
                &read["usage"]["custom_attributes"],
                &read["usage"]["quantity"],
            ),
            (&json!(null), &json!(null), &json!([]), &json!("2"))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_usages_is_that_of_the_whole_call() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (_, first) = order(&client).await;
        let (_, second) = order(&client).await;
        let key = [("x-idempotency-key", "usage-1")];
        let nobody = "11111a3a-2b38-4689-a32d-14bf2e62b1a1";
        let body = json!({"usages": [usage(&first[0], "1"), usage(nobody, "1")]}).to_string();
        let answer = client.send_with("POST", "/api/v3/usages", &key, &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let events = test.events().await;
        // Another body of another order, and the same one again.
        let other = json!({"usages": [usage(&second[0], "1")]}).to_string();
        let reused = client.send_with("POST", "/api/v3/usages", &key, &other).await;
        assert_eq!(reused.status, 409, "{reused:?}");
        let one = json!({"usage": usage(&second[0], "1")}).to_string();
        let reused = client.send_with("POST", "/api/v3/usages", &key, &one).await;
        assert_eq!(reused.status, 409, "{reused:?}");
        let again = client.send_with("POST", "/api/v3/usages", &key, &body).await;
        assert_eq!((again.status, again.text), (201, answer.text));
        assert_eq!(test.events().await, events);
    })
    .await;
}
