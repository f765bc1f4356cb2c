//! Usage: sent in bulk, matched, counted once, billed when its period is closed, corrected when it comes late.

use aggregates::{
    billing::{
        Aggregation, Kind, Price, Timing,
        price::{Limits, Tier},
    },
    id::{CustomerId, SubscriptionId, TenantId},
    money::Currency,
    subscription::Cycle,
    terms::UsagePeriodClosing,
};
use billstream::{
    app::{
        contracts::{NewContract, Special},
        plans::NewLine,
    },
    journal::Request,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{NOBODY, call, get, post, refused};
use crate::support::{Answer, TestApp, on_both};

const USAGE: &str = "/billstream/v1/usage";

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn request(test: &TestApp) -> Request {
    Request::new(
        TenantId::from_stored(&test.tenant.tenant_id),
        "test",
        "test",
        time("2026-10-01T00:00:00Z"),
    )
}

/// Example 12: 0-10 at 10 and 2, then at 5 and 3 a tier.
fn graduated() -> Price {
    let tier = |up_to: Option<u32>, unit: u32, flat: u32| Tier {
        up_to: up_to.map(Into::into),
        unit: unit.into(),
        flat: flat.into(),
    };
    Price::Graduated {
        tiers: vec![tier(Some(10), 10, 2), tier(Some(20), 5, 3), tier(None, 5, 3)],
        limits: Limits {
            flat_fee_at_zero: true,
            ..Limits::default()
        },
    }
}

/// A contract from 1 October 2026 on that bills API calls by the month.
async fn metered(test: &TestApp, customer: CustomerId) -> SubscriptionId {
    let line = NewLine {
        name: "API calls".to_owned(),
        kind: Kind::Metered {
            metric: "api".to_owned(),
            aggregation: Aggregation::Sum,
        },
        timing: Timing::Arrears,
        price: graduated(),
        quantity: 1.into(),
        flat_fee: false,
        prorate: false,
        tax_rate: None,
    };
    let plan = test
        .app
        .create_plan_with(&request(test), "Metered", Currency::EUR, vec![line])
        .await
        .expect("a plan");
    let contract = NewContract {
        customer,
        plan,
        currency: Currency::EUR,
        cycle: Cycle::Month,
        activation: Some("2026-10-01".parse().expect("a date")),
        automatic_payment: None,
        invoice_trigger: None,
        pending: false,
        special: Special::default(),
    };
    test.app
        .sign_contract(&request(test), contract)
        .await
        .expect("a contract")
}

async fn customer(test: &TestApp) -> CustomerId {
    let key = &test.tenant.wingback.api_key;
    let headers = [("wb-key", key.as_str())];
    let answer = test
        .send("POST", "/v1/c/customer", &headers, r#"{"name":"Acme"}"#)
        .await;
    let id = answer.json().as_str().expect("an id").to_owned();
    id.strip_prefix("Cust_").expect("a class").parse().expect("a uuid")
}

async fn closing(test: &TestApp, policy: UsagePeriodClosing) {
    let wish = aggregates::preferences::InvoicingChanges {
        usage_period_closing: Some(policy),
        ..Default::default()
    };
    let changed = test.app.update_invoicing_preferences(&request(test), wish).await;
    changed.expect("preferences");
}

async fn wingback(test: &TestApp, path: &str, body: &Value) -> Answer {
    let key = &test.tenant.wingback.api_key;
    test.send("POST", path, &[("wb-key", key)], &body.to_string()).await
}

/// Sends one record that must be counted.
async fn uses(test: &TestApp, contract: SubscriptionId, at: &str, quantity: u32) {
    let record = json!({"contract": contract.to_string(), "metric": "api", "quantity": quantity, "at": at});
    let answer = post(test, USAGE, &json!({"records": [record]})).await;
    assert_eq!(answer.json()["recorded"], 1, "{answer:?}");
}

/// The amounts, in cents, that billing up to a time charges.
async fn bills(test: &TestApp, contract: SubscriptionId, until: &str) -> Vec<i64> {
    let until = time(until);
    let scope = projections::subscription::Scope {
        customer: None,
        subscription: Some(contract),
    };
    let request = Request::new(TenantId::from_stored(&test.tenant.tenant_id), "test", "test", until);
    let preview = test.app.preview_run(&request, scope, until).await.expect("a preview");
    let amounts: Vec<_> = preview.charges.iter().map(|(_, charge)| charge.amount.minor).collect();
    let billed = test
        .app
        .bill_subscription(&request, contract, until)
        .await
        .expect("a bill");
    assert_eq!(billed.accrued, amounts.len(), "the preview is the bill");
    amounts
}

#[tokio::test(flavor = "multi_thread")]
async fn good_records_of_a_call_count_and_bad_ones_are_named() {
    on_both(async |test| {
        let customer = customer(&test).await;
        metered(&test, customer).await;
        let good = json!({"customer": format!("Cust_{customer}"), "metric": "api", "quantity": "1.5", "id": "a"});
        let with = |field: &str, value: Value| {
            let mut record = good.clone();
            record[field] = value;
            record
        };
        let records = vec![
            good.clone(),
            with("quantity", json!("much")),
            with("quantity", json!(-1)),
            with("at", json!("yesterday")),
            with("metric", Value::Null),
            with("customer", json!("Inv_1")),
            with("id", json!("b")),
            good.clone(),
            with("customer", json!(format!("Cust_{NOBODY}"))),
            with("metric", json!("storage")),
            with("at", json!("2026-09-30T23:59:59Z")),
        ];
        let answer = post(&test, USAGE, &json!({"records": records})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert_eq!((&body["recorded"], &body["duplicates"]), (&json!(2), &json!(1)));
        let errors: Vec<_> = body["errors"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|error| (error["index"].as_u64().expect("an index"), error["field"].clone()))
            .collect();
        let expected = [
            (1, "quantity"),
            (2, "quantity"),
            (3, "at"),
            (4, "metric"),
            (5, "customer"),
        ];
        assert_eq!(errors, expected.map(|(index, field)| (index, json!(field))));
        let strange = json!([
            {"index": 8, "reason": "unknown_customer"},
            {"index": 9, "reason": "nothing_meters"},
            {"index": 10, "reason": "before_start", "from": "2026-10-01"},
        ]);
        assert_eq!(body["unmatched"], strange);
        let kept = get(&test, "/billstream/v1/usage/unmatched").await.json();
        assert_eq!(kept["records"].as_array().expect("a list").len(), 3);
        assert_eq!(kept["records"][0]["reason"], "unknown_customer");
        let next = format!("/billstream/v1/usage/unmatched?after={}", kept["next_after"]);
        assert_eq!(get(&test, &next).await.json()["records"], json!([]));
        refused(&post(&test, USAGE, &json!({})).await, 400, "missing", Some("records"));
        refused(
            &post(&test, USAGE, &json!({"records": 1})).await,
            400,
            "malformed",
            None,
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_record_has_the_code_that_is_documented() {
    on_both(async |test| {
        let customer = customer(&test).await;
        let contract = metered(&test, customer).await;
        let good = json!({"customer": format!("Cust_{customer}"), "metric": "api", "quantity": "1.5"});
        let long = "x".repeat(256);
        let faults = [
            ("customer", Value::Null, "missing", "customer"),
            ("metric", Value::Null, "missing", "metric"),
            ("quantity", Value::Null, "missing", "quantity"),
            ("contract", json!(format!("Cont_{contract}")), "invalid", "contract"),
            ("customer", json!("Inv_1"), "invalid", "customer"),
            ("customer", json!(1), "invalid", "customer"),
            ("metric", json!(7), "invalid", "metric"),
            ("quantity", json!("much"), "invalid", "quantity"),
            ("at", json!("yesterday"), "invalid", "at"),
            ("is_absolute", json!("yes"), "invalid", "is_absolute"),
            ("metric", json!(""), "metric_invalid", "metric"),
            ("metric", json!(long), "metric_invalid", "metric"),
            ("id", json!(long), "id_invalid", "id"),
            ("key", json!(""), "key_invalid", "key"),
            ("quantity", json!(-1), "quantity_invalid", "quantity"),
            ("quantity", json!("1000000000000001"), "quantity_invalid", "quantity"),
            ("quantity", json!("0.0000000000001"), "quantity_invalid", "quantity"),
            ("at", json!("0000-06-01T00:00:00Z"), "time_invalid", "at"),
        ];
        let with = |(field, value, ..): &(&str, Value, &str, &str)| {
            let mut record = good.clone();
            record[*field] = value.clone();
            record
        };
        let records: Vec<_> = faults.iter().map(with).collect();
        let answer = post(&test, USAGE, &json!({"records": records})).await;
        let body = answer.json();
        let errors = body["errors"].as_array().expect("a list").iter();
        let found: Vec<_> = errors.map(|error| (&error["code"], &error["field"])).collect();
        let expected: Vec<_> = faults
            .iter()
            .map(|(_, _, code, field)| (json!(code), json!(field)))
            .collect();
        assert_eq!(
            found,
            expected.iter().map(|(code, field)| (code, field)).collect::<Vec<_>>()
        );
        assert_eq!((&body["recorded"], &body["unmatched"]), (&json!(0), &json!([])));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_12_is_billed_through_a_metered_contract() {
    on_both(async |test| {
        for (used, cents) in [(0, 200), (1, 1200), (10, 10200), (11, 11000), (12, 11500), (21, 16300)] {
            let contract = metered(&test, customer(&test).await).await;
            if used > 0 {
                uses(&test, contract, "2026-10-31T23:59:59Z", used).await;
            }
            assert_eq!(bills(&test, contract, "2026-10-31T23:59:59Z").await, Vec::<i64>::new());
            assert_eq!(bills(&test, contract, "2026-11-01T00:00:00Z").await, [cents], "{used}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_closes_when_its_policy_says() {
    on_both(async |test| {
        for (policy, before, on) in [
            (
                UsagePeriodClosing::Automatic,
                "2026-10-31T23:59:59Z",
                "2026-11-01T00:00:00Z",
            ),
            (
                UsagePeriodClosing::After15Minutes,
                "2026-11-01T00:14:59Z",
                "2026-11-01T00:15:00Z",
            ),
            (
                UsagePeriodClosing::After1Hour,
                "2026-11-01T00:59:59Z",
                "2026-11-01T01:00:00Z",
            ),
            (
                UsagePeriodClosing::After1Day,
                "2026-11-01T23:59:59Z",
                "2026-11-02T00:00:00Z",
            ),
        ] {
            closing(&test, policy).await;
            let contract = metered(&test, customer(&test).await).await;
            uses(&test, contract, "2026-10-10T00:00:00Z", 1).await;
            assert_eq!(bills(&test, contract, before).await, Vec::<i64>::new(), "{policy:?}");
            uses(&test, contract, "2026-10-31T00:00:00Z", 9).await;
            uses(&test, contract, "2026-11-01T00:00:00Z", 5).await;
            assert_eq!(bills(&test, contract, on).await, [10200], "{policy:?}");
            assert_eq!(bills(&test, contract, "2026-11-20T00:00:00Z").await, Vec::<i64>::new());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_that_is_closed_by_hand_is_billed_when_it_is() {
    on_both(async |test| {
        let own = metered(&test, customer(&test).await).await;
        closing(&test, UsagePeriodClosing::Manual).await;
        let contract = metered(&test, customer(&test).await).await;
        uses(&test, contract, "2026-10-10T00:00:00Z", 1).await;
        assert_eq!(bills(&test, contract, "2026-12-15T00:00:00Z").await, Vec::<i64>::new());
        let close = |id: String| format!("/billstream/v1/contracts/{id}/usage-periods/close");
        let path = close(contract.to_string());
        let early = post(&test, &path, &json!({"through": "2026-10-07"})).await;
        refused(&early, 409, "usage_to_come", None);
        test.clock.set("2026-12-15T00:00:00Z");
        let answer = post(&test, &path, &json!({"through": "2026-10-31"})).await;
        assert_eq!(answer.json(), json!({"closed_through": "2026-10-31"}));
        assert_eq!(bills(&test, contract, "2026-12-15T00:00:00Z").await, Vec::<i64>::new());
        post(&test, &path, &json!({"through": "2026-11-01"})).await;
        assert_eq!(bills(&test, contract, "2026-12-15T00:00:00Z").await, [1200]);
        refused(&post(&test, &path, &json!({})).await, 400, "missing", Some("through"));
        let other = post(&test, &close(own.to_string()), &json!({"through": "2026-11-01"})).await;
        refused(&other, 409, "usage_closes_by_itself", None);
        let nobodys = post(&test, &close(NOBODY.to_owned()), &json!({"through": "2026-11-01"})).await;
        assert_eq!(nobodys.status, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_usage_is_corrected_with_the_next_period() {
    on_both(async |test| {
        let contract = metered(&test, customer(&test).await).await;
        uses(&test, contract, "2026-10-10T00:00:00Z", 1).await;
        assert_eq!(bills(&test, contract, "2026-11-01T00:00:00Z").await, [1200]);
        let events = test.events().await;
        uses(&test, contract, "2026-10-11T00:00:00Z", 1).await;
        assert_eq!(
            test.events().await,
            events + 1,
            "nothing is due: the next period brings it"
        );
        assert_eq!(bills(&test, contract, "2026-12-01T00:00:00Z").await, [1000, 200]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_usage_of_an_agreement_that_is_over_is_due_at_once() {
    on_both(async |test| {
        let contract = metered(&test, customer(&test).await).await;
        uses(&test, contract, "2026-10-02T00:00:00Z", 1).await;
        let effective = "2026-10-04".parse().expect("a date");
        test.clock.set("2026-10-05T12:00:00Z");
        let request = Request::new(
            TenantId::from_stored(&test.tenant.tenant_id),
            "test",
            "test",
            time("2026-10-05T12:00:00Z"),
        );
        let cancelled = test.app.end(&request, contract, Some(effective)).await;
        cancelled.expect("a cancellation");
        assert_eq!(bills(&test, contract, "2026-10-05T12:00:00Z").await, [1200]);
        test.clock.set("2026-10-06T12:00:00Z");
        uses(&test, contract, "2026-10-03T00:00:00Z", 1).await;
        assert_eq!(bills(&test, contract, "2026-10-06T12:00:00Z").await, [1000]);
        assert_eq!(bills(&test, contract, "2027-10-06T12:00:00Z").await, Vec::<i64>::new());
        let late =
            json!({"contract": contract.to_string(), "metric": "api", "quantity": 1, "at": "2026-10-04T00:00:00Z"});
        let answer = post(&test, USAGE, &json!({"records": [late]})).await;
        assert_eq!(answer.json()["unmatched"][0]["reason"], "not_metered_then");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_states_what_its_period_has_come_to() {
    on_both(async |test| {
        let contract = metered(&test, customer(&test).await).await;
        uses(&test, contract, "2026-10-02T00:00:00Z", 500).await;
        let record = json!({"contract": contract.to_string(), "metric": "api", "quantity": 10,
            "at": "2026-10-03T12:00:00Z", "is_absolute": true});
        let answer = post(&test, USAGE, &json!({"records": [record]})).await;
        assert_eq!(answer.json()["recorded"], 1);
        uses(&test, contract, "2026-10-04T00:00:00Z", 1).await;
        assert_eq!(bills(&test, contract, "2026-11-01T00:00:00Z").await, [11000]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wingback_events_come_back_only_where_they_are_faulty() {
    on_both(async |test| {
        let customer = customer(&test).await;
        let contract = metered(&test, customer).await;
        let event = json!({"customer_id": format!("Cust_{customer}"), "feature_slug": "api", "units": "1",
            "timestamp": "2026-10-02T00:00:00Z"});
        assert_eq!(wingback(&test, "/v1/c/usage", &event).await.status, 200);
        let mut early = event.clone();
        early["timestamp"] = json!("2026-09-01T00:00:00Z");
        let mut unknown = event.clone();
        unknown["feature_slug"] = json!("storage");
        let mut bad = event.clone();
        bad["units"] = json!([]);
        let answer = wingback(&test, "/v1/c/usage/bulk", &json!([event, early, unknown, bad])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let error = |index: u32, topic: &str, text: &str| {
            json!({"index": index, "status": 400, "feedback": {topic: {"type": "error", "value": text}}})
        };
        let expected = json!([
            error(1, "activation", "timestamp provided is before contract activation date 2026-10-01"),
            error(2, "contract", "Contract not found"),
            error(3, "units", "a decimal number is expected"),
        ]);
        assert_eq!(answer.json(), expected);
        let answer = wingback(&test, "/v1/c/usage", &early).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.json()["feedback"]["activation"].is_object(), "{answer:?}");
        assert_eq!(bills(&test, contract, "2026-11-01T00:00:00Z").await, [2200]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_of_another_tenants_customer_is_usage_of_nobodys() {
    on_both(async |test| {
        let customer = customer(&test).await;
        let contract = metered(&test, customer).await;
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let send = async |customer: &str, contract: &str| {
            let records = json!([{"customer": customer, "metric": "api", "quantity": 1},
                {"contract": contract, "metric": "api", "quantity": 1}]);
            let body = json!({"records": records}).to_string();
            call(&test, &other.billstream.api_key, "POST", USAGE, &body).await.text
        };
        let foreign = send(&customer.to_string(), &contract.to_string()).await;
        assert_eq!(foreign, send(NOBODY, NOBODY).await);
        assert_eq!(bills(&test, contract, "2026-11-01T00:00:00Z").await, [200]);
        let kept = get(&test, "/billstream/v1/usage/unmatched").await.json();
        assert_eq!(kept["records"], json!([]), "each tenant has a list of its own");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_counts_once_also_when_its_contract_has_ended_and_another_meters_the_same() {
    on_both(async |test| {
        test.clock.set("2026-10-05T00:00:00Z");
        let acme = customer(&test).await;
        let (one, _other) = (metered(&test, acme).await, metered(&test, acme).await);
        let record = |day: &str| {
            json!({"customer": acme.to_string(), "metric": "api", "quantity": 3, "id": "u-1",
                "at": format!("2026-10-{day}T12:00:00Z")})
        };
        let both = json!({"records": [record("03"), record("03")]});
        let first = post(&test, USAGE, &both).await.json();
        assert_eq!(
            (&first["recorded"], &first["duplicates"]),
            (&json!(1), &json!(1)),
            "{first}"
        );
        let ended = test
            .app
            .end(&request(&test), one, Some("2026-10-02".parse().expect("a date")))
            .await;
        ended.expect("ended");
        let again = post(&test, USAGE, &json!({"records": [record("03")]})).await.json();
        assert_eq!(
            (&again["recorded"], &again["duplicates"]),
            (&json!(0), &json!(1)),
            "{again}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_metered_under_a_key_is_not_counted_when_the_key_comes_again() {
    on_both(async |test| {
        test.clock.set("2026-10-05T00:00:00Z");
        let acme = customer(&test).await;
        let body = json!({"records": [{"customer": acme.to_string(), "metric": "api", "quantity": 3,
            "at": "2026-10-03T12:00:00Z"}]})
        .to_string();
        let bearer = format!("Bearer {}", test.tenant.billstream.api_key);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k1")];
        let first = test.send("POST", USAGE, &headers, &body).await;
        assert_eq!(first.json()["unmatched"].as_array().map(Vec::len), Some(1), "{first:?}");
        metered(&test, acme).await;
        let events = test.events().await;
        let again = test.send("POST", USAGE, &headers, &body).await;
        assert_eq!((again.status, again.text), (first.status, first.text));
        assert_eq!(test.events().await, events);
    })
    .await;
}
