//! Subscribers of billing templates are billed by themselves, as subscriptions are, and beside them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aggregates::id::{SubscriptionId, TenantId};
use billstream::{
    app::due::{Wanted, Whose},
    clock::{Clock, SystemClock},
    processes::{run::Summary, scheduler::Scheduler},
};
use chrono::{Months, TimeDelta};
use serde_json::{Value, json};

use super::{billed, contract, count, in_test_mode, round, scene};
use crate::{
    billstream::{get, post},
    chip::templates::{but, subscription},
    support::{
        Database, TestApp, on_both,
        process::{run, spawn},
        store::{Meddled, Reads},
    },
};

/// Somebody who gets a purchase at the end of every month that begins now.
async fn subscriber(test: &TestApp, template: &str) -> String {
    let client = test.new_client("ada@example.com").await;
    let path = format!("/api/v1/billing_templates/{template}/add_subscriber/");
    let answer = test
        .chip("POST", &path, &json!({"client_id": client}).to_string())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.json()["billing_template_client"]["id"]
        .as_str()
        .map(str::to_owned);
    id.expect("an id")
}

async fn template(test: &TestApp) -> String {
    let charged_later = json!({"subscription_charge_period_end": true});
    test.template_id(&but(subscription(), charged_later)).await
}

/// The days of the periods that purchases were made for, by subscriber, in the order in which they were made.
async fn bought(test: &TestApp) -> BTreeMap<String, Vec<String>> {
    let sql = "SELECT stream, payload FROM journal WHERE event_type = 'subscriber.billed' ORDER BY pos";
    let rows = test.app.journal.store().read(sql, &[]).await.expect("events");
    let mut bought: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let stream = row.text(0).expect("text").rsplit('/').next().expect("an id").to_owned();
        let event: Value = serde_json::from_str(row.text(1).expect("text")).expect("JSON");
        let day = event["period"]["date"].as_str().expect("a date").to_owned();
        bought.entry(stream).or_default().push(day);
    }
    bought
}

async fn purchases(test: &TestApp) -> i64 {
    count(&test.app, "SELECT COUNT(*) FROM purchases").await
}

async fn move_to(test: &TestApp, now: &str) -> Value {
    let answer = post(test, "/billstream/v1/clock", &json!({"now": now})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn of(subscriptions: u64, purchases: u64, failed: u64) -> Summary {
    Summary {
        subscriptions,
        purchases,
        failed,
        ..Summary::default()
    }
}

/// Makes so many more subscribers who wait for the template, or are due with it.
async fn wait(test: &TestApp, template: &str, count: i64) {
    let mut tx = test.app.journal.store().begin().await.expect("a transaction");
    let sql = "INSERT INTO subscribers (tenant, subscriber, template, customer, status, time_zone, choices, next_number, \
               next_billing, due_at, cycles_passed, position, created_at, updated_at) \
               WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < $2) \
               SELECT tenant, $3 || substr('000000000000' || CAST(n AS TEXT), length(CAST(n AS TEXT)) + 1, 12), template, customer, status, time_zone, choices, next_number, \
               next_billing, due_at, 0, 0, 0, 0 FROM more, \
               (SELECT * FROM subscribers WHERE template = $1 ORDER BY subscriber LIMIT 1) one";
    let values = [
        template.into(),
        count.into(),
        format!("{count:08}-0000-4000-8000-").into(),
    ];
    assert_eq!(tx.execute(sql, &values).await.expect("rows"), count.unsigned_abs());
    tx.commit().await.expect("committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_template_that_stands_still_is_no_work() {
    on_both(async |test| {
        let (standing, going) = (template(&test).await, template(&test).await);
        let mut due = Vec::new();
        for template in [&standing, &going, &standing, &going, &going] {
            let id = subscriber(&test, template).await;
            if *template == going {
                due.push(id);
            }
            let later = test.clock.now() + TimeDelta::hours(30);
            test.clock.set(&later.to_rfc3339());
        }
        let stands = but(
            subscription(),
            json!({"subscription_charge_period_end": true, "subscription_active": false}),
        );
        let path = format!("/api/v1/billing_templates/{standing}/");
        assert_eq!(test.chip("PUT", &path, &stands.to_string()).await.status, 200);
        test.clock.set("2027-01-15T00:00:00Z");
        let wanted = Wanted {
            whose: Whose::RealTime,
            until: test.clock.now(),
            rested_at: Some(test.clock.now()),
        };
        let pages = async |whose: &Whose| {
            let wanted = Wanted {
                whose: whose.clone(),
                ..wanted.clone()
            };
            let (mut after, mut found) = (None, Vec::new());
            loop {
                let page = test.app.work(&wanted, after.as_ref(), 2).await.expect("what is due");
                let Some(last) = page.last() else {
                    return found;
                };
                after = Some(last.place.clone());
                found.extend(page.iter().map(|work| work.place.id.to_string()));
            }
        };
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let other = TenantId::from_stored(&other.tenant_id);
        let mine = Whose::Tenant(TenantId::from_stored(&test.tenant.tenant_id));
        // Few of them are read and left out, many are not read.
        for waiting in [1, 6000] {
            wait(&test, &standing, waiting).await;
            assert_eq!(pages(&Whose::RealTime).await, due, "in order of time, page by page");
            assert_eq!(pages(&mine).await, due);
            assert_eq!(pages(&Whose::Tenant(other.clone())).await, Vec::<String>::new());
        }
        assert_eq!(test.app.count_due(&wanted).await.expect("a count"), 3);
        let since = test.app.behind_since(test.clock.now()).await.expect("a time");
        assert_eq!(since.expect("behind").to_rfc3339(), "2026-11-06T00:00:00+00:00");
    })
    .await;
}

/// Makes a subscriber due that does not exist: whoever bills it is refused.
async fn break_one(test: &TestApp, template: &str, due: &str) -> SubscriptionId {
    let id = SubscriptionId(uuid::Uuid::from_u128(0xdead));
    let due: chrono::DateTime<chrono::Utc> = due.parse().expect("a time");
    let mut tx = test.app.journal.store().begin().await.expect("a transaction");
    let sql = "INSERT INTO subscribers (tenant, subscriber, template, customer, status, time_zone, choices, next_number, \
               next_billing, due_at, cycles_passed, position, created_at, updated_at) \
               SELECT tenant, $2, template, customer, status, time_zone, choices, 1, next_billing, $3, 0, 0, 0, 0 \
               FROM subscribers WHERE template = $1 LIMIT 1";
    let values = [template.into(), id.to_string().into(), due.into()];
    assert_eq!(tx.execute(sql, &values).await.expect("a row"), 1);
    tx.commit().await.expect("committed");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_clock_makes_a_year_of_purchases_with_a_month_end_anchor_in_order_of_time() {
    on_both(async |test| {
        let test = in_test_mode(test).await;
        move_to(&test, "2026-12-31T09:00:00Z").await;
        let template = template(&test).await;
        let id = subscriber(&test, &template).await;
        let scene = scene(&test.app, &test.tenant).await;
        let monthly = contract(&test.app, &test.tenant, &scene, "2027-01-15").await;
        let moved = move_to(&test, "2027-12-31T00:00:00Z").await;
        let all = json!({"charges": 12, "invoices": 12, "purchases": 12});
        assert_eq!(moved["billed"], all, "{moved}");
        let days = [
            "2027-01-31",
            "2027-02-28",
            "2027-03-31",
            "2027-04-30",
            "2027-05-31",
            "2027-06-30",
            "2027-07-31",
            "2027-08-31",
            "2027-09-30",
            "2027-10-31",
            "2027-11-30",
            "2027-12-31",
        ];
        assert_eq!(bought(&test).await[&id], days);
        assert_eq!(billed(&test.app, &test.tenant).await[&monthly].len(), 12);
        let sql = "SELECT recorded_at FROM journal WHERE event_type IN ('subscriber.billed', 'subscription.accrued') \
                   ORDER BY pos";
        let rows = test.app.journal.store().read(sql, &[]).await.expect("events");
        let times: Vec<i64> = rows.iter().map(|row| row.int(0).expect("a time")).collect();
        assert!(times.is_sorted(), "one after the other, each at its moment: {times:?}");
        assert_eq!(times.len(), 24);
        let issued = "SELECT COUNT(DISTINCT created_at) FROM purchases";
        assert_eq!(count(&test.app, issued).await, 12, "each was made on its day");
        assert_eq!(
            move_to(&test, "2028-01-14T00:00:00Z").await["billed"],
            json!({"charges": 0, "invoices": 0})
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduler_makes_purchases_once_and_catches_up_after_a_downtime() {
    on_both(async |test| {
        test.clock.set("2026-08-31T12:00:00Z");
        let template = template(&test).await;
        let (one, other) = (subscriber(&test, &template).await, subscriber(&test, &template).await);
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        test.clock.set("2026-09-29T23:59:59Z");
        assert_eq!(round(&mut scheduler).await, of(0, 0, 0));
        test.clock.set("2026-09-30T00:00:00Z");
        assert_eq!(round(&mut scheduler).await, of(2, 2, 0));
        assert_eq!(round(&mut scheduler).await, of(0, 0, 0), "there is nothing left");
        test.clock.set("2026-10-31T00:15:00Z");
        assert_eq!(
            test.send("GET", "/health/ready", &[], "").await.status,
            503,
            "it is late"
        );
        test.clock.set("2026-12-31T00:00:00Z");
        assert_eq!(round(&mut scheduler).await, of(2, 6, 0));
        assert_eq!(test.send("GET", "/health/ready", &[], "").await.status, 200);
        let days = ["2026-09-30", "2026-10-31", "2026-11-30", "2026-12-31"];
        let bought = bought(&test).await;
        assert_eq!(bought[&one], days);
        assert_eq!(bought[&other], days);
        assert_eq!(purchases(&test).await, 8);

        let halted = but(
            subscription(),
            json!({"subscription_charge_period_end": true, "subscription_active": false}),
        );
        assert_eq!(test.put_template(&template, &halted).await.status, 200);
        test.clock.set("2027-01-31T12:00:00Z");
        assert_eq!(round(&mut scheduler).await, of(0, 0, 0), "the template stands still");
        assert_eq!(
            test.send("GET", "/health/ready", &[], "").await.status,
            200,
            "so nothing is late"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_of_tenants_in_test_mode_wait_for_their_own_clock() {
    on_both(async |test| {
        let test = in_test_mode(test).await;
        let template = template(&test).await;
        subscriber(&test, &template).await;
        test.clock.set("2027-01-06T00:00:00Z");
        assert_eq!(round(&mut Scheduler::new(Arc::clone(&test.app))).await, of(0, 0, 0));
        assert_eq!(test.send("GET", "/health/ready", &[], "").await.status, 200);
        let moved = move_to(&test, "2026-11-05T00:00:00Z").await;
        assert_eq!(moved["billed"], json!({"charges": 0, "invoices": 0, "purchases": 1}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_billed_is_listed_and_the_others_get_their_purchases() {
    on_both(async |test| {
        test.clock.set("2026-08-05T12:00:00Z");
        let template = template(&test).await;
        for _ in 0..5 {
            subscriber(&test, &template).await;
        }
        let broken = break_one(&test, &template, "2026-09-01T00:00:00Z").await;
        test.clock.set("2026-09-05T12:00:00Z");
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        assert_eq!(round(&mut scheduler).await, of(5, 5, 1));
        let listed = get(&test, "/billstream/v1/unbilled").await.json();
        let listed = listed["unbilled"].as_array().expect("a list");
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(listed[0]["subscription"], broken.to_string());
        assert_eq!(listed[0]["since"], "2026-09-01T00:00:00.000000Z");
        assert_eq!(round(&mut scheduler).await, of(0, 0, 0), "it is left alone for a while");
        assert_eq!(test.send("GET", "/health/ready", &[], "").await.status, 200);
        test.clock.set("2026-09-05T12:00:30Z");
        assert_eq!(round(&mut scheduler).await, of(0, 0, 1));
        let answer = test
            .chip("DELETE", &format!("/api/v1/billing_templates/{template}/"), "")
            .await;
        assert_eq!(answer.status, 204, "{answer:?}");
        let mut tx = test.app.journal.store().begin().await.expect("a transaction");
        tx.execute("UPDATE subscribers SET due_at = NULL WHERE cycles_passed = 0", &[])
            .await
            .expect("ended");
        tx.commit().await.expect("committed");
        round(&mut scheduler).await;
        assert_eq!(
            test.app.unbilled_count().await.expect("a count"),
            0,
            "nothing is due any more"
        );
    })
    .await;
}

async fn survives_being_killed_on(database: Database) {
    const SUBSCRIBERS: usize = 60;
    let test = TestApp::start(database).await;
    // The runs live in real time: ten periods have ended since.
    let today = SystemClock.now().date_naive();
    let from = today - Months::new(10);
    test.clock.set(&format!("{from}T00:00:00Z"));
    let template = template(&test).await;
    for _ in 0..SUBSCRIBERS {
        subscriber(&test, &template).await;
    }
    let until = today.to_string();
    let arguments = [
        "run-billing",
        "--until",
        until.as_str(),
        "--database",
        test.database.as_str(),
    ];
    let mut cut_off = 0;
    for kill in 0..6 {
        let mut child = spawn(&arguments);
        let enough = purchases(&test).await + 1 + kill * 9;
        while purchases(&test).await < enough && child.try_wait().expect("a child").is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if child.try_wait().expect("a child").is_none() {
            cut_off += 1;
        }
        drop(child.kill());
        child.wait().expect("it ends");
    }
    assert!(cut_off > 0, "no run was under way at any kill");
    let (code, output, errors) = run(&arguments).await;
    assert_eq!(code, Some(0), "{output}{errors}");
    let days: Vec<String> = (1..=10).map(|n| (from + Months::new(n)).to_string()).collect();
    let bought = bought(&test).await;
    assert_eq!(bought.len(), SUBSCRIBERS);
    for (id, found) in bought {
        assert_eq!(found, days, "{id}");
    }
    assert_eq!(
        purchases(&test).await,
        i64::try_from(SUBSCRIBERS * days.len()).expect("fits")
    );
    let sql = "SELECT COUNT(DISTINCT number) FROM purchases";
    assert_eq!(count(&test.app, sql).await, purchases(&test).await, "every number once");
    for command in ["verify", "replay"] {
        let (code, output, errors) = run(&["audit", command, "--database", &test.database]).await;
        assert_eq!(code, Some(0), "audit {command}: {output}{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again_a_run_makes_one_purchase_a_period_on_sqlite() {
    survives_being_killed_on(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again_a_run_makes_one_purchase_a_period_on_postgres() {
    survives_being_killed_on(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_names_a_subscriber_that_cannot_be_billed_as_a_subscriber() {
    on_both(async |test| {
        test.clock.set("2026-08-05T12:00:00Z");
        let template = template(&test).await;
        subscriber(&test, &template).await;
        let broken = break_one(&test, &template, "2026-09-01T00:00:00Z").await;
        let body = json!({"until": "2026-09-05T12:00:00Z"});
        let answer = post(&test, "/billstream/v1/previews/run", &body).await;
        let unbillable = &answer.json()["unbillable"];
        assert_eq!(unbillable.as_array().map(Vec::len), Some(1), "{answer:?}");
        assert_eq!(unbillable[0]["subscriber_id"], broken.to_string());
        assert_eq!(unbillable[0].get("contract_id"), None);
        assert!(unbillable[0]["reason"].is_string(), "{answer:?}");
    })
    .await;
}

/// What the database says of how it will read.
async fn plan_of(test: &TestApp, (sql, parameters): &(String, Vec<projections::Value>)) -> String {
    let store = test.app.journal.store();
    let (explain, column) = match store.name() {
        "sqlite" => ("EXPLAIN QUERY PLAN", 3),
        _ => ("EXPLAIN", 0),
    };
    let rows = store
        .read(&format!("{explain} {sql}"), parameters)
        .await
        .expect("a plan");
    let lines: Vec<_> = rows
        .iter()
        .map(|row| row.text(column).expect("text").to_owned())
        .collect();
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn where_many_wait_no_more_are_read_of_those_who_are_due_than_are_wanted() {
    on_both(async |test| {
        let mut templates = Vec::new();
        for _ in 0..4 {
            let template = template(&test).await;
            subscriber(&test, &template).await;
            templates.push(template);
        }
        for (template, count) in templates.iter().zip([6000, 2999, 1999, 0]) {
            if count > 0 {
                wait(&test, template, count).await;
            }
        }
        let stands = but(
            subscription(),
            json!({"subscription_charge_period_end": true, "subscription_active": false}),
        );
        let path = format!("/api/v1/billing_templates/{}/", templates[0]);
        assert_eq!(test.chip("PUT", &path, &stands.to_string()).await.status, 200);
        let mut tx = test.app.journal.store().begin().await.expect("a transaction");
        tx.execute("ANALYZE", &[]).await.expect("counted");
        tx.commit().await.expect("committed");
        test.clock.set("2027-01-15T00:00:00Z");
        let wanted = Wanted {
            whose: Whose::RealTime,
            until: test.clock.now(),
            rested_at: Some(test.clock.now()),
        };
        let reads = Arc::new(Reads::default());
        let app = Meddled::engine(&test, &reads).await;
        let (mut after, mut found) = (None, Vec::new());
        loop {
            reads.taken();
            let page = app.work(&wanted, after.as_ref(), 100).await.expect("what is due");
            let mut read = 0;
            for statement in reads.taken() {
                if !statement.0.contains("FROM subscribers d") {
                    continue;
                }
                let plan = plan_of(&test, &statement).await;
                assert!(plan.contains("subscribers_by_template_due"), "{statement:?}: {plan}");
                assert!(!plan.contains("Seq Scan on subscribers"), "{statement:?}: {plan}");
                let rows = test.app.journal.store().read(&statement.0, &statement.1).await;
                read += rows.expect("rows").len();
            }
            assert!(read <= 6 * 100, "{read} were read");
            let Some(last) = page.last() else { break };
            after = Some(last.place.clone());
            found.extend(page);
        }
        assert_eq!(found.len(), 3000 + 2000 + 1);
        assert!(
            found.is_sorted_by(|one, other| one.place < other.place),
            "in order, each once"
        );
    })
    .await;
}
