//! A run killed at any point and started again: every invoice is asked for once.

use std::time::Duration;

use super::automatic;
use crate::{
    billing::Books,
    support::{
        Database, TestApp,
        process::{run, spawn},
    },
};

const CONTRACTS: usize = 60;
const KILLS: u64 = 5;

async fn count(test: &TestApp, sql: &str) -> i64 {
    let rows = test.app.journal.store().read(sql, &[]).await.expect("a count");
    rows[0].int(0).expect("a number")
}

async fn survives_being_killed_on(database: Database) {
    let test = TestApp::start(database).await;
    let books = Books::of(&test);
    for _ in 0..CONTRACTS {
        let (_, contract) = automatic(&books, "10.00", "2026-06-05").await;
        books.bill(contract, "2026-10-05").await;
    }
    let arguments = ["run-billing", "--until", "2026-10-05", "--database", &test.database];
    let mut cut_off = 0;
    for kill in 0..KILLS {
        let mut child = spawn(&arguments);
        // In the thick of it: once this round has asked for some more.
        let payments = "SELECT COUNT(*) FROM payments";
        let enough = count(&test, payments).await + 1 + i64::try_from(kill * 7).expect("small");
        while count(&test, payments).await < enough && child.try_wait().expect("a child").is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if child.try_wait().expect("a child").is_none() {
            cut_off += 1;
        }
        drop(child.kill());
        child.wait().expect("it ends");
    }
    println!("{database:?}: {cut_off} of {KILLS} runs were cut off");
    let (code, output, errors) = run(&arguments).await;
    assert_eq!(code, Some(0), "{output}{errors}");
    let invoices = count(&test, "SELECT COUNT(*) FROM invoices").await;
    assert_eq!(invoices, i64::try_from(CONTRACTS * 5).expect("fits"));
    let asked = "SELECT COUNT(*) FROM journal WHERE event_type = 'payment.requested'";
    assert_eq!(count(&test, asked).await, invoices);
    let named = "SELECT COUNT(*) FROM (SELECT DISTINCT invoice FROM payments) p";
    assert_eq!(count(&test, named).await, invoices);
    books.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_five_times_asks_once_for_every_invoice_on_sqlite() {
    survives_being_killed_on(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_five_times_asks_once_for_every_invoice_on_postgres() {
    survives_being_killed_on(Database::Postgres).await;
}
