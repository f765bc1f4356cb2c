//! What one payer owes is billed in the order of time, whoever bills it and however late; and nobody bills for ever.

use std::{future::pending, sync::Arc};

use aggregates::{money::Money, subscription::Cycle};
use billstream::{
    app::{contracts::NewContract, previews::PreviewError},
    processes::scheduler::Scheduler,
};
use projections::subscription::Scope;

use super::{Books, eur, midnight};
use crate::{
    billstream::{post, refused},
    support::{TestApp, on_both},
};

async fn round(test: &TestApp) {
    let summary = Scheduler::new(Arc::clone(&test.app)).round(pending()).await;
    assert_eq!(summary.expect("the database").expect("its turn").failed, 0);
}

/// What credit has paid, invoice by invoice in order of their dates.
async fn applied(books: &Books<'_>) -> Vec<String> {
    let mut invoices = books.invoices().await;
    invoices.sort_by_key(|(invoice, _)| (invoice.issue_date, invoice.number));
    let text = |(invoice, _): &super::Whole| format!("{} {}", invoice.issue_date, invoice.credit_applied);
    invoices.iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_is_used_in_order_of_time_when_billing_catches_up_and_in_a_preview() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, plan) = (books.customer().await, books.plan("10.00").await);
        let given = test
            .app
            .grant_credit(&books.request(), customer, Money::new(2_500, eur()), "goodwill")
            .await;
        given.expect("granted");
        for activation in ["2026-10-20", "2026-10-05", "2026-10-20"] {
            books.sign(Books::new_contract(customer, plan, activation)).await;
        }
        test.clock.set("2027-01-06T00:00:00Z");
        let scope = Scope {
            customer: Some(customer),
            subscription: None,
        };
        let preview = test
            .app
            .preview_run(&books.request(), scope, midnight("2027-01-06"))
            .await;
        let preview = preview.expect("a preview");
        round(&test).await;
        let expected = [
            "2026-10-05 10.00",
            "2026-10-20 10.00",
            "2026-10-20 5.00",
            "2026-11-05 0.00",
            "2026-11-20 0.00",
            "2026-11-20 0.00",
            "2026-12-05 0.00",
            "2026-12-20 0.00",
            "2026-12-20 0.00",
            "2027-01-05 0.00",
        ];
        assert_eq!(applied(&books).await, expected);
        let previewed: Vec<String> = preview
            .invoices
            .iter()
            .map(|issued| {
                let applied = issued.credit_applied.unwrap_or(Money::zero(eur()));
                format!("{} {applied}", issued.issue_date)
            })
            .collect();
        assert_eq!(previewed, expected);
        let made: Vec<_> = books
            .invoices()
            .await
            .iter()
            .map(|(invoice, _)| invoice.subscription)
            .collect();
        let drafted: Vec<_> = preview.invoices.iter().map(|issued| issued.subscription).collect();
        assert_eq!(made, drafted, "also of those that fell due together");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_with_long_arrears_does_not_hold_up_the_others() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, plan) = (books.customer().await, books.plan("1.00").await);
        let daily = NewContract {
            cycle: Cycle::Day,
            ..Books::new_contract(customer, plan, "2026-03-15")
        };
        let daily = books.sign(daily).await;
        let other = books.sign(Books::new_contract(customer, plan, "2026-10-01")).await;
        let (_, stranger) = books.monthly("5.00", "2026-10-01").await;
        round(&test).await;
        let invoices = books.invoices().await;
        assert_eq!(invoices.len(), 203);
        let place = |id| invoices.iter().position(|(invoice, _)| invoice.subscription == id);
        assert!(place(stranger).expect("billed") < 100, "in the first turn");
        // The same payer's are billed in order all the same.
        let last = invoices
            .iter()
            .rposition(|(invoice, _)| invoice.subscription == daily && invoice.issue_date < super::date("2026-10-01"));
        assert!(place(other) > last);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_has_a_horizon() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (_, contract) = books.monthly("10.00", "2026-10-01").await;
        let scope = Scope {
            customer: None,
            subscription: Some(contract),
        };
        let far = test
            .app
            .preview_run(&books.request(), scope, midnight("2036-10-02"))
            .await;
        assert!(matches!(far, Err(PreviewError::Command(_))), "{far:?}");
        let near = test
            .app
            .preview_run(&books.request(), scope, midnight("2036-10-01"))
            .await;
        assert_eq!(near.expect("a preview").invoices.len(), 121);
        let body = serde_json::json!({"until": "9999-12-31T00:00:00Z"});
        let answer = post(&test, "/billstream/v1/previews/run", &body).await;
        refused(&answer, 400, "too_far_ahead", Some("until"));
    })
    .await;
}
