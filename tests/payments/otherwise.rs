//! Invoices whose collection is under way while money or credit comes otherwise, and credit that a crash has left.

use std::sync::Arc;

use aggregates::{
    credit::{Command, Credit, Source},
    id::{CustomerId, InvoiceId},
    money::Money,
};
use billstream::{journal::Streams, processes::scheduler::Scheduler};
use serde_json::{Value, json};

use super::{asked, automatic, billed, pay, read, round, standing};
use crate::{
    billing::{Books, eur},
    billstream::post,
    support::{TestApp, on_both},
};

const REQUESTED: &str = "/billstream/v1/payments?status=requested";

/// A payment that was asked for, over 10.00.
async fn under_way(test: &TestApp, books: &Books<'_>) -> (CustomerId, InvoiceId, String) {
    let (customer, contract) = automatic(books, "10.00", "2026-10-05").await;
    let invoice = books.bill(contract, "2026-10-05").await.invoices[0];
    round(&mut Scheduler::new(Arc::clone(&test.app))).await;
    let id = format!("Inv_{invoice}");
    let payment = asked(test)
        .await
        .into_iter()
        .find(|one| one["invoice_id"] == id.as_str());
    let payment = payment.expect("it is asked for");
    let path = format!("/billstream/v1/payments/{}", payment["id"].as_str().expect("an id"));
    (customer, invoice, path)
}

/// Credit as an overpayment leaves it when the process ends before it is used.
async fn left_by_a_crash(test: &TestApp, books: &Books<'_>, customer: CustomerId, invoice: InvoiceId, minor: i64) {
    let account = books.tenant.derive(&format!("credit/{customer}/EUR")).to_string();
    let granted = test
        .app
        .journal
        .execute(&books.request(), Streams::new().with::<Credit>(&account), |unit| {
            let grant = Command::Grant {
                at: unit.at(),
                customer,
                amount: Money::new(minor, eur()),
                source: Source::Overpayment {
                    invoice,
                    reference: "left".to_owned(),
                },
            };
            unit.send::<Credit>(&account, &grant)?;
            Ok(())
        })
        .await;
    granted.expect("granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_that_is_paid_by_hand_is_not_collected_any_more() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, invoice, path) = under_way(&test, &books).await;
        pay(&test, invoice, "by hand 1", "4.00").await;
        let listed = read(&test, REQUESTED).await;
        let [payment] = listed["payments"].as_array().expect("a list").as_slice() else {
            panic!("it is still asked for: {listed}")
        };
        assert_eq!(
            (&payment["amount"], &payment["open"]),
            (&json!("10.00"), &json!("6.00"))
        );
        pay(&test, invoice, "by hand 2", "6.00").await;
        assert_eq!(read(&test, REQUESTED).await["payments"], json!([]));
        let shown = read(&test, &path).await;
        assert_eq!(
            (&shown["status"], &shown["open"]),
            (&json!("withdrawn"), &json!("0.00"))
        );
        let events = test.events().await;
        let failed = post(&test, &format!("{path}/failed"), &json!({"reason": "withdrawn"})).await;
        assert_eq!((failed.status, &failed.json()["status"]), (200, &json!("withdrawn")));
        assert_eq!(test.events().await, events);

        let body = json!({"reference": "ch_1"});
        let came = post(&test, &format!("{path}/succeeded"), &body).await;
        assert_eq!((came.status, &came.json()["status"]), (200, &json!("succeeded")));
        assert_eq!(
            books.credit(customer).await,
            "10.00",
            "what came too late is the customer's"
        );
        let again = post(&test, &format!("{path}/succeeded"), &body).await;
        assert_eq!((again.status, again.text), (200, came.text));
        assert_eq!(books.credit(customer).await, "10.00");
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_is_not_spent_on_what_is_being_collected_but_when_that_fails() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, invoice, path) = under_way(&test, &books).await;
        let given = Money::new(300, eur());
        let granted = test
            .app
            .grant_credit(&books.request(), customer, given, "goodwill")
            .await;
        assert_eq!(granted.expect("granted"), given, "it waits");
        assert_eq!(standing(&test, invoice).await.0, "10.00");
        let failed = post(&test, &format!("{path}/failed"), &json!({"reason": "no money"})).await;
        assert_eq!((failed.status, &failed.json()["open"]), (200, &json!("7.00")));
        assert_eq!(books.credit(customer).await, "0.00");
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_a_crash_has_left_is_used_by_the_repetition_and_before_a_collection() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("10.00", "2026-10-05").await;
        let first = books.bill(contract, "2026-10-05").await.invoices[0];
        pay(&test, first, "ch_1", "11.00").await;
        let second = books.bill(contract, "2026-11-05").await.invoices[0];
        assert_eq!(standing(&test, second).await.0, "9.00");
        left_by_a_crash(&test, &books, customer, first, 250).await;
        assert_eq!(pay(&test, first, "ch_1", "11.00").await.status, 200);
        assert_eq!(standing(&test, second).await.0, "6.50");

        let (customer, contract) = automatic(&books, "10.00", "2026-10-05").await;
        let invoice = books.bill(contract, "2026-10-05").await.invoices[0];
        left_by_a_crash(&test, &books, customer, invoice, 250).await;
        round(&mut Scheduler::new(Arc::clone(&test.app))).await;
        let amounts: Vec<Value> = asked(&test).await.iter().map(|one| one["amount"].clone()).collect();
        assert_eq!(amounts, ["7.50"]);
        let (_, paid) = billed(&books, "1.00").await;
        assert_eq!(standing(&test, paid).await.0, "1.00");
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_from_before_collections_were_stated_is_asked_for() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, contract) = automatic(&books, "10.00", "2026-10-05").await;
        let invoice = books.bill(contract, "2026-10-05").await.invoices[0];
        let state: aggregates::invoice::Invoice = test
            .app
            .journal
            .state(&books.tenant, &invoice.to_string())
            .await
            .expect("readable");
        let stated = state.issued().expect("issued");
        let mut before = stated.clone();
        before.collection = None;
        assert_eq!(before.collected_at(), Some(crate::billing::midnight("2026-10-05")));
        assert_eq!(before.collected_at(), stated.collected_at());
        before.automatic_payment = false;
        assert_eq!(before.collected_at(), None);
    })
    .await;
}
