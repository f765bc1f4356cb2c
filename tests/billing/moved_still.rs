//! What waits to begin, or stands still, becomes another customer's as it is.

use aggregates::{
    id::{CustomerId, SubscriptionId},
    subscription::Status,
};
use billstream::app::contracts::{ChargeOrder, NewContract, Special};
use serde_json::{Value, json};

use super::{
    Books, date,
    moved::{hand_over, id, lines_of},
};
use crate::{
    billstream::{post, refused},
    payments::{delivered_again::of_lines, fulfilled, round},
    support::{TestApp, on_both},
};

/// Moves it today, or on a day, and answers with what goes on.
async fn moved(
    books: &Books<'_>,
    contract: SubscriptionId,
    to: CustomerId,
    day: Option<&str>,
) -> (SubscriptionId, Value) {
    let mut body = json!({"customer": format!("Cust_{to}")});
    if let Some(day) = day {
        body["effective"] = day.into();
    }
    let answer = hand_over(books.test, contract, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.json();
    (id(&told["contract_id"]), told)
}

async fn status(books: &Books<'_>, contract: SubscriptionId) -> Status {
    let found = books
        .test
        .app
        .contract(&books.tenant, contract)
        .await
        .expect("readable");
    found.expect("a contract").status
}

fn noon(test: &TestApp, day: &str) {
    test.clock.set(&format!("{day}T12:00:00Z"));
}

/// A month of 31.00 that is paid from the fifth on, and stands still from a day on.
async fn paused(books: &Books<'_>, from: &str) -> (CustomerId, SubscriptionId) {
    let (old, contract) = books.monthly("31.00", "2026-10-05").await;
    books.bill(contract, "2026-10-05").await;
    noon(books.test, "2026-10-10");
    let paused = books.test.app.pause(&books.request(), contract, Some(date(from))).await;
    paused.expect("paused");
    books.bill(contract, "2026-10-10").await;
    (old, contract)
}

/// The same terms come to the same: what was billed of everybody is what is billed anew.
async fn same_again(books: &Books<'_>) {
    let body = json!({"months": 3});
    let answer = post(books.test, "/billstream/v1/previews/preferences", &body)
        .await
        .json();
    assert_eq!(answer["unbillable"], json!([]), "{answer}");
    for customer in answer["customers"].as_array().expect("customers") {
        let nothing = json!({"invoices": 0, "net": "0.00", "tax": "0.00", "total": "0.00", "to_pay": "0.00"});
        assert_eq!(customer["difference"], nothing, "{customer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_contract_begins_for_the_new_customer_and_what_waits_on_it_stays_with_the_old_one() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, new, plan) = (
            books.customer().await,
            books.customer().await,
            books.plan("31.00").await,
        );
        let pending = NewContract {
            pending: true,
            special: Special {
                trial_days: Some(10),
                ..Special::default()
            },
            ..Books::new_contract(old, plan, "2026-10-05")
        };
        let contract = books.sign(pending).await;
        let setup = ChargeOrder {
            name: "Set-up".to_owned(),
            amount: "5.00".to_owned(),
            period: aggregates::calendar::Period {
                start: date("2026-10-05"),
                end: None,
            },
            flat_fee: true,
            automatic_payment: None,
        };
        test.app
            .add_charge(&books.request(), contract, &setup)
            .await
            .expect("a charge");
        noon(&test, "2026-10-15");
        let (next, told) = moved(&books, contract, new, None).await;
        assert_eq!(
            (&told["status"], &told["effective"], &told["next_billing"]),
            (&json!("pending"), &json!("2026-10-15"), &Value::Null)
        );
        let activate = |contract: SubscriptionId| format!("/billstream/v1/contracts/Cont_{contract}/activate");
        let sooner = post(&test, &activate(next), &json!({"on": "2026-10-14"})).await;
        refused(&sooner, 400, "before_start", Some("on"));
        let path = activate(contract);
        refused(
            &post(&test, &path, &json!({})).await,
            409,
            "subscription_cancelled",
            None,
        );
        assert_eq!(
            (status(&books, contract).await, status(&books, next).await),
            (Status::Cancelled, Status::Pending)
        );
        noon(&test, "2026-10-20");
        assert_eq!(post(&test, &activate(next), &json!({})).await.status, 200);
        books.bill(contract, "2026-10-30").await;
        books.bill(next, "2026-10-30").await;
        assert_eq!(lines_of(&books, old).await, ["2026-10-15: 2026-10-05->open 5.00"]);
        assert_eq!(
            lines_of(&books, new).await,
            [
                "2026-10-20: 2026-10-20->2026-10-30 0.00",
                "2026-10-30: 2026-10-30->2026-11-30 31.00"
            ]
        );
        noon(&test, "2026-10-31");
        same_again(&books).await;
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_contract_that_moves_on_a_day_to_come_begins_no_sooner_and_for_nobody_else() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, new, plan) = (
            books.customer().await,
            books.customer().await,
            books.plan("10.00").await,
        );
        let pending = NewContract {
            pending: true,
            ..Books::new_contract(old, plan, "2026-10-05")
        };
        let contract = books.sign(pending).await;
        let (next, told) = moved(&books, contract, new, Some("2026-11-01")).await;
        assert_eq!(told["status"], "pending");
        let on = |day: &str| json!({"on": day});
        let path = format!("/billstream/v1/contracts/Cont_{contract}/activate");
        refused(
            &post(&test, &path, &on("2026-10-06")).await,
            409,
            "subscription_moved",
            None,
        );
        let path = format!("/billstream/v1/contracts/Cont_{next}/activate");
        refused(
            &post(&test, &path, &on("2026-10-31")).await,
            400,
            "before_start",
            Some("on"),
        );
        assert_eq!(post(&test, &path, &on("2026-11-01")).await.status, 200);
        books.bill(contract, "2026-11-05").await;
        books.bill(next, "2026-11-05").await;
        assert_eq!(lines_of(&books, old).await, Vec::<String>::new());
        assert_eq!(
            lines_of(&books, new).await,
            ["2026-11-01: 2026-11-01->2026-12-01 10.00"]
        );
        assert_eq!(status(&books, contract).await, Status::Cancelled);
        // It moves on once more, before it begins.
        let contract = books
            .sign(NewContract {
                pending: true,
                ..Books::new_contract(old, plan, "2026-10-05")
            })
            .await;
        let (next, _) = moved(&books, contract, new, None).await;
        let (last, _) = moved(&books, next, old, None).await;
        assert_eq!(status(&books, last).await, Status::Pending);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_still_goes_on_standing_still_and_what_was_given_back_stays_with_the_old_customer() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, contract) = paused(&books, "2026-10-10").await;
        assert_eq!(books.credit(old).await, "26.00");
        let new = books.customer().await;
        noon(&test, "2026-10-15");
        let (next, told) = moved(&books, contract, new, None).await;
        assert_eq!(
            (&told["status"], &told["next_billing"]),
            (&json!("paused"), &Value::Null)
        );
        let resume = |contract: SubscriptionId| format!("/billstream/v1/contracts/Cont_{contract}/resume");
        refused(
            &post(&test, &resume(contract), &json!({})).await,
            409,
            "subscription_cancelled",
            None,
        );
        refused(
            &post(&test, &resume(next), &json!({"on": "2026-10-14"})).await,
            400,
            "before_pause",
            Some("on"),
        );
        noon(&test, "2026-10-20");
        assert_eq!(post(&test, &resume(next), &json!({})).await.status, 200);
        books.bill(contract, "2026-11-05").await;
        books.bill(next, "2026-11-05").await;
        assert_eq!(
            lines_of(&books, old).await,
            [
                "2026-10-05: 2026-10-05->2026-11-05 31.00",
                "2026-10-10: 2026-10-10->2026-11-05 -26.00"
            ]
        );
        assert_eq!(
            lines_of(&books, new).await,
            [
                "2026-10-20: 2026-10-20->2026-11-05 16.00",
                "2026-11-05: 2026-11-05->2026-12-05 31.00"
            ]
        );
        assert_eq!(
            (books.credit(old).await, books.credit(new).await),
            ("26.00".to_owned(), "none".to_owned())
        );
        noon(&test, "2026-11-06");
        same_again(&books).await;
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumption_and_a_pause_that_are_planned_and_an_end_are_those_of_the_new_customer() {
    on_both(async |test| {
        let books = Books::of(&test);
        let new = books.customer().await;
        // It goes on from the 25th, as was said before it moved.
        let (first, contract) = paused(&books, "2026-10-10").await;
        let resumed = test
            .app
            .resume(&books.request(), contract, Some(date("2026-10-25")))
            .await;
        resumed.expect("to go on");
        noon(&test, "2026-10-15");
        let (next, told) = moved(&books, contract, new, None).await;
        assert_eq!(told["status"], "active");
        books.bill(contract, "2026-11-01").await;
        books.bill(next, "2026-11-01").await;
        assert_eq!(books.credit(first).await, "26.00");
        assert_eq!(
            lines_of(&books, new).await,
            ["2026-10-25: 2026-10-25->2026-11-05 11.00"]
        );
        // It is to stand still from the 25th on, and to end on the 30th of November.
        test.clock.set("2026-10-05T12:00:00Z");
        let new = books.customer().await;
        let (second, contract) = paused(&books, "2026-10-25").await;
        let ends = test.app.end(&books.request(), contract, Some(date("2026-11-30"))).await;
        ends.expect("to end");
        noon(&test, "2026-10-15");
        let (next, told) = moved(&books, contract, new, None).await;
        assert_eq!(told["status"], "paused");
        books.bill(contract, "2026-10-31").await;
        books.bill(next, "2026-10-31").await;
        assert_eq!(books.credit(second).await, "21.00");
        let resumed = test.app.resume(&books.request(), next, Some(date("2026-11-05"))).await;
        resumed.expect("to go on");
        books.bill(contract, "2026-12-31").await;
        books.bill(next, "2026-12-31").await;
        let owed = async |customer| {
            let lines = lines_of(&books, customer).await;
            let amount = |line: &String| {
                line.rsplit(' ')
                    .next()
                    .and_then(|text| text.parse::<rust_decimal::Decimal>().ok())
            };
            lines
                .iter()
                .filter_map(amount)
                .sum::<rust_decimal::Decimal>()
                .to_string()
        };
        // Ten days to the pause, and 25 of 30 days of the last month.
        assert_eq!(
            (owed(second).await, owed(new).await),
            ("10.00".to_owned(), "35.83".to_owned())
        );
        assert_eq!(status(&books, next).await, Status::Cancelled);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_divided_and_stands_still_is_charged_from_where_it_is_paid_to() {
    on_both(async |test| {
        let books = Books::of(&test);
        let lines = vec![fulfilled::line(1, aggregates::subscription::ChargeType::Recurring)];
        let order = fulfilled::order(
            &books,
            lines,
            fulfilled::delivered(aggregates::order_terms::Mode::Manual, 0),
        )
        .await;
        let mut scheduler = billstream::processes::scheduler::Scheduler::new(std::sync::Arc::clone(&test.app));
        round(&mut scheduler).await;
        noon(&test, "2026-10-10");
        test.app.pause(&books.request(), order, None).await.expect("paused");
        noon(&test, "2026-10-15");
        let new = books.customer().await;
        let (next, told) = moved(&books, order, new, None).await;
        assert_eq!(told["status"], "paused");
        round(&mut scheduler).await;
        noon(&test, "2026-10-20");
        test.app.resume(&books.request(), next, None).await.expect("resumed");
        round(&mut scheduler).await;
        assert_eq!(lines_of(&books, new).await, Vec::<String>::new());
        test.clock.set("2026-11-06T12:00:00Z");
        round(&mut scheduler).await;
        assert_eq!(
            lines_of(&books, new).await,
            ["2026-11-05: 2026-11-05->2026-12-05 10.00"]
        );
        // The first period was delivered, and paid, where it began.
        let open = of_lines(&fulfilled::listed(&test, "open").await);
        let days: Vec<_> = open.iter().map(|(day, _)| day.as_str()).collect();
        assert_eq!(days, ["2026-10-05", "2026-11-05"]);
        noon(&test, "2026-11-10");
        same_again(&books).await;
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_in_whose_middle_an_order_moves_is_delivered_by_the_old_one_however_long_its_term() {
    on_both(async |test| {
        let books = Books::of(&test);
        let mut scheduler = billstream::processes::scheduler::Scheduler::new(std::sync::Arc::clone(&test.app));
        let mut orders = Vec::new();
        for n in [1, 2] {
            let lines = vec![fulfilled::line(n, aggregates::subscription::ChargeType::Recurring)];
            let later = fulfilled::delivered(aggregates::order_terms::Mode::Manual, 3);
            orders.push(fulfilled::order(&books, lines, later).await);
        }
        round(&mut scheduler).await;
        let new = books.customer().await;
        noon(&test, "2026-10-06");
        // What had no day here is delivered there.
        for (order, day) in orders.into_iter().zip(["2026-10-06", "2026-10-05"]) {
            moved(&books, order, new, Some(day)).await;
        }
        round(&mut scheduler).await;
        noon(&test, "2026-10-09");
        round(&mut scheduler).await;
        let of = async |status: &str| {
            let list = fulfilled::listed(&test, status).await;
            let number = |one: &Value| format!("{} {}", one["order"], one["period_start"]).replace('"', "");
            let mut all: Vec<String> = list.iter().map(number).collect();
            all.sort();
            all
        };
        let open = of("open").await;
        assert_eq!(open.len(), 2, "{open:?}");
        assert!(open[0].starts_with("ORD-ACCNT1-0001 "), "{open:?}");
        assert!(open[1].starts_with("ORD-ACCNT1-0002-"), "{open:?}");
        assert_eq!(of("withdrawn").await, ["ORD-ACCNT1-0002 2026-10-05"]);
        books.prove().await;
    })
    .await;
}
