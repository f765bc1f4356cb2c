//! Contracts with terms of their own: pending, activated, cancelled, discounted, at other prices.

use serde_json::{Value, json};

use super::{CONTRACT, Door, NOBODY, refused};
use crate::support::{TestApp, on_both};

/// A plan in EUR of ten seats at 5.00, support at 20.00, and a setup for 50.00.
async fn plan(door: &Door<'_>) -> String {
    let line = |name: &str, kind: &str, model: &str, amount: &str, quantity: &str| {
        json!({
            "name": name, "kind": kind, "timing": "advance", "flat_fee": true, "prorate": true,
            "quantity": quantity, "price": {"model": model, "amount": amount},
        })
    };
    let lines = [
        line("Seats", "recurring", "per_unit", "5", "10"),
        line("Support", "recurring", "flat", "20", "1"),
        line("Setup", "one_off", "flat", "50", "1"),
    ];
    let body = json!({"name": "Team", "currency": "EUR", "lines": lines});
    door.own("/billstream/v1/plans", &body).await
}

async fn discount(door: &Door<'_>, body: Value) -> String {
    door.own("/billstream/v1/discounts", &body).await
}

async fn read(door: &Door<'_>, contract: &str) -> Value {
    let answer = door.get(&format!("{CONTRACT}/{contract}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Bills what is due by that day; the totals of all invoices so far, in order of creation.
async fn billed(test: &TestApp, door: &Door<'_>, contract: &str, day: &str) -> Vec<String> {
    test.clock.set(&format!("{day}T12:00:00Z"));
    let principal = billstream::app::Principal {
        tenant: aggregates::id::TenantId::from_stored(&door.tenant.tenant_id),
        actor: "test".to_owned(),
        test_mode: false,
    };
    let request = test.app.request(&principal, "cli").await.expect("a request");
    let id = contract.trim_start_matches("Cont_").parse().expect("an id");
    let bill = test.app.bill_subscription(&request, id, request.at).await;
    bill.expect("billed");
    let page = door.get("/v1/c/invoice?limit=100&direction=forward").await.json();
    let hits = page["hits"].as_array().expect("hits").iter();
    hits.map(|hit| hit["invoice"]["total"].as_str().expect("a total").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_contract_is_shown_as_it_would_be_if_it_began_today() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, plan(&door).await);
        let begun = door.contract_of(&customer, &plan, json!({"free_trial_days": 10})).await;
        let waits = json!({"is_pending": true, "free_trial_days": 10});
        let waits = door.contract_of(&customer, &plan, waits).await;
        let (begun, waits) = (read(&door, &begun).await, read(&door, &waits).await);
        assert_ne!(begun["contract_summary"]["amount"], "0.00");
        assert_eq!(begun["contract_summary"]["free_trial_end"], "2026-10-15T00:00:00Z");
        for field in [
            "amount",
            "cost_estimates",
            "free_trial_end",
            "activation",
            "next_cycle_start",
            "billing_information",
        ] {
            assert_eq!(
                waits["contract_summary"][field], begun["contract_summary"][field],
                "{field}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_contract_is_billed_from_its_activation_on() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, plan(&door).await);
        let id = door.contract_of(&customer, &plan, json!({"is_pending": true})).await;
        assert_eq!(read(&door, &id).await["contract_summary"]["status"], "pending");
        assert_eq!(billed(&test, &door, &id, "2026-10-10").await, Vec::<String>::new());
        let activate = format!("{CONTRACT}/{id}/activate");
        let answer = door.post(&activate, &json!({"activation": "2026-10-15"})).await;
        assert_eq!((answer.status, answer.json()), (200, json!(id)));
        let contract = read(&door, &id).await;
        assert_eq!(contract["contract_summary"]["status"], "scheduled");
        assert_eq!(contract["contract_summary"]["activation"], "2026-10-15T00:00:00Z");
        assert_eq!(billed(&test, &door, &id, "2026-10-14").await, Vec::<String>::new());
        assert_eq!(billed(&test, &door, &id, "2026-10-15").await, ["120.00"]);
        assert_eq!(billed(&test, &door, &id, "2026-11-15").await, ["120.00", "70.00"]);
        // Activated once more it stays as it is.
        let events = test.events().await;
        assert_eq!(door.post(&activate, &json!({})).await.status, 200);
        assert_eq!(test.events().await, events);
        refused(
            &door
                .post(&format!("{CONTRACT}/Cont_{NOBODY}/activate"), &json!({}))
                .await,
            404,
            "contract",
        );
        refused(
            &door.post(&activate, &json!({"activation": "soon"})).await,
            400,
            "activation",
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_contract_gives_back_the_days_it_does_not_have() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, plan(&door).await);
        let id = door
            .contract_of(&customer, &plan, json!({"activation": "2026-10-01"}))
            .await;
        assert_eq!(billed(&test, &door, &id, "2026-10-05").await, ["120.00"]);
        let cancel = format!("{CONTRACT}/{id}/cancel");
        refused(&door.post(&cancel, &json!({"date": "2026-09-30"})).await, 400, "date");
        let answer = door.post(&cancel, &json!({"date": "2026-10-17"})).await;
        assert_eq!((answer.status, answer.json()), (200, json!(id)));
        let contract = read(&door, &id).await;
        assert_eq!(contract["contract_summary"]["status"], "active");
        assert_eq!(contract["contract_summary"]["expiration"], "2026-10-17T00:00:00Z");
        // 15 of 31 days of 70.00: 24.19 and 9.68.
        assert_eq!(billed(&test, &door, &id, "2026-10-17").await, ["120.00", "-33.87"]);
        assert_eq!(read(&door, &id).await["contract_summary"]["status"], "canceled");
        assert_eq!(billed(&test, &door, &id, "2026-12-01").await.len(), 2);
        refused(
            &door.post(&format!("{CONTRACT}/{id}/activate"), &json!({})).await,
            409,
            "contract",
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_discount_is_taken_off_recurring_lines() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, plan(&door).await);
        let spring = discount(&door, json!({"name": "Spring", "percent": "10"})).await;
        assert!(spring.starts_with("Disc_"), "{spring}");
        let terms = json!({"activation": "2026-10-01", "discount_id": spring});
        let id = door.contract_of(&customer, &plan, terms).await;
        let contract = read(&door, &id).await;
        assert_eq!(
            contract["discount"],
            json!({"id": spring, "name": "Spring", "percentage": "10", "amount": null})
        );
        let summary = &contract["contract_summary"];
        assert_eq!(summary["amount"], "63.00");
        let nothing = json!({
            "cycle_start_charges": "0.00", "minimum_usage": "0.00", "extra_cycle_end_charges": "0.00",
        });
        let estimates = &summary["cost_estimates"];
        assert_eq!(estimates["recurring_price"]["cycle_start_charges"], "63.00");
        assert_eq!(estimates["one_time_price"]["cycle_start_charges"], "50.00");
        assert_eq!(estimates["on_demand_price"], nothing);
        assert_eq!(estimates["custom_cycle_charges"]["periodic_yearly"], nothing);
        assert_eq!(billed(&test, &door, &id, "2026-10-05").await, ["113.00"]);
        // Two euros off each recurring line, in a contract that waits.
        let fixed = discount(&door, json!({"name": "Two off", "fixed": "2", "currency": "EUR"})).await;
        let terms = json!({"is_pending": true, "discount_id": fixed});
        let id = door.contract_of(&customer, &plan, terms).await;
        assert_eq!(read(&door, &id).await["discount"]["amount"], "2.00");
        door.post(&format!("{CONTRACT}/{id}/activate"), &json!({})).await;
        assert_eq!(billed(&test, &door, &id, "2026-10-05").await, ["113.00", "116.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn features_can_have_other_prices_and_units() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, plan(&door).await);
        let terms = json!({"activation": "2026-10-01", "feature_configuration": {
            "seats": {"price": "4.50", "units": 20}, "support": {"flat_fee": 15}, "setup": {"flat_fee": "0"},
        }});
        let id = door.contract_of(&customer, &plan, terms).await;
        assert_eq!(read(&door, &id).await["contract_summary"]["amount"], "105.00");
        assert_eq!(billed(&test, &door, &id, "2026-10-05").await, ["105.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_that_cannot_be_agreed_are_refused_and_leave_nothing() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, plan(&door).await);
        let dollars = discount(&door, json!({"name": "Dollars", "fixed": "2", "currency": "USD"})).await;
        let other = Door::other(&test).await;
        let foreign = discount(&other, json!({"name": "Theirs", "percent": "10"})).await;
        let events = test.events().await;
        for (field, value, status, topic) in [
            ("discount_id", json!(format!("Disc_{NOBODY}")), 404, "discount_id"),
            ("discount_id", json!(foreign), 404, "discount_id"),
            ("discount_id", json!(plan), 400, "discount_id"),
            ("discount_id", json!(dollars), 400, "discount_id"),
            ("pricing_id", json!("Pric_1"), 400, "pricing_id"),
            ("feature_configuration", json!([]), 400, "feature_configuration"),
            (
                "feature_configuration",
                json!({"seats": 1}),
                400,
                "feature_configuration.seats",
            ),
            (
                "feature_configuration",
                json!({"seats": {"price": "-1"}}),
                400,
                "feature_configuration.seats.price",
            ),
            (
                "feature_configuration",
                json!({"seats": {"flat_fee": "1"}}),
                400,
                "feature_configuration",
            ),
            (
                "feature_configuration",
                json!({"rooms": {"price": "1"}}),
                400,
                "feature_configuration",
            ),
            (
                "feature_configuration",
                json!({"rooms": {"units": "1"}}),
                400,
                "feature_configuration",
            ),
            (
                "feature_configuration",
                json!({"rooms": {}}),
                400,
                "feature_configuration",
            ),
            (
                "feature_configuration",
                json!({"seats": {"units": []}}),
                400,
                "feature_configuration.seats.units",
            ),
            (
                "unit_count_configuration",
                json!({"rooms": 1}),
                400,
                "unit_count_configuration",
            ),
            ("activation", json!("1990-01-01"), 400, "activation"),
        ] {
            let mut body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month"});
            body[field] = value;
            refused(&door.post(CONTRACT, &body).await, status, topic);
        }
        let bearer = format!("Bearer {}", door.tenant.billstream.api_key);
        for (body, field) in [
            (json!({"percent": "10"}), "name"),
            (json!({"name": "x"}), "percent"),
            (json!({"name": "x", "percent": "101"}), "percent"),
            (json!({"name": "x", "fixed": "1"}), "currency"),
            (json!({"name": "x", "fixed": "one", "currency": "EUR"}), "fixed"),
            (json!({"name": "x", "fixed": "-1", "currency": "EUR"}), "fixed"),
            (
                json!({"name": "x", "percent": "-1", "fixed": "-1", "currency": "EUR"}),
                "percent",
            ),
        ] {
            let headers = [("authorization", bearer.as_str())];
            let answer = test
                .send("POST", "/billstream/v1/discounts", &headers, &body.to_string())
                .await;
            assert_eq!(
                (answer.status, &answer.json()["error"]["field"]),
                (400, &json!(field)),
                "{answer:?}"
            );
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_cannot_be_is_refused_in_the_field_that_was_sent() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, plan(&door).await);
        let pending = door.contract_of(&customer, &plan, json!({"is_pending": true})).await;
        let active = door
            .contract_of(&customer, &plan, json!({"activation": "2026-10-01"}))
            .await;
        let events = test.events().await;
        let upgrade = |activation: &str| {
            json!({"upgrade_configuration": {
                "upgrade_strategy": "change_unit_count", "activation": activation,
                "unit_configuration": {"seats": 12},
            }})
        };
        let unknown = json!({"upgrade_configuration": {
            "upgrade_strategy": "change_unit_count", "unit_configuration": {"rooms": 12},
        }});
        for (contract, call, body, topic) in [
            (&pending, "activate", json!({"activation": "1990-01-01"}), "activation"),
            (&active, "cancel", json!({"date": "2026-09-30"}), "date"),
            (
                &active,
                "upgrade",
                upgrade("2026-09-30"),
                "upgrade_configuration.activation",
            ),
            (
                &active,
                "upgrade_estimate",
                upgrade("2026-09-30"),
                "upgrade_configuration.activation",
            ),
            (&active, "upgrade", unknown, "upgrade_configuration.unit_configuration"),
        ] {
            let answer = door.post(&format!("{CONTRACT}/{contract}/{call}"), &body).await;
            refused(&answer, 400, topic);
        }
        for call in ["upgrade", "upgrade_estimate"] {
            let waits = door
                .post(&format!("{CONTRACT}/{pending}/{call}"), &upgrade("2026-10-20"))
                .await;
            assert_eq!(waits.status, 409, "{waits:?}");
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

/// The items of the latest invoice, by name.
async fn latest_items(door: &Door<'_>) -> Vec<Value> {
    let page = door.get("/v1/c/invoice?limit=1&direction=backward").await.json();
    let id = page["hits"][0]["invoice"]["id"].as_str().expect("an id").to_owned();
    let detail = door.get(&format!("/v1/c/invoice/{id}")).await.json();
    let lines = detail["invoice_lines"].as_array().expect("lines").clone();
    for line in &lines {
        let amount =
            |field: &str| -> rust_decimal::Decimal { line[field].as_str().unwrap_or("0").parse().expect("an amount") };
        assert_eq!(
            amount("subtotal") - amount("discount_amount"),
            amount("total_excluding_tax"),
            "{line}"
        );
        assert_eq!(
            amount("total_excluding_tax") + amount("tax_amount"),
            amount("total_including_tax"),
            "{line}"
        );
    }
    lines
}

fn shown<'a>(items: &'a [Value], name: &str, fields: &[&str]) -> Vec<&'a Value> {
    let item = items.iter().find(|item| item["name"] == name).expect("the item");
    fields.iter().map(|field| &item[*field]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_shows_how_many_units_of_which_price_less_which_discount_it_is() {
    on_both(async |test| {
        let door = Door::new(&test);
        let line = |name: &str, model: Value, quantity: &str, rate: Value| {
            json!({"name": name, "kind": "recurring", "quantity": quantity, "price": model, "tax_rate": rate})
        };
        let tiers = json!({"model": "graduated", "tiers": [{"up_to": "2", "unit": "5"}, {"unit": "3"}]});
        let calls = json!({"model": "per_unit", "amount": "0.10"});
        let body = json!({"name": "Team", "currency": "EUR", "lines": [
            line("Seats", json!({"model": "per_unit", "amount": "3.00"}), "4", json!("20")),
            line("Boxes", tiers, "3", Value::Null),
            {"name": "Calls", "kind": "metered", "metric": "calls", "price": calls},
        ]});
        let plan = door.own("/billstream/v1/plans", &body).await;
        let terms = json!({"name": "Spring", "percent": "10", "fixed": "1", "currency": "EUR"});
        let spring = discount(&door, terms).await;
        let customer = door.customer().await;
        let terms = json!({"activation": "2026-10-01", "discount_id": spring});
        let id = door.contract_of(&customer, &plan, terms).await;
        assert_eq!(read(&door, &id).await["discount"]["amount"], "1.00");
        billed(&test, &door, &id, "2026-10-05").await;
        let items = latest_items(&door).await;
        let fields = ["unit_count", "unit_price", "subtotal", "discount_amount", "total_excluding_tax", "tax_policy"];
        assert_eq!(
            shown(&items, "Seats", &fields),
            ["4", "3.00", "12.00", "2.20", "9.80", "tax_excluded"]
        );
        // Tiers have no one price of a unit: all of it is one.
        assert_eq!(shown(&items, "Boxes", &fields[..5]), ["1", "13.00", "13.00", "2.30", "10.70"]);
        assert_eq!(shown(&items, "Seats", &["description"]), [&Value::Null]);

        let record = json!({"customer_id": customer, "feature_slug": "calls", "units": 11,
            "timestamp": "2026-10-02T00:00:00Z"});
        door.post("/v1/c/usage", &record).await;
        billed(&test, &door, &id, "2026-11-01").await;
        let items = latest_items(&door).await;
        assert_eq!(
            shown(&items, "Calls", &["unit_count", "unit_price", "subtotal", "discount_amount"]),
            [&json!("11"), &json!("0.10"), &json!("1.10"), &Value::Null]
        );
        // What is given back is a part of what was charged.
        test.clock.set("2026-11-16T12:00:00Z");
        let estimate = json!({"downgrade_allowed": true, "upgrade_configuration":
            {"upgrade_strategy": "change_unit_count", "unit_count_configuration": {"seats": 2}}});
        let answer = door.post(&format!("{CONTRACT}/{id}/upgrade_estimate"), &estimate).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let estimated = answer.json();
        let priced = estimated["remains_to_pay_current_contract"].as_array().expect("invoices").iter();
        let priced = priced.chain(estimated["price_on_new_contract"].as_array().expect("invoices"));
        let items: Vec<Value> = priced.flat_map(|one| one["invoice_items"].as_array().expect("items").clone()).collect();
        let counts: Vec<&Value> = items.iter().map(|item| &item["unit_count"]).collect();
        assert!(counts.contains(&&json!("2")) || counts.contains(&&json!("4")), "{estimated}");
        door.post(&format!("{CONTRACT}/{id}/cancel"), &json!({"date": "2026-11-16"})).await;
        billed(&test, &door, &id, "2026-11-17").await;
        let items = latest_items(&door).await;
        assert_eq!(
            shown(&items, "Seats", &["unit_count", "unit_price", "description", "total_excluding_tax"]),
            ["4", "3.00", "-15/30 of the price", "-4.90"]
        );
    })
    .await;
}
