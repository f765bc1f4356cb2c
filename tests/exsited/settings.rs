//! Settings: the names that preferences can have, as they are read.

use serde_json::{Value, json};

use super::{Client, shown, wrapped};
use crate::{billstream::get, support::on_both};

#[tokio::test(flavor = "multi_thread")]
async fn what_preferences_can_name_is_read_in_lists_and_one_by_one() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        for (kind, one, count, name) in [
            ("invoice_terms", "invoice_term", 15, "Net -7"),
            ("payment_terms", "payment_term", 8, "Due on Receipt"),
            ("fulfillment_terms", "fulfillment_term", 8, "Immediately"),
            ("billing_periods", "billing_period", 24, "1 Month"),
            ("payment_processors", "payment_processor", 6, "Cash"),
            ("communication_profiles", "communication_profile", 3, "DEFAULT"),
        ] {
            let path = format!("/api/v3/settings/{kind}");
            let all = client.ok("GET", &format!("{path}?limit=100"), &Value::Null).await;
            assert_eq!(all["pagination"]["records"], count, "{kind}");
            let rows = all[kind].as_array().expect("records");
            assert_eq!(rows.len(), count, "{kind}");
            let known = rows.iter().find(|row| row["name"] == name).expect("the name");
            let uuid = known["uuid"].as_str().expect("a uuid");
            let read = client.ok("GET", &format!("{path}/{uuid}"), &Value::Null).await;
            assert_eq!(read, json!({ one: known }));
            let mut next = Some(format!("/api/v4/settings/{kind}?limit=7"));
            let mut seen = Vec::new();
            while let Some(path) = next {
                let page = client.ok("GET", &path, &Value::Null).await;
                seen.extend(page["data"].as_array().expect("records").clone());
                next = page["pagination"]["links"]["next"].as_str().map(str::to_owned);
            }
            let names = |rows: &[Value]| rows.iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
            assert_eq!(names(&seen), names(rows));
            let href = seen[0]["href"].as_str().expect("a path");
            assert_eq!(client.ok("GET", href, &Value::Null).await, json!({ one: seen[0] }));
            assert_eq!(client.send("POST", &path, "{}").await.status, 405);
            assert_eq!(client.send("GET", &format!("{path}/x"), "").await.status, 404);
        }
        for unknown in ["/api/v3/settings/taxes", "/api/v4/settings/taxes/x"] {
            assert_eq!(client.send("GET", unknown, "").await.status, 404);
        }
        let path = "/api/v2/settings/payment_processors";
        assert_eq!(test.send("GET", path, &[], "").await.status, 401);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_and_periods_of_the_vendors_grammar_are_known_beyond_the_lists() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        for (field, asked, name) in [
            ("payment_term", "net 45", "Net 45"),
            ("payment_term", "30 Day", "30 Day"),
            ("payment_term", "2 weeks", "2 Week"),
            ("payment_term", "1 Month", "1 Month"),
            ("invoice_term", "Net -3", "Net -3"),
            ("invoice_term", " 10 days ", "10 Day"),
            ("fulfillment_term", "Net 3", "Net 3"),
            ("fulfillment_term", "1 week", "1 Week"),
            ("billing_period", "2 Week", "2 Week"),
            ("billing_period", "18 months", "18 Month"),
            ("billing_period", "10 day", "10 Day"),
            ("billing_period", "1 Quarter", "1 Quarter"),
        ] {
            for prefix in ["/api/v3", "/api/v4"] {
                let path = format!("{prefix}/orders/{order}/billing-preferences");
                let body = wrapped(prefix, &json!({ field: asked }));
                client.ok("PATCH", &path, &body).await;
                let read = client.ok("GET", &path, &Value::Null).await;
                assert_eq!(shown(prefix, &read)[field], name, "{asked}");
            }
        }
        let events = test.events().await;
        for (field, wrong) in [
            ("payment_term", "Net"),
            ("payment_term", "Net -7"),
            ("payment_term", "Net 3651"),
            ("payment_term", "Net 1.5"),
            ("payment_term", "Net +5"),
            ("payment_term", "0 Day"),
            ("payment_term", "Billing Start Date"),
            ("payment_term", "2 Fortnight"),
            ("invoice_term", "1 Month"),
            ("invoice_term", "Net --7"),
            ("fulfillment_term", "Net -3"),
            ("billing_period", "0 Week"),
            ("billing_period", "-1 Month"),
            ("billing_period", "Net 30"),
            ("billing_period", "100 Year"),
            ("billing_period", "Month"),
        ] {
            let path = format!("/api/v3/orders/{order}/billing-preferences");
            let body = wrapped("/api/v3", &json!({ field: wrong })).to_string();
            let answer = client.send("PATCH", &path, &body).await;
            assert_eq!(answer.status, 400, "{wrong}: {answer:?}");
            assert_eq!(answer.json()["errors"][0]["field"], field, "{wrong}: {answer:?}");
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_delivered_so_long_after_the_start_of_its_period_as_its_term_says() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        for (term, day) in [
            ("Immediately", "2026-10-05"),
            ("Net 3", "2026-10-08"),
            ("1 Month", "2026-11-05"),
        ] {
            let mut body = super::new_order(&account);
            body["order"]["order_start_date"] = json!("2026-10-05");
            body["order"]["properties"] = json!({"fulfillment_term": term, "fulfillment_mode": "AUTOMATIC"});
            let order = client.ok("POST", "/api/v3/orders", &body).await["order"]["id"].clone();
            let path = format!("/api/v3/orders/{}/invoices", order.as_str().expect("an id"));
            client.ok("POST", &path, &json!({})).await;
            let list = get(&test, "/billstream/v1/fulfilments").await.json();
            let planned = list["fulfilments"]
                .as_array()
                .expect("fulfilments")
                .last()
                .expect("one")
                .clone();
            assert_eq!(planned["period_start"], "2026-10-05", "{planned}");
            let opens = planned["due_at"].as_str().expect("a time");
            assert!(opens.starts_with(day), "{term}: {planned}");
        }
    })
    .await;
}
