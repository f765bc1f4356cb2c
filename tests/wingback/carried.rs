//! What a contract carries over an upgrade, and what it cannot be billed by.

use serde_json::{Value, json};

use super::{
    CONTRACT, Door, refused,
    upgrades::{bill, invoices, plan_of},
};
use crate::support::on_both;

/// A contract with half off, and the plan it is to go on under.
async fn with_half_off(door: &Door<'_>, more: Value) -> (String, String) {
    let customer = door.customer().await;
    let (small, large) = (
        plan_of(door, "Small", "100").await,
        plan_of(door, "Large", "200").await,
    );
    let half = json!({"name": "Half off", "percent": "50"});
    let half = door.own("/billstream/v1/discounts", &half).await;
    let mut terms = json!({"currency": "usd", "activation": "2026-10-05", "discount_id": half});
    let fields = terms.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    (door.contract_of(&customer, &small, terms).await, large)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_keeps_the_discount_as_its_estimate_says() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-10-05T12:00:00Z");
        let (id, large) = with_half_off(&door, json!({})).await;
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
async fn a_pending_contract_keeps_its_discount_in_an_upgrade_and_an_upgraded_one_in_the_next() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-10-05T12:00:00Z");
        let (id, large) = with_half_off(&door, json!({"is_pending": true})).await;
        let body = json!({"upgrade_configuration": {
            "upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd",
        }});
        let new = door.id(&format!("{CONTRACT}/{id}/upgrade"), &body).await;
        bill(&door, &new).await;
        let again = json!({"downgrade_allowed": false, "upgrade_configuration": {
            "upgrade_strategy": "new_plan", "plan_id": large, "currency": "usd", "activation": {"type": "next_cycle"},
        }});
        let last = door.id(&format!("{CONTRACT}/{new}/upgrade"), &again).await;
        test.clock.set("2026-11-06T12:00:00Z");
        bill(&door, &last).await;
        let totals: Vec<_> = invoices(&door).await.into_iter().map(|(_, total)| total).collect();
        assert_eq!(totals, ["100.00", "100.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_less_for_the_plan_alone_is_a_downgrade_after_discounts_too() {
    on_both(async |test| {
        let door = Door::new(&test);
        test.clock.set("2026-10-05T12:00:00Z");
        let (id, _) = with_half_off(&door, json!({})).await;
        // 60.00 with the discount on it is 30.00 a month, which is less than 50.00.
        let less = plan_of(&door, "Less", "60").await;
        let body = json!({"upgrade_configuration": {
            "upgrade_strategy": "new_plan", "plan_id": less, "currency": "usd",
        }});
        let path = format!("{CONTRACT}/{id}/upgrade");
        refused(&door.post(&path, &body).await, 400, "downgrade_allowed");
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
