//! Credit of customers over our own API.

use std::sync::Arc;

use aggregates::{
    customer::{Contact, Profile},
    id::CustomerId,
    money::{self, Money},
};
use billstream::{
    app::{
        App,
        contracts::{ChargeOrder, NewContract},
    },
    clock::Clock,
    journal::{Journal, Request},
};
use futures::future::join_all;
use serde_json::{Value, json};

use super::{billed, pay, read, standing};
use crate::{
    billing::{Books, date, eur},
    billstream::{NOBODY, call, post, refused},
    journal::history,
    support::{Answer, TestApp, on_both},
};

fn path(customer: CustomerId) -> String {
    format!("/billstream/v1/customers/Cust_{customer}/credit")
}

async fn grant(test: &TestApp, customer: CustomerId, amount: &str, currency: &str) -> Answer {
    let body = json!({"amount": amount, "currency": currency, "reason": "goodwill"});
    let answer = post(test, &path(customer), &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn example_8_credit_pays_what_is_open_and_then_what_comes() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("249.95", "2026-10-05").await;
        let first = books.bill(contract, "2026-10-05").await.invoices[0];
        let granted = grant(&test, customer, "300.00", "EUR").await;
        assert_eq!(
            granted.json(),
            json!({"customer_id": format!("Cust_{customer}"), "currency": "EUR", "amount": "300.00",
                "balance": "50.05"})
        );
        assert_eq!(standing(&test, first).await, ("0.00".to_owned(), "0.00".to_owned()));
        assert_eq!(books.credit(customer).await, "50.05");
        let next = books.bill(contract, "2026-11-05").await.invoices[0];
        assert_eq!(standing(&test, next).await.0, "199.90");
        assert_eq!(books.credit(customer).await, "0.00");
        books.prove().await;
    })
    .await;
}

/// That there is no credit is believed before anybody has looked: the writer looks.
#[tokio::test(flavor = "multi_thread")]
async fn credit_granted_elsewhere_is_used_by_a_program_that_has_just_begun() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("249.95", "2026-10-05").await;
        let journal = Journal::open(&test.database).await.expect("the log");
        let begun = App::new(journal, Arc::clone(&test.clock) as Arc<dyn Clock>);
        grant(&test, customer, "300.00", "EUR").await;
        let until = "2026-10-05T12:00:00Z".parse().expect("a time");
        let request = Request::new(history::tenant(&test), "tester", "billstream", until);
        let billed = begun
            .bill_subscription(&request, contract, until)
            .await
            .expect("billed");
        assert_eq!(
            standing(&test, billed.invoices[0]).await,
            ("0.00".to_owned(), "0.00".to_owned())
        );
        assert_eq!(books.credit(customer).await, "50.05");
        begun.journal.store().close().await;
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_grant_shows_what_is_left_of_it_and_the_oldest_is_used_first() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, invoice) = billed(&books, "10.00").await;
        pay(&test, invoice, "ch_1", "12.50").await;
        test.clock.set("2026-10-06T12:00:00Z");
        for (amount, currency) in [("1.00", "EUR"), ("7", "JPY"), ("4.00", "EUR")] {
            grant(&test, customer, amount, currency).await;
        }
        let left = |currency: usize, shown: &Value| -> Vec<(String, String)> {
            let grants = shown["credit"][currency]["grants"].as_array().expect("grants").clone();
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            grants
                .iter()
                .map(|grant| (text(&grant["source"]["kind"]), text(&grant["left"])))
                .collect()
        };
        let of = |kind: &str, left: &str| (kind.to_owned(), left.to_owned());
        let shown = read(&test, &path(customer)).await;
        assert_eq!(
            left(0, &shown),
            [of("overpayment", "2.50"), of("gift", "1.00"), of("gift", "4.00")]
        );
        assert_eq!(
            (&shown["credit"][0]["balance"], &shown["credit"][1]["balance"]),
            (&json!("7.50"), &json!("7"))
        );
        let first = &shown["credit"][0]["grants"][0];
        assert_eq!(
            (&first["source"]["invoice_id"], &first["source"]["reference"]),
            (&json!(format!("Inv_{invoice}")), &json!("ch_1"))
        );
        assert_eq!(
            (&first["amount"], &first["granted_at"], &first["number"]),
            (&json!("2.50"), &json!("2026-10-05T12:00:00.000000Z"), &json!(1))
        );
        let plan = books.plan("3.00").await;
        let contract = books.sign(Books::new_contract(customer, plan, "2026-10-05")).await;
        books.bill(contract, "2026-10-05").await;
        let shown = read(&test, &path(customer)).await;
        assert_eq!(left(0, &shown), [of("gift", "0.50"), of("gift", "4.00")]);
        assert_eq!(left(1, &shown), [of("gift", "7")]);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_uses_credit_of_its_own_currency_only() {
    on_both(async |test| {
        let books = Books::of(&test);
        let customer = test
            .app
            .create_customer(&books.request(), None, Profile::default(), Contact::default())
            .await
            .expect("a customer");
        grant(&test, customer, "100.00", "EUR").await;
        let plan = test.app.create_plan(&books.request(), "By hand", eur()).await;
        let plan = plan.expect("a plan");
        let mut invoices = Vec::new();
        for code in ["USD", "EUR"] {
            let currency = money::currency(code).expect("a currency");
            let new = NewContract {
                currency,
                ..Books::new_contract(customer, plan, "2026-10-05")
            };
            let contract = books.sign(new).await;
            let charge = ChargeOrder {
                name: "Seats".to_owned(),
                amount: "30.00".to_owned(),
                period: aggregates::calendar::Period {
                    start: date("2026-10-05"),
                    end: None,
                },
                flat_fee: true,
                automatic_payment: None,
            };
            let added = test.app.add_charge(&books.request(), contract, &charge).await;
            added.expect("a charge");
            let selection = billstream::app::invoicing::Selection::Pending(projections::subscription::Scope {
                customer: Some(customer),
                subscription: Some(contract),
            });
            let made = test.app.create_invoices(&books.request(), &selection).await;
            invoices.push(made.expect("an invoice")[0]);
        }
        assert_eq!(standing(&test, invoices[0]).await.0, "30.00");
        assert_eq!(standing(&test, invoices[1]).await.0, "0.00");
        // What is given in one currency pays nothing that is open in another.
        grant(&test, customer, "5.00", "GBP").await;
        assert_eq!(standing(&test, invoices[0]).await.0, "30.00");
        grant(&test, customer, "40.00", "USD").await;
        assert_eq!(standing(&test, invoices[0]).await.0, "0.00");
        let balances = test.app.credit_of(&books.tenant, customer).await.expect("readable");
        let balances: Vec<String> = balances.iter().map(ToString::to_string).collect();
        assert_eq!(balances, ["70.00", "5.00", "10.00"]);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_grants_at_once_pay_what_is_open_and_no_cent_is_lost() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("10.00", "2026-10-05").await;
        let invoices = books.bill(contract, "2026-12-05").await.invoices;
        let grants = (0..50).map(|_| {
            let (app, request) = (Arc::clone(&test.app), books.request());
            tokio::spawn(async move {
                let amount = Money::new(100, eur());
                app.grant_credit(&request, customer, amount, "goodwill").await
            })
        });
        for granted in join_all(grants).await {
            granted.expect("no panic").expect("granted");
        }
        for invoice in invoices {
            assert_eq!(standing(&test, invoice).await.0, "0.00");
        }
        assert_eq!(books.credit(customer).await, "20.00");
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_of_nothing_and_of_nobody_is_refused() {
    on_both(async |test| {
        let books = Books::of(&test);
        let customer = books.customer().await;
        let events = test.events().await;
        let good = json!({"amount": "1.00", "currency": "EUR", "reason": "goodwill"});
        for (field, value, code) in [
            ("amount", Value::Null, "missing"),
            ("amount", json!("1.001"), "invalid"),
            ("amount", json!("0"), "credit_of_nothing"),
            ("amount", json!("-1"), "credit_of_nothing"),
            ("currency", Value::Null, "missing"),
            ("currency", json!("XAU"), "invalid"),
            ("reason", Value::Null, "missing"),
            ("reason", json!(" "), "invalid"),
        ] {
            let mut body = good.clone();
            body[field] = value;
            refused(&post(&test, &path(customer), &body).await, 400, code, Some(field));
        }
        let nobody = format!("/billstream/v1/customers/Cust_{NOBODY}/credit");
        refused(&post(&test, &nobody, &good).await, 404, "customer_unknown", None);
        assert_eq!(test.events().await, events);
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let answer = call(&test, &other.billstream.api_key, "GET", &path(customer), "").await;
        refused(&answer, 404, "not_found", None);
        assert_eq!(read(&test, &path(customer)).await["credit"], json!([]));
    })
    .await;
}
