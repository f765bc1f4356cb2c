//! Previews over HTTP against what then happens.

use aggregates::{
    AnyEvent,
    id::TenantId,
    money::{Currency, Money},
    purchase,
};
use billstream::{app::purchases::Bought, journal::Request};
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

/// The invoices that were made after a position, as our own door explains them.
async fn made_since(doors: &Doors, before: i64) -> Vec<Value> {
    let mut made = Vec::new();
    for event in doors.feed(before).await.0 {
        if event["type"] == "invoice.issued" {
            let id = event["stream"]["id"].as_str().expect("an id");
            let path = format!("/billstream/v1/invoices/{id}/explain");
            made.push(doors.get(Door::Own, &path).await);
        }
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_collected_on_the_way_uses_credit_in_a_preview_too() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let body = json!({"flat_fee_due_date_policy": "end_of_period", "due_date_policy": "end_of_period"});
        doors.post(Door::Wingback, "/v1/c/preferences/invoicing", &body).await;
        let (customer, plan) = (customer(&doors).await, plan(&doors, "10.00", "recurring").await);
        let sign = async |activation: &str, automatic: bool| {
            let body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month",
                "activation": activation, "automatic_payment": automatic, "invoice_trigger": "immediate"});
            doors.made(Door::Wingback, "/v1/c/contract", &body).await
        };
        // Due at the end of its period: it is open for a month before it is collected. The other one is never collected.
        sign("2026-10-05", true).await;
        let other = sign("2026-10-20", false).await;
        doors.move_clock("2026-10-06T00:00:00Z").await;
        let body = json!({"name": "Given back", "amount": "-35.00", "automatic_payment": false,
            "period_start": "2026-10-06", "period_end": "2026-11-06"});
        let path = format!("/billstream/v1/contracts/{other}/charges");
        doors.post(Door::Own, &path, &body).await;
        for until in ["2026-11-05T00:00:00Z", "2026-11-20T00:00:00Z", "2027-01-06T00:00:00Z"] {
            let preview = doors.post(Door::Own, RUN, &json!({"until": until})).await;
            let (_, before) = doors.feed(0).await;
            doors.move_clock(until).await;
            let made = made_since(&doors, before).await;
            assert_eq!(
                paid(preview["invoices"].as_array().expect("invoices")),
                paid(&made),
                "{until}"
            );
        }
        let (events, _) = doors.feed(0).await;
        let applied = events.iter().find(|event| event["type"] == "invoice.credit_applied");
        assert_eq!(
            applied.expect("a collection used credit")["payload"]["amount"]["minor"],
            1000
        );
    })
    .await;
}

/// A template of one product, and a subscriber of it who has some periods for nothing first.
async fn subscriber(doors: &Doors, email: &str, fields: Value) -> (String, String) {
    let product = json!({"name": "Visit", "price": 1500, "quantity": "1.5", "discount": 50, "tax_percent": "6"});
    let mut body = json!({"purchase": {"currency": "MYR", "timezone": "Asia/Kolkata", "products": [product]},
        "title": "Template", "is_subscription": true, "subscription_active": true, "subscription_period": 1,
        "subscription_period_units": "months", "subscription_trial_periods": 1, "trial_rule": "elapsed"});
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    let template = doors.made(Door::Chip, "/api/v1/billing_templates/", &body).await;
    let client = doors
        .made(Door::Chip, "/api/v1/clients/", &json!({"email": email}))
        .await;
    let path = format!("/api/v1/billing_templates/{template}/add_subscriber/");
    let added = doors
        .post(
            Door::Chip,
            &path,
            &json!({"client_id": client, "invoice_reference": "R-1"}),
        )
        .await;
    let id = added["billing_template_client"]["id"].as_str().expect("an id");
    (template, id.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_purchases_of_subscribers_are_made_as_they_were_previewed() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let tenant = TenantId::from_stored(&doors.test.tenant.tenant_id);
        subscriber(&doors, "one@example.com", json!({"number_of_billing_cycles": 3})).await;
        subscriber(
            &doors,
            "two@example.com",
            json!({"subscription_period_units": "weeks", "subscription_period": 2}),
        )
        .await;
        let (standing, _) = subscriber(&doors, "three@example.com", json!({})).await;
        let path = format!("/api/v1/billing_templates/{standing}/");
        let mut template = doors.get(Door::Chip, &path).await;
        template["purchase"] = json!({"currency": "MYR", "products": template["purchase"]["products"]});
        template["subscription_active"] = false.into();
        doors.ok(Door::Chip, "PUT", &path, &template).await;
        let (deleted, _) = subscriber(&doors, "four@example.com", json!({})).await;
        let path = format!("/api/v1/billing_templates/{deleted}/");
        doors.ok(Door::Chip, "DELETE", &path, &Value::Null).await;
        // The second time some of them are under way.
        for until in ["2026-12-20T00:00:00Z", "2027-06-01T00:00:00Z"] {
            let scope = projections::subscription::Scope::default();
            let end = until.parse().expect("a time");
            let (_, before) = doors.feed(0).await;
            let app = &doors.test.app;
            let now = app.now_of(&tenant).await.expect("a time");
            let request = Request::new(tenant.clone(), "test", "test", now);
            let preview = app.preview_run(&request, scope, end).await.expect("a preview");
            let shown = doors.post(Door::Own, RUN, &json!({"until": until})).await;
            assert_eq!(doors.feed(0).await.1, before, "a preview wrote");
            assert_eq!(preview.unbillable, []);
            doors.move_clock(until).await;
            let feed = doors.test.app.events(&tenant, before, 1000).await.expect("the log");
            let mut made = Vec::new();
            for event in feed.recordings.into_iter().flat_map(|recording| recording.events) {
                if let AnyEvent::Purchase(purchase::Event::Created {
                    purchase,
                    customer,
                    order,
                    total,
                    ..
                }) = event
                {
                    made.push(Bought {
                        purchase,
                        customer,
                        order: *order,
                        total,
                    });
                }
            }
            assert!(made.len() > 4, "{made:?}");
            assert_eq!(preview.purchases, made, "{until}");
            for (shown, made) in shown["purchases"].as_array().expect("purchases").iter().zip(&made) {
                let path = format!("/api/v1/purchases/{}/", made.purchase);
                let bought = doors.get(Door::Chip, &path).await;
                assert_eq!(shown["id"], bought["id"]);
                assert_eq!(shown["total"], "23.32", "1.5 of 15.00, 0.50 off, 6 % on it: {shown}");
                assert_eq!(bought["purchase"]["total"], 2332);
                assert_eq!(shown["issued"], bought["issued"], "{bought}");
                assert_eq!(shown["reference"], "R-1");
                assert_eq!(shown["billing_template_id"], bought["billing_template_id"]);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_one_customer_shows_their_purchases_only() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        subscriber(&doors, "one@example.com", json!({})).await;
        subscriber(&doors, "two@example.com", json!({})).await;
        let until = "2026-12-20T00:00:00Z";
        let all = doors.post(Door::Own, RUN, &json!({"until": until})).await;
        let all = all["purchases"].as_array().expect("purchases");
        assert_eq!(all.len(), 4, "{all:?}");
        let customer = &all[0]["customer_id"];
        let body = json!({"until": until, "customer_id": customer});
        let theirs = doors.post(Door::Own, RUN, &body).await;
        let theirs = theirs["purchases"].as_array().expect("purchases");
        assert_eq!(theirs.len(), 2);
        assert!(theirs.iter().all(|one| one["customer_id"] == *customer));
    })
    .await;
}
