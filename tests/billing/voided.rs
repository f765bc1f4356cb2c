//! Voided invoices: the number stays taken, nothing is owed, and what was charged waits for another invoice.

use std::sync::Arc;

use aggregates::{
    calendar::PeriodUnit,
    id::InvoiceId,
    money::Money,
    terms::{InvoiceTrigger, PeriodRule},
};
use billstream::{app::invoicing::Selection, processes::scheduler::Scheduler};
use futures::future::join_all;
use projections::subscription::Scope;
use serde_json::{Value, json};

use super::{Books, eur};
use crate::{
    billstream::{NOBODY, call, get, post, refused},
    payments::{asked, automatic, billed, pay, read, round, standing},
    support::{Answer, TestApp, on_both},
    wingback::Door,
};

fn path(invoice: InvoiceId) -> String {
    format!("/billstream/v1/invoices/Inv_{invoice}/void")
}

async fn void(test: &TestApp, invoice: InvoiceId) -> Answer {
    post(test, &path(invoice), &json!({"reason": "Wrong address"})).await
}

async fn voided(test: &TestApp, invoice: InvoiceId) {
    let answer = void(test, invoice).await;
    assert_eq!(
        (answer.status, &answer.json()["balance"]),
        (200, &json!("0.00")),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voided_invoice_is_void_at_every_door_and_its_charges_are_on_the_next_one() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("249.95", "2026-10-05").await;
        let first = books.bill(contract, "2026-10-05").await.invoices[0];
        let answer = void(&test, first).await;
        assert_eq!(
            answer.json(),
            json!({"id": format!("Inv_{first}"), "number": 1, "status": "voided", "total": "249.95",
                "balance": "0.00", "voided": {"at": "2026-10-05T12:00:00.000000Z", "reason": "Wrong address"}})
        );
        let events = test.events().await;
        let again = post(&test, &path(first), &json!({"reason": "Once more"})).await;
        assert_eq!((again.status, again.json()), (200, answer.json()));
        assert_eq!(test.events().await, events);

        let explained = read(&test, &format!("/billstream/v1/invoices/Inv_{first}/explain")).await;
        assert_eq!(explained["voided"]["reason"], "Wrong address");
        assert_eq!(explained["lines"][0]["explanation"]["reason"], "period");
        let by_number = get(&test, "/billstream/v1/invoices/1/explain").await;
        refused(&by_number, 400, "invalid", Some("invoice_id"));
        assert_eq!(
            (&explained["total"], &explained["to_pay"]),
            (&json!("249.95"), &json!("0.00"))
        );
        let payments = read(&test, &format!("/billstream/v1/invoices/Inv_{first}/payments")).await;
        assert_eq!(payments["status"], "voided");
        let door = Door::new(&test);
        let listed = door
            .get(&format!("/v1/c/invoice?customer=Cust_{customer}"))
            .await
            .json();
        assert_eq!(
            (
                &listed["hits"][0]["invoice"]["status"],
                &listed["hits"][0]["detailed_invoice_status"]
            ),
            (&json!("voided"), &json!("voided"))
        );

        // Nobody makes it anew at once; the next period's has both, as it was previewed.
        round(&mut Scheduler::new(Arc::clone(&test.app))).await;
        assert_eq!(books.bill(contract, "2026-11-04").await.invoices, []);
        let next = books.bill(contract, "2026-11-05").await.invoices;
        assert_eq!(next.len(), 1);
        assert_eq!(
            books.lines().await,
            [
                "2026-10-05: 2026-10-05->2026-11-05 249.95",
                "2026-11-05: 2026-10-05->2026-11-05 249.95",
                "2026-11-05: 2026-11-05->2026-12-05 249.95",
            ]
        );
        let (view, _) = books.whole(next[0]).await;
        assert_eq!((view.number, view.balance.minor), (2, 49990));
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_callers_one_voids_and_the_charges_are_invoiced_once_again() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, contract) = books.monthly("10.00", "2026-10-05").await;
        let invoice = books.bill(contract, "2026-10-05").await.invoices[0];
        let events = test.events().await;
        for answer in join_all((0..50).map(|_| void(&test, invoice))).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        assert_eq!(
            test.events().await,
            events + 2,
            "the invoice is void, the charge is back"
        );
        let scope = Scope {
            subscription: Some(contract),
            ..Scope::default()
        };
        let again = (0..8).map(|_| async {
            let selection = Selection::Pending(scope);
            let made = test.app.create_invoices(&books.request(), &selection).await;
            made.expect("invoiced").len()
        });
        assert_eq!(join_all(again).await.iter().sum::<usize>(), 1);
        let numbers: Vec<i64> = books.invoices().await.iter().map(|(view, _)| view.number).collect();
        assert_eq!(numbers, [1, 2]);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_key_the_answer_stays_the_same() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, invoice) = billed(&books, "20.00").await;
        let bearer = format!("Bearer {}", test.tenant.billstream.api_key);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "v1")];
        let body = json!({"reason": "Wrong"}).to_string();
        let first = test.send("POST", &path(invoice), &headers, &body).await;
        let events = test.events().await;
        let again = test.send("POST", &path(invoice), &headers, &body).await;
        assert_eq!((first.status, again.status, again.text), (200, 200, first.text));
        assert_eq!(test.events().await, events);
        let other = test
            .send("POST", &path(invoice), &headers, r#"{"reason": "Other"}"#)
            .await;
        refused(&other, 409, "idempotency_key_reused", None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_voided_is_refused_and_leaves_nothing() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, invoice) = billed(&books, "20.00").await;
        pay(&test, invoice, "ch_1", "0.01").await;
        let events = test.events().await;
        refused(&void(&test, invoice).await, 409, "invoice_paid", None);
        for (body, code) in [
            (json!({}), "missing"),
            (json!({"reason": "  "}), "reason_missing"),
            (json!({"reason": "x".repeat(501)}), "reason_missing"),
        ] {
            refused(&post(&test, &path(invoice), &body).await, 400, code, Some("reason"));
        }
        let nobody = format!("/billstream/v1/invoices/Inv_{NOBODY}/void");
        refused(
            &post(&test, &nobody, &json!({"reason": "x"})).await,
            404,
            "invoice_unknown",
            None,
        );
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let body = json!({"reason": "x"}).to_string();
        let theirs = call(&test, &other.billstream.api_key, "POST", &path(invoice), &body).await;
        refused(&theirs, 404, "invoice_unknown", None);
        // All that was written is the other tenant.
        let feed = get(&test, &format!("/billstream/v1/events?after={events}"))
            .await
            .json();
        let ours = feed["events"].as_array().expect("events").iter();
        assert_eq!(
            ours.filter(|event| event["position"].as_i64() > Some(events)).count(),
            0
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_collects_it_and_money_that_comes_all_the_same_is_credit() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = automatic(&books, "10.00", "2026-10-05").await;
        let invoice = books.bill(contract, "2026-10-05").await.invoices[0];
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        let payment = asked(&test).await[0]["id"].as_str().expect("an id").to_owned();
        voided(&test, invoice).await;
        let of = format!("/billstream/v1/payments/{payment}");
        assert_eq!(read(&test, &of).await["status"], "withdrawn");
        round(&mut scheduler).await;
        assert_eq!(asked(&test).await.len(), 1);
        let came = post(&test, &format!("{of}/succeeded"), &json!({"reference": "ch_1"})).await;
        assert_eq!(came.status, 200, "{came:?}");
        assert_eq!(books.credit(customer).await, "10.00");
        assert_eq!(standing(&test, invoice).await, ("0.00".to_owned(), "0.00".to_owned()));

        // One that was not asked for yet never is.
        let (_, contract) = automatic(&books, "10.00", "2026-11-01").await;
        let invoice = books.bill(contract, "2026-11-01").await.invoices[0];
        voided(&test, invoice).await;
        test.clock.set("2026-11-02T12:00:00Z");
        round(&mut scheduler).await;
        let asked: Vec<Value> = asked(&test).await;
        assert!(
            asked.iter().all(|one| one["invoice_id"] != format!("Inv_{invoice}")),
            "{asked:?}"
        );
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_paid_it_goes_back_and_pays_what_else_is_open() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("10.00", "2026-10-05").await;
        let gift = Money::new(1500, eur());
        let given = test
            .app
            .grant_credit(&books.request(), customer, gift, "goodwill")
            .await;
        given.expect("granted");
        let invoices = books.bill(contract, "2026-11-05").await.invoices;
        assert_eq!(standing(&test, invoices[1]).await.0, "5.00");
        assert_eq!(books.credit(customer).await, "0.00");
        voided(&test, invoices[0]).await;
        assert_eq!(standing(&test, invoices[1]).await.0, "0.00");
        assert_eq!(books.credit(customer).await, "5.00");
        let shown = read(&test, &format!("/billstream/v1/customers/Cust_{customer}/credit")).await;
        let grant = &shown["credit"][0]["grants"][0];
        assert_eq!(
            (&grant["source"]["kind"], &grant["amount"], &grant["left"]),
            (&json!("voided_invoice"), &json!("10.00"), &json!("5.00"))
        );
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_it_granted_is_taken_back_while_it_is_there() {
    on_both(async |test| {
        for used in [false, true] {
            let books = Books::of(&test);
            test.clock.set("2026-10-05T12:00:00Z");
            let (customer, contract) = books.monthly("31.00", "2026-10-05").await;
            books.bill(contract, "2026-10-05").await;
            test.clock.set("2026-10-15T12:00:00Z");
            let ended = test.app.end(&books.request(), contract, None).await;
            ended.expect("ended");
            let negative = books.bill(contract, "2026-10-15").await.invoices[0];
            assert_eq!(books.credit(customer).await, "21.00");
            if used {
                let plan = books.plan("5.00").await;
                let other = books.sign(Books::new_contract(customer, plan, "2026-10-15")).await;
                books.bill(other, "2026-10-15").await;
                let events = test.events().await;
                refused(&void(&test, negative).await, 409, "credit_used", None);
                assert_eq!(test.events().await, events);
                continue;
            }
            voided(&test, negative).await;
            assert_eq!(books.credit(customer).await, "0.00");
            let scope = Scope {
                customer: Some(customer),
                ..Scope::default()
            };
            let again = test
                .app
                .create_invoices(&books.request(), &Selection::Pending(scope))
                .await;
            assert_eq!(again.expect("invoiced").len(), 1);
            assert_eq!(books.credit(customer).await, "21.00");
            books.prove().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_goes_back_pays_more_invoices_than_one_append_takes() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("500.00", "2026-10-05").await;
        let gift = Money::new(50_000, eur());
        let given = test
            .app
            .grant_credit(&books.request(), customer, gift, "goodwill")
            .await;
        given.expect("granted");
        let paid = books.bill(contract, "2026-10-05").await.invoices[0];
        let plan = books.plan("1.00").await;
        let small = books.sign(Books::new_contract(customer, plan, "2018-05-05")).await;
        let count = books.bill(small, "2026-10-05").await.invoices.len();
        assert_eq!(count, 102);
        voided(&test, paid).await;
        let open = books.invoices().await;
        assert_eq!(open.iter().map(|(view, _)| view.balance.minor).sum::<i64>(), 0);
        assert_eq!(books.credit(customer).await, "398.00");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_wrong_pair_of_invoices_both_are_voided() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("31.00", "2026-10-05").await;
        let first = books.bill(contract, "2026-10-05").await.invoices[0];
        pay(&test, first, "ch_1", "31.00").await;
        test.clock.set("2026-10-15T12:00:00Z");
        let ended = test.app.end(&books.request(), contract, None).await;
        ended.expect("ended");
        let negative = books.bill(contract, "2026-10-15").await.invoices[0];
        let plan = books.plan("40.00").await;
        let other = books.sign(Books::new_contract(customer, plan, "2026-10-15")).await;
        let paid = books.bill(other, "2026-10-15").await.invoices[0];
        let left = books.credit(customer).await;
        refused(&void(&test, negative).await, 409, "credit_used", None);
        voided(&test, paid).await;
        voided(&test, negative).await;
        assert_eq!((left.as_str(), books.credit(customer).await.as_str()), ("0.00", "0.00"));
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_invoices_have_a_calendar_the_charges_keep_to_it() {
    on_both(async |test| {
        let books = Books::of(&test);
        let rule = PeriodRule {
            unit: PeriodUnit::Month,
            count: 1,
            offset_days: Some(9),
        };
        let contract = books
            .triggered("10.00", "2026-10-05", InvoiceTrigger::Periodic(rule))
            .await;
        let invoice = books.bill(contract, "2026-10-10").await.invoices[0];
        test.clock.set("2026-10-11T12:00:00Z");
        voided(&test, invoice).await;
        assert_eq!(books.bill(contract, "2026-11-09").await.invoices.len(), 0);
        let again = books.bill(contract, "2026-11-10").await.invoices;
        assert_eq!((again.len(), books.whole(again[0]).await.1.len()), (1, 2));
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_after_it_owes_what_they_used_and_no_more() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("31.00", "2026-10-05").await;
        let invoice = books.bill(contract, "2026-10-05").await.invoices[0];
        voided(&test, invoice).await;
        test.clock.set("2026-10-15T12:00:00Z");
        test.app.end(&books.request(), contract, None).await.expect("ended");
        let last = books.bill(contract, "2026-10-15").await.invoices[0];
        let (view, lines) = books.whole(last).await;
        assert_eq!((view.balance.to_string(), lines.len()), ("10.00".to_owned(), 2));
        assert_eq!(books.credit(customer).await, "none");
        books.prove().await;
    })
    .await;
}
