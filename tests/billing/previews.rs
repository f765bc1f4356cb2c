//! What is previewed is what is billed.

use std::sync::Arc;

use aggregates::{
    billing::{Kind, Price, Timing, price::Limits},
    invoice::Issued,
    money::Money,
};
use billstream::{
    app::{invoicing::Selection, plans::NewLine, previews::Preview},
    processes::scheduler::Scheduler,
};
use projections::subscription::Scope;

use super::{Books, Whole, date, eur, midnight, printed};
use crate::support::on_both;

/// Everything an invoice says but its number.
pub fn drafted(issued: &Issued) -> Vec<String> {
    let line = |line: &aggregates::invoice::Line| {
        let end = line.period.end.map_or("open".to_owned(), |end| end.to_string());
        format!("{}: {}->{end} {}", issued.issue_date, line.period.start, line.amount)
    };
    let mut all: Vec<_> = issued.lines.iter().map(line).collect();
    all.push(format!(
        "{} {} {} due {}",
        issued.invoice,
        issued.total,
        issued.to_pay(),
        issued.due_date
    ));
    all
}

pub fn made(whole: &Whole) -> Vec<String> {
    let mut all = printed(whole);
    let invoice = &whole.0;
    all.push(format!(
        "{} {} {} due {}",
        invoice.id, invoice.total, invoice.to_pay, invoice.due_date
    ));
    all
}

async fn preview(books: &Books<'_>, scope: Scope, until: &str) -> Preview {
    let preview = books
        .test
        .app
        .preview_run(&books.request(), scope, midnight(until))
        .await;
    preview.expect("a preview")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_the_bill_and_writes_nothing() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("31.00", "2026-10-01").await;
        books.bill(contract, "2026-10-01").await;
        let cheaper = books.plan("15.50").await;
        let changed = test
            .app
            .change_plan(&books.request(), contract, cheaper, None, Some(date("2026-10-11")))
            .await;
        changed.expect("changed");
        let granted = test
            .app
            .grant_credit(&books.request(), customer, Money::new(777, eur()), "goodwill")
            .await;
        granted.expect("granted");
        let events = test.events().await;
        let scope = Scope {
            subscription: Some(contract),
            ..Scope::default()
        };
        let before = preview(&books, scope, "2027-01-15").await;
        assert_eq!(before.unbillable, []);
        assert_eq!(test.events().await, events);
        let expected: Vec<_> = before.invoices.iter().map(drafted).collect();
        assert!(expected.len() > 3, "{expected:?}");
        let billed = books.bill(contract, "2027-01-15").await;
        let mut found = Vec::new();
        for invoice in &billed.invoices {
            found.push(made(&books.whole(*invoice).await));
        }
        assert_eq!(found, expected);
        assert_eq!(before.charges.len(), billed.accrued);
        assert_eq!(preview(&books, scope, "2027-01-15").await, Preview::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_invoices_is_what_the_call_makes() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let manual = aggregates::terms::InvoiceTrigger::Manual;
        let contract = books.triggered("10.00", "2026-10-01", manual).await;
        books.bill(contract, "2026-12-01").await;
        let scope = Scope {
            subscription: Some(contract),
            ..Scope::default()
        };
        let selection = Selection::Pending(scope);
        let events = test.events().await;
        let drafts = test
            .app
            .preview_invoices(&books.request(), &selection)
            .await
            .expect("a preview");
        assert_eq!(test.events().await, events);
        let made = test
            .app
            .create_invoices(&books.request(), &selection)
            .await
            .expect("made");
        let [draft] = drafts.as_slice() else {
            panic!("one draft, got {drafts:?}")
        };
        let (view, lines) = books.whole(made[0]).await;
        assert_eq!(draft.lines.len(), lines.len());
        assert_eq!(
            (draft.total, draft.to_pay(), draft.due_date),
            (view.total, view.to_pay, view.due_date)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_billed_leaves_nothing_behind_in_a_preview() {
    on_both(async |test| {
        test.clock.set("2026-10-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, plan) = (books.customer().await, books.plan("10.00").await);
        let granted = test
            .app
            .grant_credit(&books.request(), customer, Money::new(2500, eur()), "goodwill")
            .await;
        granted.expect("granted");
        // With its tax this is more than can be held: it is charged, and cannot be put on an invoice.
        let huge = NewLine {
            name: "Huge".to_owned(),
            kind: Kind::Recurring,
            timing: Timing::Advance,
            price: Price::PerUnit {
                amount: 900_000_000_000_000_i64.into(),
                limits: Limits::default(),
            },
            quantity: 100.into(),
            flat_fee: true,
            prorate: true,
            tax_rate: Some(20.into()),
        };
        let huge = test
            .app
            .create_plan_with(&books.request(), "Huge", eur(), vec![huge])
            .await;
        let huge = huge.expect("a plan");
        let mut broken = Vec::new();
        for plan in [plan, plan, huge, plan, plan] {
            let contract = books.sign(Books::new_contract(customer, plan, "2026-10-01")).await;
            broken.extend((plan == huge).then_some(contract));
        }
        let scope = Scope {
            customer: Some(customer),
            ..Scope::default()
        };
        let before = preview(&books, scope, "2026-10-01").await;
        let unbillable: Vec<_> = before.unbillable.iter().map(|(id, _)| *id).collect();
        assert_eq!(unbillable, broken);
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        let done = scheduler
            .round(std::future::pending())
            .await
            .expect("the database")
            .expect("its turn");
        assert_eq!((done.invoices, done.failed), (4, 1));
        for issued in before.invoices {
            let (view, _) = books.whole(issued.invoice).await;
            let applied = issued.credit_applied.map_or(0, |applied| applied.minor);
            assert_eq!((view.total, view.credit_applied.minor), (issued.total, applied));
        }
        assert_eq!(before.charges.len(), 4);
    })
    .await;
}
