//! A person who was forgotten is in no table any more, whichever door the person came in by.

use aggregates::{
    Decider,
    event::{Visitor, visit},
};
use billstream::journal::{replay::replay, verify::verify};
use serde_json::json;

use super::{billing, one_product};
use crate::{
    journal::history::{quiet, rows},
    support::{Database, TestApp, on_both},
};

/// What is looked for: no other text of the tests contains these.
const TRACES: [&str; 4] = ["zebulon", "quagga-street", "+60-555-0199", "t-987654"];

/// The columns, as `table.column`, of which some row contains one of the traces.
async fn traces(test: &TestApp) -> Vec<String> {
    let columns = if test.app.journal.store().name() == "sqlite" {
        "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
    } else {
        "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns \
         WHERE table_schema = 'public' ORDER BY 1, 2"
    };
    let columns = rows(test, columns, &[]).await;
    assert!(columns.len() > 100, "only {} columns were found", columns.len());
    let mut found = Vec::new();
    for row in columns {
        let (table, column) = (row.text(0).expect("a table"), row.text(1).expect("a column"));
        let holds: Vec<String> = TRACES
            .iter()
            .map(|trace| format!("LOWER(CAST(\"{column}\" AS TEXT)) LIKE '%{trace}%'"))
            .collect();
        let sql = format!("SELECT COUNT(*) FROM \"{table}\" WHERE {}", holds.join(" OR "));
        if rows(test, &sql, &[]).await[0].int(0) != Ok(0) {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

/// Lets the person in by every door, each time under an idempotency key, and bills them; answers with the ids of the
/// customers and of the purchases.
async fn come_in(test: &TestApp) -> (Vec<String>, Vec<String>) {
    let mut customers = Vec::new();
    let person = json!({"email": "Zebulon@example.com", "full_name": "Zebulon One", "phone": "+60-555-0199",
        "street_address": "1 Quagga-Street", "tax_number": "T-987654"});
    let created = test
        .chip_with("POST", "/clients/", &[("idempotency-key", "1")], &person.to_string())
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    customers.push(created.json()["id"].as_str().expect("an id").to_owned());
    let path = format!("/clients/{}/", customers[0]);
    let changed = test
        .chip_with(
            "PATCH",
            &path,
            &[("idempotency-key", "2")],
            r#"{"full_name":"Zebulon Two"}"#,
        )
        .await;
    assert_eq!(changed.status, 200, "{changed:?}");

    let key = test.tenant.wingback.api_key.clone();
    let body = json!({"name": "Zebulon Three", "email": "zebulon3@example.com", "customer_reference": "ref-1"});
    let headers = [("wb-key", key.as_str()), ("idempotency-key", "3")];
    let answer = test.send("POST", "/v1/c/customer", &headers, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let (id, secret) = (&test.tenant.exsited.client_id, &test.tenant.exsited.client_secret);
    let body = json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret});
    let answer = test.send("POST", "/api/v3/oauth2/token", &[], &body.to_string()).await;
    let bearer = format!("Bearer {}", answer.json()["access_token"].as_str().expect("a token"));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "4")];
    let body = json!({"account": {"name": "Zebulon Four", "email_address": "zebulon4@example.com"}});
    let account = test.send("POST", "/api/v3/accounts", &headers, &body.to_string()).await;
    assert_eq!(account.status, 201, "{account:?}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "5")];
    let order = json!({"order": {"account_id": account.json()["account"]["id"], "order_start_date": "2026-10-01",
        "lines": [{"item_id": "ITEM-0001", "item_name": "Support", "item_order_quantity": "2",
            "item_price_snapshot": {"pricing_rule": {"price": "6.25"}}}]}});
    let order = test.send("POST", "/api/v3/orders", &headers, &order.to_string()).await;
    assert!(order.status < 300, "{order:?}");

    let mut body = billing(one_product());
    body["clients"] =
        json!([{"client_id": customers[0]}, {"email": "zebulon5@example.com", "full_name": "Zebulon Five"}]);
    let billed = test
        .chip_with("POST", "/billing/", &[("idempotency-key", "6")], &body.to_string())
        .await;
    assert_eq!(billed.status, 200, "{billed:?}");
    let purchases: Vec<String> = serde_json::from_value(billed.json()).expect("ids");
    let all = test.chip("GET", "/clients/", "").await.json();
    let all = all["results"].as_array().expect("results");
    (
        all.iter()
            .map(|client| client["id"].as_str().expect("an id").to_owned())
            .collect(),
        purchases,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_person_is_in_no_table_and_the_purchases_still_stand() {
    on_both(async |test| {
        let (customers, purchases) = come_in(&test).await;
        assert_eq!(customers.len(), 4);
        assert_eq!(traces(&test).await, ["customers.contact", "customers.email"]);
        let names = async || {
            let mut names = Vec::new();
            for id in &purchases {
                names.push(test.purchase(id).await["client"]["full_name"].clone());
            }
            names
        };
        assert_eq!(
            names().await,
            ["Zebulon Two", "Zebulon Five"],
            "read from the sealed log"
        );

        for customer in &customers {
            let answer = test.chip("DELETE", &format!("/clients/{customer}/"), "").await;
            assert_eq!(answer.status, 204, "{answer:?}");
        }
        assert_eq!(traces(&test).await, [""; 0]);
        assert_eq!(names().await, ["", ""]);
        let purchase = test.purchase(&purchases[0]).await;
        assert_eq!(purchase["client"]["email"], "");
        assert_eq!(purchase["client"]["street_address"], "");
        assert_eq!(purchase["purchase"]["total"], 1000);

        let report = verify(&test.app.journal, &[], &quiet).await.expect("readable");
        assert_eq!(report.faults, []);
        let replayed = replay(&test.app.journal, test.clock.as_ref(), &quiet).await;
        let replayed = replayed.expect("replayed");
        assert!(replayed.is_identical(), "{replayed:#?}");
        assert_eq!(traces(&test).await, [""; 0], "the replay has left nothing behind");
    })
    .await;
}

struct KeepsSnapshots;

impl Visitor for KeepsSnapshots {
    type Output = bool;

    fn visit<A: Decider + cqrs_es::Aggregate>(self) -> bool {
        A::SNAPSHOT_EVERY > 0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_aggregate_with_personal_events_keeps_snapshots_of_its_state() {
    let test = TestApp::start(Database::Sqlite).await;
    come_in(&test).await;
    let sql = "SELECT DISTINCT aggregate_type FROM journal WHERE key_id IS NOT NULL ORDER BY 1";
    let personal = rows(&test, sql, &[]).await;
    let personal: Vec<_> = personal.iter().map(|row| row.text(0).expect("a type")).collect();
    assert_eq!(personal, ["customer", "purchase"]);
    for aggregate in personal {
        assert_eq!(visit(aggregate, KeepsSnapshots), Some(false), "{aggregate}");
    }
}
