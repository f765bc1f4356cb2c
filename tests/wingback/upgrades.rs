//! Upgrades at the Wingback door: what goes on, what it costs, and what is refused.

use serde_json::{Value, json};

use super::{CONTRACT, Door, NOBODY, refused};
use crate::support::on_both;

/// A plan of one monthly line in advance.
pub async fn plan_of(door: &Door<'_>, name: &str, price: &str) -> String {
    let line = json!({
        "name": "Seats", "kind": "recurring", "timing": "advance", "flat_fee": true, "prorate": true,
        "quantity": "1", "price": {"model": "per_unit", "amount": price},
    });
    let plan = json!({"name": name, "currency": "USD", "lines": [line]});
    door.own("/billstream/v1/plans", &plan).await
}

/// Bills everything that is due now, as the engine does by itself.
pub async fn bill(door: &Door<'_>, contract: &str) {
    let app = &door.test.app;
    let principal = billstream::app::Principal {
        tenant: aggregates::id::TenantId::from_stored(&door.tenant.tenant_id),
        actor: "test".to_owned(),
        test_mode: false,
    };
    let request = app.request(&principal, "cli").await.expect("a request");
    let id = contract.trim_start_matches("Cont_").parse().expect("an id");
    app.bill_subscription(&request, id, request.at).await.expect("billed");
}

/// Issue date and total of each invoice, in order of creation.
pub async fn invoices(door: &Door<'_>) -> Vec<(String, String)> {
    let page = door.get("/v1/c/invoice?limit=100&direction=forward").await.json();
    let hits = page["hits"].as_array().expect("hits").iter();
    let read = |value: &Value| value.as_str().expect("text").to_owned();
    hits.map(|hit| (read(&hit["invoice"]["date"]), read(&hit["invoice"]["total"])))
        .collect()
}

pub async fn summary(door: &Door<'_>, contract: &str) -> Value {
    let answer = door.get(&format!("{CONTRACT}/{contract}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["contract_summary"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_from_the_end_of_the_year_is_invoiced_on_the_last_days_of_months() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2022-12-31T12:00:00Z");
        let (customer, plan) = (door.customer().await, plan_of(&door, "Basic", "9.95").await);
        let body = json!({
            "customer": customer, "plan": plan, "currency": "usd", "cycle": "month", "free_trial_days": 31,
            "cycle_start_offset": 30, "unit_count_configuration": {"seats": 2},
        });
        let id = door.id(CONTRACT, &body).await;
        let trial = summary(&door, &id).await;
        assert_eq!(trial["free_trial_end"], "2023-01-31T00:00:00Z");
        assert_eq!(trial["next_cycle_start"], "2023-01-31T00:00:00Z");
        assert_eq!(trial["billing_information"]["current_period_idx"], 1);
        test.clock.set("2023-05-31T12:00:00Z");
        bill(&door, &id).await;
        let paid: Vec<_> = invoices(&door)
            .await
            .into_iter()
            .filter(|(_, total)| total != "0.00")
            .collect();
        let days = ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31"];
        let expected: Vec<_> = days.map(|day| (day.to_owned(), "19.90".to_owned())).to_vec();
        assert_eq!(paid, expected);
        let now = summary(&door, &id).await;
        assert_eq!(now["status"], "active");
        assert_eq!(now["cycle_start_offset"], 30);
        assert_eq!(now["next_cycle_start"], "2023-06-30T00:00:00Z");
        assert_eq!(now["billing_information"]["current_period_idx"], 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_makes_a_new_contract_and_costs_what_was_estimated() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2012-05-01T12:00:00Z");
        let customer = door.customer().await;
        let (large, small) = (
            plan_of(&door, "Large", "599.95").await,
            plan_of(&door, "Small", "9.95").await,
        );
        let id = door
            .contract_of(
                &customer,
                &large,
                json!({"currency": "usd", "activation": "2012-05-01"}),
            )
            .await;
        bill(&door, &id).await;
        test.clock.set("2012-05-07T12:00:00Z");
        let path = |call: &str| format!("{CONTRACT}/{id}/{call}");
        let configuration = json!({"upgrade_strategy": "new_plan", "plan_id": small, "currency": "usd"});
        let mut body = json!({"upgrade_configuration": configuration});
        let events = test.events().await;
        refused(&door.post(&path("upgrade"), &body).await, 400, "downgrade_allowed");
        body["downgrade_allowed"] = json!(true);
        let estimate = door.post(&path("upgrade_estimate"), &body).await;
        assert_eq!(estimate.status, 200, "{estimate:?}");
        let estimate = estimate.json();
        assert_eq!(test.events().await, events);
        assert_eq!(estimate["is_downgrade"], true);
        assert_eq!(estimate["pro_rate_new_contract"], "8.02");
        assert_eq!(estimate["pro_rate_old_contract"], "-483.83");
        let price = &estimate["price_on_new_contract"][0];
        assert_eq!(price["invoice"]["total"], "8.02");
        assert_eq!(price["invoice"]["to_pay"], "0.00");
        assert_eq!(estimate["new_contract_period"]["start"], "2012-05-07T00:00:00Z");
        assert_eq!(estimate["new_contract_period"]["end"], "2012-06-01T00:00:00Z");

        let key = [("idempotency-key", "up-1")];
        let first = door.post_with(&path("upgrade"), &key, &body.to_string()).await;
        assert_eq!(first.status, 200, "{first:?}");
        let events = test.events().await;
        let again = door.post_with(&path("upgrade"), &key, &body.to_string()).await;
        assert_eq!((again.status, &again.text), (200, &first.text));
        refused(&door.post(&path("upgrade"), &body).await, 409, "contract");
        assert_eq!(test.events().await, events);
        let new = first.json().as_str().expect("an id").to_owned();
        assert_ne!(new, id);
        assert_eq!(summary(&door, &id).await["status"], "moved");
        let now = summary(&door, &new).await;
        assert_eq!((&now["status"], &now["plan_id"]), (&json!("active"), &json!(small)));
        let totals: Vec<_> = invoices(&door).await.into_iter().map(|(_, total)| total).collect();
        assert_eq!(totals, ["599.95", "-483.83", "8.02"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_change_within_the_contract_and_a_next_cycle_waits() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2012-05-01T12:00:00Z");
        let customer = door.customer().await;
        let (plan, other) = (plan_of(&door, "Basic", "10").await, plan_of(&door, "Other", "5").await);
        let id = door
            .contract_of(&customer, &plan, json!({"currency": "usd", "activation": "2012-05-01"}))
            .await;
        bill(&door, &id).await;
        let path = format!("{CONTRACT}/{id}/upgrade");
        let units = json!({"upgrade_configuration": {
            "upgrade_strategy": "change_unit_count", "unit_count_configuration": {"seats": "3"},
        }});
        assert_eq!(door.id(&path, &units).await, id);
        let totals: Vec<_> = invoices(&door).await.into_iter().map(|(_, total)| total).collect();
        assert_eq!(totals, ["10.00", "20.00"]);
        let later = json!({"upgrade_configuration": {
            "upgrade_strategy": "new_plan", "plan_id": other, "activation": {"type": "next_cycle"},
        }});
        let new = door.id(&path, &later).await;
        assert_eq!(summary(&door, &id).await["status"], "active");
        assert_eq!(summary(&door, &id).await["expiration"], "2012-06-01T00:00:00Z");
        let next = summary(&door, &new).await;
        assert_eq!(next["status"], "scheduled");
        assert_eq!(next["activation"], "2012-06-01T00:00:00Z");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_that_are_not_sound_are_refused_and_leave_nothing() {
    on_both(async |test| {
        let (door, other) = (Door::new(&test), Door::other(&test).await);
        let (customer, plan) = (door.customer().await, plan_of(&door, "Basic", "10").await);
        let foreign = plan_of(&other, "Theirs", "10").await;
        let id = door.contract_of(&customer, &plan, json!({"currency": "usd"})).await;
        let events = test.events().await;
        let place = |field: &str| format!("upgrade_configuration.{field}");
        for (configuration, status, topic) in [
            (json!({}), 400, place("upgrade_strategy")),
            (json!({"upgrade_strategy": "new_plan"}), 400, place("plan_id")),
            (
                json!({"upgrade_strategy": "new_plan", "plan_id": format!("Plan_{NOBODY}")}),
                404,
                place("plan_id"),
            ),
            (
                json!({"upgrade_strategy": "new_plan", "plan_id": foreign}),
                404,
                place("plan_id"),
            ),
            (
                json!({"upgrade_strategy": "new_plan", "plan_id": plan, "activation": {"type": "someday"}}),
                400,
                place("activation"),
            ),
            (
                json!({"upgrade_strategy": "change_unit_count", "unit_count_configuration": {"chairs": 1}}),
                400,
                place("unit_count_configuration"),
            ),
            (
                json!({"upgrade_strategy": "change_unit_count", "unit_count_configuration": {"seats": -1}}),
                400,
                place("unit_count_configuration.seats"),
            ),
        ] {
            for call in ["upgrade", "upgrade_estimate"] {
                let body = json!({"upgrade_configuration": configuration});
                refused(
                    &door.post(&format!("{CONTRACT}/{id}/{call}"), &body).await,
                    status,
                    &topic,
                );
            }
        }
        let body = json!({"customer": customer, "plan": plan, "currency": "usd", "cycle": "month",
            "unit_count_configuration": {"chairs": 1}});
        refused(&door.post(CONTRACT, &body).await, 400, "unit_count_configuration");
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_keeps_the_days_on_which_quarters_begin() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2023-02-15T12:00:00Z");
        let customer = door.customer().await;
        let (small, large) = (
            plan_of(&door, "Small", "90").await,
            plan_of(&door, "Large", "180").await,
        );
        let contract = json!({"currency": "usd", "activation": "2023-02-15", "cycle": "quarter"});
        let id = door.contract_of(&customer, &small, contract).await;
        bill(&door, &id).await;
        // As many days after the start of their quarter as 15 February are 16 May and 15 August.
        test.clock.set("2023-05-20T12:00:00Z");
        bill(&door, &id).await;
        let configuration = json!({"upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd"});
        let body = json!({"upgrade_configuration": configuration});
        let new = door.id(&format!("{CONTRACT}/{id}/upgrade"), &body).await;
        assert_eq!(summary(&door, &new).await["next_cycle_start"], "2023-08-15T00:00:00Z");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_trial_is_free_after_an_upgrade() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2023-01-01T12:00:00Z");
        let customer = door.customer().await;
        let (small, large) = (plan_of(&door, "Small", "31").await, plan_of(&door, "Large", "62").await);
        let contract = json!({"currency": "usd", "activation": "2023-01-01", "free_trial_days": 31});
        let id = door.contract_of(&customer, &small, contract).await;
        bill(&door, &id).await;
        test.clock.set("2023-01-11T12:00:00Z");
        let configuration = json!({"upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd"});
        let body = json!({"upgrade_configuration": configuration});
        let new = door.id(&format!("{CONTRACT}/{id}/upgrade"), &body).await;
        test.clock.set("2023-02-02T12:00:00Z");
        bill(&door, &new).await;
        let paid = invoices(&door).await.into_iter().filter(|(_, total)| total != "0.00");
        assert_eq!(
            paid.collect::<Vec<_>>(),
            [("2023-02-01".to_owned(), "62.00".to_owned())]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_of_a_contract_that_is_to_end_keeps_its_end() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2023-05-01T12:00:00Z");
        let customer = door.customer().await;
        let (small, large) = (plan_of(&door, "Small", "31").await, plan_of(&door, "Large", "62").await);
        let contract = json!({"currency": "usd", "activation": "2023-05-01"});
        let id = door.contract_of(&customer, &small, contract).await;
        bill(&door, &id).await;
        door.id(&format!("{CONTRACT}/{id}/cancel"), &json!({"date": "2023-06-16"}))
            .await;
        test.clock.set("2023-05-11T12:00:00Z");
        let configuration = json!({"upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd"});
        let body = json!({"upgrade_configuration": configuration});
        let new = door.id(&format!("{CONTRACT}/{id}/upgrade"), &body).await;
        assert_eq!(summary(&door, &new).await["expiration"], "2023-06-16T00:00:00Z");
        test.clock.set("2023-08-01T12:00:00Z");
        bill(&door, &new).await;
        let totals: Vec<_> = invoices(&door).await.into_iter().map(|(_, total)| total).collect();
        assert_eq!(totals, ["31.00", "-21.00", "42.00", "31.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_of_a_plan_that_is_divided_in_part_leaves_no_day_out() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2023-05-01T12:00:00Z");
        let customer = door.customer().await;
        let line = |name: &str, price: &str, prorate: bool| {
            json!({
                "name": name, "kind": "recurring", "timing": "advance", "flat_fee": true, "prorate": prorate,
                "quantity": "1", "price": {"model": "per_unit", "amount": price},
            })
        };
        let lines = [line("Seats", "31", true), line("Support", "10", false)];
        let mixed = json!({"name": "Mixed", "currency": "USD", "lines": lines});
        let mixed = door.own("/billstream/v1/plans", &mixed).await;
        let large = plan_of(&door, "Large", "62").await;
        let contract = json!({"currency": "usd", "activation": "2023-05-01"});
        let id = door.contract_of(&customer, &mixed, contract).await;
        bill(&door, &id).await;
        test.clock.set("2023-05-11T12:00:00Z");
        let configuration = json!({"upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd"});
        let body = json!({"upgrade_configuration": configuration});
        let new = door.id(&format!("{CONTRACT}/{id}/upgrade"), &body).await;
        test.clock.set("2023-06-01T12:00:00Z");
        bill(&door, &new).await;
        // What is not divided stays paid; what is goes on under the new plan on the same day.
        let totals: Vec<_> = invoices(&door).await.into_iter().map(|(_, total)| total).collect();
        assert_eq!(totals, ["41.00", "-21.00", "42.00", "62.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_counts_the_rest_of_a_period_by_the_policy_that_charged_it() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-03-01T12:00:00Z");
        let customer = door.customer().await;
        let (small, large) = (
            plan_of(&door, "Small", "31.00").await,
            plan_of(&door, "Large", "62.00").await,
        );
        let more = json!({"currency": "usd", "activation": "2026-03-01"});
        let id = door.contract_of(&customer, &small, more).await;
        bill(&door, &id).await;
        let bearer = format!("Bearer {}", door.tenant.billstream.api_key);
        let policy = json!({"proration": "thirty_day_months"}).to_string();
        let path = format!("/billstream/v1/contracts/{id}/policy");
        let put = test.send("PUT", &path, &[("authorization", &bearer)], &policy).await;
        assert_eq!(put.status, 200, "{put:?}");
        test.clock.set("2026-03-11T12:00:00Z");
        let configuration = json!({"upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd"});
        let body = json!({"upgrade_configuration": configuration});
        let upgraded = door.post(&format!("{CONTRACT}/{id}/upgrade"), &body).await;
        assert_eq!(upgraded.status, 200, "{upgraded:?}");
        let totals: Vec<_> = invoices(&door).await.into_iter().map(|(_, total)| total).collect();
        assert_eq!(totals, ["31.00", "-21.00", "42.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_nobody_could_estimate_is_refused_as_its_estimate_is() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-10-05T12:00:00Z");
        let customer = door.customer().await;
        let (small, large) = (plan_of(&door, "Small", "31").await, plan_of(&door, "Large", "62").await);
        let contract = json!({"currency": "usd", "activation": "2026-10-05"});
        let id = door.contract_of(&customer, &small, contract).await;
        let body = |day: &str| {
            json!({"upgrade_configuration": {
                "upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd", "activation": day,
            }})
        };
        let events = test.events().await;
        for call in ["upgrade_estimate", "upgrade"] {
            for day in ["9999-12-31", "2036-10-06"] {
                let answer = door.post(&format!("{CONTRACT}/{id}/{call}"), &body(day)).await;
                refused(&answer, 400, "upgrade_configuration.activation");
            }
        }
        assert_eq!(test.events().await, events);
        for call in ["upgrade_estimate", "upgrade"] {
            let answer = door.post(&format!("{CONTRACT}/{id}/{call}"), &body("2036-10-05")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_of_the_last_day_shows_no_year_of_five_digits() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, plan_of(&door, "Basic", "10").await);
        let nothing = json!({"name": "Nothing", "currency": "USD", "lines": []});
        let nothing = door.own("/billstream/v1/plans", &nothing).await;
        for (plan, trial) in [(&plan, Value::Null), (&plan, json!(30)), (&nothing, Value::Null)] {
            let contract = json!({"currency": "usd", "activation": "9999-12-31", "free_trial_days": trial});
            let id = door.contract_of(&customer, plan, contract).await;
            let shown = summary(&door, &id).await;
            assert!(!shown.to_string().contains("+1"), "{shown}");
            assert_eq!(shown["activation"], "9999-12-31T00:00:00Z");
            let period = &shown["billing_information"]["current_period"];
            for field in [&shown["next_cycle_start"], &shown["free_trial_end"], &period["end"]] {
                assert_eq!(*field, Value::Null, "{shown}");
            }
        }
    })
    .await;
}
