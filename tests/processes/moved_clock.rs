//! The clock of a tenant in test mode.

use serde_json::json;

use super::{billed, break_one, contract, count, in_test_mode, scene};
use crate::{
    billstream::{call, get, post, refused},
    support::{TestApp, on_both},
};

const CLOCK: &str = "/billstream/v1/clock";

async fn move_to(test: &TestApp, now: &str) -> serde_json::Value {
    let answer = post(test, CLOCK, &json!({"now": now})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn move_under(test: &TestApp, key: &str, now: &str) -> crate::support::Answer {
    let bearer = format!("Bearer {}", test.tenant.billstream.api_key);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    test.send("POST", CLOCK, &headers, &json!({"now": now}).to_string())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_end_anchor_is_billed_on_every_month_end_and_on_no_other_day() {
    on_both(async |test| {
        let test = in_test_mode(test).await;
        move_to(&test, "2026-12-31T00:00:00Z").await;
        let scene = scene(&test.app, &test.tenant).await;
        let id = contract(&test.app, &test.tenant, &scene, "2026-12-31").await;
        let moved = move_to(&test, "2027-05-31T00:00:00Z").await;
        assert_eq!(moved, json!({"now": "2027-05-31T00:00:00.000000Z", "billed": {"charges": 6, "invoices": 6}}));
        let days = ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"];
        assert_eq!(billed(&test.app, &test.tenant).await[&id], days);
        let sql = "SELECT COUNT(*) FROM invoices i JOIN invoice_lines l ON l.tenant = i.tenant AND l.invoice = i.invoice \
                   WHERE i.issue_date <> l.period_start";
        assert_eq!(count(&test.app, sql).await, 0, "each was issued on its day");
        assert_eq!(move_to(&test, "2027-06-29T23:59:59Z").await["billed"], json!({"charges": 0, "invoices": 0}));
        assert_eq!(move_to(&test, "2027-06-30T00:00:00Z").await["billed"], json!({"charges": 1, "invoices": 1}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_under_a_key_happens_once_and_says_the_same_again() {
    on_both(async |test| {
        let test = in_test_mode(test).await;
        let scene = scene(&test.app, &test.tenant).await;
        contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        let first = move_under(&test, "m1", "2027-01-31T00:00:00Z").await;
        assert_eq!(first.status, 200, "{first:?}");
        assert_eq!(first.json()["billed"], json!({"charges": 4, "invoices": 4}));
        let events = test.events().await;
        let again = move_under(&test, "m1", "2027-01-31T00:00:00Z").await;
        assert_eq!(again.text, first.text);
        refused(
            &move_under(&test, "m1", "2027-02-28T00:00:00Z").await,
            409,
            "idempotency_key_reused",
            None,
        );
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_cut_off_is_completed_when_it_is_sent_again() {
    on_both(async |test| {
        let test = in_test_mode(test).await;
        let scene = scene(&test.app, &test.tenant).await;
        let mut expected = std::collections::BTreeMap::new();
        for _ in 0..5 {
            let id = contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
            let days: Vec<String> = (0..24)
                .map(|n| {
                    let start: chrono::NaiveDate = "2026-10-05".parse().expect("a date");
                    (start + chrono::Months::new(n)).to_string()
                })
                .collect();
            expected.insert(id, days);
        }
        // The caller goes away at some point of the move; what is under way then may end or not.
        let cut = std::time::Duration::from_millis(60);
        let sent = tokio::time::timeout(cut, move_under(&test, "m1", "2028-10-01T00:00:00Z")).await;
        println!("cut off: {}", sent.is_err());
        let done = move_under(&test, "m1", "2028-10-01T00:00:00Z").await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(billed(&test.app, &test.tenant).await, expected);
        assert_eq!(get(&test, CLOCK).await.json()["now"], "2028-10-01T00:00:00.000000Z");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_takes_the_time_from_the_tenants_clock() {
    on_both(async |test| {
        let test = in_test_mode(test).await;
        move_to(&test, "2031-07-01T09:00:00Z").await;
        let (wingback, chip) = (
            test.tenant.wingback.api_key.clone(),
            test.tenant.chip.secret_key.clone(),
        );
        let bearer = format!("Bearer {chip}");
        let body = json!({"email": "ada@example.com"}).to_string();
        let made = test
            .send(
                "POST",
                "/api/v1/clients/",
                &[("authorization", &bearer), ("content-type", "application/json")],
                &body,
            )
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        let body = json!({"name": "Example"}).to_string();
        let headers = [("wb-key", wingback.as_str()), ("content-type", "application/json")];
        let made = test.send("POST", "/v1/c/customer", &headers, &body).await;
        assert_eq!(made.status, 200, "{made:?}");
        let token = test
            .send(
                "POST",
                "/api/v3/oauth2/token",
                &[("content-type", "application/x-www-form-urlencoded")],
                &format!(
                    "grant_type=client_credentials&client_id={}&client_secret={}",
                    test.tenant.exsited.client_id, test.tenant.exsited.client_secret
                ),
            )
            .await;
        let token = format!("Bearer {}", token.json()["access_token"].as_str().expect("a token"));
        let body = json!({"account": {"id": "EXAMPL", "name": "Example Ltd"}}).to_string();
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        let made = test.send("POST", "/api/v3/accounts", &headers, &body).await;
        assert!(made.status < 300, "{made:?}");
        let feed = get(&test, "/billstream/v1/events?limit=1000").await.json();
        let times: Vec<_> = feed["events"]
            .as_array()
            .expect("events")
            .iter()
            .filter(|event| event["type"] == "customer.created")
            .map(|event| event["payload"]["at"].as_str().expect("a time").to_owned())
            .collect();
        assert_eq!(times, ["2031-07-01T09:00:00Z"; 3]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_moves_forward_only_and_only_in_test_mode() {
    on_both(async |test| {
        let events = test.events().await;
        let body = json!({"now": "2027-01-31T00:00:00Z"});
        refused(&post(&test, CLOCK, &body).await, 409, "not_in_test_mode", None);
        assert_eq!(
            get(&test, CLOCK).await.json(),
            json!({"now": "2026-10-05T12:00:00.000000Z", "test_mode": false})
        );
        assert_eq!(test.events().await, events);

        let test = in_test_mode(test).await;
        assert_eq!(
            get(&test, CLOCK).await.json(),
            json!({"now": "2026-10-05T12:00:00.000000Z", "test_mode": true})
        );
        test.clock.set("2026-12-24T12:00:00Z");
        assert_eq!(
            get(&test, CLOCK).await.json()["now"],
            "2026-10-05T12:00:00.000000Z",
            "it stands still"
        );
        let events = test.events().await;
        for (body, code) in [
            (json!({"now": "2026-10-05T11:59:59Z"}), "clock_backwards"),
            (json!({"now": "yesterday"}), "invalid"),
            (json!({"now": "+12027-01-01T00:00:00Z"}), "invalid"),
            (json!({"now": 1}), "invalid"),
            (json!({}), "missing"),
        ] {
            refused(&post(&test, CLOCK, &body).await, 400, code, Some("now"));
        }
        assert_eq!(test.events().await, events);
        refused(&call(&test, "no", "GET", CLOCK, "").await, 401, "unauthorized", None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_billed_is_named_and_does_not_stop_the_clock() {
    on_both(async |test| {
        let test = in_test_mode(test).await;
        let scene = scene(&test.app, &test.tenant).await;
        contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        break_one(&test.app, &test.tenant, "2026-11-01T00:00:00Z").await;
        let moved = move_to(&test, "2027-01-31T00:00:00Z").await;
        assert_eq!(moved["billed"], json!({"charges": 4, "invoices": 4}));
        assert_eq!(moved["unbilled"], 1);
        let listed = get(&test, "/billstream/v1/unbilled").await.json();
        assert_eq!(listed["unbilled"].as_array().expect("a list").len(), 1, "{listed}");
        // Nobody waits for a clock that stands still: whoever moves it tries again.
        assert_eq!(listed["unbilled"][0]["retry_at"], serde_json::Value::Null, "{listed}");
    })
    .await;
}
