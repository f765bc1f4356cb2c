//! A running server: healthy, measured, and ending in good order.

use serde_json::json;

use crate::support::{
    Database, fresh_database,
    process::{Server, create_tenant, run_logging},
};

async fn get(server: &Server, path: &str) -> (u16, String) {
    server.send("GET", path, &[], "").await.expect("an answer")
}

async fn is_healthy_counts_commands_and_ends_on(database: Database) {
    let (url, _directory) = fresh_database(database).await;
    let started = create_tenant(&url).await;
    let server = Server::start(&url);
    assert_eq!(server.introduction, [""; 0], "there is a tenant already");
    assert_eq!(get(&server, "/health/live").await.0, 200);
    assert_eq!(get(&server, "/health/ready").await.0, 200);

    let beside = create_tenant(&url).await;
    for tenant in [started, beside] {
        let headers = [("wb-key", tenant.wingback.api_key.as_str())];
        let body = json!({"automatic_payment": true}).to_string();
        let answer = server
            .send("POST", "/v1/c/preferences/invoicing", &headers, &body)
            .await;
        assert_eq!(answer, Some((200, String::new())));
    }
    let (status, metrics) = get(&server, "/metrics").await;
    assert_eq!(status, 200);
    assert!(
        metrics.lines().any(|line| line == "billstream_commands_total 2"),
        "{metrics}"
    );
    let status = server.terminate().await;
    assert_eq!(status.code(), Some(0), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_healthy_counts_commands_and_ends_when_told_to_on_sqlite() {
    is_healthy_counts_commands_and_ends_on(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_healthy_counts_commands_and_ends_when_told_to_on_postgres() {
    is_healthy_counts_commands_and_ends_on(Database::Postgres).await;
}

async fn is_logged_on(database: Database, kind: &str) {
    let (url, _directory) = fresh_database(database).await;
    let tenant = create_tenant(&url).await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let server = Server::start_logging(&url, std::fs::File::create(&path).expect("a file"));
    let key = tenant.wingback.api_key.as_str();
    let body = json!({"automatic_payment": true}).to_string();
    let asked = "/v1/c/preferences/invoicing?token=from-the-query";
    let answer = server.send("POST", asked, &[("wb-key", key)], &body).await;
    assert_eq!(answer, Some((200, String::new())));
    let page = "/p/10c9e59b-ed67-5401-ae01-2944e2f8c381";
    assert_eq!(get(&server, page).await.0, 404);
    assert!(server.terminate().await.success());

    let log = std::fs::read_to_string(&path).expect("the log");
    let line = |words: &[&str]| log.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(line(&["started", "127.0.0.1", kind]), "{log}");
    assert!(
        line(&["POST", "/v1/c/preferences/invoicing", "200", "milliseconds"]),
        "{log}"
    );
    assert!(line(&["GET", "/p/{", "404"]), "{log}");
    assert!(line(&["stopped"]), "{log}");
    for secret in [key, "from-the-query", "automatic_payment", "10c9e59b"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_stop_and_requests_are_logged_without_secrets_on_sqlite() {
    is_logged_on(Database::Sqlite, "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn start_stop_and_requests_are_logged_without_secrets_on_postgres() {
    is_logged_on(Database::Postgres, "postgres").await;
}

#[test]
fn a_filter_that_does_not_parse_is_refused_at_the_start() {
    for filter in ["inof", "billstream=loud"] {
        let (code, errors) = run_logging(filter, &["audit", "verify", "--database", "sqlite://nowhere.db"]);
        assert_eq!(code, Some(1), "{filter}");
        assert!(
            errors.contains("BILLSTREAM_LOG") && !errors.contains("nowhere"),
            "{errors}"
        );
    }
}
