//! What is collected, paid and voided in the last months, under other terms and the same: money and credit go where they
//! went.

use std::sync::Arc;

use aggregates::{
    calendar::Period,
    id::{CustomerId, InvoiceId, LineId, SubscriptionId},
    money::Money,
    order_terms::{Mode, OrderBillingChanges, Term},
    payment::payment_id,
    preferences::InvoicingChanges,
    subscription::{ChargeType, OrderLine},
    terms::DueDatePolicy,
};
use billstream::{
    app::{
        contracts::{ChargeOrder, NewContract},
        invoicing::Selection,
        orders::NewOrder,
        payments::Outcome,
    },
    journal::Request,
    processes::scheduler::Scheduler,
};
use chrono::Days;
use projections::subscription::Scope;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Books, date, eur};
use crate::{
    billstream::post,
    payments::{automatic, pay, round},
    support::{TestApp, on_both},
};

fn nothing() -> Value {
    json!({"invoices": 0, "net": "0.00", "tax": "0.00", "total": "0.00", "to_pay": "0.00"})
}

async fn compared(test: &TestApp, body: &Value) -> Value {
    let answer = post(test, "/billstream/v1/previews/preferences", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!((&answer["unbillable"], &answer["refused"]), (&json!([]), &json!([])));
    answer["customers"][0].clone()
}

/// Without a change nothing differs; answers with what was left to pay of each invoice.
async fn same(test: &TestApp, months: u32) -> Vec<String> {
    let customer = compared(test, &json!({"months": months})).await;
    assert_eq!(customer["difference"], nothing(), "{customer}");
    let pairs = customer["invoices"].as_array().expect("invoices");
    for pair in pairs {
        assert_eq!(pair["difference"], nothing(), "{customer}");
    }
    to_pay(&customer, "was")
}

fn to_pay(customer: &Value, side: &str) -> Vec<String> {
    let pairs = customer["invoices"].as_array().expect("invoices").iter();
    let text = |pair: &Value| pair[side]["to_pay"].as_str().map(str::to_owned);
    pairs.filter_map(text).collect()
}

async fn at(test: &TestApp, scheduler: &mut Scheduler, now: &str) {
    test.clock.set(now);
    round(scheduler).await;
}

async fn give(books: &Books<'_>, customer: CustomerId, cents: i64) {
    let gift = Money::new(cents, eur());
    let (app, request) = (&books.test.app, books.request());
    let given = app.grant_credit(&request, customer, gift, "goodwill").await;
    given.expect("granted");
}

/// An invoice of what there is to give back.
async fn give_back(books: &Books<'_>, contract: SubscriptionId, amount: &str, on: &str) {
    let charge = ChargeOrder {
        name: "Too much".to_owned(),
        amount: amount.to_owned(),
        period: Period {
            start: date(on),
            end: Some(date(on) + Days::new(1)),
        },
        flat_fee: true,
        automatic_payment: None,
    };
    let app = &books.test.app;
    let charged = app.add_charge(&books.request(), contract, &charge).await;
    charged.expect("charged");
    invoice(books, contract).await;
}

async fn invoice(books: &Books<'_>, contract: SubscriptionId) {
    let scope = Scope {
        subscription: Some(contract),
        ..Scope::default()
    };
    let app = &books.test.app;
    let made = app.create_invoices(&books.request(), &Selection::Pending(scope)).await;
    assert_eq!(made.expect("invoiced").len(), 1);
}

async fn invoices(books: &Books<'_>) -> Vec<InvoiceId> {
    books.invoices().await.iter().map(|(view, _)| view.id).collect()
}

async fn settle(books: &Books<'_>, invoice: InvoiceId, outcome: &Outcome) {
    let payment = payment_id(&books.tenant, invoice);
    let app = &books.test.app;
    let settled = app.settle_payment(&books.request(), payment, outcome).await;
    settled.expect("settled");
}

async fn succeed(books: &Books<'_>, invoice: InvoiceId) {
    let reference = "ch_1".to_owned();
    settle(books, invoice, &Outcome::Succeeded { reference }).await;
}

async fn fail(books: &Books<'_>, invoice: InvoiceId) {
    let reason = "refused".to_owned();
    settle(books, invoice, &Outcome::Failed { reason }).await;
}

async fn void(books: &Books<'_>, invoice: InvoiceId) {
    let voided = books.test.app.void_invoice(&books.request(), invoice, "wrong").await;
    voided.expect("voided");
}

/// A contract over 100.00 a month from November on, of which each month is collected at its end.
async fn at_the_end(books: &Books<'_>) -> (CustomerId, SubscriptionId) {
    let changes = InvoicingChanges {
        flat_fee_due_date_policy: Some(DueDatePolicy::EndOfPeriod),
        ..InvoicingChanges::default()
    };
    let app = &books.test.app;
    let updated = app.update_invoicing_preferences(&books.request(), changes).await;
    updated.expect("preferences");
    automatic(books, "100.00", "2026-11-01").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_comes_late_bills_before_it_collects_in_the_comparison_too() {
    on_both(async |test| {
        test.clock.set("2026-11-01T00:00:00Z");
        let books = Books::of(&test);
        let (_, contract) = at_the_end(&books).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        at(&test, &mut scheduler, "2026-11-01T00:00:05Z").await;
        test.clock.set("2026-11-15T09:00:00Z");
        give_back(&books, contract, "-40.00", "2026-11-15").await;
        for now in [
            "2026-12-01T00:00:05Z",
            "2026-12-01T00:00:06Z",
            "2027-01-01T00:00:04Z",
            "2027-01-10T12:00:00Z",
        ] {
            at(&test, &mut scheduler, now).await;
        }
        let mut left = same(&test, 4).await;
        left.sort();
        assert_eq!(left, ["0.00", "100.00", "100.00", "60.00"]);
        assert_eq!(same(&test, 1).await, ["100.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_before_somebody_came_to_collect_had_paid_of_it() {
    on_both(async |test| {
        test.clock.set("2026-11-01T00:00:00Z");
        let books = Books::of(&test);
        let (customer, _) = at_the_end(&books).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        at(&test, &mut scheduler, "2026-11-01T00:00:05Z").await;
        // Nobody works from the first to the third; on the second there is credit.
        test.clock.set("2026-12-02T09:00:00Z");
        give(&books, customer, 3_000).await;
        at(&test, &mut scheduler, "2026-12-03T00:00:00Z").await;
        // In January there is so much that nothing is left to ask for when somebody comes.
        test.clock.set("2027-01-02T09:00:00Z");
        give(&books, customer, 12_000).await;
        for now in ["2027-01-03T00:00:00Z", "2027-01-10T12:00:00Z"] {
            at(&test, &mut scheduler, now).await;
        }
        assert_eq!(same(&test, 4).await, ["100.00", "100.00", "80.00"]);
        assert_eq!(same(&test, 1).await, ["80.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_collected_though_it_was_paid_meanwhile_is_credit_in_the_comparison_too() {
    on_both(async |test| {
        test.clock.set("2026-11-01T08:00:00Z");
        let books = Books::of(&test);
        automatic(&books, "100.00", "2026-11-01").await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        let first = invoices(&books).await[0];
        // It is asked for and paid by hand, and then the collection comes to its end all the same.
        test.clock.set("2026-11-03T08:00:00Z");
        assert_eq!(pay(&test, first, "bank", "100.00").await.status, 201);
        test.clock.set("2026-11-04T08:00:00Z");
        succeed(&books, first).await;
        at(&test, &mut scheduler, "2026-12-01T08:00:00Z").await;
        test.clock.set("2026-12-10T08:00:00Z");
        assert_eq!(same(&test, 3).await, ["100.00", "0.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_pays_when_a_failure_is_told_again_pays_in_the_comparison_too() {
    on_both(async |test| {
        test.clock.set("2026-11-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, contract) = automatic(&books, "100.00", "2026-11-01").await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        let first = invoices(&books).await[0];
        test.clock.set("2026-11-03T08:00:00Z");
        fail(&books, first).await;
        test.clock.set("2026-11-05T08:00:00Z");
        give_back(&books, contract, "-40.00", "2026-11-05").await;
        assert_eq!(books.credit(customer).await, "40.00");
        test.clock.set("2026-11-06T08:00:00Z");
        fail(&books, first).await;
        assert_eq!(books.credit(customer).await, "0.00");
        at(&test, &mut scheduler, "2026-12-01T08:00:00Z").await;
        test.clock.set("2026-12-10T08:00:00Z");
        let mut left = same(&test, 3).await;
        left.sort();
        assert_eq!(left, ["0.00", "100.00", "100.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_for_a_voided_invoice_is_credit_in_the_comparison_too() {
    on_both(async |test| {
        test.clock.set("2026-11-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("50.00", "2026-11-01").await;
        let first = books.bill(contract, "2026-11-01").await.invoices[0];
        test.clock.set("2026-11-02T08:00:00Z");
        void(&books, first).await;
        // One payment comes before the charges are on another invoice, and one behind it.
        test.clock.set("2026-11-03T08:00:00Z");
        assert_eq!(pay(&test, first, "early", "10.00").await.status, 201);
        test.clock.set("2026-11-04T08:00:00Z");
        invoice(&books, contract).await;
        test.clock.set("2026-11-05T08:00:00Z");
        assert_eq!(pay(&test, first, "late", "60.00").await.status, 201);
        test.clock.set("2026-12-01T08:00:00Z");
        books.bill(contract, "2026-12-01").await;
        assert_eq!(books.credit(customer).await, "0.00");
        test.clock.set("2026-12-10T08:00:00Z");
        assert_eq!(same(&test, 3).await, ["40.00", "30.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_payments_of_one_reference_both_pay_what_would_be_one_invoice() {
    on_both(async |test| {
        test.clock.set("2026-07-01T08:00:00Z");
        let books = Books::of(&test);
        let (_, contract) = books.monthly("31.00", "2026-07-01").await;
        for day in ["2026-07-01", "2026-08-01", "2026-09-01", "2026-10-01"] {
            test.clock.set(&format!("{day}T08:00:00Z"));
            books.bill(contract, day).await;
        }
        test.clock.set("2026-10-05T08:00:00Z");
        for invoice in &invoices(&books).await[1..3] {
            assert_eq!(pay(&test, *invoice, "wire", "100.00").await.status, 201);
        }
        for day in ["2026-11-01", "2026-12-01", "2027-01-01"] {
            test.clock.set(&format!("{day}T08:00:00Z"));
            books.bill(contract, day).await;
        }
        test.clock.set("2027-01-05T08:00:00Z");
        same(&test, 12).await;
        let quarterly = json!({"months": 12,
            "invoicing": {"invoice_trigger": {"periodic": {"unit": "quarter", "count": 1}}}});
        let customer = compared(&test, &quarterly).await;
        // July's is one by itself; what the other two paid too much of the second pays July's, and most of the third.
        assert_eq!(to_pay(&customer, "would_be"), ["31.00", "93.00", "17.00"], "{customer}");
    })
    .await;
}

/// An order over 31.00 a month from the fifth of July on.
pub fn monthly_order(customer: CustomerId, n: u128, number: &str, billing: OrderBillingChanges) -> NewOrder {
    let line = OrderLine {
        id: LineId(Uuid::from_u128(n)),
        item: format!("ITEM-{n}"),
        name: None,
        quantity: Decimal::ONE,
        price: Decimal::from(31),
        charge_type: ChargeType::Recurring,
        tax: None,
    };
    NewOrder {
        customer,
        account: "ACCNT1".to_owned(),
        number: Some(number.to_owned()),
        name: None,
        currency: eur(),
        start: date("2026-07-05"),
        price_tax_inclusive: false,
        lines: vec![line],
        billing,
    }
}

/// One that is invoiced fourteen days after the first of each period.
pub async fn invoiced_later(books: &Books<'_>) -> SubscriptionId {
    let billing = OrderBillingChanges {
        invoice_term: Some(Term {
            name: "Net 14".to_owned(),
            days: 14,
            months: 0,
        }),
        ..OrderBillingChanges::default()
    };
    let new = monthly_order(books.customer().await, 1, "ORD-1", billing);
    let app = &books.test.app;
    app.create_order(&books.request(), &new).await.expect("an order");
    let order = app.order(&books.tenant, "ORD-1").await.expect("readable");
    order.expect("the order").id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_only_its_number_of_a_voided_invoice_is_not_voided_in_the_comparison() {
    on_both(async |test| {
        test.clock.set("2026-07-05T08:00:00Z");
        let books = Books::of(&test);
        let order = invoiced_later(&books).await;
        // Each period is delivered by one billing and invoiced by the next one; invoiced at once it is one for both.
        for day in ["2026-07-05", "2026-07-19", "2026-08-05", "2026-08-19"] {
            test.clock.set(&format!("{day}T08:00:00Z"));
            books.bill(order, day).await;
        }
        test.clock.set("2026-08-20T08:00:00Z");
        void(&books, invoices(&books).await[0]).await;
        for day in ["2026-09-05", "2026-09-19"] {
            test.clock.set(&format!("{day}T08:00:00Z"));
            books.bill(order, day).await;
        }
        test.clock.set("2026-09-20T08:00:00Z");
        assert_eq!(same(&test, 3).await, ["31.00", "31.00", "31.00"]);
        let at_once = json!({"months": 3, "order_billing": {"invoice_term": "Billing Start Date"}});
        let customer = compared(&test, &at_once).await;
        // July's is voided, and on September's; August's, the second billing as July's really was, stays.
        assert_eq!(to_pay(&customer, "would_be"), ["31.00", "62.00"], "{customer}");
    })
    .await;
}

/// A contract of this customer that is billed before or behind another one at the same moment.
async fn billed(books: &Books<'_>, new: NewContract, before: Option<SubscriptionId>) -> SubscriptionId {
    let fits = |request: &Request| before.is_none_or(|other| request.derive("subscription") < other.0);
    let request = std::iter::repeat_with(|| books.request()).find(fits);
    let signed = books.test.app.sign_contract(&request.expect("endless"), new).await;
    signed.expect("a contract")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_at_one_moment_takes_credit_in_the_order_of_a_run() {
    on_both(async |test| {
        test.clock.set("2026-07-01T00:00:00Z");
        let books = Books::of(&test);
        let (customer, plans) = (
            books.customer().await,
            [books.plan("31.00").await, books.plan("62.00").await],
        );
        let later = billed(&books, Books::new_contract(customer, plans[0], "2026-07-01"), None).await;
        let new = Books::new_contract(customer, plans[1], "2026-07-14");
        let sooner = billed(&books, new, Some(later)).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        for now in ["2026-07-01T00:00:05Z", "2026-07-14T00:00:05Z", "2026-08-01T00:00:05Z"] {
            at(&test, &mut scheduler, now).await;
        }
        test.clock.set("2026-08-02T08:00:00Z");
        give(&books, customer, 10_000).await;
        for now in ["2026-08-14T00:00:05Z", "2026-08-20T08:00:00Z"] {
            at(&test, &mut scheduler, now).await;
        }
        assert!(sooner.0 < later.0);
        assert_eq!(same(&test, 3).await, ["31.00", "62.00", "31.00", "62.00"]);
        // Both have an invoice of the fourteenth then, and the run takes this one first.
        let fourteenth = json!({"months": 3, "invoicing":
            {"invoice_trigger": {"periodic": {"unit": "month", "count": 1, "offset_days": 13}}}});
        let customer = compared(&test, &fourteenth).await;
        assert_eq!(
            to_pay(&customer, "would_be"),
            ["31.00", "62.00", "31.00", "55.00"],
            "{customer}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_catches_up_takes_credit_moment_by_moment() {
    on_both(async |test| {
        test.clock.set("2026-07-03T00:00:00Z");
        let books = Books::of(&test);
        let (customer, plans) = (
            books.customer().await,
            [books.plan("31.00").await, books.plan("62.00").await],
        );
        let later = billed(&books, Books::new_contract(customer, plans[0], "2026-07-03"), None).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        let new = Books::new_contract(customer, plans[1], "2026-07-12");
        let sooner = billed(&books, new, Some(later)).await;
        assert!(sooner.0 < later.0);
        at(&test, &mut scheduler, "2026-07-03T00:00:05Z").await;
        test.clock.set("2026-07-05T08:00:00Z");
        give(&books, customer, 1_000).await;
        // Nobody works for twenty days.
        at(&test, &mut scheduler, "2026-07-25T08:00:00Z").await;
        assert_eq!(same(&test, 3).await, ["31.00", "62.00"]);
        let fourteenth = json!({"months": 3, "invoicing":
            {"invoice_trigger": {"periodic": {"unit": "month", "count": 1, "offset_days": 13}}}});
        let customer = compared(&test, &fourteenth).await;
        assert_eq!(to_pay(&customer, "would_be"), ["31.00", "52.00"], "{customer}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_would_share_an_invoice_share_it_whoever_shared_one_before() {
    on_both(async |test| {
        test.clock.set("2026-07-05T00:00:00Z");
        let books = Books::of(&test);
        let customer = books.customer().await;
        let mut numbers: Vec<String> = (1..=3).map(|n| format!("ORD-{n}")).collect();
        numbers.sort_by_key(|number| books.tenant.derive(&format!("order/{number}")));
        // The first and the last in the order of a run share one; the second has its own.
        for (n, number) in (1..).zip(&numbers) {
            let billing = OrderBillingChanges {
                consolidate_invoice: Some(n != 2),
                ..OrderBillingChanges::default()
            };
            let new = monthly_order(customer, n, number, billing);
            test.app.create_order(&books.request(), &new).await.expect("an order");
        }
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        for now in ["2026-07-05T00:00:05Z", "2026-08-05T00:00:05Z", "2026-09-05T00:00:05Z"] {
            at(&test, &mut scheduler, now).await;
        }
        let mut were = same(&test, 4).await;
        were.sort();
        assert_eq!(were, ["31.00", "31.00", "31.00", "62.00", "62.00", "62.00"]);
        let all = json!({"months": 4, "order_billing": {"consolidate_invoice": true}});
        let customer = compared(&test, &all).await;
        assert_eq!(to_pay(&customer, "would_be"), ["93.00", "93.00", "93.00"], "{customer}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_the_invoice_of_an_order_is_one_for_all_that_would_share_it() {
    on_both(async |test| {
        test.clock.set("2026-07-05T00:00:00Z");
        let books = Books::of(&test);
        let customer = books.customer().await;
        for (n, number) in (1..).zip(["ORD-1", "ORD-2"]) {
            let billing = OrderBillingChanges {
                invoice_mode: Some(Mode::Manual),
                ..OrderBillingChanges::default()
            };
            let new = monthly_order(customer, n, number, billing);
            test.app.create_order(&books.request(), &new).await.expect("an order");
        }
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        at(&test, &mut scheduler, "2026-07-05T00:00:05Z").await;
        let asked = test.app.invoice_order(&books.request(), "ORD-1").await;
        assert_eq!(asked.expect("an invoice").len(), 1);
        assert_eq!(same(&test, 1).await, ["31.00"]);
        let shared = json!({"months": 1, "order_billing": {"consolidate_invoice": true}});
        let customer = compared(&test, &shared).await;
        assert_eq!(to_pay(&customer, "would_be"), ["62.00"], "{customer}");
    })
    .await;
}
