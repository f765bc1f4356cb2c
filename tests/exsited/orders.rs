use serde_json::{Value, json};

use super::{Client, new_order, wrapped};
use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_takes_the_next_number_of_its_account_and_reads_back_whole() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        for n in 1..=3 {
            let placed = client.ok("POST", "/api/v3/orders", &new_order(&account)).await;
            assert_eq!(placed["order"]["id"], format!("ORD-{account}-000{n}"));
            assert_eq!(placed["order"]["status"], "ACTIVE");
            assert_eq!(placed["order"]["account_id"], account);
            assert_eq!(placed["order"]["account_name"], "Example Ltd");
            assert_eq!(placed["order"]["properties"]["billing_period"], "1 Month");
            let line = &placed["order"]["lines"][0];
            assert_eq!(line["item_id"], "ITEM-0001");
            assert_eq!(line["item_order_quantity"], "2");
            assert_eq!(line["item_price_snapshot"]["pricing_rule"]["price"], "6.250000");
            assert_eq!(line["total"], "12.50");
            let read = client
                .ok("GET", &format!("/orders/ORD-{account}-000{n}"), &Value::Null)
                .await;
            assert_eq!(read, placed);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_the_callers_own_is_taken_once_and_passed_over_by_the_series() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let mut chosen = new_order(&account);
        chosen["order"]["id"] = json!(format!("ORD-{account}-0001"));
        client.ok("POST", "/api/v4/orders", &chosen).await;
        let events = test.events().await;
        let again = client.send("POST", "/api/v4/orders", &chosen.to_string()).await;
        assert_eq!(again.status, 409, "{again:?}");
        assert_eq!(test.events().await, events);
        let next = client.ok("POST", "/api/v4/orders", &new_order(&account)).await;
        assert_eq!(next["order"]["id"], format!("ORD-{account}-0002"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_placed_at_once_have_numbers_of_their_own() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let body = new_order(&account).to_string();
        let calls = (0..10).map(|_| client.send("POST", "/api/v3/orders", &body));
        let mut numbers = Vec::new();
        for answer in futures::future::join_all(calls).await {
            assert_eq!(answer.status, 201, "{answer:?}");
            numbers.push(answer.json()["order"]["id"].as_str().expect("an id").to_owned());
        }
        numbers.sort();
        let expected: Vec<_> = (1..=10).map(|n| format!("ORD-{account}-{n:04}")).collect();
        assert_eq!(numbers, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_keeps_its_preferences_and_changes_no_more() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        let cancel = json!({"order": {"effective_date": "2026-10-05"}});
        let answer = client
            .ok("POST", &format!("/api/v3/orders/{order}/cancel"), &cancel)
            .await;
        assert_eq!(answer["order"]["status"], "INACTIVE");
        let events = test.events().await;
        let again = client
            .ok("POST", &format!("/api/v4/orders/{order}/cancel"), &cancel)
            .await;
        assert_eq!(again["order"]["status"], "inactive");
        for prefix in ["", "/api/v4"] {
            for method in ["PATCH", "PUT"] {
                let body = wrapped(prefix, &json!({"billing_period": "1 Year"}));
                let path = format!("{prefix}/orders/{order}/billing-preferences");
                let refused = client.send(method, &path, &body.to_string()).await;
                assert_eq!(refused.status, 409, "{refused:?}");
                let body = refused.json();
                let code = body["code"].as_str().or(body["errors"][0]["code"].as_str());
                assert_eq!(code, Some("subscription_cancelled"));
            }
        }
        assert_eq!(test.events().await, events);
        let read = client
            .ok("GET", &format!("/orders/{order}/billing-preferences"), &Value::Null)
            .await;
        assert_eq!(read["order"]["properties"]["billing_period"], "1 Month");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_before_the_start_is_refused_and_one_in_the_future_waits() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let path = format!("/api/v3/orders/{}/cancel", client.order().await);
        let events = test.events().await;
        for date in ["2026-09-30", "2026-13-01", "soon"] {
            let body = json!({"order": {"effective_date": date}}).to_string();
            let answer = client.send("POST", &path, &body).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            assert_eq!(answer.json()["errors"][0]["field"], "effective_date");
        }
        assert_eq!(test.events().await, events);
        let later = json!({"order": {"effective_date": "2026-10-06"}});
        assert_eq!(client.ok("POST", &path, &later).await["order"]["status"], "ACTIVE");
        let now = client.ok("POST", &path, &Value::Null).await;
        assert_eq!(now["order"]["status"], "INACTIVE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_sound_is_refused_with_its_places_named() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let events = test.events().await;
        for (pointer, value, field) in [
            ("/order/account_id", json!("NOBODY"), "account_id"),
            ("/order/account_id", json!(null), "account_id"),
            ("/order/id", json!("."), "id"),
            ("/order/id", json!(".."), "id"),
            ("/order/id", json!("-1"), "id"),
            ("/order/lines", json!([]), "lines"),
            ("/order/lines/0", json!(7), "lines[0]"),
            ("/order/lines/0/item_id", json!(""), "lines[0].item_id"),
            (
                "/order/lines/0/item_order_quantity",
                json!("-1"),
                "lines[0].item_order_quantity",
            ),
            ("/order/order_start_date", json!("01/10/2026"), "order_start_date"),
            ("/order/order_start_date", json!("-001-10-01"), "order_start_date"),
            ("/order/order_start_date", json!("0000-10-01"), "order_start_date"),
            ("/order/order_start_date", json!("0001-10-01"), "order_start_date"),
            ("/order/order_start_date", json!("2006-10-04"), "order_start_date"),
            ("/order/currency", json!("XXX"), "currency"),
        ] {
            let mut body = new_order(&account);
            body["order"]["id"] = Value::Null;
            body["order"]["currency"] = Value::Null;
            *body.pointer_mut(pointer).expect("a place") = value;
            let answer = client.send("POST", "/api/v3/orders", &body.to_string()).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            assert_eq!(answer.json()["errors"][0]["field"], field, "{answer:?}");
        }
        let mut body = new_order(&account);
        body["order"]["properties"] = json!({"payment_term": "Net 0"});
        let answer = client.send("POST", "/api/v3/orders", &body.to_string()).await;
        assert_eq!(
            (answer.status, &answer.json()["errors"][0]["field"]),
            (400, &json!("payment_term"))
        );
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_by_offset_and_by_cursor() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        client.order().await;
        for _ in 0..3 {
            client.ok("POST", "/api/v3/orders", &new_order(&account)).await;
        }
        let path = format!("/api/v3/accounts/{account}/orders");
        let first = client
            .ok("GET", &format!("{path}?limit=2&direction=None"), &Value::Null)
            .await;
        assert_eq!(first["orders"].as_array().map(Vec::len), Some(2));
        assert_eq!(first["pagination"]["records"], 3);
        let next = first["pagination"]["next_page"].as_str().expect("a page");
        let last = client.ok("GET", next, &Value::Null).await;
        assert_eq!(last["orders"][0]["id"], format!("ORD-{account}-0003"));
        assert_eq!(last["pagination"]["next_page"], "NULL");

        let mut path = "/api/v4/orders?limit=3".to_owned();
        let mut seen = Vec::new();
        loop {
            let page = client.ok("GET", &path, &Value::Null).await;
            assert_eq!(page["object"], "list");
            seen.extend(
                page["data"]
                    .as_array()
                    .expect("rows")
                    .iter()
                    .map(|row| row["id"].to_string()),
            );
            match page["pagination"]["links"]["next"].as_str() {
                Some(next) => next.clone_into(&mut path),
                None => break,
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    })
    .await;
}

/// Who names a currency is billed in that one alone, at every door; whoever names none in any.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_billed_in_its_own_currency_alone() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let body = json!({"account": {"name": "Example Ltd", "currency": "AUD"}});
        let account = client.ok("POST", "/api/v3/accounts", &body).await["account"].clone();
        let (code, id) = (
            account["id"].as_str().expect("a code"),
            account["uuid"].as_str().expect("an id"),
        );
        let events = test.events().await;
        for prefix in ["/api/v3", "/api/v4"] {
            let mut order = new_order(code);
            order["order"]["currency"] = json!("USD");
            let answer = client
                .send("POST", &format!("{prefix}/orders"), &order.to_string())
                .await;
            assert_eq!(answer.status, 400, "{answer:?}");
            let errors = answer.json();
            assert_eq!(errors["errors"][0]["field"], "currency", "{errors}");
            assert!(answer.text.contains("is billed in AUD alone, not in USD"), "{answer:?}");
        }
        let credit = json!({"amount": "1.00", "currency": "USD", "reason": "goodwill"});
        let path = format!("/billstream/v1/customers/{id}/credit");
        let refused = crate::billstream::post(&test, &path, &credit).await;
        crate::billstream::refused(&refused, 400, "customer_currency", Some("currency"));
        let door = crate::wingback::Door::new(&test);
        let plan = door
            .own(
                "/billstream/v1/plans",
                &json!({"name": "Team", "currency": "USD", "lines": []}),
            )
            .await;
        let events = events + 1;
        let contract = json!({"customer": format!("Cust_{id}"), "plan": plan, "currency": "usd", "cycle": "month"});
        crate::wingback::refused(&door.post(crate::wingback::CONTRACT, &contract).await, 400, "currency");
        assert_eq!(test.events().await, events);
        let mut order = new_order(code);
        order["order"]["currency"] = json!("AUD");
        client.ok("POST", "/api/v3/orders", &order).await;
        // It names none: what it is billed in is said by each order.
        let other = client.account().await;
        for currency in ["USD", "JPY"] {
            let mut order = new_order(&other);
            order["order"]["currency"] = json!(currency);
            client.ok("POST", "/api/v3/orders", &order).await;
        }
    })
    .await;
}
