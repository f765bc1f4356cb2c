use serde_json::{Value, json};

use super::{CONTRACT, CUSTOMER, Door, NOBODY, PREFERENCES, refused};
use crate::support::on_both;

async fn summary(door: &Door<'_>, id: &str) -> Value {
    let answer = door.get(&format!("{CONTRACT}/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["contract_summary"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_signed_and_read_back() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        let id = door
            .contract_of(&customer, &plan, json!({"activation": "2026-09-30"}))
            .await;
        assert!(id.starts_with("Cont_"), "{id}");
        let contract = door.get(&format!("{CONTRACT}/{id}")).await.json();
        let summary = &contract["contract_summary"];
        for (field, value) in [
            ("id", json!(id)),
            ("customer_id", json!(customer)),
            ("customer", json!("Acme")),
            ("plan_id", json!(plan)),
            ("plan_external_name", json!("Basic")),
            ("status", json!("active")),
            ("cycle", json!("month")),
            ("currency", json!("eur")),
            ("activation", json!("2026-09-30T00:00:00Z")),
            ("created", json!("2026-10-05T12:00:00Z")),
            ("next_cycle_start", json!("2026-10-30T00:00:00Z")),
        ] {
            assert_eq!(summary[field], value, "{field}");
        }
        let period = json!({"start": "2026-09-30T00:00:00Z", "end": "2026-10-30T00:00:00Z"});
        let billing = json!({"current_period": period, "current_period_idx": 1});
        assert_eq!(contract["billing_information"], billing);
        assert_eq!(summary["billing_information"], billing);
        assert_eq!(contract["plan"]["id"], plan.as_str());
        let listed = door.get(&format!("{CUSTOMER}/{customer}")).await.json();
        assert_eq!(listed["contracts"][0]["id"], id.as_str());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cycle_currency_and_kind_of_activation_is_accepted() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        for cycle in ["once", "hour", "day", "week", "month", "quarter", "year", "constant"] {
            let id = door.contract_of(&customer, &plan, json!({"cycle": cycle})).await;
            let summary = summary(&door, &id).await;
            assert_eq!(summary["cycle"], cycle);
            let endless = summary["billing_information"]["current_period"]["end"].is_null();
            assert_eq!(endless, matches!(cycle, "once" | "constant"), "{cycle}");
        }
        for currency in ["usd", "EUR", "gbp", "brl", "ars", "jpy", "kwd"] {
            let id = door.contract_of(&customer, &plan, json!({"currency": currency})).await;
            assert_eq!(summary(&door, &id).await["currency"], currency.to_lowercase());
        }
        for (activation, date, status) in [
            (Value::Null, "2026-10-05", "active"),
            (json!("2026-10-05"), "2026-10-05", "active"),
            (json!("2026-10-06"), "2026-10-06", "scheduled"),
            (json!("2026-10-05T23:30:00-02:00"), "2026-10-06", "scheduled"),
        ] {
            let id = door
                .contract_of(&customer, &plan, json!({"activation": activation}))
                .await;
            let summary = summary(&door, &id).await;
            assert_eq!(summary["activation"], format!("{date}T00:00:00Z"));
            assert_eq!(summary["status"], status);
        }
        let id = door.contract_of(&customer, &plan, json!({"is_pending": true})).await;
        assert_eq!(summary(&door, &id).await["status"], "pending");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_currency_without_money_and_a_date_out_of_the_ordinary_are_refused() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        let events = test.events().await;
        for (field, value) in [
            ("currency", "XXX"),
            ("currency", "xau"),
            ("activation", "2026-1-5"),
            ("activation", "+2026-10-05"),
            ("activation", "+12026-10-05"),
            ("activation", "0000-10-05"),
            ("activation", "9999-12-31T23:59:59-01:00"),
        ] {
            let mut body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month"});
            body[field] = value.into();
            refused(&door.post(CONTRACT, &body).await, 400, field);
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_keeps_the_preferences_of_the_day_it_was_signed() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        let first = json!({
            "automatic_payment": true, "due_date_policy": "start_of_period",
            "flat_fee_due_date_policy": "end_of_period", "invoice_trigger": "manual",
            "usage_period_closing_policy": "1 day",
        });
        door.post(PREFERENCES, &first).await;
        let id = door.contract_of(&customer, &plan, json!({})).await;
        let later =
            json!({"automatic_payment": false, "due_date_policy": "end_of_period", "invoice_trigger": "immediate"});
        door.post(PREFERENCES, &later).await;
        assert_eq!(summary(&door, &id).await["configuration"], first);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_decides_before_the_customer_and_the_customer_before_the_tenant() {
    on_both(async |test| {
        let door = Door::new(&test);
        let plan = door.plan().await;
        for (tenant, customer, contract, expected) in [
            (false, Value::Null, Value::Null, false),
            (true, Value::Null, Value::Null, true),
            (true, json!(false), Value::Null, false),
            (false, json!(true), Value::Null, true),
            (false, json!(false), json!(true), true),
            (true, json!(true), json!(false), false),
        ] {
            door.post(PREFERENCES, &json!({"automatic_payment": tenant})).await;
            let customer = door
                .id(CUSTOMER, &json!({"name": "A", "automatic_payment": customer}))
                .await;
            let id = door
                .contract_of(&customer, &plan, json!({"automatic_payment": contract}))
                .await;
            assert_eq!(
                summary(&door, &id).await["configuration"]["automatic_payment"],
                expected
            );
            let charge = door.charge(&id, "1.00", None).await;
            let [invoice] = door
                .invoices(&json!({"invoice_item_ids": [charge]}))
                .await
                .try_into()
                .expect("one");
            let detail = door.get(&format!("/v1/c/invoice/{invoice}")).await.json();
            assert_eq!(detail["invoice"]["total"], "1.00");
        }
        for trigger in [
            json!("manual"),
            json!({"periodic": {"cycle": "month", "cycle_count": 2, "cycle_start_offset": null}}),
        ] {
            let customer = door.customer().await;
            let id = door
                .contract_of(&customer, &plan, json!({"invoice_trigger": trigger}))
                .await;
            assert_eq!(summary(&door, &id).await["configuration"]["invoice_trigger"], trigger);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_unknown_and_foreign_things_are_refused_and_leave_nothing() {
    on_both(async |test| {
        let (door, other) = (Door::new(&test), Door::other(&test).await);
        let (customer, plan) = (door.customer().await, door.plan().await);
        let foreign_contract = other.contract().await;
        let (foreign_customer, foreign_plan) = (other.customer().await, other.plan().await);
        let events = test.events().await;
        let good = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month"});
        let with = |field: &str, value: Value| {
            let mut body = good.clone();
            body[field] = value;
            body
        };
        let periodic = |count: i64| json!({"periodic": {"cycle": "month", "cycle_count": count}});
        for (field, value, status, topic) in [
            ("customer", json!(format!("Cust_{NOBODY}")), 404, "customer"),
            ("customer", json!(foreign_customer), 404, "customer"),
            ("customer", json!(plan), 400, "customer"),
            ("customer", Value::Null, 400, "customer"),
            ("plan", json!(format!("Plan_{NOBODY}")), 404, "plan"),
            ("plan", json!(foreign_plan), 404, "plan"),
            ("plan", Value::Null, 400, "plan"),
            ("currency", json!("euro"), 400, "currency"),
            ("currency", json!("zzz"), 400, "currency"),
            ("currency", Value::Null, 400, "currency"),
            ("cycle", json!("fortnight"), 400, "cycle"),
            ("cycle", Value::Null, 400, "cycle"),
            ("activation", json!("tomorrow"), 400, "activation"),
            ("activation", json!("2026-02-30"), 400, "activation"),
            ("activation", json!(1), 400, "activation"),
            ("automatic_payment", json!("yes"), 400, "automatic_payment"),
            ("is_pending", json!("no"), 400, "is_pending"),
            (
                "invoice_trigger",
                periodic(0),
                400,
                "invoice_trigger.periodic.cycle_count",
            ),
            (
                "invoice_trigger",
                periodic(-1),
                400,
                "invoice_trigger.periodic.cycle_count",
            ),
            ("invoice_trigger", json!("sometimes"), 400, "invoice_trigger"),
            ("free_trial_days", json!(0), 400, "free_trial_days"),
            ("discount_id", json!("x"), 400, "discount_id"),
        ] {
            refused(&door.post(CONTRACT, &with(field, value)).await, status, topic);
        }
        for id in [format!("Cont_{NOBODY}"), foreign_contract] {
            refused(&door.get(&format!("{CONTRACT}/{id}")).await, 404, "contract_id");
        }
        refused(&door.get(&format!("{CONTRACT}/{NOBODY}")).await, 400, "contract_id");
        assert_eq!(test.events().await, events);
    })
    .await;
}
