//! Fulfilments of what is invoiced some days after its period has begun: the invoice comes late, the goods do not.

use std::sync::Arc;

use aggregates::{
    order_terms::{Mode, OrderBillingChanges, Term, catalogue},
    subscription::ChargeType,
};
use billstream::processes::scheduler::Scheduler;

use super::{
    fulfilled::{delivered, line, listed, order, starts},
    round,
};
use crate::{
    billing::{Books, date},
    support::on_both,
};

/// Invoiced so many days after the first of a period, delivered so many days after it.
fn invoiced(after: i64, days: i64) -> OrderBillingChanges {
    OrderBillingChanges {
        invoice_term: Some(Term {
            name: format!("Net {after}"),
            days: after,
            months: 0,
        }),
        ..delivered(Mode::Manual, days)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_invoiced_later_is_delivered_from_the_first_day_on() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let lines = vec![line(1, ChargeType::Recurring), line(2, ChargeType::OneOff)];
        order(&books, lines, invoiced(60, 7)).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        let days = [
            ("2026-10-04", 0, 0, 0),
            ("2026-10-05", 1, 0, 0),
            ("2026-10-11", 1, 0, 0),
            ("2026-10-12", 0, 1, 0),
            ("2026-11-12", 0, 2, 0),
            ("2026-12-03", 0, 2, 0),
            // Sixty days after 5 October the first invoice is made, and nothing is planned for what is on it.
            ("2026-12-04", 0, 2, 1),
            ("2026-12-05", 1, 2, 1),
            ("2027-01-04", 0, 3, 2),
        ];
        for (day, planned, open, invoices) in days {
            test.clock.set(&format!("{day}T08:00:00Z"));
            round(&mut scheduler).await;
            let made = books.invoices().await.len();
            let there = (
                listed(&test, "planned").await.len(),
                listed(&test, "open").await.len(),
                made,
            );
            assert_eq!(there, (planned, open, invoices), "{day}");
        }
        let open = listed(&test, "open").await;
        assert_eq!(starts(&open), ["2026-10-05", "2026-11-05", "2026-12-05"]);
        let cancelled = books
            .test
            .app
            .cancel_order(&books.request(), "ORD-ACCNT1-0001", Some(date("2027-01-05")))
            .await;
        cancelled.expect("to end");
        test.clock.set("2027-06-01T08:00:00Z");
        round(&mut scheduler).await;
        assert_eq!(books.invoices().await.len(), 3);
        let open = listed(&test, "open").await;
        assert_eq!(
            starts(&open),
            ["2026-10-05", "2026-11-05", "2026-12-05"],
            "nothing of what it ended before"
        );
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_day_that_is_not_billed_does_not_move_when_something_is_delivered() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let contract = order(&books, vec![line(1, ChargeType::Recurring)], invoiced(14, 0)).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        for (day, unbilled) in [
            ("2026-10-01", "2026-10-05"),
            ("2026-10-05", "2026-10-05"),
            ("2026-10-18", "2026-10-05"),
            ("2026-10-19", "2026-11-05"),
            ("2026-11-05", "2026-11-05"),
            ("2026-11-19", "2026-12-05"),
        ] {
            test.clock.set(&format!("{day}T08:00:00Z"));
            round(&mut scheduler).await;
            let state = test
                .app
                .subscription_state(&books.tenant, contract)
                .await
                .expect("readable");
            assert_eq!(state.bills_from(), Ok(Some(date(unbilled))), "{day}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_periods_than_one_run_takes_are_delivered_in_time_too() {
    on_both(async |test| {
        test.clock.set("2026-10-05T08:00:00Z");
        let books = Books::of(&test);
        let daily = OrderBillingChanges {
            billing_period: catalogue::billing_period("1 Day"),
            ..invoiced(90, 0)
        };
        let lines = (1..=4).map(|n| line(n, ChargeType::Recurring)).collect();
        order(&books, lines, daily).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        // Behind 62 days of four lines each one run has all that it takes.
        for (day, days) in [("2026-12-04", 61), ("2026-12-08", 65), ("2026-12-20", 77)] {
            test.clock.set(&format!("{day}T08:00:00Z"));
            round(&mut scheduler).await;
            let open = crate::payments::read(&test, "/billstream/v1/fulfilments?status=open&limit=100").await;
            assert_eq!(open["fulfilments"].as_array().map(Vec::len), Some(days), "{day}");
        }
        assert_eq!(books.invoices().await.len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_before_its_first_invoice_has_the_rest_of_its_period_delivered_and_nothing_beside_it() {
    on_both(async |test| {
        test.clock.set("2026-10-05T08:00:00Z");
        let books = Books::of(&test);
        let divided = OrderBillingChanges {
            pro_rata_partial_charging_period: Some(true),
            ..invoiced(30, 3)
        };
        let mut orders = Vec::new();
        for (n, billing) in (1..).zip([invoiced(30, 3), divided]) {
            orders.push(order(&books, vec![line(n, ChargeType::Recurring)], billing).await);
        }
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        assert_eq!(starts(&listed(&test, "planned").await), ["2026-10-05", "2026-10-05"]);
        test.clock.set("2026-10-06T12:00:00Z");
        for n in 1..=2 {
            let (number, end) = (format!("ORD-ACCNT1-{n:04}"), Some(date("2026-10-06")));
            let cancelled = test.app.cancel_order(&books.request(), &number, end).await;
            cancelled.expect("cancelled");
        }
        test.clock.set("2026-10-08T12:00:00Z");
        round(&mut scheduler).await;
        assert_eq!(starts(&listed(&test, "withdrawn").await), ["2026-10-05", "2026-10-05"]);
        test.clock.set("2026-10-09T12:00:00Z");
        for id in &orders {
            let from = Some(date("2026-10-09"));
            let again = test.app.reactivate(&books.request(), *id, from).await;
            again.expect("it goes on");
        }
        round(&mut scheduler).await;
        let planned = listed(&test, "planned").await;
        assert_eq!(starts(&planned), ["2026-10-09", "2026-10-09"]);
        assert!(
            planned.iter().all(|one| one["period_end"] == "2026-11-05"),
            "{planned:?}"
        );
        // The invoice of 4 November brings nothing to deliver.
        for (day, opened) in [
            ("2026-10-12", 2),
            ("2026-11-04", 2),
            ("2026-11-08", 4),
            ("2026-12-04", 4),
        ] {
            test.clock.set(&format!("{day}T12:00:00Z"));
            round(&mut scheduler).await;
            let open = listed(&test, "open").await;
            assert_eq!(open.len(), opened, "{day}: {open:?}");
        }
        assert_eq!(listed(&test, "withdrawn").await.len(), 2);
        books.prove().await;
    })
    .await;
}
