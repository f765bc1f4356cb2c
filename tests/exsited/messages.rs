//! What is to be told to the customers of orders: as the communication profile says, and to nobody twice.

use std::sync::Arc;

use billstream::processes::scheduler::Scheduler;
use serde_json::{Value, json};

use super::{Client, new_order};
use crate::{
    billstream::{NOBODY, post, refused},
    payments::{asked, read, round},
    support::{TestApp, on_both},
};

const MESSAGES: &str = "/billstream/v1/messages";

/// An order with one invoice, under these preferences.
async fn invoiced(test: &TestApp, preferences: Value) {
    let client = Client::of(test).await;
    let account = client.account().await;
    let mut order = new_order(&account);
    order["order"]["order_start_date"] = "2026-10-05".into();
    order["order"]["properties"] = preferences;
    let order = client.ok("POST", "/api/v3/orders", &order).await;
    let path = format!(
        "/api/v3/orders/{}/invoices",
        order["order"]["id"].as_str().expect("an id")
    );
    client.ok("POST", &path, &json!({})).await;
}

async fn listed(test: &TestApp, query: &str) -> Vec<Value> {
    let list = read(test, &format!("{MESSAGES}{query}")).await;
    list["messages"].as_array().expect("messages").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_told_once_by_the_profile_of_its_order() {
    on_both(async |test| {
        invoiced(&test, json!({})).await;
        invoiced(
            &test,
            json!({"communication_profile": "autobill communication profile"}),
        )
        .await;
        invoiced(&test, json!({"communication_profile": "No Communication"})).await;
        let messages = listed(&test, "?status=requested").await;
        let of = |n: usize, field: &str| messages[n][field].clone();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert_eq!(
            (of(0, "profile"), of(0, "channel"), of(0, "template"), of(0, "occasion")),
            (
                json!("DEFAULT"),
                json!("email"),
                json!("default/invoice"),
                json!("invoice")
            )
        );
        assert_eq!(of(1, "template"), "autobill/invoice");
        let text = Value::from(messages.clone()).to_string();
        assert!(!text.contains("example.com"), "a message names nobody: {text}");

        let path = |n: usize| format!("{MESSAGES}/{}", messages[n]["id"].as_str().expect("an id"));
        let failed = post(
            &test,
            &format!("{}/failed", path(0)),
            &json!({"reason": "mailbox full"}),
        )
        .await;
        assert_eq!(
            (failed.status, &failed.json()["status"], &failed.json()["reason"]),
            (200, &json!("failed"), &json!("mailbox full"))
        );
        for n in [0, 1] {
            let sent = post(&test, &format!("{}/sent", path(n)), &json!({})).await;
            assert_eq!((sent.status, &sent.json()["status"]), (200, &json!("sent")), "{sent:?}");
        }
        let events = test.events().await;
        let again = post(&test, &format!("{}/sent", path(0)), &json!({})).await;
        assert_eq!((again.status, again.json()), (200, read(&test, &path(0)).await));
        assert_eq!(test.events().await, events);
        assert_eq!(listed(&test, "?status=requested").await, Vec::<Value>::new());
        assert_eq!(listed(&test, "?status=sent").await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_failed_is_told_and_a_voided_invoice_is_not() {
    on_both(async |test| {
        invoiced(
            &test,
            json!({"payment_mode": "AUTOMATIC", "payment_term": "Due on Receipt"}),
        )
        .await;
        round(&mut Scheduler::new(Arc::clone(&test.app))).await;
        let asked = asked(&test).await;
        let path = format!("/billstream/v1/payments/{}", asked[0]["id"].as_str().expect("an id"));
        let failed = post(&test, &format!("{path}/failed"), &json!({"reason": "card expired"})).await;
        assert_eq!(failed.status, 200, "{failed:?}");
        let messages = listed(&test, "?status=requested").await;
        let occasions: Vec<&Value> = messages.iter().map(|message| &message["occasion"]).collect();
        assert_eq!(occasions, ["invoice", "payment_failed"]);
        assert_eq!(messages[1]["template"], "default/payment_failed");
        let invoice = messages[0]["invoice_id"].as_str().expect("an id");
        let void = format!("/billstream/v1/invoices/{invoice}/void");
        assert_eq!(post(&test, &void, &json!({"reason": "wrong"})).await.status, 200);
        assert_eq!(listed(&test, "?status=requested").await, Vec::<Value>::new());
        assert_eq!(listed(&test, "?status=withdrawn").await.len(), 2);
        crate::billing::Books::of(&test).prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_refused() {
    on_both(async |test| {
        invoiced(&test, json!({})).await;
        let message = listed(&test, "").await[0]["id"].as_str().expect("an id").to_owned();
        let path = |id: &str, what: &str| format!("{MESSAGES}/{id}/{what}");
        let events = test.events().await;
        for (path, body, status, code, field) in [
            (path(&message, "failed"), json!({}), 400, "missing", Some("reason")),
            (
                path(&message, "failed"),
                json!({"reason": " "}),
                400,
                "reason_missing",
                Some("reason"),
            ),
            (path("Inv_1", "sent"), json!({}), 400, "invalid", Some("message_id")),
            (
                path(&format!("Msg_{NOBODY}"), "sent"),
                json!({}),
                404,
                "message_unknown",
                None,
            ),
        ] {
            refused(&post(&test, &path, &body).await, status, code, field);
        }
        assert_eq!(test.events().await, events);
        assert_eq!(post(&test, &path(&message, "sent"), &json!({})).await.status, 200);
        let late = post(&test, &path(&message, "failed"), &json!({"reason": "x"})).await;
        refused(&late, 409, "message_sent", None);
    })
    .await;
}
