//! `billstream run-billing`, and a server that bills by itself.

use std::time::Duration;

use billstream::clock::{Clock, SystemClock};
use chrono::{Days, Months};
use serde_json::Value;

use super::{billed, break_one, contract, invoices, scene};
use crate::support::{
    Database, TestApp, on_both,
    process::{Server, run},
};

async fn run_billing(test: &TestApp, arguments: &[&str]) -> (Option<i32>, String, String) {
    run(&[&["run-billing", "--database", &test.database], arguments].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_hand_bills_up_to_the_end_of_a_day_and_says_what_it_did() {
    on_both(async |test| {
        let scene = scene(&test.app, &test.tenant).await;
        let id = contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        contract(&test.app, &test.tenant, &scene, "2026-12-05").await;
        let (code, output, errors) = run_billing(&test, &["--until", "2026-11-05", "--json"]).await;
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{output}");
        let said: Value = serde_json::from_str(&output).expect("JSON");
        let expected = serde_json::json!({"until": "2026-11-05T23:59:59.999999Z", "subscriptions": 1, "charges": 2,
            "invoices": 2, "purchases": 0, "failed": 0});
        assert_eq!(said, expected);
        let (code, output, _) = run_billing(&test, &["--until", "2026-11-05T00:00:00Z"]).await;
        assert_eq!(code, Some(0));
        let nothing =
            "billed 0 subscriptions until 2026-11-05T00:00:00Z: 0 charges on 0 invoices, 0 purchases; 0 could not be billed\n";
        assert_eq!(output, nothing);
        assert_eq!(billed(&test.app, &test.tenant).await[&id], ["2026-10-05", "2026-11-05"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_hand_fails_when_something_could_not_be_billed() {
    on_both(async |test| {
        let scene = scene(&test.app, &test.tenant).await;
        contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        break_one(&test.app, &test.tenant, "2026-10-01T00:00:00Z").await;
        let (code, output, errors) = run_billing(&test, &["--until", "2026-10-05"]).await;
        assert_eq!(code, Some(1), "{output}{errors}");
        assert!(
            output.contains("billed 1 subscription ") && output.contains("1 could not be billed"),
            "{output}"
        );
        assert!(errors.contains("1 subscription could not be billed"), "{errors}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_for_one_tenant_leaves_the_others_alone() {
    on_both(async |test| {
        let other = test.app.create_tenant("other").await.expect("a tenant");
        for tenant in [&test.tenant, &other] {
            let scene = scene(&test.app, tenant).await;
            contract(&test.app, tenant, &scene, "2026-10-05").await;
        }
        let (code, ..) = run_billing(&test, &["--until", "2026-10-05", "--tenant", &other.tenant_id]).await;
        assert_eq!(code, Some(0));
        assert!(billed(&test.app, &test.tenant).await.is_empty());
        assert_eq!(billed(&test.app, &other).await.len(), 1);

        let rehearsal = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
        for (id, says) in [
            ("t_none", "there is no tenant t_none"),
            (&rehearsal.tenant_id, "is in test mode"),
        ] {
            let (code, _, errors) = run_billing(&test, &["--until", "2026-10-05", "--tenant", id]).await;
            assert_eq!(code, Some(1));
            assert!(errors.contains(says), "{errors}");
        }
    })
    .await;
}

async fn a_server_bills_by_itself_on(database: Database) {
    let test = TestApp::start(database).await;
    let scene = scene(&test.app, &test.tenant).await;
    // The server lives in real time: these have been due for a while.
    let from = SystemClock.now().date_naive() - Days::new(45);
    let days = [from, from + Months::new(1)].map(|day| day.to_string());
    for _ in 0..20 {
        contract(&test.app, &test.tenant, &scene, &days[0]).await;
    }
    let servers = [Server::start(&test.database), Server::start(&test.database)];
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let ready = servers[0].send("GET", "/health/ready", &[], "").await;
        let is_ready = ready.is_some_and(|(status, _)| status == 200);
        if is_ready && invoices(&test.app).await >= 40 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "the server does not bill");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (code, output, errors) = run(&["run-billing", "--until", &days[1], "--database", &test.database]).await;
    assert_eq!(code, Some(0), "{output}{errors}");
    let billed = billed(&test.app, &test.tenant).await;
    assert_eq!(billed.len(), 20);
    for (id, found) in billed {
        assert_eq!(found, days, "{id}");
    }
    for server in servers {
        assert!(server.terminate().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_bills_what_was_due_before_it_started_beside_another_and_a_run_by_hand_on_sqlite() {
    a_server_bills_by_itself_on(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_bills_what_was_due_before_it_started_beside_another_and_a_run_by_hand_on_postgres() {
    a_server_bills_by_itself_on(Database::Postgres).await;
}
