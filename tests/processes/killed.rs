//! A billing run killed at any point and started again: every period is on exactly one invoice.

use std::time::Duration;

use super::{billed, contract, invoices, scene};
use crate::support::{
    Database, TestApp,
    process::{run, spawn},
};

const CONTRACTS: usize = 100;
const KILLS: u64 = 10;

async fn survives_being_killed_on(database: Database) {
    let test = TestApp::start(database).await;
    let scene = scene(&test.app, &test.tenant).await;
    for _ in 0..CONTRACTS {
        contract(&test.app, &test.tenant, &scene, "2026-01-31").await;
    }
    let arguments = [
        "run-billing",
        "--until",
        "2026-10-31",
        "--database",
        test.database.as_str(),
    ];
    let mut cut_off = 0;
    for kill in 0..KILLS {
        let mut child = spawn(&arguments);
        // In the thick of it: once this round has billed some more.
        let enough = invoices(&test.app).await + 1 + i64::try_from(kill * 9).expect("small");
        while invoices(&test.app).await < enough && child.try_wait().expect("a child").is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if child.try_wait().expect("a child").is_none() {
            cut_off += 1;
        }
        drop(child.kill());
        child.wait().expect("it ends");
    }
    println!(
        "{database:?}: {cut_off} of {KILLS} runs were cut off, {} invoices were made",
        invoices(&test.app).await
    );
    assert!(cut_off > 0, "no run was under way at any kill");
    let (code, output, errors) = run(&arguments).await;
    assert_eq!(code, Some(0), "{output}{errors}");
    let days = [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
        "2026-05-31",
        "2026-06-30",
        "2026-07-31",
        "2026-08-31",
        "2026-09-30",
        "2026-10-31",
    ];
    let billed = billed(&test.app, &test.tenant).await;
    assert_eq!(billed.len(), CONTRACTS);
    for (id, found) in billed {
        assert_eq!(found, days, "{id}");
    }
    assert_eq!(
        invoices(&test.app).await,
        i64::try_from(CONTRACTS * days.len()).expect("fits")
    );
    for command in ["verify", "replay"] {
        let (code, output, errors) = run(&["audit", command, "--database", &test.database]).await;
        assert_eq!(code, Some(0), "audit {command}: {output}{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn example_17_a_run_killed_ten_times_makes_one_invoice_a_period_on_sqlite() {
    survives_being_killed_on(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_17_a_run_killed_ten_times_makes_one_invoice_a_period_on_postgres() {
    survives_being_killed_on(Database::Postgres).await;
}
