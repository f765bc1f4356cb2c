//! Invoices that are paid automatically: asked for once, on their due date.

use std::sync::Arc;

use aggregates::customer::{Contact, Profile};
use billstream::{app::contracts::NewContract, processes::scheduler::Scheduler};
use serde_json::{Value, json};

use super::{asked, automatic, pay, read, round, standing};
use crate::{
    billing::Books,
    billstream::{NOBODY, call, get, post, refused},
    processes::another,
    support::{TestApp, on_both},
};

async fn settle(test: &TestApp, payment: &Value, how: &str, body: Value) -> crate::support::Answer {
    let id = payment["id"].as_str().expect("an id");
    post(test, &format!("/billstream/v1/payments/{id}/{how}"), &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_on_the_due_date_is_asked_for_and_its_success_pays() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, contract) = automatic(&books, "249.95", "2026-10-05").await;
        let invoice = books.bill(contract, "2026-10-05").await.invoices[0];
        pay(&test, invoice, "ch_1", "10.00").await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        let [payment] = asked(&test).await.try_into().expect("one payment");
        assert_eq!(
            (&payment["amount"], &payment["status"], &payment["processor"]),
            (&json!("239.95"), &json!("requested"), &Value::Null)
        );
        assert_eq!(payment["invoice_id"], format!("Inv_{invoice}"));
        let events = test.events().await;
        for _ in 0..3 {
            round(&mut scheduler).await;
        }
        assert_eq!(test.events().await, events, "it is asked for once");

        let done = settle(&test, &payment, "succeeded", json!({"reference": "ch_2"})).await;
        assert_eq!((done.status, &done.json()["status"]), (200, &json!("succeeded")));
        assert_eq!(standing(&test, invoice).await, ("0.00".to_owned(), "249.95".to_owned()));
        let events = test.events().await;
        let again = settle(&test, &payment, "succeeded", json!({"reference": "ch_2"})).await;
        assert_eq!((again.status, again.text), (200, done.text));
        let other = settle(&test, &payment, "succeeded", json!({"reference": "ch_3"})).await;
        refused(&other, 409, "payment_succeeded", None);
        let failed = settle(&test, &payment, "failed", json!({"reason": "late"})).await;
        refused(&failed, 409, "payment_succeeded", None);
        assert_eq!(test.events().await, events);
        let open = read(&test, "/billstream/v1/payments?status=requested").await;
        assert_eq!(open["payments"], json!([]));
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_fails_leaves_the_balance_and_is_seen() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, contract) = automatic(&books, "10.00", "2026-10-05").await;
        let invoice = books.bill(contract, "2026-10-05").await.invoices[0];
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        let [payment] = asked(&test).await.try_into().expect("one payment");
        let events = test.events().await;
        for (how, body, code, field) in [
            ("failed", json!({}), "missing", "reason"),
            ("failed", json!({"reason": " "}), "reason_missing", "reason"),
            ("succeeded", json!({}), "missing", "reference"),
            ("succeeded", json!({"reference": ""}), "reference_missing", "reference"),
        ] {
            refused(&settle(&test, &payment, how, body).await, 400, code, Some(field));
        }
        assert_eq!(test.events().await, events);
        let failed = settle(&test, &payment, "failed", json!({"reason": "the card has expired"})).await;
        assert_eq!(failed.status, 200, "{failed:?}");
        let listed = read(&test, "/billstream/v1/payments?status=failed").await;
        assert_eq!(listed["payments"][0]["reason"], "the card has expired");
        assert_eq!(standing(&test, invoice).await.0, "10.00");
        let page = test
            .send("GET", "/v1/c/invoice", &[("wb-key", &test.tenant.wingback.api_key)], "")
            .await
            .json();
        assert_eq!(page["hits"][0]["payment_execution_status"], "failed");
        round(&mut scheduler).await;
        assert_eq!(asked(&test).await.len(), 1, "it is not asked for again");
        assert_eq!(pay(&test, invoice, "by hand", "10.00").await.status, 201);
        assert_eq!(standing(&test, invoice).await.0, "0.00");
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_where_nothing_is_open_or_somebody_pays_by_hand() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("10.00", "2026-10-05").await;
        books.bill(contract, "2026-10-05").await;
        let (_, paid) = automatic(&books, "10.00", "2026-10-05").await;
        let invoice = books.bill(paid, "2026-10-05").await.invoices[0];
        pay(&test, invoice, "ch_1", "10.00").await;
        let (rich, credited) = automatic(&books, "10.00", "2026-10-05").await;
        let given = aggregates::money::Money::new(1000, crate::billing::eur());
        for customer in [customer, rich] {
            let granted = test
                .app
                .grant_credit(&books.request(), customer, given, "goodwill")
                .await;
            granted.expect("granted");
        }
        let last = books.bill(credited, "2026-10-05").await.invoices[0];
        assert_eq!(standing(&test, last).await.0, "0.00");
        test.clock.set("2026-10-20T12:00:00Z");
        round(&mut Scheduler::new(Arc::clone(&test.app))).await;
        assert_eq!(asked(&test).await, Vec::<Value>::new());
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_due_date_begins_where_the_customer_is() {
    on_both(async |test| {
        let books = Books::of(&test);
        let profile = Profile {
            time_zone: Some("America/New_York".to_owned()),
            ..Profile::default()
        };
        let customer = test
            .app
            .create_customer(&books.request(), None, profile, Contact::default())
            .await
            .expect("a customer");
        let plan = books.plan("10.00").await;
        let new = NewContract {
            automatic_payment: Some(true),
            ..Books::new_contract(customer, plan, "2026-11-01")
        };
        let contract = books.sign(new).await;
        let until = "2026-11-01T04:00:00Z".parse().expect("a time");
        let billed = test.app.bill_subscription(&books.request(), contract, until).await;
        assert_eq!(billed.expect("billed").invoices.len(), 1);
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        for (now, count) in [
            ("2026-11-01T03:59:59Z", 0),
            ("2026-11-01T04:00:00Z", 1),
            ("2026-11-01T04:00:01Z", 1),
        ] {
            test.clock.set(now);
            round(&mut scheduler).await;
            assert_eq!(asked(&test).await.len(), count, "{now}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_and_a_run_by_hand_ask_once_for_each_of_many() {
    on_both(async |test| {
        let books = Books::of(&test);
        for _ in 0..30 {
            let (_, contract) = automatic(&books, "10.00", "2026-08-05").await;
            books.bill(contract, "2026-10-05").await;
        }
        let apps = [Arc::clone(&test.app), another(&test).await, another(&test).await];
        let how = billstream::processes::run::How {
            actor: "test".to_owned(),
            until: "2026-10-05T12:00:00Z".parse().expect("a time"),
            at: None,
        };
        let runs = apps.map(|app| {
            let how = how.clone();
            tokio::spawn(async move {
                let whose = billstream::app::due::Whose::RealTime;
                let mut known = std::collections::BTreeSet::new();
                let done =
                    billstream::processes::duties::everything(&app, &whose, &how, &mut known, std::future::pending());
                done.await.expect("the database")
            })
        });
        for run in runs {
            assert_eq!(run.await.expect("no panic"), []);
        }
        let asked = asked(&test).await;
        assert_eq!(asked.len(), 90);
        let invoices: std::collections::BTreeSet<_> =
            asked.iter().map(|payment| payment["invoice_id"].to_string()).collect();
        assert_eq!(invoices.len(), 90);
        let journal = &test.app.journal;
        let sql = "SELECT COUNT(*) FROM journal WHERE event_type = 'payment.requested'";
        let rows = journal.store().read(sql, &[]).await.expect("a count");
        assert_eq!(rows[0].int(0), Ok(90));
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_clock_asks_at_the_moment_of_each_due_date_in_order() {
    on_both(async |mut test| {
        test.tenant = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
        let books = Books::of(&test);
        automatic(&books, "10.00", "2026-10-05").await;
        let to = json!({"now": "2027-01-06T00:00:00Z"});
        let moved = post(&test, "/billstream/v1/clock", &to).await;
        assert_eq!(moved.status, 200, "{moved:?}");
        let payments = asked(&test).await;
        let asked_at: Vec<_> = payments
            .iter()
            .map(|payment| payment["requested_at"].as_str().expect("a time"))
            .collect();
        assert_eq!(
            asked_at,
            [
                "2026-10-05T12:00:00.000000Z",
                "2026-11-05T00:00:00.000000Z",
                "2026-12-05T00:00:00.000000Z",
                "2027-01-05T00:00:00.000000Z",
            ]
        );
        let events = test.events().await;
        let again = post(&test, "/billstream/v1/clock", &to).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(asked(&test).await.len(), 4);
        assert!(test.events().await <= events + 1, "nothing but the clock moved");
        test.clock.set("2027-02-01T00:00:00Z");
        round(&mut Scheduler::new(Arc::clone(&test.app))).await;
        assert_eq!(asked(&test).await.len(), 4, "the tenant lives by its own clock");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_payments_are_paged_and_the_tenants_own() {
    on_both(async |test| {
        let books = Books::of(&test);
        for _ in 0..3 {
            let (_, contract) = automatic(&books, "10.00", "2026-10-05").await;
            books.bill(contract, "2026-10-05").await;
        }
        round(&mut Scheduler::new(Arc::clone(&test.app))).await;
        let all = asked(&test).await;
        let first = read(&test, "/billstream/v1/payments?limit=2").await;
        let next = format!("/billstream/v1/payments?limit=2&after={}", first["next_after"]);
        let second = read(&test, &next).await;
        let ids = |list: &Value| list["payments"].as_array().expect("payments").clone();
        assert_eq!([ids(&first), ids(&second)].concat(), all);
        assert_eq!(ids(&second).len(), 1);
        let one = format!("/billstream/v1/payments/{}", all[0]["id"].as_str().expect("an id"));
        assert_eq!(read(&test, &one).await, all[0]);
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let key = &other.billstream.api_key;
        let theirs = call(&test, key, "GET", "/billstream/v1/payments", "").await;
        assert_eq!(theirs.text, r#"{"payments":[],"next_after":0}"#);
        refused(&call(&test, key, "GET", &one, "").await, 404, "not_found", None);
        let events = test.events().await;
        let body = json!({"reference": "ch_1"}).to_string();
        let answer = call(&test, key, "POST", &format!("{one}/succeeded"), &body).await;
        refused(&answer, 404, "payment_unknown", None);
        let nobody = format!("/billstream/v1/payments/Pay_{NOBODY}/failed");
        refused(
            &post(&test, &nobody, &json!({"reason": "x"})).await,
            404,
            "payment_unknown",
            None,
        );
        for (query, field) in [("status=open", "status"), ("limit=0", "limit"), ("after=x", "after")] {
            let answer = get(&test, &format!("/billstream/v1/payments?{query}")).await;
            refused(&answer, 400, "invalid", Some(field));
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}
