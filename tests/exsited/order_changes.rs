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
        let items = |invoice: &Value| -> Vec<Value> {
            let lines = invoice["lines"].as_array().into_iter().flatten();
            lines.map(|line| line["item_id"].clone()).collect()
        };
        assert_eq!(items(&first.json()["invoice"]), ["ITEM-1", "ITEM-2"]);
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
        // Whatever is gone from the order since, the invoice says what it was for.
        let added = &left["order"]["lines"][0]["charge_item_uuid"];
        let remove = json!({"order": {"effective_date": "2012-05-02", "lines": [{"op": "remove", "uuid": added}]}});
        client.ok("POST", &path, &remove).await;
        let listed = client.ok("GET", &invoices, &json!({})).await;
        let first = listed["data"].as_array().or(listed["invoices"].as_array());
        let first = first.and_then(|rows| rows.last()).expect("an invoice");
        assert_eq!(items(first), ["ITEM-1", "ITEM-2"], "{listed}");
        let preview = client.ok("POST", &format!("{path}/preview"), &add).await;
        let charged = preview["order"]["charges"].as_array().expect("charges");
        let all_named = charged.iter().all(|charge| charge["item_id"].is_string());
        assert!(all_named && !charged.is_empty(), "{preview}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_changes_in_a_month_that_keeps_its_division_leaves_what_is_preferred_from_the_next_one_on() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, line) = order(&client, "31", json!({})).await;
        issued(&client, &order).await;
        at(&test, "2012-05-10");
        let client = Client::of(&test).await;
        let path = format!("/api/v4/orders/{order}/change");
        let whole = json!({"order": {"properties": {"pro_rata_partial_charging_period": false}}});
        client.ok("POST", &path, &whole).await;
        let priced = |day: &str, price: &str| {
            json!({"order": {"effective_date": day, "lines": [
                {"op": "change", "uuid": line, "item_price_snapshot": {"pricing_rule": {"price": price}}},
            ]}})
        };
        at(&test, "2012-05-17");
        let client = Client::of(&test).await;
        let body = priced("2012-05-17", "62");
        let preview = client.ok("POST", &format!("{path}/preview"), &body).await;
        assert_eq!(amounts(&preview["order"]["charges"]), ["30.00", "-15.00"]);
        client.ok("POST", &path, &body).await;
        issued(&client, &order).await;
        at(&test, "2012-06-10");
        let client = Client::of(&test).await;
        assert_eq!(issued(&client, &order).await["invoice"]["total"], "62.00");
        let body = priced("2012-06-10", "93");
        let preview = client.ok("POST", &format!("{path}/preview"), &body).await;
        assert_eq!(amounts(&preview["order"]["charges"]), ["93.00", "-62.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_says_how_the_order_and_its_lines_are_billed_from_now_on() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, line) = order(&client, "31", json!({})).await;
        issued(&client, &order).await;
        at(&test, "2012-05-10");
        let client = Client::of(&test).await;
        let path = format!("/api/v4/orders/{order}/change");
        let new = |properties: Value| {
            json!({"op": "add", "item_id": "ITEM-2", "item_price_snapshot": {"pricing_rule": {"price": "62"}},
                "item_properties": properties})
        };
        let events = test.events().await;
        for (order, field) in [
            (json!({"properties": {"payment_term": "Net 0"}}), "payment_term"),
            (
                json!({"lines": [{"op": "change", "uuid": line, "item_properties": {"billing_mode": "NOW"}}]}),
                "lines[0].item_properties.billing_mode",
            ),
            (
                json!({"lines": [
                    {"op": "change", "uuid": line, "item_order_quantity": "2"},
                    {"op": "add", "item_id": "ITEM-3", "item_charge_type": "METERED",
                        "item_properties": {"billing_mode": "IN_ADVANCE"}},
                ]}),
                "lines[1].item_properties.billing_mode",
            ),
            (
                json!({"lines": [new(json!({"fixed_start_date": "2012-05-09"}))]}),
                "lines[0].item_properties.fixed_start_date",
            ),
            (
                json!({"lines": [{"op": "change", "uuid": line, "item_properties": {"fixed_start_date": "2012-05-20"}}]}),
                "lines[0].item_properties.fixed_start_date",
            ),
            (json!({"lines": [{"op": "remove", "uuid": "x"}]}), "lines[0].uuid"),
            (
                json!({"lines": [{"op": "remove", "charge_item_uuid": "x"}]}),
                "lines[0].charge_item_uuid",
            ),
            (json!({"effective_date": "2012-05-10"}), "lines"),
        ] {
            for call in ["", "/preview"] {
                let body = json!({ "order": order }).to_string();
                let answer = client.send("POST", &format!("{path}{call}"), &body).await;
                assert_eq!(answer.status, 400, "{answer:?}");
                assert_eq!(answer.json()["errors"][0]["field"], field, "{answer:?}");
            }
        }
        assert_eq!(test.events().await, events);
        let body = json!({"order": {
            "effective_date": "2012-05-10",
            "properties": {"payment_term": "Net 7", "invoice_mode": "MANUAL"},
            "lines": [
                {"op": "change", "uuid": line, "item_properties": {"billing_mode": "IN_ARREARS"}},
                new(json!({"charging_period": "1 Week"})),
            ],
        }});
        let preview = client.ok("POST", &format!("{path}/preview"), &body).await;
        assert_eq!(amounts(&preview["order"]["charges"]), ["62.00"]);
        assert_eq!(test.events().await, events);
        let changed = client.ok("POST", &path, &body).await;
        let order_now = &changed["order"];
        assert_eq!(order_now["billing_preferences"]["payment_term"], "Net 7");
        assert_eq!(order_now["billing_preferences"]["invoice_mode"], "MANUAL");
        assert_eq!(order_now["lines"][0]["item_properties"]["billing_mode"], "IN_ARREARS");
        assert_eq!(order_now["lines"][1]["item_properties"]["charging_period"], "1 Week");
        let made = issued(&client, &order).await;
        assert_eq!(made["invoice"]["billing_end_date"], "2012-05-16");
        assert_eq!((&made["invoice"]["total"], &made["invoice"]["due_date"]), (&json!("62.00"), &json!("2012-05-17")));
        // June is charged in arrears.
        at(&test, "2012-06-30");
        let client = Client::of(&test).await;
        let made = issued(&client, &order).await;
        let lines = made["invoice"]["lines"].as_array().expect("lines").iter();
        assert_eq!(lines.filter(|line| line["item_name"] == "ITEM-1").count(), 0);
        at(&test, "2012-07-01");
        let client = Client::of(&test).await;
        let made = issued(&client, &order).await;
        assert_eq!(amounts(&made["invoice"]["lines"]), ["31.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_divided_from_a_change_on_gives_no_day_away() {
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
        at(&test, "2012-05-17");
        let client = Client::of(&test).await;
        let path = format!("/api/v3/orders/{order}/change");
        let body = json!({"order": {
            "effective_date": "2012-05-17", "properties": {"pro_rata_partial_charging_period": true},
            "lines": [{"op": "change", "uuid": made["order"]["lines"][0]["uuid"], "item_order_quantity": "2"}],
        }});
        // What is paid undivided runs to its end.
        let preview = client.ok("POST", &format!("{path}/preview"), &body).await;
        assert_eq!(amounts(&preview["order"]["charges"]), Vec::<&str>::new());
        client.ok("POST", &path, &body).await;
        at(&test, "2012-06-01");
        let client = Client::of(&test).await;
        assert_eq!(issued(&client, &order).await["invoice"]["total"], "62.00");
        at(&test, "2012-06-16");
        let client = Client::of(&test).await;
        let back = json!({"order": {"effective_date": "2012-06-16", "lines": [
            {"op": "change", "uuid": made["order"]["lines"][0]["uuid"], "item_order_quantity": "1"},
        ]}});
        let preview = client.ok("POST", &format!("{path}/preview"), &back).await;
        assert_eq!(amounts(&preview["order"]["charges"]), ["15.50", "-31.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_is_read_without_its_wrapper_and_one_that_cannot_be_read_is_refused() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, _) = order(&client, "31", json!({})).await;
        let events = test.events().await;
        for (body, field) in [
            (json!({"orders": {"effective_date": "2012-06-01"}}), "order"),
            (json!({"properties": {"effective_date": "2012-06-01"}}), "order"),
            (json!({"order": "2012-06-01"}), "order"),
            (json!({"order": [{"effective_date": "2012-06-01"}]}), "order"),
            (json!({"order": {"effective_date": "soon"}}), "effective_date"),
            (json!({"effective_date": 2012}), "effective_date"),
        ] {
            for call in ["cancel", "activate", "reactivate"] {
                let path = format!("/api/v3/orders/{order}/{call}");
                let answer = client.send("POST", &path, &body.to_string()).await;
                assert_eq!(answer.status, 400, "{answer:?}");
                assert_eq!(answer.json()["errors"][0]["field"], field, "{answer:?}");
            }
        }
        assert_eq!(test.events().await, events);
        let path = format!("/api/v4/orders/{order}/cancel");
        let cancelled = client.ok("POST", &path, &json!({"effective_date": "2012-06-01"})).await;
        assert_eq!(cancelled["order"]["status"], "active");
        at(&test, "2012-06-01");
        let client = Client::of(&test).await;
        issued(&client, &order).await;
        let read = client.ok("GET", &format!("/api/v4/orders/{order}"), &Value::Null).await;
        assert_eq!(read["order"]["status"], "inactive");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invoices_of_an_order_are_read_page_by_page_the_latest_first() {
    on_both(async |test| {
        at(&test, "2012-05-01");
        let client = Client::of(&test).await;
        let (order, _) = order(&client, "31", json!({})).await;
        for month in 5..=9 {
            at(&test, &format!("2012-{month:02}-01"));
            issued(&Client::of(&test).await, &order).await;
        }
        let client = Client::of(&test).await;
        let starts = |page: &Value, rows: &str| -> Vec<String> {
            let rows = page[rows].as_array().expect("rows").iter();
            rows.map(|row| row["billing_start_date"].as_str().expect("a date").to_owned())
                .collect()
        };
        let all = ["2012-09-01", "2012-08-01", "2012-07-01", "2012-06-01", "2012-05-01"];
        let path = format!("/api/v3/orders/{order}/invoices");
        let page = client.ok("GET", &path, &Value::Null).await;
        assert_eq!(starts(&page, "invoices"), all);
        let page = client
            .ok("GET", &format!("{path}?limit=2&offset=2"), &Value::Null)
            .await;
        assert_eq!(starts(&page, "invoices"), all[2..4]);
        assert_eq!(
            page["pagination"],
            json!({"records": 5, "limit": 2, "offset": 2, "previous_page": format!("{path}?limit=2&offset=0"),
                "next_page": format!("{path}?limit=2&offset=4")})
        );
        let mut next = Some(format!("/api/v4/orders/{order}/invoices?limit=2"));
        let mut seen = Vec::new();
        while let Some(path) = next {
            let page = client.ok("GET", &path, &Value::Null).await;
            seen.extend(starts(&page, "data"));
            next = page["pagination"]["links"]["next"].as_str().map(str::to_owned);
        }
        assert_eq!(seen, all);
    })
    .await;
}
