//! The worked examples of the billing rules, through the use cases.

use billstream::app::contracts::{NewContract, Special};

use super::{Books, date};
use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn example_01_a_trial_then_a_stub_then_another_price_at_the_end_of_a_period() {
    on_both(async |test| {
        test.clock.set("2012-02-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, plan) = (books.customer().await, books.plan("599.95").await);
        let special = Special {
            trial_days: Some(30),
            cycle_start_offset: Some(30),
            ..Special::default()
        };
        let new = NewContract {
            special,
            ..Books::new_contract(customer, plan, "2012-02-01")
        };
        let contract = books.sign(new).await;
        books.bill(contract, "2012-03-15").await;
        let cheaper = books.plan("29.95").await;
        let changed = test
            .app
            .change_plan(&books.request(), contract, cheaper, None, Some(date("2012-03-31")))
            .await;
        changed.expect("changed");
        books.bill(contract, "2012-07-01").await;
        assert_eq!(
            books.lines().await,
            [
                "2012-02-01: 2012-02-01->2012-03-02 0.00",
                "2012-03-02: 2012-03-02->2012-03-31 561.24",
                "2012-03-31: 2012-03-31->2012-04-30 29.95",
                "2012-04-30: 2012-04-30->2012-05-31 29.95",
                "2012-05-31: 2012-05-31->2012-06-30 29.95",
                "2012-06-30: 2012-06-30->2012-07-31 29.95",
            ]
        );
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_02_one_invoice_on_the_last_day_of_every_month_and_on_no_other() {
    on_both(async |test| {
        test.clock.set("2022-12-31T08:00:00Z");
        let books = Books::of(&test);
        let (_, contract) = books.monthly("10.00", "2022-12-31").await;
        books.bill(contract, "2023-03-15").await;
        let billed = books.bill(contract, "2024-04-01").await;
        assert_eq!(billed.invoices.len(), 13);
        assert_eq!(billed.next, Some(super::midnight("2024-04-30")));
        let days: Vec<_> = books
            .invoices()
            .await
            .iter()
            .map(|(invoice, _)| invoice.issue_date.to_string())
            .collect();
        assert_eq!(
            days,
            [
                "2022-12-31",
                "2023-01-31",
                "2023-02-28",
                "2023-03-31",
                "2023-04-30",
                "2023-05-31",
                "2023-06-30",
                "2023-07-31",
                "2023-08-31",
                "2023-09-30",
                "2023-10-31",
                "2023-11-30",
                "2023-12-31",
                "2024-01-31",
                "2024-02-29",
                "2024-03-31",
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_04_a_change_in_the_middle_of_a_paid_month_becomes_credit_that_the_next_one_uses() {
    on_both(async |test| {
        test.clock.set("2012-05-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("599.95", "2012-05-01").await;
        books.bill(contract, "2012-05-01").await;
        let to = async |price: &str, day: &str| {
            let plan = books.plan(price).await;
            let changed = test
                .app
                .change_plan(&books.request(), contract, plan, None, Some(date(day)))
                .await;
            changed.expect("changed");
            let billed = books.bill(contract, day).await;
            let [invoice] = billed.invoices.as_slice() else {
                panic!("one invoice, got {billed:?}")
            };
            books.whole(*invoice).await
        };
        let down = to("9.95", "2012-05-07").await;
        assert_eq!(
            super::printed(&down),
            [
                "2012-05-07: 2012-05-07->2012-06-01 8.02",
                "2012-05-07: 2012-05-07->2012-06-01 -483.83",
            ]
        );
        assert_eq!(
            (down.0.to_pay.to_string(), down.0.credit_granted.to_string()),
            ("0.00".to_owned(), "475.81".to_owned())
        );
        assert_eq!(books.credit(customer).await, "475.81");
        let up = to("29.95", "2012-05-08").await;
        assert_eq!(up.0.total.to_string(), "15.49");
        assert_eq!(up.0.credit_applied.to_string(), "15.49");
        assert_eq!(up.0.to_pay.to_string(), "0.00");
        assert_eq!(books.credit(customer).await, "460.32");
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_07_a_pause_gives_the_rest_back_and_the_resumption_is_paid_from_it() {
    on_both(async |test| {
        test.clock.set("2012-03-02T08:00:00Z");
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("249.95", "2012-03-02").await;
        books.bill(contract, "2012-03-02").await;
        let paused = test
            .app
            .pause(&books.request(), contract, Some(date("2012-03-04")))
            .await;
        paused.expect("paused");
        books.bill(contract, "2012-03-04").await;
        assert_eq!(books.credit(customer).await, "233.82");
        let idle = books.bill(contract, "2012-04-05").await;
        assert_eq!((idle.accrued, idle.invoices.len(), idle.next), (0, 0, None));
        let resumed = test
            .app
            .resume(&books.request(), contract, Some(date("2012-04-05")))
            .await;
        resumed.expect("resumed");
        let billed = books.bill(contract, "2012-04-05").await;
        let last = books.whole(billed.invoices[0]).await;
        assert_eq!(last.0.to_pay.to_string(), "0.00");
        assert_eq!(
            books.lines().await,
            [
                "2012-03-02: 2012-03-02->2012-04-02 249.95",
                "2012-03-04: 2012-03-04->2012-04-02 -233.82",
                "2012-04-05: 2012-04-05->2012-05-02 224.96",
            ]
        );
        assert_eq!(books.credit(customer).await, "8.86");
        books.prove().await;
    })
    .await;
}
