//! Fulfilments of orders: one a billed period, opened on its day.

use std::sync::Arc;

use aggregates::{
    id::{LineId, SubscriptionId},
    order_terms::{Mode, OrderBillingChanges, Term},
    subscription::{ChargeType, LineChange, OrderChange, OrderLine},
};
use billstream::{app::orders::NewOrder, processes::scheduler::Scheduler};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{read, round};
use crate::{
    billing::{Books, date, eur},
    billstream::{NOBODY, call, post, refused},
    processes::another,
    support::{TestApp, on_both},
};

pub const LIST: &str = "/billstream/v1/fulfilments";

pub fn line(n: u128, charge_type: ChargeType) -> OrderLine {
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
pub async fn order(books: &Books<'_>, lines: Vec<OrderLine>, billing: OrderBillingChanges) -> SubscriptionId {
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

pub fn delivered(mode: Mode, days: i64) -> OrderBillingChanges {
    OrderBillingChanges {
        fulfillment_mode: Some(mode),
        fulfillment_term: Some(Term {
            name: format!("Net {days}"),
            days,
            months: 0,
        }),
        ..OrderBillingChanges::default()
    }
}

pub async fn listed(test: &TestApp, status: &str) -> Vec<Value> {
    let list = read(test, &format!("{LIST}?status={status}")).await;
    list["fulfilments"].as_array().expect("fulfilments").clone()
}

pub fn starts(listed: &[Value]) -> Vec<&str> {
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
