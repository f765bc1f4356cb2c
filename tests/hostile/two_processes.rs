use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::support::{
    Database, fresh_database,
    process::{Server, create_tenant},
};

const CONTRACTS: usize = 100;
const CHARGES_EACH: usize = 10;
const CALLS: usize = 50;

async fn post(server: &Server, headers: &[(&str, &str)], path: &str, body: Value) -> (u16, String) {
    server
        .send("POST", path, headers, &body.to_string())
        .await
        .expect("an answer")
}

/// Sets the scene through the first server: contracts with five automatic and five manual charges each.
async fn contracts(server: &Server, wingback: &str, own: &str) {
    let (wingback, own) = ([("wb-key", wingback)], [("authorization", own)]);
    let (_, plan) = post(
        server,
        &own,
        "/billstream/v1/plans",
        json!({"name": "Basic", "currency": "eur", "lines": []}),
    )
    .await;
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    let (_, customer) = post(server, &wingback, "/v1/c/customer", json!({"name": "Example"})).await;
    let customer: Value = serde_json::from_str(&customer).expect("JSON");
    let terms = json!({"customer": customer, "plan": plan["id"], "currency": "eur", "cycle": "month",
        "invoice_trigger": "manual"});
    stream::iter(0..CONTRACTS)
        .map(|_| async {
            let (status, contract) = post(server, &wingback, "/v1/c/contract", terms.clone()).await;
            assert_eq!(status, 200, "{contract}");
            let contract: String = serde_json::from_str(&contract).expect("a contract id");
            for n in 0..CHARGES_EACH {
                let charge = json!({"name": "Seats", "amount": "1.00", "period_start": "2026-10-01",
                    "period_end": "2026-11-01", "flat_fee": false, "automatic_payment": n % 2 == 0});
                let path = format!("/billstream/v1/contracts/{contract}/charges");
                let (status, text) = post(server, &own, &path, charge).await;
                assert_eq!(status, 201, "{text}");
            }
        })
        .buffer_unordered(16)
        .collect::<Vec<()>>()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_postgres_invoice_every_charge_once_and_number_without_gaps() {
    let (url, _directory) = fresh_database(Database::Postgres).await;
    let tenant = create_tenant(&url).await;
    let servers = Arc::new([Server::start(&url), Server::start(&url)]);
    let own = format!("Bearer {}", tenant.billstream.api_key);
    contracts(&servers[0], &tenant.wingback.api_key, &own).await;

    let start = std::time::Instant::now();
    let calls = (0..CALLS).map(|n| {
        let (servers, key) = (Arc::clone(&servers), tenant.wingback.api_key.clone());
        tokio::spawn(async move {
            let (status, text) = post(&servers[n % 2], &[("wb-key", &key)], "/v1/c/invoice", json!({})).await;
            assert!(status == 200 || status == 201, "{status}: {text}");
            serde_json::from_str::<Vec<String>>(&text).expect("invoice ids")
        })
    });
    let answers = futures::future::join_all(calls).await;
    let elapsed = start.elapsed();
    println!("{CALLS} calls on two servers took {elapsed:?}");
    assert!(elapsed < Duration::from_secs(30), "took {elapsed:?}");

    let ids: Vec<String> = answers
        .into_iter()
        .flat_map(|answer| answer.expect("no panic"))
        .collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "two callers were told the same invoice");
    assert_eq!(ids.len(), CONTRACTS * 2, "one invoice a contract and payment mode");

    let store = billstream::journal::connect(&url).await.expect("the database");
    let number = async |sql: &str| store.read(sql, &[]).await.expect("a row")[0].int(0).expect("a number");
    let invoices = i64::try_from(CONTRACTS * 2).expect("fits");
    assert_eq!(number("SELECT COUNT(*) FROM invoices").await, invoices);
    assert_eq!(number("SELECT COUNT(DISTINCT number) FROM invoices").await, invoices);
    assert_eq!(number("SELECT MIN(number) FROM invoices").await, 1);
    assert_eq!(number("SELECT MAX(number) FROM invoices").await, invoices);
    let charges = i64::try_from(CONTRACTS * CHARGES_EACH).expect("fits");
    assert_eq!(
        number("SELECT COUNT(DISTINCT charge) FROM invoice_lines").await,
        charges
    );
    assert_eq!(number("SELECT COUNT(*) FROM invoice_lines").await, charges);
    assert_eq!(number("SELECT COUNT(*) FROM charges WHERE status = 'pending'").await, 0);
    let mixed = "SELECT COUNT(*) FROM invoice_lines l JOIN charges c ON c.tenant = l.tenant AND c.charge = l.charge \
                 JOIN invoices i ON i.tenant = l.tenant AND i.invoice = l.invoice \
                 WHERE c.automatic_payment <> i.automatic_payment OR c.subscription <> i.subscription";
    assert_eq!(number(mixed).await, 0);
}
