use serde_json::{Value, json};

use super::{Door, INVOICE, NOBODY, refused};
use crate::support::on_both;

fn hits(page: &Value) -> Vec<&str> {
    let hits = page["hits"].as_array().expect("hits");
    hits.iter()
        .map(|hit| hit["invoice"]["id"].as_str().expect("an id"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_shows_its_items_and_sums_in_the_places_of_its_currency() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        for (currency, amounts, total) in [
            ("eur", ["12.3", "0.04"], "12.34"),
            ("jpy", ["1000", "1"], "1001"),
            ("kwd", ["3.226", "0.161"], "3.387"),
        ] {
            let contract = door.contract_of(&customer, &plan, json!({"currency": currency})).await;
            for amount in amounts {
                door.charge(&contract, amount, None).await;
            }
            let [id] = door.invoices(&json!({})).await.try_into().expect("one invoice");
            let detail = door.get(&format!("{INVOICE}/{id}")).await.json();
            let invoice = &detail["invoice"];
            assert_eq!(invoice["id"], id.as_str());
            assert_eq!(invoice["customer_id"], customer.as_str());
            assert_eq!(
                (&invoice["currency"], &invoice["total"]),
                (&json!(currency), &json!(total))
            );
            assert_eq!(
                (&invoice["date"], &invoice["due_date"]),
                (&json!("2026-10-05"), &json!("2026-11-01"))
            );
            assert_eq!(detail["cost_summary"]["total_including_tax"], total);
            assert_eq!(detail["customer"]["id"], customer.as_str());
            assert_eq!(detail["wb_customer"]["name"], "test");
            assert_eq!(detail["transactions"], json!([]));
            let lines = detail["invoice_lines"].as_array().expect("lines");
            assert_eq!(lines.len(), 2);
            for line in lines {
                assert_eq!((&line["name"], &line["invoice_id"]), (&json!("Seats"), &json!(id)));
                assert_eq!(line["currency"], currency);
                assert!(
                    line["total_including_tax"].is_string() && line["unit_count"] == "1",
                    "{line}"
                );
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_paged_both_ways_and_filtered() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        let contract = door.contract_of(&customer, &plan, json!({})).await;
        let mut all = Vec::new();
        for day in 1..=5 {
            test.clock.set(&format!("2026-11-0{day}T12:00:00Z"));
            door.charge(&contract, "1.00", None).await;
            all.extend(door.invoices(&json!({})).await);
        }
        let page = door.get(INVOICE).await.json();
        assert_eq!(
            (hits(&page), &page["total"]),
            (all.iter().map(String::as_str).collect(), &json!(5))
        );
        assert_eq!((&page["total_pages"], &page["current_page"]), (&json!(1), &json!(1)));
        assert_eq!((&page["forward"], &page["backward"]), (&Value::Null, &Value::Null));
        let status: Vec<&Value> = page["hits"]
            .as_array()
            .expect("hits")
            .iter()
            .map(|hit| &hit["detailed_invoice_status"])
            .collect();
        assert!(status.iter().all(|status| **status == "due"), "{status:?}");

        let (mut offset, mut seen) = (String::new(), Vec::new());
        for (number, size) in [(1, 2), (2, 2), (3, 1)] {
            let page = door.get(&format!("{INVOICE}?limit=2{offset}")).await.json();
            assert_eq!((hits(&page).len(), &page["current_page"]), (size, &json!(number)));
            seen.extend(hits(&page).into_iter().map(str::to_owned));
            offset = page["forward"]
                .as_str()
                .map(|cursor| format!("&offset={cursor}"))
                .unwrap_or_default();
            if number == 3 {
                assert!(offset.is_empty(), "the last page leads nowhere");
                let back = page["backward"].as_str().expect("a way back");
                let page = door
                    .get(&format!("{INVOICE}?limit=2&direction=backward&offset={back}"))
                    .await
                    .json();
                assert_eq!(
                    (hits(&page), &page["current_page"]),
                    (vec![all[2].as_str(), all[3].as_str()], &json!(2))
                );
            }
        }
        assert_eq!(seen, all);
        let last = door.get(&format!("{INVOICE}?limit=2&direction=backward")).await.json();
        assert_eq!((hits(&last), &last["current_page"]), (vec![all[4].as_str()], &json!(3)));

        let page = door
            .get(&format!("{INVOICE}?date_after=2026-11-02&date_before=2026-11-03"))
            .await
            .json();
        assert_eq!(hits(&page), [all[1].as_str(), all[2].as_str()]);
        let page = door.get(&format!("{INVOICE}?customer={customer}&limit=1")).await.json();
        assert_eq!((hits(&page).len(), &page["total"]), (1, &json!(5)));
        let page = door.get(&format!("{INVOICE}?customer=Cust_{NOBODY}")).await.json();
        assert_eq!((hits(&page).len(), &page["total"]), (0, &json!(0)));
        let page = door.get(&format!("{INVOICE}?limit=0")).await.json();
        assert_eq!((hits(&page).len(), &page["total"]), (0, &json!(5)));
        assert_eq!(Door::other(&test).await.get(INVOICE).await.json()["total"], 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_queries_and_unknown_and_foreign_invoices_are_refused() {
    on_both(async |test| {
        let (door, other) = (Door::new(&test), Door::other(&test).await);
        for (query, topic) in [
            ("limit=-1", "limit"),
            ("limit=x", "limit"),
            ("limit=1.5", "limit"),
            ("limit=2147483648", "limit"),
            ("direction=up", "direction"),
            ("offset=5", "offset"),
            ("offset=%F0%9F%92%A9", "offset"),
            ("customer=x", "customer"),
            ("date_before=yesterday", "date_before"),
            ("date_after=2026-13-01", "date_after"),
            ("limit=1&limit=2", "query"),
        ] {
            refused(&door.get(&format!("{INVOICE}?{query}")).await, 400, topic);
        }
        let contract = other.contract().await;
        other.charge(&contract, "1.00", None).await;
        let foreign = other.invoices(&json!({})).await;
        for id in [&foreign[0], &format!("Inv_{NOBODY}")] {
            refused(&door.get(&format!("{INVOICE}/{id}")).await, 404, "invoice_id");
        }
        refused(&door.get(&format!("{INVOICE}/{NOBODY}")).await, 400, "invoice_id");
        refused(&door.get(&format!("{INVOICE}/%FF")).await, 400, "invoice_id");
    })
    .await;
}

/// In order of time, and of the plan within a period, however the charges came about.
#[tokio::test(flavor = "multi_thread")]
async fn the_items_of_an_invoice_that_is_asked_for_are_in_the_order_of_their_periods() {
    on_both(async |test| {
        let door = Door::new(&test);
        let line =
            |name: &str| json!({"name": name, "kind": "recurring", "price": {"model": "flat", "amount": "1.00"}});
        let names = ["Seats", "Boxes", "Desks", "Rooms"];
        let body = json!({"name": "Team", "currency": "EUR", "lines": names.map(line)});
        let plan = door.own("/billstream/v1/plans", &body).await;
        let customer = door.customer().await;
        let terms = json!({"activation": "2026-10-05", "cycle": "day", "invoice_trigger": "manual"});
        let contract = door.contract_of(&customer, &plan, terms).await;
        let path = format!("/billstream/v1/contracts/{contract}/charges");
        for day in ["07", "05", "06"] {
            let charge =
                json!({"name": format!("Hours {day}"), "amount": "1.00", "period_start": format!("2026-10-{day}")});
            door.own(&path, &charge).await;
        }
        test.clock.set("2026-10-07T12:00:00Z");
        let principal = billstream::app::Principal {
            tenant: aggregates::id::TenantId::from_stored(&door.tenant.tenant_id),
            actor: "test".to_owned(),
            test_mode: false,
        };
        let request = test.app.request(&principal, "cli").await.expect("a request");
        let id = contract.trim_start_matches("Cont_").parse().expect("an id");
        test.app
            .bill_subscription(&request, id, request.at)
            .await
            .expect("billed");
        let key = format!("Bearer {}", test.tenant.billstream.api_key);
        let draft = test
            .send(
                "POST",
                "/billstream/v1/previews/invoices",
                &[("authorization", &key)],
                "{}",
            )
            .await;
        assert_eq!(draft.status, 200, "{draft:?}");
        let [id] = door.invoices(&json!({})).await.try_into().expect("one invoice");
        let detail = door.get(&format!("{INVOICE}/{id}")).await.json();
        let shown = |lines: &Value| -> Vec<String> {
            let lines = lines.as_array().expect("lines").iter();
            let text = |line: &Value, field: &str| line[field].as_str().expect("text").to_owned();
            lines
                .map(|line| format!("{} {}", text(line, "period_start"), text(line, "name")))
                .collect()
        };
        let mut expected = Vec::new();
        for day in ["05", "06", "07"] {
            expected.extend(names.map(|name| format!("2026-10-{day} {name}")));
            expected.push(format!("2026-10-{day} Hours {day}"));
        }
        assert_eq!(shown(&detail["invoice_lines"]), expected);
        assert_eq!(shown(&draft.json()["invoices"][0]["lines"]), expected);
    })
    .await;
}
