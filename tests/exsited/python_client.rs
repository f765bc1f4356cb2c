//! The vendor's published Python clients against a real socket: both generations read and write preferences.

use std::{process::Command, sync::Arc};

use super::Client;
use crate::support::{Database, TestApp};

/// A Python with the client installed. Never skipped: `scripts/test` makes them.
fn python(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} names no Python with the vendor's client: run scripts/test, which installs it")
    })
}

async fn run(variable: &'static str, script: &'static str) {
    let test = TestApp::start(Database::Sqlite).await;
    let order = Client::of(&test).await.order().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(billstream::http::serve(listener, Arc::clone(&test.app), async {
        let _ = stopped.await;
    }));
    let credentials = test.tenant.exsited.clone();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(python(variable))
            .arg(format!("{}/tests/exsited/{script}", env!("CARGO_MANIFEST_DIR")))
            .args([
                format!("http://{address}"),
                credentials.client_id,
                credentials.client_secret,
                order,
            ])
            .current_dir(std::env::temp_dir())
            .output()
            .expect("Python runs")
    })
    .await
    .expect("no panic");
    let readable = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}\n{}",
        readable(&output.stdout),
        readable(&output.stderr)
    );
    stop.send(()).expect("the server runs");
    server.await.expect("no panic").expect("served");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_generations_client_reads_and_writes_an_orders_preferences() {
    run("BILLSTREAM_TEST_EXSITED_1", "client_1.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fourth_generations_client_reads_and_writes_an_orders_preferences() {
    run("BILLSTREAM_TEST_EXSITED_4", "client_4.py").await;
}
