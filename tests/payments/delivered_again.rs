//! What is delivered of orders that stand still, end and go on.

use std::sync::Arc;

use aggregates::{
    id::LineId,
    order_terms::{Mode, OrderBillingChanges, Term, catalogue},
    subscription::{ChargeType, LineChange, OrderChange},
};
use billstream::{app::orders::BillingUpdate, processes::scheduler::Scheduler};
use serde_json::{Value, json};

use super::{
    fulfilled::{LIST, delivered, line, listed, order, starts},
    round,
};
use crate::{
    billing::{Books, date},
    billstream::{post, refused},
    support::{TestApp, on_both},
};

#[tokio::test(flavor = "multi_thread")]
async fn none_is_opened_on_or_behind_the_end_of_its_order() {
    on_both(async |test| {
        let books = Books::of(&test);
        let mut orders = Vec::new();
        for n in 1..=5 {
            let lines = vec![line(n, ChargeType::Recurring)];
            orders.push(order(&books, lines, delivered(Mode::Manual, 3)).await);
        }
        let number = |n: usize| format!("ORD-ACCNT1-{n:04}");
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        assert_eq!(listed(&test, "planned").await.len(), 5);
        // They are to be delivered on the 8th. The last two go on as if they had not been cancelled.
        for (n, end) in [
            (1, "2026-10-05"),
            (2, "2026-10-08"),
            (3, "2026-10-09"),
            (4, "2026-10-07"),
            (5, "2026-10-06"),
        ] {
            let cancelled = test
                .app
                .cancel_order(&books.request(), &number(n), Some(date(end)))
                .await;
            cancelled.expect("cancelled");
        }
        test.clock.set("2026-10-06T12:00:00Z");
        round(&mut scheduler).await;
        for (n, from) in [(4, "2026-10-06"), (5, "2026-10-06")] {
            let again = test
                .app
                .start_order(&books.request(), &number(n), Some(date(from)), true)
                .await;
            again.expect("it goes on");
        }
        round(&mut scheduler).await;
        assert_eq!(listed(&test, "planned").await.len(), 5);
        test.clock.set("2026-10-08T00:00:00Z");
        round(&mut scheduler).await;
        let numbers = |listed: &[Value]| -> Vec<String> {
            let number = |one: &Value| one["order"].as_str().expect("a number").to_owned();
            let mut numbers: Vec<_> = listed.iter().map(number).collect();
            numbers.sort();
            numbers
        };
        let withdrawn = listed(&test, "withdrawn").await;
        assert_eq!(numbers(&withdrawn), [number(1), number(2)]);
        assert_eq!(
            (&withdrawn[0]["due_at"], &withdrawn[0]["opened_at"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(numbers(&listed(&test, "open").await), [number(3), number(4), number(5)]);
        let path = format!("{LIST}/{}/complete", withdrawn[0]["id"].as_str().expect("an id"));
        let events = test.events().await;
        refused(&post(&test, &path, &json!({})).await, 409, "fulfilment_withdrawn", None);
        round(&mut scheduler).await;
        assert_eq!(test.events().await, events);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_before_the_end_withdraws_nothing_however_late_somebody_looks() {
    on_both(async |test| {
        let books = Books::of(&test);
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        // One is cancelled at once, one on a day that is still to come.
        let mut orders = Vec::new();
        for n in 1..=3 {
            let lines = vec![line(n, ChargeType::Recurring)];
            orders.push(order(&books, lines, delivered(Mode::Manual, 3)).await);
        }
        round(&mut scheduler).await;
        assert_eq!(listed(&test, "planned").await.len(), 3);
        for paused in &orders {
            let paused = test
                .app
                .pause(&books.request(), *paused, Some(date("2026-10-06")))
                .await;
            paused.expect("paused");
        }
        for (order, end) in orders.iter().zip(["2026-10-10", "2026-10-08"]) {
            let ended = test.app.end(&books.request(), *order, Some(date(end))).await;
            ended.expect("to end");
        }
        for order in &orders {
            books.bill(*order, "2026-10-12").await;
        }
        test.clock.set("2026-10-12T12:00:00Z");
        let ended = test
            .app
            .end(&books.request(), orders[2], Some(date("2026-10-12")))
            .await;
        ended.expect("ended");
        round(&mut scheduler).await;
        // They were to be delivered on the 8th.
        let of = |listed: &[Value]| -> Vec<String> {
            let number = |one: &Value| one["order"].as_str().expect("a number").to_owned();
            let mut numbers: Vec<_> = listed.iter().map(number).collect();
            numbers.sort();
            numbers
        };
        assert_eq!(of(&listed(&test, "withdrawn").await), ["ORD-ACCNT1-0002"]);
        assert_eq!(of(&listed(&test, "open").await), ["ORD-ACCNT1-0001", "ORD-ACCNT1-0003"]);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_period_after_an_end_or_a_pause_is_not_delivered_again() {
    on_both(async |test| {
        let books = Books::of(&test);
        let divided = |days| OrderBillingChanges {
            pro_rata_partial_charging_period: Some(true),
            ..delivered(Mode::Manual, days)
        };
        let mut orders = Vec::new();
        for (n, billing) in (1..).zip([
            delivered(Mode::Manual, 3),
            delivered(Mode::Manual, 0),
            delivered(Mode::Manual, 3),
            divided(3),
            divided(3),
        ]) {
            orders.push(order(&books, vec![line(n, ChargeType::Recurring)], billing).await);
        }
        let number = |n: usize| format!("ORD-ACCNT1-{n:04}");
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        assert_eq!(listed(&test, "planned").await.len(), 4);
        assert_eq!(listed(&test, "open").await.len(), 1);
        // Three are cancelled back to their first day, one in the middle of the period, one stands still.
        test.clock.set("2026-10-06T12:00:00Z");
        for (n, end) in [
            (1, "2026-10-05"),
            (2, "2026-10-05"),
            (3, "2026-10-05"),
            (4, "2026-10-06"),
        ] {
            let cancelled = test
                .app
                .cancel_order(&books.request(), &number(n), Some(date(end)))
                .await;
            cancelled.expect("cancelled");
        }
        let paused = test
            .app
            .pause(&books.request(), orders[4], Some(date("2026-10-06")))
            .await;
        paused.expect("paused");
        round(&mut scheduler).await;
        // One goes on when its fulfilment was withdrawn: what is left of the period is delivered.
        let of = |listed: &[Value]| -> Vec<(String, String)> {
            let text = |one: &Value, name: &str| one[name].as_str().expect("text").to_owned();
            let both = |one: &Value| (text(one, "order"), text(one, "period_start"));
            let mut all: Vec<_> = listed.iter().map(both).collect();
            all.sort();
            all
        };
        test.clock.set("2026-10-07T12:00:00Z");
        for n in [1, 2, 4] {
            let again = test
                .app
                .start_order(&books.request(), &number(n), Some(date("2026-10-07")), true)
                .await;
            again.expect("it goes on");
        }
        let resumed = test
            .app
            .resume(&books.request(), orders[4], Some(date("2026-10-07")))
            .await;
        resumed.expect("resumed");
        round(&mut scheduler).await;
        let first = |n: usize| (number(n), "2026-10-05".to_owned());
        let planned = of(&listed(&test, "planned").await);
        assert_eq!(planned, [first(1), first(3), first(4), first(5)]);
        test.clock.set("2026-10-09T12:00:00Z");
        round(&mut scheduler).await;
        assert_eq!(of(&listed(&test, "withdrawn").await), [first(3)]);
        let again = test
            .app
            .reactivate(&books.request(), orders[2], Some(date("2026-10-09")))
            .await;
        again.expect("it goes on");
        round(&mut scheduler).await;
        let rest = (number(3), "2026-10-09".to_owned());
        assert_eq!(of(&listed(&test, "planned").await), std::slice::from_ref(&rest));
        test.clock.set("2026-11-08T12:00:00Z");
        round(&mut scheduler).await;
        let mut open: Vec<_> = (1..=5).map(|n| (number(n), "2026-11-05".to_owned())).collect();
        open.extend([first(1), first(2), first(4), first(5), rest]);
        open.sort();
        assert_eq!(of(&listed(&test, "open").await), open);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_paid_period_is_delivered_where_its_fulfilment_was_withdrawn_and_its_order_goes_on() {
    on_both(async |test| {
        let books = Books::of(&test);
        let lines = vec![line(1, ChargeType::Recurring)];
        let id = order(&books, lines, delivered(Mode::Manual, 3)).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        test.clock.set("2026-10-06T12:00:00Z");
        let end = Some(date("2026-10-06"));
        let cancelled = test.app.cancel_order(&books.request(), "ORD-ACCNT1-0001", end).await;
        cancelled.expect("cancelled");
        test.clock.set("2026-10-08T12:00:00Z");
        round(&mut scheduler).await;
        assert_eq!(starts(&listed(&test, "withdrawn").await), ["2026-10-05"]);
        test.clock.set("2026-10-09T12:00:00Z");
        let again = test
            .app
            .reactivate(&books.request(), id, Some(date("2026-10-09")))
            .await;
        again.expect("it goes on");
        round(&mut scheduler).await;
        let planned = listed(&test, "planned").await;
        assert_eq!(starts(&planned), ["2026-10-09"]);
        assert_eq!(
            (&planned[0]["period_end"], &planned[0]["line"]),
            (&json!("2026-11-05"), &Value::Null)
        );
        test.clock.set("2026-11-08T12:00:00Z");
        round(&mut scheduler).await;
        assert_eq!(starts(&listed(&test, "open").await), ["2026-10-09", "2026-11-05"]);
        assert_eq!(starts(&listed(&test, "withdrawn").await), ["2026-10-05"]);
        books.prove().await;
    })
    .await;
}

/// The first day and the line of each.
pub fn of_lines(listed: &[Value]) -> Vec<(String, Option<String>)> {
    let text = |one: &Value, name: &str| one[name].as_str().map(str::to_owned);
    let both = |one: &Value| (text(one, "period_start").expect("a date"), text(one, "line"));
    let mut all: Vec<_> = listed.iter().map(both).collect();
    all.sort();
    all
}

fn of(day: &str, n: Option<u128>) -> (String, Option<String>) {
    let line = n.map(|n| LineId(uuid::Uuid::from_u128(n)).to_string());
    (day.to_owned(), line)
}

async fn cancel(books: &Books<'_>, end: &str) {
    let number = "ORD-ACCNT1-0001";
    let cancelled = books
        .test
        .app
        .cancel_order(&books.request(), number, Some(date(end)))
        .await;
    cancelled.expect("cancelled");
}

async fn at(test: &TestApp, scheduler: &mut Scheduler, day: &str) {
    test.clock.set(&format!("{day}T12:00:00Z"));
    round(scheduler).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_goes_on_from_its_first_day_is_delivered_as_a_whole_as_often_as_that_was_withdrawn() {
    on_both(async |test| {
        let books = Books::of(&test);
        let lines = vec![line(1, ChargeType::Recurring), line(2, ChargeType::Recurring)];
        let id = order(&books, lines, delivered(Mode::Manual, 3)).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        for (n, day) in [(1, "2026-10-09"), (2, "2026-10-10")] {
            cancel(&books, "2026-10-05").await;
            at(&test, &mut scheduler, day).await;
            let withdrawn = listed(&test, "withdrawn").await;
            assert_eq!(of_lines(&withdrawn), vec![of("2026-10-05", None); n]);
            let again = test
                .app
                .reactivate(&books.request(), id, Some(date("2026-10-05")))
                .await;
            again.expect("it goes on");
            books.bill(id, day).await;
            let planned = listed(&test, "planned").await;
            assert_eq!(of_lines(&planned), [of("2026-10-05", None)], "one for the order");
            assert_eq!(planned[0]["period_end"], "2026-11-05");
        }
        at(&test, &mut scheduler, "2026-10-11").await;
        assert_eq!(starts(&listed(&test, "open").await), ["2026-10-05"]);
        assert_eq!(listed(&test, "withdrawn").await.len(), 2);
        at(&test, &mut scheduler, "2026-11-08").await;
        assert_eq!(
            of_lines(&listed(&test, "open").await),
            [of("2026-10-05", None), of("2026-11-05", None)]
        );
        books.prove().await;
    })
    .await;
}

/// An order whose whole was delivered, and two lines that came later the same day and are not yet.
async fn with_lines_that_wait(books: &Books<'_>, scheduler: &mut Scheduler) -> aggregates::id::SubscriptionId {
    let (test, number) = (books.test, "ORD-ACCNT1-0001");
    let id = order(books, vec![line(1, ChargeType::Recurring)], delivered(Mode::Manual, 3)).await;
    round(scheduler).await;
    let later = OrderChange {
        lines: [2, 3]
            .map(|n| LineChange::Add {
                line: line(n, ChargeType::Recurring),
                billing: Box::default(),
            })
            .into(),
        ..OrderChange::default()
    };
    let changes = OrderBillingChanges {
        fulfillment_term: Some(Term {
            name: "Net 10".to_owned(),
            days: 10,
            months: 0,
        }),
        ..OrderBillingChanges::default()
    };
    let updated = test
        .app
        .update_order_billing(&books.request(), number, &BillingUpdate::Merge(changes))
        .await;
    updated.expect("other terms");
    let later = test.app.change_order(&books.request(), number, &later).await;
    later.expect("changed");
    at(test, scheduler, "2026-10-09").await;
    assert_eq!(of_lines(&listed(test, "open").await), [of("2026-10-05", None)]);
    let waiting = [of("2026-10-05", Some(2)), of("2026-10-05", Some(3))];
    assert_eq!(of_lines(&listed(test, "planned").await), waiting);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_whose_own_fulfilments_were_withdrawn_are_delivered_line_by_line_when_the_order_goes_on() {
    on_both(async |test| {
        let books = Books::of(&test);
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        let id = with_lines_that_wait(&books, &mut scheduler).await;
        cancel(&books, "2026-10-09").await;
        at(&test, &mut scheduler, "2026-10-16").await;
        let waiting = [of("2026-10-05", Some(2)), of("2026-10-05", Some(3))];
        assert_eq!(of_lines(&listed(&test, "withdrawn").await), waiting);
        let again = test
            .app
            .reactivate(&books.request(), id, Some(date("2026-10-16")))
            .await;
        again.expect("it goes on");
        round(&mut scheduler).await;
        let planned = listed(&test, "planned").await;
        // The third has what the first does: nothing is charged again, so it is planned for what is paid.
        assert_eq!(
            of_lines(&planned),
            [of("2026-10-16", Some(2)), of("2026-10-16", Some(3))]
        );
        assert!(
            planned.iter().all(|one| one["period_end"] == "2026-11-05"),
            "{planned:?}"
        );
        at(&test, &mut scheduler, "2026-11-15").await;
        let open = [
            of("2026-10-05", None),
            of("2026-10-16", Some(2)),
            of("2026-10-16", Some(3)),
            of("2026-11-05", None),
        ];
        assert_eq!(of_lines(&listed(&test, "open").await), open);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_an_order_that_goes_on_from_its_first_day_are_delivered_though_its_whole_was() {
    on_both(async |test| {
        let books = Books::of(&test);
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        let id = with_lines_that_wait(&books, &mut scheduler).await;
        cancel(&books, "2026-10-05").await;
        at(&test, &mut scheduler, "2026-10-16").await;
        let waiting = [of("2026-10-05", Some(2)), of("2026-10-05", Some(3))];
        assert_eq!(of_lines(&listed(&test, "withdrawn").await), waiting);
        let again = test
            .app
            .reactivate(&books.request(), id, Some(date("2026-10-05")))
            .await;
        again.expect("it goes on");
        round(&mut scheduler).await;
        round(&mut scheduler).await;
        let open = [of("2026-10-05", None), waiting[0].clone(), waiting[1].clone()];
        assert_eq!(of_lines(&listed(&test, "open").await), open);
        assert_eq!(of_lines(&listed(&test, "withdrawn").await), waiting);
        assert_eq!(listed(&test, "planned").await, Vec::<Value>::new());
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_days_that_an_order_goes_on_behind_those_are_delivered_that_were_not() {
    on_both(async |test| {
        let books = Books::of(&test);
        let daily = OrderBillingChanges {
            billing_period: catalogue::billing_period("1 Day"),
            ..delivered(Mode::Manual, 1)
        };
        let id = order(&books, vec![line(1, ChargeType::Recurring)], daily).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        at(&test, &mut scheduler, "2026-10-11").await;
        cancel(&books, "2026-10-09").await;
        at(&test, &mut scheduler, "2026-10-12").await;
        assert_eq!(starts(&listed(&test, "withdrawn").await), ["2026-10-11"]);
        at(&test, &mut scheduler, "2026-10-14").await;
        let again = test
            .app
            .reactivate(&books.request(), id, Some(date("2026-10-10")))
            .await;
        again.expect("it goes on");
        round(&mut scheduler).await;
        round(&mut scheduler).await;
        let day = |n: u32| of(&format!("2026-10-{n:02}"), None);
        let open: Vec<_> = (5..=13).map(day).collect();
        assert_eq!(of_lines(&listed(&test, "open").await), open, "the 10th once");
        assert_eq!(of_lines(&listed(&test, "withdrawn").await), [day(10), day(11)]);
        assert_eq!(of_lines(&listed(&test, "planned").await), [day(14)]);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planned_first_is_not_opened_behind_what_was_planned_again() {
    on_both(async |test| {
        let books = Books::of(&test);
        let daily = OrderBillingChanges {
            billing_period: catalogue::billing_period("1 Day"),
            ..delivered(Mode::Manual, 30)
        };
        let id = order(&books, vec![line(1, ChargeType::Recurring)], daily).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        at(&test, &mut scheduler, "2026-10-10").await;
        let sooner = BillingUpdate::Merge(delivered(Mode::Manual, 1));
        let updated = test
            .app
            .update_order_billing(&books.request(), "ORD-ACCNT1-0001", &sooner)
            .await;
        updated.expect("other terms");
        at(&test, &mut scheduler, "2026-10-11").await;
        cancel(&books, "2026-10-10").await;
        at(&test, &mut scheduler, "2026-10-12").await;
        assert_eq!(starts(&listed(&test, "withdrawn").await), ["2026-10-11"]);
        at(&test, &mut scheduler, "2026-10-14").await;
        let again = test
            .app
            .reactivate(&books.request(), id, Some(date("2026-10-10")))
            .await;
        again.expect("it goes on");
        round(&mut scheduler).await;
        round(&mut scheduler).await;
        assert!(of_lines(&listed(&test, "open").await).contains(&of("2026-10-10", None)));
        // The first plan of the 10th comes 30 days later.
        test.clock.set("2026-11-09T12:00:00Z");
        for _ in 0..4 {
            round(&mut scheduler).await;
        }
        let open = listed(&test, "open").await;
        let opened = starts(&open);
        let once = opened.iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(once.len(), opened.len(), "each day once: {opened:?}");
        assert!(starts(&listed(&test, "withdrawn").await).contains(&"2026-10-10"));
        books.prove().await;
    })
    .await;
}
