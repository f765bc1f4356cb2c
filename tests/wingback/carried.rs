//! What a contract carries over an upgrade, and what it cannot be billed by.

use serde_json::json;

use super::{
    CONTRACT, Door, refused,
    upgrades::{bill, invoices, plan_of},
};
use crate::support::on_both;

/// A contract with half off, and the plan it is to go on under.
async fn with_half_off(door: &Door<'_>) -> (String, String) {
    let customer = door.customer().await;
    let (small, large) = (plan_of(door, "Small", "100").await, plan_of(door, "Large", "200").await);
    let half = json!({"name": "Half off", "percent": "50"});
    let half = door.own("/billstream/v1/discounts", &half).await;
    let terms = json!({"currency": "usd", "activation": "2026-10-05", "discount_id": half});
    (door.contract_of(&customer, &small, terms).await, large)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_keeps_the_discount_as_its_estimate_says() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-10-05T12:00:00Z");
        let (id, large) = with_half_off(&door).await;
        bill(&door, &id).await;
        test.clock.set("2026-11-06T12:00:00Z");
        bill(&door, &id).await;
        let body = json!({"upgrade_configuration": {
            "upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd", "activation": {"type": "next_cycle"},
        }});
        let path = |call: &str| format!("{CONTRACT}/{id}/{call}");
        let estimate = door.post(&path("upgrade_estimate"), &body).await.json();
        assert_eq!(estimate["price_on_new_contract"][0]["invoice"]["total"], "100.00");
        let new = door.id(&path("upgrade"), &body).await;
        let discount = door.get(&format!("{CONTRACT}/{new}")).await.json()["discount"].clone();
        assert_eq!(
            (&discount["name"], &discount["percentage"]),
            (&json!("Half off"), &json!("50"))
        );
        test.clock.set("2026-12-06T12:00:00Z");
        bill(&door, &id).await;
        bill(&door, &new).await;
        let totals: Vec<_> = invoices(&door).await.into_iter().map(|(_, total)| total).collect();
        assert_eq!(totals, ["50.00", "50.00", "100.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgraded_contract_keeps_its_discount_in_the_next_upgrade() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-10-05T12:00:00Z");
        let (id, large) = with_half_off(&door).await;
        let mut body = json!({"upgrade_configuration": {
            "upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd",
        }});
        let new = door.id(&format!("{CONTRACT}/{id}/upgrade"), &body).await;
        body["upgrade_configuration"]["activation"] = json!({"type": "next_cycle"});
        let last = door.id(&format!("{CONTRACT}/{new}/upgrade"), &body).await;
        test.clock.set("2026-11-06T12:00:00Z");
        bill(&door, &last).await;
        let totals: Vec<_> = invoices(&door).await.into_iter().map(|(_, total)| total).collect();
        assert_eq!(totals, ["100.00", "100.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_is_what_is_less_in_a_year_after_the_discount() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-10-05T12:00:00Z");
        let (customer, monthly) = (door.customer().await, plan_of(&door, "Monthly", "100").await);
        let fixed = json!({"name": "Ten off", "fixed": "10.00", "currency": "USD"});
        let fixed = door.own("/billstream/v1/discounts", &fixed).await;
        let terms = json!({"currency": "usd", "discount_id": fixed});
        let id = door.contract_of(&customer, &monthly, terms).await;
        // Twelve times 90.00 is as much as once 1080.00.
        for (price, status) in [("1089.99", 400), ("1090", 200)] {
            let plan = plan_of(&door, &format!("Yearly {price}"), price).await;
            let body = json!({"upgrade_configuration": {
                "upgrade_strategy": "new_plan", "plan_id": plan, "currency": "usd", "cycle": "year",
            }});
            let answer = door.post(&format!("{CONTRACT}/{id}/upgrade"), &body).await;
            if status == 200 {
                assert_eq!(answer.status, 200, "{answer:?}");
            } else {
                refused(&answer, status, "downgrade_allowed");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_discount_keeps_a_contract_in_its_currency() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-10-05T12:00:00Z");
        let (customer, small) = (door.customer().await, plan_of(&door, "Small", "100").await);
        let fixed = json!({"name": "Ten off", "fixed": "10.00", "currency": "USD"});
        let fixed = door.own("/billstream/v1/discounts", &fixed).await;
        let id = door
            .contract_of(&customer, &small, json!({"currency": "usd", "discount_id": fixed}))
            .await;
        let line = json!({
            "name": "Seats", "kind": "recurring", "timing": "advance", "flat_fee": true, "prorate": true,
            "quantity": "1", "price": {"model": "per_unit", "amount": "200"},
        });
        let plan = json!({"name": "Euros", "currency": "EUR", "lines": [line]});
        let euros = door.own("/billstream/v1/plans", &plan).await;
        let body = json!({"upgrade_configuration": {
            "upgrade_strategy": "new_plan", "plan_id": euros, "currency": "eur",
        }});
        let events = test.events().await;
        for call in ["upgrade", "upgrade_estimate"] {
            let answer = door.post(&format!("{CONTRACT}/{id}/{call}"), &body).await;
            refused(&answer, 400, "upgrade_configuration.currency");
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_billed_by_the_hour_but_a_contract_of_charges_by_hand_may_be_in_hours() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-10-05T12:00:00Z");
        let (customer, plan) = (door.customer().await, plan_of(&door, "Basic", "1").await);
        let events = test.events().await;
        let mut body = json!({"customer": customer, "plan": plan, "currency": "usd", "cycle": "hour"});
        refused(&door.post(CONTRACT, &body).await, 400, "cycle");
        body["is_pending"] = json!(true);
        refused(&door.post(CONTRACT, &body).await, 400, "cycle");
        assert_eq!(test.events().await, events);
        let daily = json!({"currency": "usd", "cycle": "day"});
        let id = door.contract_of(&customer, &plan, daily).await;
        let events = test.events().await;
        let to_hours = json!({"upgrade_configuration": {
            "upgrade_strategy": "new_plan", "plan_id": plan, "currency": "usd", "cycle": "hour",
        }});
        for call in ["upgrade", "upgrade_estimate"] {
            let answer = door.post(&format!("{CONTRACT}/{id}/{call}"), &to_hours).await;
            refused(&answer, 400, "upgrade_configuration.cycle");
        }
        assert_eq!(test.events().await, events);
        let nothing = json!({"name": "Nothing", "currency": "USD", "lines": []});
        let nothing = door.own("/billstream/v1/plans", &nothing).await;
        door.contract_of(&customer, &nothing, json!({"currency": "usd", "cycle": "hour"}))
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calendar_of_invoices_carries_over_upgrades_and_moves() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-03-01T12:00:00Z");
        let customer = door.customer().await;
        let (small, large) = (plan_of(&door, "Small", "10").await, plan_of(&door, "Large", "20").await);
        let every_two_months = json!({"periodic": {"cycle": "month", "cycle_count": 2}});
        let terms = json!({"currency": "usd", "activation": "2026-03-01", "invoice_trigger": every_two_months});
        let id = door.contract_of(&customer, &small, terms).await;
        bill(&door, &id).await;
        test.clock.set("2026-04-01T12:00:00Z");
        bill(&door, &id).await;
        let body = json!({"upgrade_configuration": {
            "upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd",
        }});
        let new = door.id(&format!("{CONTRACT}/{id}/upgrade"), &body).await;
        test.clock.set("2026-06-01T12:00:00Z");
        for one in [&id, &new] {
            bill(&door, one).await;
        }
        let other = door.customer().await;
        let body = json!({"customer": other});
        let bearer = format!("Bearer {}", door.tenant.billstream.api_key);
        let path = format!("/billstream/v1/contracts/{new}/move");
        let moved = test
            .send("POST", &path, &[("authorization", &bearer)], &body.to_string())
            .await;
        assert_eq!(moved.status, 200, "{moved:?}");
        let moved = moved.json()["contract_id"].as_str().expect("an id").to_owned();
        test.clock.set("2026-09-01T12:00:00Z");
        for one in [&new, &moved] {
            bill(&door, one).await;
        }
        let days: std::collections::BTreeSet<_> = invoices(&door).await.into_iter().map(|(day, _)| day).collect();
        let days: Vec<_> = days.iter().map(String::as_str).collect();
        assert_eq!(days, ["2026-03-01", "2026-05-01", "2026-07-01", "2026-09-01"]);
    })
    .await;
}
