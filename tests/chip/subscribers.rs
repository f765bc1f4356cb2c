use aggregates::id::{SubscriptionId, TenantId};
use billstream::{
    app::{
        due::{Owed, Wanted, Whose, Work},
        subscribers::Turn,
    },
    journal::Request,
};
use serde_json::{Value, json};

use super::templates::{but, error, one_off, subscription};
use crate::support::{Answer, TestApp, on_both};

/// A template's subscriber, as the tests speak of it.
struct Subscriber<'a> {
    test: &'a TestApp,
    path: String,
    id: String,
}

impl TestApp {
    async fn add(&self, template: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/billing_templates/{template}/add_subscriber/");
        self.chip("POST", &path, &body.to_string()).await
    }

    /// Adds a new client to a template and gives the answer, too.
    async fn subscribed(&self, template: &str, more: Value) -> (Subscriber<'_>, Value) {
        let client = self.new_client("ada@example.com").await;
        let answer = self.add(template, &but(json!({"client_id": client}), more)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        let id = answer["billing_template_client"]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let path = format!("/api/v1/billing_templates/{template}/clients/{id}/");
        (Subscriber { test: self, path, id }, answer)
    }

    fn tenant_id(&self) -> TenantId {
        TenantId::from_stored(&self.tenant.tenant_id)
    }

    /// Which subscribers are to be billed then, the longest due first.
    async fn due(&self, now: &str) -> Vec<(SubscriptionId, Turn)> {
        let wanted = Wanted {
            whose: Whose::Tenant(self.tenant_id()),
            until: now.parse().expect("a time"),
            rested_at: None,
        };
        let due = self.app.work(&wanted, None, 100).await.expect("what is due");
        let turn = |work: &Work| match work.owed {
            Owed::Purchase(turn) => Some((work.place.id, turn)),
            Owed::Charges(_) => None,
        };
        due.iter().filter_map(turn).collect()
    }

    /// A subscriber of a new template with these fields.
    async fn subscriber_of(&self, fields: Value) -> (Subscriber<'_>, Value) {
        let template = self.template_id(&but(subscription(), fields)).await;
        self.subscribed(&template, json!({})).await
    }
}

impl Subscriber<'_> {
    async fn read(&self) -> Value {
        let answer = self.test.chip("GET", &self.path, "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn patch(&self, body: &Value) -> Answer {
        self.test.chip("PATCH", &self.path, &body.to_string()).await
    }

    async fn stands(&self, status: &str, next: Option<&str>, passed: u32) {
        let now = self.read().await;
        let expected = json!([status, next, passed]);
        let found = json!([
            now["status"],
            now["subscription_billing_scheduled_on"],
            now["number_of_billing_cycles_passed"]
        ]);
        assert_eq!(found, expected);
    }

    /// Moves the clock to noon of a day and bills what is due; the purchases made.
    async fn bill(&self, day: &str) -> Vec<Value> {
        let now = format!("{day}T12:00:00Z");
        self.test.clock.set(&now);
        let id: SubscriptionId = self.id.parse().expect("an id");
        let due = self.test.due(&now).await;
        let mut turn = due.iter().find(|(due, _)| *due == id).map(|(_, turn)| *turn);
        let now = now.parse().expect("a time");
        let request = Request::new(self.test.tenant_id(), "scheduler", "cli", now);
        let mut purchases = Vec::new();
        while let Some(its) = turn {
            let taken = self.test.app.bill_subscriber(&request, id, its, now).await;
            let taken = taken.expect("billed");
            if let Some(purchase) = taken.purchase {
                purchases.push(self.test.purchase(&purchase.to_string()).await);
            }
            let next = taken.next.filter(|(_, begins)| *begins <= now);
            turn = next.map(|(number, _)| Turn { number, ..its });
        }
        purchases
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_purchase_is_to_be_paid_before_the_cycle_begins() {
    on_both(async |test| {
        test.clock.set("2026-10-30T12:00:00Z");
        let template = test.template_id(&subscription()).await;
        let (subscriber, answer) = test.subscribed(&template, json!({})).await;
        let client = &answer["billing_template_client"];
        let expected = json!({
            "type": "billing_template_client", "id": subscriber.id, "created_on": 1_793_361_600,
            "updated_on": 1_793_361_600, "client_id": client["client_id"], "status": "pending",
            "subscription_billing_scheduled_on": null, "payment_method_whitelist": null,
            "send_invoice_on_charge_failure": true, "send_invoice_on_add_subscriber": false, "send_receipt": true,
            "invoice_reference": null, "number_of_billing_cycles_passed": 1,
        });
        assert_eq!(*client, expected);
        let purchase = &answer["purchase"];
        for (name, value) in [
            ("status", json!("created")),
            ("billing_template_id", json!(template)),
            ("product", json!("billing_subscriptions_invoice")),
            ("due", json!(1_793_361_600 + 7 * 86_400)),
            ("issued", json!("2026-10-30")),
            ("send_receipt", json!(true)),
        ] {
            assert_eq!(purchase[name], value, "{name}");
        }
        assert_eq!(
            test.read_template(&template).await.json()["subscription_has_active_clients"],
            false
        );
        assert_eq!(subscriber.bill("2026-12-30").await, Vec::<Value>::new());

        test.clock.set("2026-11-02T12:00:00Z");
        let id = purchase["id"].as_str().expect("an id");
        assert_eq!(test.act(id, "mark_as_paid", "").await.status, 200);
        subscriber.stands("active", Some("2026-12-02"), 1).await;
        assert_eq!(
            test.read_template(&template).await.json()["subscription_has_active_clients"],
            true
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_who_is_billed_later_is_active_at_once() {
    on_both(async |test| {
        test.clock.set("2026-01-15T12:00:00Z");
        for (fields, next) in [
            (json!({"subscription_charge_period_end": true}), "2026-02-15"),
            (json!({"subscription_trial_periods": 2}), "2026-04-15"),
            (
                json!({"subscription_trial_periods": 2, "subscription_charge_period_end": true}),
                "2026-05-15",
            ),
            (
                json!({"subscription_trial_periods": 2, "trial_rule": "elapsed"}),
                "2026-03-15",
            ),
        ] {
            let (subscriber, answer) = test.subscriber_of(fields).await;
            assert_eq!(answer["purchase"], Value::Null);
            assert_eq!(answer["billing_template_client"]["status"], "active");
            subscriber.stands("active", Some(next), 0).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_period_is_billed_once_on_its_day_and_the_schedule_comes_back_to_the_thirtieth() {
    on_both(async |test| {
        test.clock.set("2026-01-30T12:00:00Z");
        let (subscriber, _) = test
            .subscriber_of(json!({"subscription_charge_period_end": true}))
            .await;
        subscriber.stands("active", Some("2026-02-28"), 0).await;
        assert!(subscriber.bill("2026-02-27").await.is_empty());
        let made = subscriber.bill("2026-02-28").await;
        assert_eq!(made.len(), 1);
        assert_eq!(made[0]["status"], "sent");
        assert_eq!(made[0]["issued"], "2026-02-28");
        assert!(subscriber.bill("2026-02-28").await.is_empty());
        subscriber.stands("active", Some("2026-03-30"), 1).await;
        // After a downtime every period is made up for.
        assert_eq!(subscriber.bill("2026-06-01").await.len(), 3);
        subscriber.stands("active", Some("2026-06-30"), 4).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_bill_at_once_make_one_purchase_a_period() {
    on_both(async |test| {
        test.clock.set("2026-01-15T12:00:00Z");
        let (subscriber, _) = test
            .subscriber_of(json!({"subscription_charge_period_end": true}))
            .await;
        let (one, other) = tokio::join!(subscriber.bill("2026-05-01"), subscriber.bill("2026-05-01"));
        let mut numbers: Vec<_> = one
            .iter()
            .chain(&other)
            .map(|made| made["reference_generated"].to_string())
            .collect();
        numbers.sort();
        assert_eq!(numbers, ["\"CH1\"", "\"CH2\"", "\"CH3\""]);
        subscriber.stands("active", Some("2026-05-15"), 3).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_billed_in_a_pause_nor_made_up_for_after_it() {
    on_both(async |test| {
        test.clock.set("2026-02-15T12:00:00Z");
        let (subscriber, _) = test
            .subscriber_of(json!({"subscription_charge_period_end": true}))
            .await;
        test.clock.set("2026-03-14T12:00:00Z");
        let paused = subscriber.patch(&json!({"status": "subscription_paused"})).await;
        assert_eq!(
            (paused.status, paused.json()["status"].as_str()),
            (200, Some("subscription_paused"))
        );
        assert!(subscriber.bill("2026-03-15").await.is_empty());
        test.clock.set("2026-03-16T12:00:00Z");
        assert_eq!(subscriber.patch(&json!({"status": "active"})).await.status, 200);
        subscriber.stands("active", Some("2026-04-15"), 0).await;
        assert_eq!(subscriber.bill("2026-04-15").await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_stands_still_pauses_all_its_subscribers() {
    on_both(async |test| {
        test.clock.set("2026-02-15T12:00:00Z");
        let body = but(subscription(), json!({"subscription_charge_period_end": true}));
        let template = test.template_id(&body).await;
        let (subscriber, _) = test.subscribed(&template, json!({})).await;
        test.clock.set("2026-03-14T12:00:00Z");
        let active = |active: bool| but(body.clone(), json!({"subscription_active": active}));
        assert_eq!(test.put_template(&template, &active(false)).await.status, 200);
        assert!(subscriber.bill("2026-03-15").await.is_empty());
        let now = "2026-03-16T12:00:00Z";
        assert_eq!(test.due(now).await, []);
        test.clock.set("2026-03-16T12:00:00Z");
        assert_eq!(test.put_template(&template, &active(true)).await.status, 200);
        let due = test.due(now).await;
        assert_eq!(due.len(), 1, "its missed date is still to be passed over");
        assert!(subscriber.bill("2026-03-16").await.is_empty());
        subscriber.stands("active", Some("2026-04-15"), 0).await;
        assert_eq!(test.due(now).await, []);
        assert_eq!(subscriber.bill("2026-04-15").await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_due_is_known_from_the_beginning_of_the_day_in_the_zone() {
    on_both(async |test| {
        test.clock.set("2026-01-15T12:00:00Z");
        let purchase = json!({"products": [{"name": "x", "price": 1}], "timezone": "Asia/Kuala_Lumpur"});
        let fields = json!({"subscription_charge_period_end": true, "purchase": purchase});
        let (subscriber, _) = test.subscriber_of(fields).await;
        let due = async |now: &str| {
            let due = test.due(now).await;
            due.into_iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(due("2026-02-14T15:59:59Z").await, Vec::<String>::new());
        assert_eq!(due("2026-02-14T16:00:00Z").await, [subscriber.id.as_str()]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_cycle_a_subscriber_is_inactive() {
    on_both(async |test| {
        test.clock.set("2026-01-15T12:00:00Z");
        let fields = json!({"subscription_charge_period_end": true, "number_of_billing_cycles": 2});
        let (subscriber, _) = test.subscriber_of(fields).await;
        assert_eq!(subscriber.bill("2026-12-31").await.len(), 2);
        subscriber.stands("inactive", None, 2).await;
        assert!(subscriber.bill("2027-12-31").await.is_empty());
        error(
            "status",
            "read_only",
            &subscriber.patch(&json!({"status": "active"})).await,
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_template_or_client_a_subscriber_ends() {
    on_both(async |test| {
        test.clock.set("2026-01-15T12:00:00Z");
        let body = but(subscription(), json!({"subscription_charge_period_end": true}));
        let template = test.template_id(&body).await;
        let (subscriber, answer) = test.subscribed(&template, json!({})).await;
        let client = answer["billing_template_client"]["client_id"].as_str().expect("an id");
        assert_eq!(
            test.chip("DELETE", &format!("/clients/{client}/"), "").await.status,
            204
        );
        assert!(subscriber.bill("2026-02-15").await.is_empty());
        subscriber.stands("inactive", None, 0).await;
        let (orphan, _) = test.subscribed(&template, json!({})).await;
        assert_eq!(
            test.chip("DELETE", &format!("/billing_templates/{template}/"), "")
                .await
                .status,
            204
        );
        assert!(orphan.bill("2026-04-15").await.is_empty());
        let now = "2027-01-01T00:00:00Z";
        assert_eq!(test.due(now).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_launched_only_the_due_period_and_the_pause_of_the_subscription_change() {
    on_both(async |test| {
        test.clock.set("2026-01-15T12:00:00Z");
        let body = but(subscription(), json!({"subscription_charge_period_end": true}));
        let template = test.template_id(&body).await;
        let (subscriber, _) = test.subscribed(&template, json!({})).await;
        let change = but(
            body,
            json!({"subscription_period": 2, "subscription_period_units": "days", "subscription_trial_periods": 3,
                "subscription_charge_period_end": false, "subscription_due_period": 1,
                "subscription_due_period_units": "months", "subscription_active": false}),
        );
        let answer = test.put_template(&template, &change).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let now = answer.json();
        for (name, value) in [
            ("subscription_has_active_clients", json!(true)),
            ("subscription_period", json!(1)),
            ("subscription_period_units", json!("months")),
            ("subscription_trial_periods", json!(0)),
            ("subscription_charge_period_end", json!(true)),
            ("subscription_due_period", json!(1)),
            ("subscription_due_period_units", json!("months")),
            ("subscription_active", json!(false)),
        ] {
            assert_eq!(now[name], value, "{name}");
        }
        subscriber.stands("active", None, 0).await;
        let active = json!({"subscription_active": true});
        assert_eq!(test.put_template(&template, &active).await.status, 200);
        subscriber.stands("active", Some("2026-02-15"), 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_merchant_chooses_for_a_subscriber_reaches_its_purchases() {
    on_both(async |test| {
        let template = test.template_id(&subscription()).await;
        let more = json!({"payment_method_whitelist": ["visa"], "send_invoice_on_add_subscriber": true,
            "send_receipt": false, "invoice_reference": "R-1", "status": "active"});
        let (subscriber, answer) = test.subscribed(&template, more).await;
        let purchase = &answer["purchase"];
        assert_eq!(purchase["status"], "sent");
        assert_eq!(purchase["payment_method_whitelist"], json!(["visa"]));
        assert_eq!(
            (&purchase["send_receipt"], &purchase["reference"]),
            (&json!(false), &json!("R-1"))
        );
        assert_eq!(answer["billing_template_client"]["status"], "pending");

        let change = json!({"payment_method_whitelist": null, "send_receipt": true, "invoice_reference": null,
            "send_invoice_on_charge_failure": false, "client_id": "ignored", "status": "pending"});
        let changed = subscriber.patch(&change).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let changed = changed.json();
        for (name, value) in [
            ("payment_method_whitelist", Value::Null),
            ("send_receipt", json!(true)),
            ("invoice_reference", Value::Null),
            ("send_invoice_on_charge_failure", json!(false)),
            ("send_invoice_on_add_subscriber", json!(true)),
        ] {
            assert_eq!(changed[name], value, "{name}");
        }
        let events = test.events().await;
        let same = subscriber.patch(&json!({})).await;
        assert_eq!((same.status, same.json()), (200, changed));
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_with_subscribers_is_refused_and_leaves_no_event() {
    on_both(async |test| {
        let (template, visit) = (
            test.template_id(&subscription()).await,
            test.template_id(&one_off()).await,
        );
        let (subscriber, answer) = test.subscribed(&template, json!({})).await;
        let client = &answer["billing_template_client"]["client_id"];
        let events = test.events().await;
        error("client_id", "required", &test.add(&template, &json!({})).await);
        error(
            "client_id",
            "invalid",
            &test.add(&template, &json!({"client_id": "x"})).await,
        );
        let nobody = json!({"client_id": "1026967d-0705-4e24-ab35-9c125e5701ea"});
        error("client_id", "does_not_exist", &test.add(&template, &nobody).await);
        error(
            "__all__",
            "invalid",
            &test.add(&visit, &json!({"client_id": client})).await,
        );
        for (name, value, code) in [
            ("payment_method_whitelist", json!([]), "min_length"),
            ("payment_method_whitelist", json!(["gold"]), "invalid_choice"),
            ("send_receipt", json!("maybe"), "invalid"),
            ("send_invoice_on_charge_failure", Value::Null, "null"),
            ("invoice_reference", json!("r".repeat(129)), "max_length"),
            ("status", json!("gone"), "invalid_choice"),
            ("status", json!("active"), "read_only"),
            ("status", json!("subscription_paused"), "read_only"),
            ("status", json!("inactive"), "read_only"),
        ] {
            error(name, code, &subscriber.patch(&json!({name: value})).await);
            if name != "status" {
                let body = but(json!({"client_id": client}), json!({name: value}));
                error(name, code, &test.add(&template, &body).await);
            }
        }
        // A subscriber is found under its own template only.
        let elsewhere = format!("/billing_templates/{visit}/clients/{}/", subscriber.id);
        for (method, path) in [
            ("GET", elsewhere.as_str()),
            ("PATCH", elsewhere.as_str()),
            ("GET", "/billing_templates/%ff/clients/%ff/"),
        ] {
            assert_eq!(test.chip(method, path, "{}").await.status, 404, "{method} {path}");
        }
        assert_eq!(test.chip("DELETE", &subscriber.path, "").await.status, 405);
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_client_may_subscribe_twice_and_the_newest_is_listed_first() {
    on_both(async |test| {
        let template = test.template_id(&subscription()).await;
        let (first, answer) = test.subscribed(&template, json!({})).await;
        let client = &answer["billing_template_client"]["client_id"];
        let second = test.add(&template, &json!({"client_id": client})).await.json();
        let path = format!("/api/v1/billing_templates/{template}/clients/");
        let list = test.chip("GET", &path, "").await;
        assert_eq!(list.status, 200, "{list:?}");
        let expected = json!({"results": [second["billing_template_client"], first.read().await],
            "next": null, "previous": null});
        assert_eq!(list.json(), expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_of_a_template_that_is_not_active_has_no_day_of_its_next_purchase() {
    on_both(async |test| {
        let body = but(subscription(), json!({"subscription_charge_period_end": true}));
        let template = test.template_id(&body).await;
        let (subscriber, _) = test.subscribed(&template, json!({})).await;
        subscriber.stands("active", Some("2026-11-05"), 0).await;
        let stopped = json!({"subscription_active": false});
        assert_eq!(test.put_template(&template, &stopped).await.status, 200);
        test.clock.set("2027-10-05T12:00:00Z");
        subscriber.stands("active", None, 0).await;
        let path = format!("/billing_templates/{template}/clients/");
        let listed = test.chip("GET", &path, "").await.json();
        assert_eq!(listed["results"][0], subscriber.read().await);
    })
    .await;
}
