//! A running server: healthy, measured, and ending in good order.

use serde_json::json;

use crate::support::{
    Database, fresh_database,
    process::{Server, create_tenant},
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
