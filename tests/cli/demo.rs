//! An empty database gets a demo tenant, once, and what is printed of it works when it is pasted.

use std::process::Command;

use billstream::clock::{Clock, SystemClock};
use serde_json::Value;

use crate::support::{
    Database, fresh_database,
    process::{Server, run},
};

/// Runs a line as a person would: status and body of the answer it shows.
async fn paste(line: &str) -> (u16, String) {
    let line = line.to_owned();
    let done = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &line]).output())
        .await
        .expect("no panic")
        .expect("sh runs");
    let shown = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{shown}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let (head, body) = shown.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}

fn commands(server: &Server) -> Vec<&str> {
    let lines = server.introduction.iter().map(String::as_str);
    lines.filter(|line| line.starts_with("curl ")).collect()
}

async fn the_four_lines_work_on(database: Database) {
    let (url, _directory) = fresh_database(database).await;
    let server = Server::start(&url);
    let lines = commands(&server);
    let [preferences, order, invoices, billing] = lines.as_slice() else {
        panic!("four lines were expected: {:#?}", server.introduction)
    };

    assert_eq!(paste(preferences).await, (200, String::new()));

    let (status, body) = paste(order).await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["order"]["properties"]["payment_term"], "Net 14", "{body}");
    assert_eq!(body["order"]["properties"]["invoice_mode"], "MANUAL", "{body}");

    let (status, body) = paste(invoices).await;
    let made: Vec<String> = serde_json::from_str(&body).expect("invoice ids");
    assert_eq!(status, 201, "{body}");
    assert_eq!(made.len(), 1, "{body}");
    assert!(made[0].starts_with("Inv_"), "{body}");
    assert_eq!(paste(invoices).await, (200, "[]".to_owned()), "there was one charge");

    let (status, body) = paste(billing).await;
    let made: Vec<uuid::Uuid> = serde_json::from_str(&body).expect("purchase ids");
    assert_eq!(status, 200, "{body}");
    assert_eq!(made.len(), 1, "{body}");

    assert!(server.terminate().await.success());
    let (code, output, errors) = run(&["audit", "verify", "--database", &url]).await;
    assert_eq!(code, Some(0), "{output}{errors}");
    let again = Server::start(&url);
    assert_eq!(again.introduction, [""; 0], "credentials are shown once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_lines_work_on_an_empty_sqlite_directory() {
    the_four_lines_work_on(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_lines_work_on_an_empty_postgres_database() {
    the_four_lines_work_on(Database::Postgres).await;
}

/// The third line once made two invoices: the scheduler had charged the order between the second and the third.
async fn nothing_falls_due_between_the_lines_on(database: Database) {
    let (url, _directory) = fresh_database(database).await;
    let server = Server::start(&url);
    let today = SystemClock.now().date_naive().to_string();
    let (code, output, errors) = run(&["run-billing", "--until", &today, "--database", &url]).await;
    assert_eq!(code, Some(0), "{output}{errors}");
    let store = billstream::journal::connect(&url).await.expect("the database");
    let found = store.read("SELECT COUNT(*) FROM invoices", &[]).await;
    assert_eq!(found.expect("a row")[0].int(0).expect("a number"), 0, "{output}");
    assert!(server.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_falls_due_between_the_lines_on_sqlite() {
    nothing_falls_due_between_the_lines_on(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_falls_due_between_the_lines_on_postgres() {
    nothing_falls_due_between_the_lines_on(Database::Postgres).await;
}

async fn one_of_several_makes_it_on(database: Database) {
    let (url, _directory) = fresh_database(database).await;
    let starts = (0..4).map(|_| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || Server::start(&url))
    });
    let started = futures::future::join_all(starts).await;
    let servers: Vec<Server> = started.into_iter().map(|server| server.expect("it starts")).collect();
    let introduced: Vec<_> = servers
        .iter()
        .filter(|server| !server.introduction.is_empty())
        .collect();
    assert_eq!(introduced.len(), 1, "one of them shows credentials");

    // Everything is there once, for everybody.
    let lines = commands(introduced[0]);
    let (status, body) = paste(lines[2]).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(serde_json::from_str::<Vec<String>>(&body).expect("ids").len(), 1);
    let store = billstream::journal::connect(&url).await.expect("the database");
    for (table, rows) in [
        ("tenants", 1),
        ("customers", 3),
        ("orders", 1),
        ("invoices", 1),
        ("invoice_lines WHERE name = 'Basic, first month'", 1),
    ] {
        let found = store.read(&format!("SELECT COUNT(*) FROM {table}"), &[]).await;
        assert_eq!(found.expect("a row")[0].int(0).expect("a number"), rows, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_four_started_at_once_on_an_empty_sqlite_file_one_makes_the_demo_tenant() {
    one_of_several_makes_it_on(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_four_started_at_once_on_an_empty_postgres_one_makes_the_demo_tenant() {
    one_of_several_makes_it_on(Database::Postgres).await;
}
