//! Nothing is billed twice, and no credit is used twice.

use std::sync::Arc;

use aggregates::money::Money;
use futures::future::join_all;

use super::{Books, eur, midnight};
use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn example_17_billed_again_on_the_same_day_nothing_changes() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (_, contract) = books.monthly("10.00", "2026-10-01").await;
        let first = books.bill(contract, "2027-01-15").await;
        assert_eq!((first.accrued, first.invoices.len()), (4, 4));
        let events = test.events().await;
        let again = books.bill(contract, "2027-01-15").await;
        assert_eq!((again.accrued, again.invoices.len(), again.next), (0, 0, first.next));
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn billed_daily_is_billed_once_at_the_end() {
    on_both(async |test| {
        test.clock.set("2026-01-31T08:00:00Z");
        let books = Books::of(&test);
        let (_, daily) = books.monthly("10.00", "2026-01-31").await;
        let mut day = super::date("2026-01-31");
        while day <= super::date("2026-04-10") {
            books.bill(daily, &day.to_string()).await;
            day = day.succ_opt().expect("a day");
        }
        let by_day = books.lines().await;
        let (_, once) = books.monthly("10.00", "2026-01-31").await;
        books.bill(once, "2026-04-10").await;
        assert_eq!(books.lines().await[by_day.len()..], by_day[..]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_17_billed_by_eight_at_once_there_is_one_invoice_a_period() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (_, contract) = books.monthly("10.00", "2026-10-01").await;
        let until = midnight("2027-10-01");
        let runs = (0..8).map(|_| {
            let (app, request) = (Arc::clone(&test.app), books.request());
            tokio::spawn(async move { app.bill_subscription(&request, contract, until).await })
        });
        let mut made = 0;
        for billed in join_all(runs).await {
            made += billed.expect("no panic").expect("billed").invoices.len();
        }
        assert_eq!(made, 13);
        let mut lines = books.lines().await;
        assert_eq!(lines.len(), 13);
        lines.dedup();
        assert_eq!(lines.len(), 13);
        let numbers: Vec<_> = books
            .invoices()
            .await
            .iter()
            .map(|(invoice, _)| invoice.number)
            .collect();
        assert_eq!(numbers, (1..=13).collect::<Vec<_>>());
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_invoices_at_once_use_a_credit_up_and_never_more() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, plan) = (books.customer().await, books.plan("10.00").await);
        let given = Money::new(10_050, eur());
        let balance = test
            .app
            .grant_credit(&books.request(), customer, given, "goodwill")
            .await;
        assert_eq!(balance.expect("granted"), given);
        let mut contracts = Vec::new();
        for _ in 0..50 {
            contracts.push(books.sign(Books::new_contract(customer, plan, "2026-10-01")).await);
        }
        let until = midnight("2026-10-01");
        let runs = contracts.into_iter().map(|contract| {
            let (app, request) = (Arc::clone(&test.app), books.request());
            tokio::spawn(async move { app.bill_subscription(&request, contract, until).await })
        });
        for billed in join_all(runs).await {
            assert_eq!(billed.expect("no panic").expect("billed").invoices.len(), 1);
        }
        let invoices = books.invoices().await;
        let sum = |amount: fn(&projections::invoice::InvoiceView) -> Money| -> i64 {
            invoices.iter().map(|(invoice, _)| amount(invoice).minor).sum()
        };
        assert_eq!(sum(|invoice| invoice.credit_applied), 10_050);
        assert_eq!(sum(|invoice| invoice.to_pay), 50_000 - 10_050);
        assert_eq!(books.credit(customer).await, "0.00");
        books.prove().await;
    })
    .await;
}
