//! More of the worked examples through the use cases. Whatever is billed here was previewed first, and is the same.

use aggregates::{
    billing::{
        Aggregation, Kind, Price, Proration, Timing,
        price::{Limits, Tier},
    },
    id::SubscriptionId,
    money::{self, Money},
    policy::PolicyChanges,
    subscription::Cycle,
};
use billstream::app::{
    contracts::{NewContract, Special},
    plans::NewLine,
    usage::{Sent, Whose},
};

use super::{Books, date, eur};
use crate::support::on_both;

fn line(price: Price, kind: Kind) -> NewLine {
    NewLine {
        name: "Line".to_owned(),
        timing: Timing::Arrears,
        kind,
        price,
        quantity: 1.into(),
        flat_fee: true,
        prorate: true,
        tax_rate: None,
    }
}

fn flat(price: &str) -> NewLine {
    let amount = price.parse().expect("a price");
    NewLine {
        timing: Timing::Advance,
        ..line(Price::Flat { amount }, Kind::Recurring)
    }
}

/// A month from a day on, with a trial and an anchor.
async fn with_trial(books: &Books<'_>, price: &str, from: &str, offset: u32) -> SubscriptionId {
    let plan = books.plan(price).await;
    let special = Special {
        trial_days: Some(30),
        cycle_start_offset: Some(offset),
        ..Special::default()
    };
    let customer = books.customer().await;
    let contract = NewContract {
        special,
        ..Books::new_contract(customer, plan, from)
    };
    books.sign(contract).await
}

#[tokio::test(flavor = "multi_thread")]
async fn example_03_a_stub_of_one_day_after_a_trial() {
    on_both(async |test| {
        test.clock.set("2012-02-01T08:00:00Z");
        let books = Books::of(&test);
        let contract = with_trial(&books, "599.95", "2012-02-01", 2).await;
        books.bill(contract, "2012-03-03").await;
        assert_eq!(
            books.lines().await,
            [
                "2012-02-01: 2012-02-01->2012-03-02 0.00",
                "2012-03-02: 2012-03-02->2012-03-03 20.69",
                "2012-03-03: 2012-03-03->2012-04-03 599.95",
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_05_a_year_given_back_on_its_first_day() {
    on_both(async |test| {
        test.clock.set("2012-05-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, plan) = (books.customer().await, books.plan("2399.95").await);
        let new = NewContract {
            cycle: Cycle::Year,
            ..Books::new_contract(customer, plan, "2012-05-01")
        };
        let contract = books.sign(new).await;
        books.bill(contract, "2012-05-01").await;
        let monthly = books.plan("249.95").await;
        let changed = test
            .app
            .change_plan(
                &books.request(),
                contract,
                monthly,
                Some(Cycle::Month),
                Some(date("2012-05-01")),
            )
            .await;
        changed.expect("changed");
        books.bill(contract, "2012-05-01").await;
        assert_eq!(books.credit(customer).await, "2150.00");
        let june = books.bill(contract, "2012-06-01").await;
        let june = books.whole(june.invoices[0]).await.0;
        assert_eq!(
            (june.total.to_string(), june.to_pay.to_string()),
            ("249.95".to_owned(), "0.00".to_owned())
        );
        assert_eq!(
            books.lines().await,
            [
                "2012-05-01: 2012-05-01->2013-05-01 2399.95",
                "2012-05-01: 2012-05-01->2012-06-01 249.95",
                "2012-05-01: 2012-05-01->2013-05-01 -2399.95",
                "2012-06-01: 2012-06-01->2012-07-01 249.95",
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_06_a_stub_before_the_anchor() {
    on_both(async |test| {
        test.clock.set("2012-03-06T08:00:00Z");
        let books = Books::of(&test);
        let contract = with_trial(&books, "9.95", "2012-03-06", 14).await;
        books.bill(contract, "2012-04-05").await;
        assert_eq!(books.lines().await[1..], ["2012-04-05: 2012-04-05->2012-04-15 3.21"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_08_a_credit_pays_one_invoice_and_a_part_of_the_next() {
    on_both(async |test| {
        test.clock.set("2012-05-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("249.95", "2012-05-01").await;
        let granted = Money::new(30_000, eur());
        let balance = test
            .app
            .grant_credit(&books.request(), customer, granted, "goodwill")
            .await;
        balance.expect("granted");
        for (day, to_pay, left) in [("2012-05-01", "0.00", "50.05"), ("2012-06-01", "199.90", "0.00")] {
            let billed = books.bill(contract, day).await;
            let invoice = books.whole(billed.invoices[0]).await.0;
            assert_eq!(
                (invoice.to_pay.to_string(), books.credit(customer).await),
                (to_pay.to_owned(), left.to_owned())
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_11_currencies_have_their_own_minor_units() {
    on_both(async |test| {
        test.clock.set("2012-04-05T08:00:00Z");
        let books = Books::of(&test);
        for (code, price, sums) in [
            ("JPY", "1000", ["323", "16", "339"]),
            ("KWD", "10.000", ["3.226", "0.161", "3.387"]),
        ] {
            let currency = money::currency(code).expect("a currency");
            let taxed = NewLine {
                tax_rate: Some(5.into()),
                ..flat(price)
            };
            let plan = test
                .app
                .create_plan_with(&books.request(), "Plan", currency, vec![taxed])
                .await;
            let special = Special {
                cycle_start_offset: Some(14),
                ..Special::default()
            };
            let customer = books.customer().await;
            let new = NewContract {
                currency,
                special,
                ..Books::new_contract(customer, plan.expect("a plan"), "2012-04-05")
            };
            let contract = books.sign(new).await;
            let billed = books.bill(contract, "2012-04-05").await;
            let invoice = books.whole(billed.invoices[0]).await.0;
            let found = [invoice.net, invoice.tax, invoice.total].map(|amount| amount.to_string());
            assert_eq!(found, sums, "{code}");
        }
    })
    .await;
}

/// What so much usage of October costs at a price.
async fn used(books: &Books<'_>, price: Price, units: i64) -> String {
    let (metric, aggregation) = ("calls".to_owned(), Aggregation::Sum);
    let metered = NewLine {
        flat_fee: false,
        prorate: false,
        ..line(price, Kind::Metered { metric, aggregation })
    };
    let app = &books.test.app;
    let plan = app
        .create_plan_with(&books.request(), "Plan", eur(), vec![metered])
        .await;
    let customer = books.customer().await;
    let new = Books::new_contract(customer, plan.expect("a plan"), "2026-10-01");
    let contract = books.sign(new).await;
    if units > 0 {
        let sent = Sent {
            index: 0,
            whose: Whose::Subscription(contract),
            id: None,
            metric: "calls".to_owned(),
            quantity: units.into(),
            at: "2026-10-04T08:00:00Z".parse().expect("a time"),
            key: None,
            absolute: false,
        };
        let taken = app.record_usage(&books.request(), &[sent]).await.expect("recorded");
        assert_eq!(taken.recorded, 1);
    }
    let billed = books.bill(contract, "2026-11-01").await;
    books.whole(billed.invoices[0]).await.0.total.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn example_12_graduated_tiers_with_flat_fees() {
    on_both(async |test| {
        let books = Books::of(&test);
        let tier = |up_to: Option<i64>, unit: i64, flat: i64| Tier {
            up_to: up_to.map(Into::into),
            unit: unit.into(),
            flat: flat.into(),
        };
        for (units, amount) in [
            (0, "2.00"),
            (1, "12.00"),
            (10, "102.00"),
            (11, "110.00"),
            (12, "115.00"),
            (21, "163.00"),
        ] {
            let price = Price::Graduated {
                tiers: vec![tier(Some(10), 10, 2), tier(Some(20), 5, 3), tier(None, 5, 3)],
                limits: Limits {
                    flat_fee_at_zero: true,
                    ..Limits::default()
                },
            };
            assert_eq!(used(&books, price, units).await, amount, "{units} units");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_13_packages_are_paid_when_they_are_begun() {
    on_both(async |test| {
        let books = Books::of(&test);
        for (free, amount) in [(0, "1300.00"), (10, "1200.00"), (200, "0.00")] {
            let price = Price::Package {
                amount: 100.into(),
                size: 10.into(),
                limits: Limits {
                    free_units: free.into(),
                    ..Limits::default()
                },
            };
            assert_eq!(used(&books, price, 121).await, amount, "{free} free");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_14_months_of_thirty_days() {
    on_both(async |test| {
        test.clock.set("2023-05-15T08:00:00Z");
        let books = Books::of(&test);
        let in_arrears = || NewLine {
            timing: Timing::Arrears,
            ..flat("19.95")
        };
        let plan = async || {
            let request = books.request();
            let made = test
                .app
                .create_plan_with(&request, "Plan", eur(), vec![in_arrears()])
                .await;
            made.expect("a plan")
        };
        let special = Special {
            policy: PolicyChanges {
                proration: Some(Proration::ThirtyDayMonths),
                ..PolicyChanges::default()
            },
            ..Special::default()
        };
        let new = NewContract {
            special,
            ..Books::new_contract(books.customer().await, plan().await, "2023-05-15")
        };
        let contract = books.sign(new).await;
        let other = plan().await;
        let changed = test
            .app
            .change_plan(&books.request(), contract, other, None, Some(date("2023-05-23")))
            .await;
        changed.expect("changed");
        books.bill(contract, "2023-06-15").await;
        assert_eq!(
            books.lines().await,
            [
                "2023-05-23: 2023-05-15->2023-05-23 5.32",
                "2023-06-15: 2023-05-23->2023-06-15 14.63",
            ]
        );
    })
    .await;
}
