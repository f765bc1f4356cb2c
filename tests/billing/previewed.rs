//! Previews over HTTP against what then happens.

use aggregates::{
    id::TenantId,
    money::{Currency, Money},
};
use serde_json::{Value, json};

use crate::support::{
    doors::{Door, Doors},
    on_both,
};

const RUN: &str = "/billstream/v1/previews/run";

async fn plan(doors: &Doors, price: &str, kind: &str) -> String {
    let mut line = json!({"name": "Line", "kind": kind, "price": {"model": "per_unit", "amount": price}});
    if kind == "metered" {
        line["metric"] = "calls".into();
    }
    let body = json!({"name": "Plan", "currency": "EUR", "lines": [line]});
    doors.made(Door::Own, "/billstream/v1/plans", &body).await
}

async fn contract(doors: &Doors, customer: &str, plan: &str, cycle: &str, trigger: Value) -> String {
    let body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": cycle,
        "activation": "2026-10-05", "invoice_trigger": trigger});
    doors.made(Door::Wingback, "/v1/c/contract", &body).await
}

async fn customer(doors: &Doors) -> String {
    doors
        .made(Door::Wingback, "/v1/c/customer", &json!({"name": "Example"}))
        .await
}

/// Contract, day, and what credit paid, of each invoice.
fn paid(invoices: &[Value]) -> Vec<String> {
    let one = |invoice: &Value| {
        let of = |field: &str| invoice[field].to_string();
        format!(
            "{} {} {} {}",
            of("contract_id"),
            of("issue_date"),
            of("total"),
            of("credit_applied")
        )
    };
    let mut all: Vec<String> = invoices.iter().map(one).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contracts_of_a_customer_use_its_credit_in_the_order_of_time() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let (customer, plan) = (customer(&doors).await, plan(&doors, "10.00", "recurring").await);
        for cycle in ["month", "week"] {
            contract(&doors, &customer, &plan, cycle, Value::Null).await;
            doors.move_clock("2026-10-06T00:00:00Z").await;
        }
        let tenant = TenantId::from_stored(&doors.test.tenant.tenant_id);
        let id = customer.split_once('_').expect("a class").1.parse().expect("an id");
        let now = "2026-10-06T00:00:00Z".parse().expect("a time");
        let request = billstream::journal::Request::new(tenant.clone(), "test", "billstream", now);
        let gift = Money::new(6500, Currency::EUR);
        doors
            .test
            .app
            .grant_credit(&request, id, gift, "gift")
            .await
            .expect("granted");
        let until = "2027-01-01T00:00:00Z";
        let preview = doors.post(Door::Own, RUN, &json!({"until": until})).await;
        let (_, before) = doors.feed(0).await;
        doors.move_clock(until).await;
        let mut made = Vec::new();
        for event in doors.feed(before).await.0 {
            if event["type"] == "invoice.issued" {
                let id = event["stream"]["id"].as_str().expect("an id");
                made.push(
                    doors
                        .get(Door::Own, &format!("/billstream/v1/invoices/{id}/explain"))
                        .await,
                );
            }
        }
        assert!(made.len() > 10, "{made:?}");
        assert_eq!(paid(preview["invoices"].as_array().expect("invoices")), paid(&made));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_already_is_explained_in_a_preview_as_on_the_invoice() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let (customer, plan) = (customer(&doors).await, plan(&doors, "10.00", "recurring").await);
        let monthly = json!({"periodic": {"cycle": "month", "cycle_count": 1, "cycle_start_offset": 0}});
        contract(&doors, &customer, &plan, "week", monthly).await;
        doors.move_clock("2026-10-20T00:00:00Z").await;
        let preview = doors
            .post(Door::Own, RUN, &json!({"until": "2026-11-01T00:00:00Z"}))
            .await;
        let lines = preview["invoices"][0]["lines"].as_array().expect("lines").clone();
        assert_eq!(lines.len(), 4, "{preview}");
        assert!(
            lines.iter().all(|line| line["explanation"]["reason"] == "period"),
            "{preview}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_to_a_metered_plan_can_be_estimated() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let (customer, fixed) = (customer(&doors).await, plan(&doors, "10.00", "recurring").await);
        let id = contract(&doors, &customer, &fixed, "month", Value::Null).await;
        let metered = plan(&doors, "0.10", "metered").await;
        let body = json!({"downgrade_allowed": true, "upgrade_configuration":
            {"upgrade_strategy": "new_plan", "plan_id": metered, "currency": "eur"}});
        let path = format!("/v1/c/contract/{id}/upgrade_estimate");
        let estimate = doors.post(Door::Wingback, &path, &body).await;
        assert_eq!(estimate["price_on_new_contract"], json!([]), "{estimate}");
    })
    .await;
}
