//! Fulfilments of orders: one a billed period, opened on its day.

use std::sync::Arc;

use aggregates::{
    id::{LineId, SubscriptionId},
    order_terms::{Mode, OrderBillingChanges, Term},
    subscription::{ChargeType, OrderLine},
};
use billstream::{
    app::{
        order_changes::{LineChange, OrderChange},
        orders::NewOrder,
    },
    processes::scheduler::Scheduler,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{read, round};
use crate::{
    billing::{Books, date, eur},
    billstream::{NOBODY, call, post, refused},
    processes::another,
    support::{TestApp, on_both},
};

const LIST: &str = "/billstream/v1/fulfilments";

fn line(n: u128, charge_type: ChargeType) -> OrderLine {
    OrderLine {
        id: LineId(uuid::Uuid::from_u128(n)),
        item: format!("ITEM-{n}"),
        name: None,
        quantity: Decimal::ONE,
        price: Decimal::TEN,
        charge_type,
        tax: None,
    }
}

/// An order of a month at a time from 5 October on.
async fn order(books: &Books<'_>, lines: Vec<OrderLine>, billing: OrderBillingChanges) -> SubscriptionId {
    let new = NewOrder {
        customer: books.customer().await,
        account: "ACCNT1".to_owned(),
        number: None,
        name: None,
        currency: eur(),
        start: date("2026-10-05"),
        price_tax_inclusive: false,
        lines,
        billing,
    };
    let placed = books.test.app.create_order(&books.request(), &new).await;
    let number = placed.expect("an order").number;
    let found = books.test.app.order(&books.tenant, &number).await.expect("readable");
    found.expect("the order").id
}

fn delivered(mode: Mode, days: i64) -> OrderBillingChanges {
    OrderBillingChanges {
        fulfillment_mode: Some(mode),
        fulfillment_term: Some(Term {
            name: format!("Net {days}"),
            days,
        }),
        ..OrderBillingChanges::default()
    }
}

async fn listed(test: &TestApp, status: &str) -> Vec<Value> {
    let list = read(test, &format!("{LIST}?status={status}")).await;
    list["fulfilments"].as_array().expect("fulfilments").clone()
}

fn starts(listed: &[Value]) -> Vec<&str> {
    let start = |fulfilment: &Value| fulfilment["period_start"].as_str().map(str::len);
    assert!(listed.iter().all(|one| start(one) == Some(10)));
    listed.iter().filter_map(|one| one["period_start"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manual_one_waits_for_a_call_and_an_automatic_one_completes_itself() {
    on_both(async |test| {
        let books = Books::of(&test);
        let lines = vec![line(1, ChargeType::Recurring), line(2, ChargeType::OneOff)];
        let manual = order(&books, lines, OrderBillingChanges::default()).await;
        let lines = vec![line(3, ChargeType::Recurring)];
        let automatic = order(&books, lines, delivered(Mode::Automatic, 0)).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        let open = listed(&test, "open").await;
        let [one] = open.as_slice() else {
            panic!("one a period, got {open:?}")
        };
        assert_eq!(
            (&one["contract_id"], &one["automatic"], &one["order"]),
            (
                &json!(format!("Cont_{manual}")),
                &json!(false),
                &json!("ORD-ACCNT1-0001")
            )
        );
        assert_eq!(
            (&one["period_start"], &one["period_end"], &one["opened_at"]),
            (
                &json!("2026-10-05"),
                &json!("2026-11-05"),
                &json!("2026-10-05T12:00:00.000000Z")
            )
        );
        let done = listed(&test, "completed").await;
        assert_eq!(done[0]["contract_id"], format!("Cont_{automatic}"));
        assert_eq!(
            (done.len(), &done[0]["completed_at"]),
            (1, &json!("2026-10-05T12:00:00.000000Z"))
        );

        let path = format!("{LIST}/{}/complete", one["id"].as_str().expect("an id"));
        let completed = post(&test, &path, &json!({})).await;
        assert_eq!(
            (completed.status, &completed.json()["status"]),
            (200, &json!("completed"))
        );
        let events = test.events().await;
        let again = post(&test, &path, &json!({})).await;
        assert_eq!((again.status, again.text), (200, completed.text));
        let nobody = format!("{LIST}/Ful_{NOBODY}/complete");
        refused(&post(&test, &nobody, &json!({})).await, 404, "fulfilment_unknown", None);
        round(&mut scheduler).await;
        assert_eq!(test.events().await, events);
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let answer = call(&test, &other.billstream.api_key, "POST", &path, "").await;
        refused(&answer, 404, "fulfilment_unknown", None);
        let theirs = call(&test, &other.billstream.api_key, "GET", LIST, "").await;
        assert_eq!(theirs.text, r#"{"fulfilments":[],"next_after":0}"#);
        assert_eq!(listed(&test, "open").await, Vec::<Value>::new());
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_opened_when_its_term_has_passed_since_the_billing_start() {
    on_both(async |test| {
        let books = Books::of(&test);
        let lines = vec![line(1, ChargeType::Recurring)];
        order(&books, lines, delivered(Mode::Manual, 3)).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        for (now, planned, open) in [
            ("2026-10-07T23:59:59Z", 1, 0),
            ("2026-10-08T00:00:00Z", 0, 1),
            ("2026-10-08T00:00:01Z", 0, 1),
        ] {
            test.clock.set(now);
            round(&mut scheduler).await;
            let counts = (listed(&test, "planned").await.len(), listed(&test, "open").await.len());
            assert_eq!(counts, (planned, open), "{now}");
        }
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_open_each_billed_period_once() {
    on_both(async |test| {
        let books = Books::of(&test);
        let mut orders = Vec::new();
        for n in 0..20 {
            let lines = vec![line(n, ChargeType::Recurring)];
            orders.push(order(&books, lines, OrderBillingChanges::default()).await);
        }
        test.clock.set("2027-01-05T00:00:00Z");
        for order in orders {
            books.bill(order, "2027-01-05").await;
        }
        let apps = [Arc::clone(&test.app), another(&test).await];
        let how = billstream::processes::run::How {
            actor: "test".to_owned(),
            until: "2027-01-05T00:00:00Z".parse().expect("a time"),
            at: None,
        };
        let runs = apps.map(|app| {
            let how = how.clone();
            tokio::spawn(async move {
                let whose = billstream::app::due::Whose::RealTime;
                let mut known = std::collections::BTreeSet::new();
                let done =
                    billstream::processes::duties::everything(&app, &whose, &how, &mut known, std::future::pending());
                done.await.expect("the database")
            })
        });
        for run in runs {
            assert_eq!(run.await.expect("no panic"), []);
        }
        assert_eq!(listed(&test, "open").await.len(), 80);
        assert_eq!(listed(&test, "planned").await.len(), 0);
        let sql = "SELECT COUNT(*) FROM journal WHERE event_type = 'fulfilment.opened'";
        let rows = test.app.journal.store().read(sql, &[]).await.expect("a count");
        assert_eq!(rows[0].int(0), Ok(80));
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_clock_opens_each_on_its_day_and_pages_lose_none() {
    on_both(async |mut test| {
        test.tenant = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
        let books = Books::of(&test);
        let lines = vec![line(1, ChargeType::Recurring)];
        order(&books, lines, delivered(Mode::Automatic, 3)).await;
        let to = json!({"now": "2027-01-06T00:00:00Z"});
        let moved = post(&test, "/billstream/v1/clock", &to).await;
        assert_eq!(moved.status, 200, "{moved:?}");
        let done = listed(&test, "completed").await;
        assert_eq!(starts(&done), ["2026-10-05", "2026-11-05", "2026-12-05"]);
        let opened: Vec<_> = done.iter().filter_map(|one| one["opened_at"].as_str()).collect();
        assert_eq!(
            opened,
            [
                "2026-10-08T00:00:00.000000Z",
                "2026-11-08T00:00:00.000000Z",
                "2026-12-08T00:00:00.000000Z",
            ]
        );
        assert_eq!(starts(&listed(&test, "planned").await), ["2027-01-05"]);
        let first = read(&test, &format!("{LIST}?limit=3")).await;
        let rest = read(&test, &format!("{LIST}?limit=3&after={}", first["next_after"])).await;
        let count = |list: &Value| list["fulfilments"].as_array().map_or(0, Vec::len);
        assert_eq!((count(&first), count(&rest)), (3, 1));
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_contracts_and_usage_are_billed_for_is_not_fulfilled() {
    on_both(async |test| {
        let books = Books::of(&test);
        let metered = order(
            &books,
            vec![line(1, ChargeType::Metered)],
            OrderBillingChanges::default(),
        )
        .await;
        books.bill(metered, "2026-11-05").await;
        let (_, contract) = books.monthly("10.00", "2026-10-05").await;
        books.bill(contract, "2026-11-05").await;
        assert_eq!(read(&test, LIST).await["fulfilments"], json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn none_is_opened_before_its_day_however_far_billing_runs_ahead() {
    on_both(async |test| {
        let books = Books::of(&test);
        let lines = vec![line(1, ChargeType::Recurring)];
        let order = order(&books, lines, OrderBillingChanges::default()).await;
        books.bill(order, "2026-12-05").await;
        let how = billstream::processes::run::How {
            actor: "test".to_owned(),
            until: "2027-01-31T00:00:00Z".parse().expect("a time"),
            at: None,
        };
        let whose = billstream::app::due::Whose::RealTime;
        let mut known = std::collections::BTreeSet::new();
        let done =
            billstream::processes::duties::everything(&test.app, &whose, &how, &mut known, std::future::pending());
        assert_eq!(done.await.expect("the database"), []);
        assert_eq!(listed(&test, "open").await.len(), 1);
        let planned = listed(&test, "planned").await;
        assert_eq!(planned.len(), 2);
        let id = planned[0]["id"]
            .as_str()
            .and_then(|id| id.strip_prefix("Ful_"))
            .expect("an id");
        let refused = test
            .app
            .open_fulfilment(&books.request(), id.parse().expect("a UUID"))
            .await;
        assert!(refused.is_err(), "{refused:?}");
    })
    .await;
}

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
async fn a_line_that_comes_behind_the_planning_of_its_period_is_delivered_by_itself() {
    on_both(async |test| {
        let books = Books::of(&test);
        let lines = vec![line(1, ChargeType::Recurring)];
        order(&books, lines, OrderBillingChanges::default()).await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        assert_eq!(starts(&listed(&test, "open").await), ["2026-10-05"]);
        let change = |lines: Vec<LineChange>| OrderChange {
            lines,
            ..OrderChange::default()
        };
        let add = |n: u128, charge_type: ChargeType| LineChange::Add {
            line: line(n, charge_type),
            billing: Box::default(),
        };
        let wanted = change(vec![add(2, ChargeType::Recurring), add(3, ChargeType::OneOff)]);
        let number = "ORD-ACCNT1-0001";
        test.app
            .change_order(&books.request(), number, &wanted)
            .await
            .expect("changed");
        round(&mut scheduler).await;
        let of = |listed: &[Value]| -> Vec<(String, Option<String>)> {
            let text = |one: &Value, name: &str| one[name].as_str().map(str::to_owned);
            let both = |one: &Value| (text(one, "period_start").expect("a date"), text(one, "line"));
            let mut all: Vec<_> = listed.iter().map(both).collect();
            all.sort();
            all
        };
        let id = |n: u128| Some(LineId(uuid::Uuid::from_u128(n)).to_string());
        let day = |day: &str, line: Option<String>| (day.to_owned(), line);
        let mut expected = vec![
            day("2026-10-05", None),
            day("2026-10-05", id(2)),
            day("2026-10-05", id(3)),
        ];
        assert_eq!(of(&listed(&test, "open").await), expected);
        // Another quantity is no other delivery, and the next period is everybody's.
        let more = LineChange::Set {
            line: LineId(uuid::Uuid::from_u128(2)),
            quantity: Some(Decimal::TEN),
            price: None,
            tax: None,
            billing: Box::default(),
        };
        test.app
            .change_order(&books.request(), number, &change(vec![more]))
            .await
            .expect("changed");
        round(&mut scheduler).await;
        assert_eq!(of(&listed(&test, "open").await), expected);
        test.clock.set("2026-11-05T12:00:00Z");
        round(&mut scheduler).await;
        expected.push(day("2026-11-05", None));
        assert_eq!(of(&listed(&test, "open").await), expected);
        // What came on a day that is over comes late.
        let wanted = OrderChange {
            effective: Some(date("2026-10-20")),
            ..change(vec![add(4, ChargeType::Recurring)])
        };
        test.app
            .change_order(&books.request(), number, &wanted)
            .await
            .expect("changed");
        round(&mut scheduler).await;
        expected.extend([day("2026-10-20", id(4)), day("2026-11-05", id(4))]);
        expected.sort();
        assert_eq!(of(&listed(&test, "open").await), expected);
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
