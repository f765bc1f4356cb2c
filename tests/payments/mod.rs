//! What comes in and what is due besides billing: payments, collections, credit, and fulfilments of orders.

mod collected;
mod credit;
pub mod delivered_again;
mod delivered_before;
pub mod fulfilled;
mod killed;
mod otherwise;
mod recorded;
mod undone;

use aggregates::id::{CustomerId, InvoiceId, SubscriptionId};
use billstream::{app::contracts::NewContract, processes::scheduler::Scheduler};
use serde_json::{Value, json};

use crate::{
    billing::Books,
    billstream::{get, post},
    support::{Answer, TestApp},
};

/// A contract that is paid automatically, of a customer of its own.
pub async fn automatic(books: &Books<'_>, price: &str, activation: &str) -> (CustomerId, SubscriptionId) {
    let (customer, plan) = (books.customer().await, books.plan(price).await);
    let new = NewContract {
        automatic_payment: Some(true),
        ..Books::new_contract(customer, plan, activation)
    };
    (customer, books.sign(new).await)
}

/// A customer with one invoice over so much, issued on 5 October.
pub async fn billed(books: &Books<'_>, price: &str) -> (CustomerId, InvoiceId) {
    let (customer, contract) = books.monthly(price, "2026-10-05").await;
    (customer, books.bill(contract, "2026-10-05").await.invoices[0])
}

pub fn payments_of(invoice: InvoiceId) -> String {
    format!("/billstream/v1/invoices/Inv_{invoice}/payments")
}

pub async fn pay(test: &TestApp, invoice: InvoiceId, reference: &str, amount: &str) -> Answer {
    let body = json!({"reference": reference, "amount": amount});
    post(test, &payments_of(invoice), &body).await
}

/// What is left to pay, and what was paid.
pub async fn standing(test: &TestApp, invoice: InvoiceId) -> (String, String) {
    let shown = read(test, &payments_of(invoice)).await;
    let amount = |field: &str| shown[field].as_str().expect("an amount").to_owned();
    (amount("balance"), amount("paid"))
}

pub async fn read(test: &TestApp, path: &str) -> Value {
    let answer = get(test, path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// One round of the scheduler.
pub async fn round(scheduler: &mut Scheduler) {
    let done = scheduler.round(std::future::pending()).await.expect("the database");
    assert!(done.is_none_or(|done| done.failed == 0), "{done:?}");
}

/// The payments that were asked for.
pub async fn asked(test: &TestApp) -> Vec<Value> {
    let list = read(test, "/billstream/v1/payments").await;
    list["payments"].as_array().expect("payments").clone()
}

/// A collection that is due and can never be asked for: there is no such invoice.
pub async fn broken_collection(test: &TestApp, number: u128) {
    let store = test.app.journal.store();
    let since: chrono::DateTime<chrono::Utc> = "2026-10-01T00:00:00Z".parse().expect("a time");
    let mut tx = store.begin().await.expect("a transaction");
    let sql = "INSERT INTO collections_due (tenant, invoice, due_at) VALUES ($1, $2, $3)";
    let id = uuid::Uuid::from_u128(number).to_string();
    let row = [test.tenant.tenant_id.as_str().into(), id.into(), since.into()];
    tx.execute(sql, &row).await.expect("a row");
    tx.commit().await.expect("committed");
}
