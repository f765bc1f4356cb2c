use serde_json::{Value, json};

use super::{DUE, one_product};
use crate::support::{Answer, TestApp, on_both};

/// A right subscription template.
pub fn subscription() -> Value {
    json!({"purchase": one_product(), "title": "Gym", "is_subscription": true, "subscription_active": true})
}

/// A right one-off template.
pub fn one_off() -> Value {
    json!({"purchase": one_product(), "title": "Visit", "is_subscription": false, "invoice_due": DUE})
}

/// The body with some fields set.
pub fn but(mut body: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else {
        panic!("fields: {fields}")
    };
    for (name, value) in fields {
        body[name] = value;
    }
    body
}

impl TestApp {
    pub async fn template(&self, body: &Value) -> Value {
        let answer = self.chip("POST", "/api/v1/billing_templates/", &body.to_string()).await;
        assert_eq!(answer.status, 201, "{body}: {answer:?}");
        answer.json()
    }

    pub async fn template_id(&self, body: &Value) -> String {
        self.template(body).await["id"].as_str().expect("an id").to_owned()
    }

    pub async fn put_template(&self, id: &str, body: &Value) -> Answer {
        self.chip("PUT", &format!("/api/v1/billing_templates/{id}/"), &body.to_string())
            .await
    }

    pub async fn read_template(&self, id: &str) -> Answer {
        self.chip("GET", &format!("/billing_templates/{id}"), "").await
    }
}

/// One error, under one field.
pub fn error(field: &str, code: &str, answer: &Answer) {
    assert_eq!(answer.status, 400, "{field}: {answer:?}");
    let errors = answer.json();
    let place = format!("/{field}/0/code");
    assert_eq!(errors.pointer(&place), Some(&json!(code)), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_template_has_the_documented_defaults_and_keys() {
    on_both(async |test| {
        let body = json!({"purchase": one_product(), "is_subscription": true});
        let template = test.template(&body).await;
        let expected = json!({
            "type": "billing_template", "created_on": 1_791_201_600, "updated_on": 1_791_201_600,
            "id": template["id"], "purchase": template["purchase"], "company_id": template["company_id"],
            "is_test": false, "user_id": null, "brand_id": test.tenant.chip.brand_id, "title": "",
            "is_subscription": true, "invoice_issued": null, "invoice_due": null, "invoice_skip_capture": null,
            "invoice_send_receipt": null, "subscription_period": 1, "subscription_period_units": "months",
            "subscription_due_period": 7, "subscription_due_period_units": "days",
            "subscription_charge_period_end": false, "subscription_trial_periods": 0, "subscription_active": false,
            "subscription_has_active_clients": false, "force_recurring": false, "number_of_billing_cycles": 0,
            "upsell_campaigns": [], "referral_campaign_id": null,
        });
        assert_eq!(template, expected);
        assert_eq!(template["purchase"]["total"], 1000);
        assert_eq!(template["purchase"]["timezone"], "UTC");
        let read = test.read_template(template["id"].as_str().expect("an id")).await;
        assert_eq!((read.status, read.json()), (200, template));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_off_template_keeps_what_is_its_own_and_ignores_the_other_kinds_fields() {
    on_both(async |test| {
        let body = but(
            one_off(),
            json!({"invoice_issued": "2026-10-01", "invoice_skip_capture": true, "invoice_send_receipt": false,
                "force_recurring": true, "subscription_period": "nonsense", "subscription_active": true,
                "id": "x", "company_id": 1, "subscription_has_active_clients": true}),
        );
        let template = test.template(&body).await;
        for (name, value) in [
            ("invoice_issued", json!("2026-10-01")),
            ("invoice_due", json!(DUE)),
            ("invoice_skip_capture", json!(true)),
            ("invoice_send_receipt", json!(false)),
            ("force_recurring", json!(true)),
            ("subscription_period", Value::Null),
            ("subscription_active", Value::Null),
            ("subscription_has_active_clients", json!(false)),
        ] {
            assert_eq!(template[name], value, "{name}");
        }
        let plain = test.template(&one_off()).await;
        assert_eq!(plain["invoice_send_receipt"], true);
        assert_eq!(plain["invoice_issued"], Value::Null);
        // And the other way round.
        let ignoring = but(subscription(), json!({"invoice_due": "x", "invoice_issued": 5}));
        assert_eq!(test.template(&ignoring).await["invoice_due"], Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_value_is_accepted_and_shown() {
    on_both(async |test| {
        for (name, value) in [
            ("subscription_period", json!(256)),
            ("subscription_period", json!(1)),
            ("subscription_period_units", json!("days")),
            ("subscription_period_units", json!("weeks")),
            ("subscription_due_period", json!(256)),
            ("subscription_due_period_units", json!("months")),
            ("subscription_charge_period_end", json!(true)),
            ("subscription_trial_periods", json!(0)),
            ("subscription_trial_periods", json!(256)),
            ("number_of_billing_cycles", json!(12)),
            ("title", json!("t".repeat(256))),
            ("trial_rule", json!("elapsed")),
        ] {
            let template = test.template(&but(subscription(), json!({name: value}))).await;
            assert_eq!(template[name], value, "{name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_bounds_or_missing_is_named() {
    on_both(async |test| {
        let events = test.events().await;
        let refused = async |body: &Value, field: &str, code: &str| {
            let answer = test.chip("POST", "/billing_templates/", &body.to_string()).await;
            error(field, code, &answer);
        };
        for (name, value, code) in [
            ("subscription_period", json!(0), "min_value"),
            ("subscription_period", json!(257), "max_value"),
            ("subscription_period", json!("x"), "invalid"),
            ("subscription_period", Value::Null, "null"),
            ("subscription_period_units", json!("years"), "invalid_choice"),
            ("subscription_due_period", json!(0), "min_value"),
            ("subscription_due_period", json!(257), "max_value"),
            ("subscription_due_period_units", json!("hours"), "invalid_choice"),
            ("subscription_trial_periods", json!(-1), "min_value"),
            ("subscription_trial_periods", json!(257), "max_value"),
            ("subscription_charge_period_end", json!("maybe"), "invalid"),
            ("subscription_active", json!("maybe"), "invalid"),
            ("number_of_billing_cycles", json!(-1), "min_value"),
            ("trial_rule", json!("longest"), "invalid_choice"),
            ("title", json!("t".repeat(257)), "max_length"),
            (
                "brand_id",
                json!("1026967d-0705-4e24-ab35-9c125e5701ea"),
                "does_not_exist",
            ),
            ("is_subscription", json!("maybe"), "invalid"),
            ("force_recurring", json!(7), "invalid"),
        ] {
            refused(&but(subscription(), json!({name: value})), name, code).await;
        }
        for (name, value, code) in [
            ("invoice_due", json!(1_791_201_600), "due_not_greater_than_now"),
            ("invoice_due", Value::Null, "required"),
            ("invoice_issued", json!("yesterday"), "invalid"),
            ("invoice_send_receipt", json!("maybe"), "invalid"),
        ] {
            refused(&but(one_off(), json!({name: value})), name, code).await;
        }
        let free = json!({"purchase": {"products": [{"name": "x", "price": 0}]}});
        refused(&but(one_off(), free.clone()), "purchase/total", "min_value").await;
        refused(&but(subscription(), free), "purchase/total", "min_value").await;
        let nothing = test.chip("POST", "/billing_templates/", "{}").await;
        let required = json!([{"message": "This field is required.", "code": "required"}]);
        assert_eq!(
            (nothing.status, nothing.json()),
            (400, json!({"purchase": required, "is_subscription": required}))
        );
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_changed_but_never_its_kind_and_what_is_left_out_stays() {
    on_both(async |test| {
        let body = but(
            subscription(),
            json!({"subscription_period": 2, "number_of_billing_cycles": 3}),
        );
        let id = test.template_id(&body).await;
        let dearer = json!({"products": [{"name": "x", "price": 2000}]});
        test.clock.set("2026-10-06T12:00:00Z");
        let change = json!({"purchase": dearer, "is_subscription": false, "subscription_trial_periods": 1,
            "number_of_billing_cycles": 0});
        let answer = test.put_template(&id, &change).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let template = answer.json();
        for (name, value) in [
            ("is_subscription", json!(true)),
            ("title", json!("Gym")),
            ("subscription_period", json!(2)),
            ("subscription_trial_periods", json!(1)),
            ("subscription_active", json!(true)),
            ("number_of_billing_cycles", json!(0)),
            ("updated_on", json!(1_791_288_000)),
        ] {
            assert_eq!(template[name], value, "{name}");
        }
        assert_eq!(template["purchase"]["total"], 2000);
        assert_eq!(test.put_template(&id, &json!({})).await.json(), template);
        let one_off_id = test.template_id(&one_off()).await;
        let late = json!({"purchase": one_product()});
        let changed = test.put_template(&one_off_id, &late).await;
        assert_eq!((changed.status, &changed.json()["invoice_due"]), (200, &json!(DUE)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_template_is_gone_with_all_that_hangs_on_it() {
    on_both(async |test| {
        let id = test.template_id(&one_off()).await;
        let path = format!("/api/v1/billing_templates/{id}/");
        let answer = test.chip("DELETE", &path, "").await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        assert_eq!(answer.headers["content-type"], "application/json");
        let not_found = json!({"__all__": [{"message": "Not found.", "code": "not_found"}]});
        for (method, path) in [
            ("GET", path.clone()),
            ("PUT", path.clone()),
            ("DELETE", path.clone()),
            ("POST", format!("{path}send_invoice/")),
            ("POST", format!("{path}add_subscriber/")),
            ("GET", format!("{path}clients/")),
            ("GET", "/api/v1/billing_templates/null/".to_owned()),
        ] {
            let answer = test.chip(method, &path, "{}").await;
            assert_eq!(
                (answer.status, answer.json()),
                (404, not_found.clone()),
                "{method} {path}"
            );
        }
        let list = test.chip("GET", "/billing_templates/", "").await.json();
        assert_eq!(list, json!({"results": [], "next": null, "previous": null}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_listed_newest_first_by_kind_and_brand() {
    on_both(async |test| {
        let (first, second) = (
            test.template_id(&one_off()).await,
            test.template_id(&subscription()).await,
        );
        let brand = test.tenant.chip.brand_id;
        let other = "1026967d-0705-4e24-ab35-9c125e5701ea";
        for (query, expected) in [
            (String::new(), vec![&second, &first]),
            ("?is_subscription=true".to_owned(), vec![&second]),
            ("?is_subscription=false&time=7".to_owned(), vec![&first]),
            (format!("?brand_id={brand}&is_subscription=true"), vec![&second]),
            (format!("?brand_id={other}"), vec![]),
        ] {
            let answer = test
                .chip("GET", &format!("/api/v1/billing_templates/{query}"), "")
                .await;
            let list = answer.json();
            let ids: Vec<_> = list["results"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|one| &one["id"])
                .collect();
            assert_eq!(ids, expected, "{query}");
        }
        for (query, field) in [("is_subscription=maybe", "is_subscription"), ("brand_id=x", "brand_id")] {
            error(
                field,
                "invalid",
                &test.chip("GET", &format!("/billing_templates/?{query}"), "").await,
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_under_its_filters() {
    on_both(async |test| {
        for n in 0..102 {
            test.template(&but(one_off(), json!({"title": n.to_string()}))).await;
        }
        test.template(&subscription()).await;
        let first = test
            .chip("GET", "/billing_templates/?is_subscription=false", "")
            .await
            .json();
        assert_eq!(first["results"].as_array().map(Vec::len), Some(100));
        assert_eq!(first["previous"], Value::Null);
        let next = first["next"].as_str().expect("a URL");
        assert!(next.starts_with("http://pay.example.com/billing_templates/?"), "{next}");
        let next = next.strip_prefix("http://pay.example.com").expect("a path");
        let second = test.chip("GET", next, "").await.json();
        let titles: Vec<_> = second["results"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["title"])
            .collect();
        assert_eq!(titles, ["1", "0"]);
        assert_eq!(second["next"], Value::Null);
        let previous = second["previous"].as_str().expect("a URL");
        let previous = previous.strip_prefix("http://pay.example.com").expect("a path");
        assert_eq!(test.chip("GET", previous, "").await.json()["results"], first["results"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_of_a_one_off_template_is_a_sent_purchase() {
    on_both(async |test| {
        let id = test.template_id(&one_off()).await;
        let client = test.new_client("ada@example.com").await;
        let path = format!("/api/v1/billing_templates/{id}/send_invoice/");
        let body = json!({"client_id": client, "payment_method_whitelist": ["fpx"], "invoice_reference": "R-1"});
        let answer = test.chip("POST", &path, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let purchase = answer.json();
        for (name, value) in [
            ("type", json!("purchase")),
            ("status", json!("sent")),
            ("billing_template_id", json!(id)),
            ("client_id", json!(client)),
            ("product", json!("billing_invoices")),
            ("due", json!(DUE)),
            ("issued", json!("2026-10-05")),
            ("send_receipt", json!(true)),
            ("reference", json!("R-1")),
            ("payment_method_whitelist", json!(["fpx"])),
        ] {
            assert_eq!(purchase[name], value, "{name}");
        }
        assert_eq!(test.purchase(purchase["id"].as_str().expect("an id")).await, purchase);
        // The link to the client is not kept.
        let clients = test
            .chip("GET", &format!("/billing_templates/{id}/clients/"), "")
            .await
            .json();
        assert_eq!(clients["results"], json!([]));

        let events = test.events().await;
        error("client_id", "required", &test.chip("POST", &path, "{}").await);
        let nobody = r#"{"client_id": "1026967d-0705-4e24-ab35-9c125e5701ea"}"#;
        error("client_id", "does_not_exist", &test.chip("POST", &path, nobody).await);
        let recurring = test.template_id(&subscription()).await;
        let wrong = format!("/billing_templates/{recurring}/send_invoice/");
        let body = json!({"client_id": client}).to_string();
        error("__all__", "invalid", &test.chip("POST", &wrong, &body).await);
        test.clock.set("2026-11-01T00:00:00Z");
        error(
            "invoice_due",
            "due_not_greater_than_now",
            &test.chip("POST", &path, &body).await,
        );
        assert_eq!(test.events().await, events + 1, "only the template");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_call_under_its_key_makes_nothing_new() {
    on_both(async |test| {
        let key = [("idempotency-key", "k-1")];
        let body = one_off().to_string();
        let first = test.chip_with("POST", "/billing_templates/", &key, &body).await.json();
        test.clock.set("2027-01-01T00:00:00Z");
        let again = test.chip_with("POST", "/billing_templates/", &key, &body).await;
        assert_eq!((again.status, again.json()), (201, first));
        let other = test
            .chip_with("POST", "/billing_templates/", &key, &subscription().to_string())
            .await;
        assert_eq!(
            (other.status, other.json()["__all__"][0]["code"].as_str()),
            (409, Some("conflict"))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_names_no_purchase_leaves_the_purchase_as_it_is() {
    on_both(async |test| {
        let template = test.template(&subscription()).await;
        let id = template["id"].as_str().expect("an id");
        let answer = test.put_template(id, &json!({"title": "Pool"})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let changed = answer.json();
        assert_eq!(
            (&changed["title"], &changed["purchase"]),
            (&json!("Pool"), &template["purchase"])
        );
        assert_eq!(changed["subscription_active"], true);
        error(
            "purchase",
            "null",
            &test.put_template(id, &json!({"purchase": null})).await,
        );
        // A new one cannot do without.
        let made = test
            .chip("POST", "/api/v1/billing_templates/", r#"{"is_subscription": true}"#)
            .await;
        error("purchase", "required", &made);
    })
    .await;
}
