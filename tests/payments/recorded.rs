//! Payments that came in.

use std::sync::Arc;

use aggregates::id::InvoiceId;
use billstream::app::payments::Paid;
use futures::future::join_all;
use serde_json::{Value, json};

use super::{billed, pay, payments_of, read, standing};
use crate::{
    billing::Books,
    billstream::{NOBODY, call, get, post, refused},
    support::{TestApp, on_both},
    wingback::Door,
};

#[tokio::test(flavor = "multi_thread")]
async fn example_15_the_same_payment_twice_counts_once() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, invoice) = billed(&books, "249.95").await;
        let first = pay(&test, invoice, "ch_1", "10.00").await;
        assert_eq!(first.status, 201, "{first:?}");
        assert_eq!(
            first.json(),
            json!({
                "invoice_id": format!("Inv_{invoice}"), "reference": "ch_1", "amount": "10.00", "currency": "EUR",
                "applied": "10.00", "credited": "0.00", "method": null, "paid_at": "2026-10-05T12:00:00.000000Z",
                "recorded_at": "2026-10-05T12:00:00.000000Z", "balance": "239.95",
            })
        );
        let events = test.events().await;
        test.clock.set("2026-10-06T12:00:00Z");
        let again = pay(&test, invoice, "ch_1", "10.00").await;
        assert_eq!((again.status, again.json()), (200, first.json()));
        refused(
            &pay(&test, invoice, "ch_1", "11.00").await,
            409,
            "payment_reference_taken",
            None,
        );
        assert_eq!(test.events().await, events);
        assert_eq!(
            standing(&test, invoice).await,
            ("239.95".to_owned(), "10.00".to_owned())
        );
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_under_a_key_is_answered_the_same_again() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, invoice) = billed(&books, "20.00").await;
        let bearer = format!("Bearer {}", test.tenant.billstream.api_key);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "p1")];
        let body = json!({"reference": "ch_1", "amount": "5.00", "method": "Cheque",
            "paid_at": "2026-10-04T08:00:00Z", "currency": "EUR"})
        .to_string();
        let send = async || test.send("POST", &payments_of(invoice), &headers, &body).await;
        let first = send().await;
        assert_eq!(first.status, 201, "{first:?}");
        pay(&test, invoice, "ch_2", "5.00").await;
        let again = send().await;
        assert_eq!((again.status, again.text), (201, first.text));
        let listed = read(&test, &payments_of(invoice)).await;
        let of = |n: usize, field: &str| listed["payments"][n][field].clone();
        assert_eq!((of(0, "reference"), of(0, "method")), (json!("ch_1"), json!("Cheque")));
        assert_eq!(of(0, "paid_at"), "2026-10-04T08:00:00.000000Z");
        assert_eq!((of(1, "reference"), of(2, "reference")), (json!("ch_2"), Value::Null));
        assert_eq!(
            (&listed["total"], &listed["paid"], &listed["balance"]),
            (&json!("20.00"), &json!("10.00"), &json!("10.00"))
        );
    })
    .await;
}

/// Fifty callers at once, each under the reference that it is given.
async fn at_once(test: &TestApp, invoice: InvoiceId, reference: impl Fn(usize) -> String) -> usize {
    let books = Books::of(test);
    let calls = (0..50).map(|n| {
        let (app, request) = (Arc::clone(&test.app), books.request());
        let paid = Paid {
            amount: "10.00".to_owned(),
            currency: None,
            reference: reference(n),
            method: None,
            at: None,
        };
        tokio::spawn(async move { app.record_payment(&request, invoice, &paid).await })
    });
    let mut new = 0;
    for recorded in join_all(calls).await {
        new += usize::from(recorded.expect("no panic").expect("recorded").new);
    }
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_callers_with_one_reference_one_pays() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, invoice) = billed(&books, "249.95").await;
        assert_eq!(at_once(&test, invoice, |_| "ch_1".to_owned()).await, 1);
        assert_eq!(
            standing(&test, invoice).await,
            ("239.95".to_owned(), "10.00".to_owned())
        );
        assert_eq!(books.credit(customer).await, "none");
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_payments_at_once_what_is_too_much_is_credit_to_the_cent() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, invoice) = billed(&books, "249.95").await;
        assert_eq!(at_once(&test, invoice, |n| format!("ch_{n}")).await, 50);
        assert_eq!(standing(&test, invoice).await, ("0.00".to_owned(), "249.95".to_owned()));
        assert_eq!(books.credit(customer).await, "250.05");
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paid_too_much_pays_what_else_is_open_and_then_what_comes() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("10.00", "2026-10-05").await;
        let invoices = books.bill(contract, "2026-12-05").await.invoices;
        let answer = pay(&test, invoices[1], "ch_1", "35.00").await.json();
        assert_eq!(
            (&answer["applied"], &answer["credited"], &answer["balance"]),
            (&json!("10.00"), &json!("25.00"), &json!("0.00"))
        );
        for (invoice, paid) in [(invoices[0], "0.00"), (invoices[1], "10.00"), (invoices[2], "0.00")] {
            assert_eq!(standing(&test, invoice).await, ("0.00".to_owned(), paid.to_owned()));
        }
        assert_eq!(books.credit(customer).await, "5.00");
        let next = books.bill(contract, "2027-01-05").await.invoices[0];
        assert_eq!(standing(&test, next).await.0, "5.00");
        let (view, _) = books.whole(invoices[0]).await;
        assert_eq!(
            (view.credit_applied.to_string(), view.to_pay.to_string()),
            ("10.00".to_owned(), "0.00".to_owned())
        );
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_payment_is_refused_and_leaves_nothing() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, invoice) = billed(&books, "249.95").await;
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let events = test.events().await;
        let good = json!({"reference": "ch_1", "amount": "10.00"});
        for (field, value, code) in [
            ("reference", Value::Null, "missing"),
            ("reference", json!(" "), "reference_missing"),
            ("reference", json!("x".repeat(256)), "reference_missing"),
            ("amount", Value::Null, "missing"),
            ("amount", json!(10), "invalid"),
            ("amount", json!("0"), "nothing_paid"),
            ("amount", json!("-1.00"), "nothing_paid"),
            ("amount", json!("1.001"), "amount_invalid"),
            ("amount", json!("ten"), "amount_invalid"),
            ("currency", json!("USD"), "wrong_currency"),
            ("currency", json!("euro"), "invalid"),
            ("method", json!("x".repeat(256)), "invalid"),
            ("paid_at", json!("today"), "invalid"),
            ("paid_at", json!("2026-10-05T12:00:01Z"), "paid_in_the_future"),
        ] {
            let mut body = good.clone();
            body[field] = value;
            refused(&post(&test, &payments_of(invoice), &body).await, 400, code, Some(field));
        }
        let nobody = format!("/billstream/v1/invoices/Inv_{NOBODY}/payments");
        refused(&post(&test, &nobody, &good).await, 404, "invoice_unknown", None);
        let foreign = &other.billstream.api_key;
        for (method, body) in [("POST", good.to_string()), ("GET", String::new())] {
            let answer = call(&test, foreign, method, &payments_of(invoice), &body).await;
            refused(&answer, 404, "invoice_unknown", None);
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wingback_list_says_what_is_paid() {
    on_both(async |test| {
        let door = Door::new(&test);
        let contract = door.contract().await;
        door.charge(&contract, "12.00", None).await;
        let [id] = door.invoices(&json!({})).await.try_into().expect("one invoice");
        let status = async || {
            let page = door.get(crate::wingback::INVOICE).await.json();
            let hit = page["hits"][0].clone();
            (
                hit["detailed_invoice_status"].clone(),
                hit["payment_execution_status"].clone(),
            )
        };
        assert_eq!(status().await, (json!("not_yet_due"), json!("pending")));
        let path = format!("/billstream/v1/invoices/{id}/payments");
        for (reference, expected) in [
            ("ch_1", (json!("not_yet_due"), json!("pending"))),
            ("ch_2", (json!("paid"), json!("succeeded"))),
        ] {
            let body = json!({"reference": reference, "amount": "6.00"});
            assert_eq!(post(&test, &path, &body).await.status, 201);
            assert_eq!(status().await, expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payments_of_an_invoice_come_page_by_page() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, invoice) = billed(&books, "31.00").await;
        for n in 0..5 {
            assert_eq!(pay(&test, invoice, &format!("ch_{n}"), "1.00").await.status, 201);
        }
        let path = payments_of(invoice);
        let references = |page: &Value| -> Vec<String> {
            let payments = page["payments"].as_array().expect("payments").iter();
            payments
                .map(|one| one["reference"].as_str().expect("text").to_owned())
                .collect()
        };
        let (mut after, mut found) = (json!(0), Vec::new());
        for expected in [2, 2, 1, 0] {
            let page = read(&test, &format!("{path}?limit=2&after={after}")).await;
            assert_eq!((references(&page).len(), &page["paid"]), (expected, &json!("5.00")));
            found.extend(references(&page));
            after = page["next_after"].clone();
        }
        assert_eq!(found, ["ch_0", "ch_1", "ch_2", "ch_3", "ch_4"]);
        assert_eq!(references(&read(&test, &path).await), found);
        for (query, field) in [("limit=0", "limit"), ("after=x", "after")] {
            refused(
                &get(&test, &format!("{path}?{query}")).await,
                400,
                "invalid",
                Some(field),
            );
        }
    })
    .await;
}
