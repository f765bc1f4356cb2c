//! When charges are put on invoices.

use std::{future::pending, sync::Arc};

use aggregates::{
    calendar::PeriodUnit,
    subscription::{ChargeType, Cycle, OrderLine, Status},
    terms::{InvoiceTrigger, PeriodRule},
};
use billstream::{
    app::{
        contracts::{ChargeOrder, NewContract},
        invoicing::Selection,
        orders::NewOrder,
    },
    processes::{run::Summary, scheduler::Scheduler},
};
use projections::subscription::Scope;

use super::{Books, date, eur, midnight};
use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn a_manual_contract_is_charged_and_waits_for_a_call() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let contract = books.triggered("10.00", "2026-10-01", InvoiceTrigger::Manual).await;
        let billed = books.bill(contract, "2026-11-15").await;
        assert_eq!((billed.accrued, billed.invoices.len()), (2, 0));
        let scope = Scope {
            subscription: Some(contract),
            ..Scope::default()
        };
        let made = test
            .app
            .create_invoices(&books.request(), &Selection::Pending(scope))
            .await;
        assert_eq!(made.expect("invoiced").len(), 1);
        let mut lines = books.lines().await;
        lines.sort();
        assert_eq!(
            lines,
            [
                "2026-10-01: 2026-10-01->2026-11-01 10.00",
                "2026-10-01: 2026-11-01->2026-12-01 10.00",
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_periodic_contract_is_invoiced_on_its_own_calendar_whatever_the_billing_cycle() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, plan) = (books.customer().await, books.plan("7.00").await);
        let rule = PeriodRule {
            unit: PeriodUnit::Month,
            count: 1,
            offset_days: Some(13),
        };
        let new = NewContract {
            cycle: Cycle::Week,
            invoice_trigger: Some(InvoiceTrigger::Periodic(rule)),
            ..Books::new_contract(customer, plan, "2026-10-01")
        };
        let contract = books.sign(new).await;
        let billed = books.bill(contract, "2026-12-01").await;
        let wholes = books.invoices().await;
        let days: Vec<_> = wholes
            .iter()
            .map(|(invoice, lines)| (invoice.issue_date.to_string(), lines.len()))
            .collect();
        // Weeks begin on 1, 8, 15, 22, 29 October, 5, 12, 19, 26 November.
        assert_eq!(days, [("2026-10-14".to_owned(), 2), ("2026-11-14".to_owned(), 5)]);
        assert_eq!(billed.accrued, 9);
        assert_eq!(billed.next, Some(midnight("2026-12-03")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_contract_is_billed_from_its_activation_on() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, plan) = (books.customer().await, books.plan("10.00").await);
        let new = NewContract {
            pending: true,
            ..Books::new_contract(customer, plan, "2026-10-01")
        };
        let contract = books.sign(new).await;
        assert_eq!(books.bill(contract, "2026-12-01").await.next, None);
        let active = test
            .app
            .activate(&books.request(), contract, Some(date("2026-11-05")))
            .await;
        assert_eq!(active.expect("active").status, Status::Active);
        books.bill(contract, "2026-12-01").await;
        assert_eq!(books.lines().await, ["2026-11-05: 2026-11-05->2026-12-05 10.00"]);
    })
    .await;
}

fn by_hand(name: &str) -> ChargeOrder {
    ChargeOrder {
        name: name.to_owned(),
        amount: "5.00".to_owned(),
        period: aggregates::calendar::Period {
            start: date("2026-10-01"),
            end: None,
        },
        flat_fee: true,
        automatic_payment: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_made_by_hand_is_put_on_an_invoice_at_once() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (_, contract) = books.monthly("10.00", "2026-10-01").await;
        books.bill(contract, "2026-10-01").await;
        test.clock.set("2026-10-12T10:00:00Z");
        let added = test.app.add_charge(&books.request(), contract, &by_hand("Visit")).await;
        added.expect("added");
        let summary = Scheduler::new(Arc::clone(&test.app)).round(pending()).await;
        let summary = summary.expect("the database").expect("its turn");
        assert_eq!((summary.charges, summary.invoices, summary.failed), (0, 1, 0));
        assert_eq!(
            books.lines().await,
            [
                "2026-10-01: 2026-10-01->2026-11-01 10.00",
                "2026-10-12: 2026-10-01->open 5.00"
            ]
        );
        books.bill(contract, "2026-11-01").await;
        assert_eq!(books.invoices().await.len(), 3);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_made_by_hand_on_a_pending_contract_waits_for_its_beginning() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, plan) = (books.customer().await, books.plan("10.00").await);
        let rule = PeriodRule {
            unit: PeriodUnit::Month,
            count: 1,
            offset_days: None,
        };
        for (trigger, issued) in [
            (InvoiceTrigger::Periodic(rule), "2026-12-01"),
            (InvoiceTrigger::Immediate, "2026-11-05"),
        ] {
            test.clock.set("2026-10-01T08:00:00Z");
            let new = NewContract {
                pending: true,
                invoice_trigger: Some(trigger),
                ..Books::new_contract(customer, plan, "2026-10-01")
            };
            let contract = books.sign(new).await;
            let added = test
                .app
                .add_charge(&books.request(), contract, &by_hand("Fitting"))
                .await;
            added.expect("added");
            test.clock.set("2026-11-05T00:00:00Z");
            let summary = Scheduler::new(Arc::clone(&test.app)).round(pending()).await;
            assert_eq!(summary.expect("the database").unwrap_or_default(), Summary::default());
            let begins = Some(date("2026-11-05"));
            test.app
                .activate(&books.request(), contract, begins)
                .await
                .expect("active");
            let billed = books.bill(contract, "2026-12-01").await;
            assert_eq!(billed.invoices.len(), 1, "{billed:?}");
            let (invoice, lines) = books.whole(billed.invoices[0]).await;
            assert_eq!((invoice.issue_date, lines.len()), (date(issued), 2));
            // The second scheduler waits for the lease of the first.
            test.clock.set("2027-01-01T00:00:00Z");
            Scheduler::new(Arc::clone(&test.app))
                .round(pending())
                .await
                .expect("the database");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_is_to_end_is_billed_to_its_last_day_and_ends_then() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (_, contract) = books.monthly("31.00", "2026-10-01").await;
        let ended = test.app.end(&books.request(), contract, Some(date("2026-11-16"))).await;
        assert_eq!(ended.expect("ended").status, Status::Active);
        let billed = books.bill(contract, "2027-02-01").await;
        assert_eq!(billed.next, None);
        assert_eq!(
            books.lines().await,
            [
                "2026-10-01: 2026-10-01->2026-11-01 31.00",
                "2026-11-01: 2026-11-01->2026-11-16 15.50",
            ]
        );
        let view = test.app.contract(&books.tenant, contract).await.expect("readable");
        assert_eq!(view.expect("a contract").status, Status::Cancelled);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_invoiced_so_many_days_before_its_period_as_its_term_says() {
    on_both(async |test| {
        test.clock.set("2026-09-01T08:00:00Z");
        let books = Books::of(&test);
        let term = aggregates::order_terms::catalogue::find(
            aggregates::order_terms::catalogue::invoice_terms(),
            |term| &term.name,
            "Net -7",
        );
        let line = |id: u128, price: &str, charge_type| OrderLine {
            id: aggregates::id::LineId(uuid::Uuid::from_u128(id)),
            item: format!("ITEM-{id}"),
            name: None,
            quantity: 2.into(),
            price: price.parse().expect("a price"),
            charge_type,
            tax: None,
        };
        let new = NewOrder {
            customer: books.customer().await,
            account: "AB12CD".to_owned(),
            number: None,
            name: None,
            currency: eur(),
            start: date("2026-10-01"),
            price_tax_inclusive: false,
            lines: vec![
                line(1, "6.25", ChargeType::Recurring),
                line(2, "50", ChargeType::OneOff),
            ],
            billing: aggregates::order_terms::OrderBillingChanges {
                invoice_term: term,
                ..Default::default()
            },
        };
        let placed = test.app.create_order(&books.request(), &new).await.expect("placed");
        let order = test.app.order(&books.tenant, &placed.number).await.expect("readable");
        let id = order.expect("an order").id;
        assert_eq!(books.bill(id, "2026-09-23").await.accrued, 0);
        books.bill(id, "2026-10-25").await;
        let wholes = books.invoices().await;
        let dates = |n: usize| (wholes[n].0.issue_date.to_string(), wholes[n].0.due_date.to_string());
        assert_eq!(dates(0), ("2026-09-24".to_owned(), "2026-10-31".to_owned()));
        assert_eq!(dates(1), ("2026-10-25".to_owned(), "2026-12-01".to_owned()));
        let totals: Vec<_> = wholes.iter().map(|(invoice, _)| invoice.total.to_string()).collect();
        assert_eq!(totals, ["112.50", "12.50"]);
        assert!(wholes[0].1.iter().all(|line| line.period.start == date("2026-10-01")));
    })
    .await;
}
