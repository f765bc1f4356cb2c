//! Contracts that go on as others under another plan: whatever comes, each day is paid by one of the two.

use aggregates::{
    billing::{Kind, Price, Proration, Timing},
    id::{PlanId, SubscriptionId},
    policy::PolicyChanges,
    subscription::Cycle,
};
use billstream::{
    app::{
        contracts::upgrades::{Start, Target, Upgrade},
        moves::Move,
        plans::NewLine,
    },
    journal::CommandError,
};

use super::{
    Books, date, eur,
    previews::{drafted, made},
};
use crate::support::on_both;

/// A plan whose periods are not divided.
async fn undivided(books: &Books<'_>, price: &str) -> PlanId {
    let line = NewLine {
        name: "Base fee".to_owned(),
        kind: Kind::Recurring,
        timing: Timing::Advance,
        price: Price::Flat {
            amount: price.parse().expect("a price"),
        },
        quantity: 1.into(),
        flat_fee: true,
        prorate: false,
        tax_rate: None,
    };
    let request = books.request();
    let made = books.test.app.create_plan_with(&request, "Plan", eur(), vec![line]);
    made.await.expect("a plan")
}

/// 100.00 a month from the first of October on, paid for October and November; and on 10 November what follows it on the
/// 20th: 200.00 a month over the same periods, or 900.00 a year.
async fn upgraded(books: &Books<'_>, cycle: Cycle) -> (SubscriptionId, SubscriptionId) {
    books.test.clock.set("2026-10-01T12:00:00Z");
    let (customer, plan) = (books.customer().await, undivided(books, "100.00").await);
    let old = books.sign(Books::new_contract(customer, plan, "2026-10-01")).await;
    books.test.clock.set("2026-11-10T12:00:00Z");
    books.bill(old, "2026-11-10").await;
    let price = if cycle == Cycle::Year { "900.00" } else { "200.00" };
    let upgrade = to_plan(undivided(books, price).await, Some(cycle), "2026-11-20");
    let new = books.test.app.upgrade_contract(&books.request(), old, &upgrade).await;
    (old, new.expect("upgraded"))
}

/// To another plan, from the day on.
fn to_plan(plan: PlanId, cycle: Option<Cycle>, day: &str) -> Upgrade {
    Upgrade {
        target: Target::Plan {
            plan,
            currency: None,
            cycle,
        },
        start: Start::On(date(day)),
        downgrade_allowed: true,
        units: Vec::new(),
    }
}

/// What follows the new one in its turn: 400.00 a month.
async fn followed(books: &Books<'_>, new: SubscriptionId, day: &str) -> SubscriptionId {
    let upgrade = to_plan(undivided(books, "400.00").await, None, day);
    let last = books.test.app.upgrade_contract(&books.request(), new, &upgrade).await;
    last.expect("upgraded")
}

async fn end(books: &Books<'_>, contract: SubscriptionId, day: &str) -> Result<(), CommandError> {
    let ended = books.test.app.end(&books.request(), contract, Some(date(day))).await;
    ended.map(drop)
}

/// The lines of all invoices that are made until the day.
async fn lines(books: &Books<'_>, contracts: [SubscriptionId; 2], day: &str) -> Vec<String> {
    books.test.clock.set(&format!("{day}T12:00:00Z"));
    for contract in contracts {
        books.bill(contract, day).await;
    }
    books.lines().await
}

fn refused<T: std::fmt::Debug>(answer: Result<T, CommandError>) {
    let refused = answer.expect_err("refused").to_string();
    assert!(refused.contains("under another plan"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_followed_behind_its_paid_days_is_not_ended_or_paused_before_them() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, new) = upgraded(&books, Cycle::Year).await;
        test.clock.set("2026-11-12T12:00:00Z");
        let events = test.events().await;
        // November would be given back, and the new contract is charged from December on.
        refused(end(&books, old, "2026-10-20").await);
        let from = Some(date("2026-10-20"));
        refused(test.app.pause(&books.request(), old, from).await);
        assert_eq!(test.events().await, events);
        // A period that was begun is paid to its end.
        end(&books, old, "2026-11-15").await.expect("ended");
        let expected = [
            "2026-10-01: 2026-10-01->2026-11-01 100.00",
            "2026-11-01: 2026-11-01->2026-12-01 100.00",
            "2026-12-01: 2026-12-01->2027-12-01 900.00",
        ];
        assert_eq!(lines(&books, [old, new], "2026-12-01").await, expected);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_its_period_to_what_follows_is_not_ended_so_that_both_are_paid_for_it() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, new) = upgraded(&books, Cycle::Month).await;
        test.clock.set("2026-11-12T12:00:00Z");
        refused(end(&books, old, "2026-11-15").await);
        let expected = [
            "2026-10-01: 2026-10-01->2026-11-01 100.00",
            "2026-11-01: 2026-11-01->2026-12-01 100.00",
            "2026-11-20: 2026-11-01->2026-12-01 -100.00",
            "2026-11-20: 2026-11-20->2026-12-01 200.00",
        ];
        assert_eq!(lines(&books, [old, new], "2026-11-20").await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_divided_from_the_next_period_on_is_not_when_another_plan_follows_behind_it() {
    on_both(async |test| {
        let books = Books::of(&test);
        test.clock.set("2026-10-01T12:00:00Z");
        let none = PolicyChanges {
            proration: Some(Proration::None),
            ..PolicyChanges::default()
        };
        test.app.update_policy(&books.request(), none).await.expect("a policy");
        let (_, old) = books.monthly("100.00", "2026-10-01").await;
        books.bill(old, "2026-10-01").await;
        let upgrade = to_plan(books.plan("900.00").await, Some(Cycle::Year), "2026-11-20");
        let upgraded = test.app.upgrade_contract(&books.request(), old, &upgrade).await;
        upgraded.expect("upgraded");
        let divided = PolicyChanges {
            proration: Some(Proration::ActualDays),
            ..PolicyChanges::default()
        };
        refused(test.app.update_policy_of(&books.request(), old, divided).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_is_paid_by_who_began_it_where_what_was_to_follow_never_begins() {
    on_both(async |test| {
        // Called off before the day, or from it on when it is over.
        for called_off in ["2026-11-12", "2026-11-25"] {
            let books = Books::of(&test);
            let before = books.lines().await.len();
            let (old, new) = upgraded(&books, Cycle::Month).await;
            lines(&books, [old, new], called_off).await;
            end(&books, new, "2026-11-20").await.expect("ended");
            let reactivated = test.app.reactivate(&books.request(), new, None).await;
            reactivated.expect_err("the one before pays in its place");
            let all = lines(&books, [old, new], "2026-12-05").await;
            let expected: &[&str] = if called_off == "2026-11-12" {
                &[
                    "2026-10-01: 2026-10-01->2026-11-01 100.00",
                    "2026-11-01: 2026-11-01->2026-12-01 100.00",
                ]
            } else {
                &[
                    "2026-10-01: 2026-10-01->2026-11-01 100.00",
                    "2026-11-01: 2026-11-01->2026-12-01 100.00",
                    "2026-11-20: 2026-11-01->2026-12-01 -100.00",
                    "2026-11-20: 2026-11-20->2026-12-01 200.00",
                    "2026-11-25: 2026-11-01->2026-12-01 100.00",
                    "2026-11-25: 2026-11-20->2026-12-01 -200.00",
                ]
            };
            assert_eq!(all[before..], *expected, "{called_off}");
            books.prove().await;
        }
    })
    .await;
}

/// What comes of a contract on the first day of the rest of November that it takes over.
#[derive(Clone, Copy, Debug)]
enum OnItsFirstDay {
    Paused,
    Divided,
    Moved,
}

async fn comes(books: &Books<'_>, contract: SubscriptionId, what: OnItsFirstDay) -> Option<SubscriptionId> {
    let (app, request, day) = (&books.test.app, books.request(), Some(date("2026-11-20")));
    match what {
        OnItsFirstDay::Paused => {
            app.pause(&request, contract, day).await.expect("paused");
            None
        }
        OnItsFirstDay::Divided => {
            let plan = books.plan("25.00").await;
            let changed = app.change_plan(&request, contract, plan, None, day).await;
            changed.expect("changed");
            None
        }
        OnItsFirstDay::Moved => {
            let to = Move {
                customer: books.customer().await,
                effective: day,
                order: None,
            };
            let moved = app.move_subscription(&request, contract, &to).await;
            Some(moved.expect("moved").contract)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_paid_by_who_began_it_where_what_follows_never_takes_it_over() {
    for what in [OnItsFirstDay::Paused, OnItsFirstDay::Divided, OnItsFirstDay::Moved] {
        on_both(async |test| {
            let books = Books::of(&test);
            let (old, new) = upgraded(&books, Cycle::Month).await;
            if let Some(moved) = comes(&books, new, what).await {
                lines(&books, [old, moved], "2026-12-01").await;
            }
            let mut expected = vec![
                "2026-10-01: 2026-10-01->2026-11-01 100.00",
                "2026-11-01: 2026-11-01->2026-12-01 100.00",
            ];
            match what {
                OnItsFirstDay::Paused => {}
                OnItsFirstDay::Divided => expected.push("2026-12-01: 2026-12-01->2027-01-01 25.00"),
                OnItsFirstDay::Moved => expected.push("2026-12-01: 2026-12-01->2027-01-01 200.00"),
            }
            assert_eq!(lines(&books, [old, new], "2026-12-01").await, expected, "{what:?}");
            books.prove().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_was_given_back_is_charged_again_where_what_follows_stands_still_on_its_first_day() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, new) = upgraded(&books, Cycle::Month).await;
        lines(&books, [old, new], "2026-11-20").await;
        comes(&books, new, OnItsFirstDay::Paused).await;
        let expected = [
            "2026-10-01: 2026-10-01->2026-11-01 100.00",
            "2026-11-01: 2026-11-01->2026-12-01 100.00",
            "2026-11-20: 2026-11-01->2026-12-01 -100.00",
            "2026-11-20: 2026-11-20->2026-12-01 200.00",
            "2026-11-20: 2026-11-01->2026-12-01 100.00",
            "2026-11-20: 2026-11-20->2026-12-01 -200.00",
        ];
        assert_eq!(lines(&books, [old, new], "2026-12-01").await, expected);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_middle_one_of_three_contracts_is_not_ended_or_paused_so_that_the_first_pays_once_more() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, new) = upgraded(&books, Cycle::Month).await;
        let last = followed(&books, new, "2026-11-25").await;
        let events = test.events().await;
        refused(end(&books, new, "2026-11-20").await);
        let from = Some(date("2026-11-20"));
        refused(test.app.pause(&books.request(), new, from).await);
        assert_eq!(test.events().await, events);
        lines(&books, [old, new], "2026-11-25").await;
        let expected = [
            "2026-10-01: 2026-10-01->2026-11-01 100.00",
            "2026-11-01: 2026-11-01->2026-12-01 100.00",
            "2026-11-20: 2026-11-01->2026-12-01 -100.00",
            "2026-11-25: 2026-11-25->2026-12-01 400.00",
        ];
        assert_eq!(lines(&books, [new, last], "2026-11-25").await, expected);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_middle_one_of_three_contracts_that_never_had_a_day_ends_once() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, new) = upgraded(&books, Cycle::Month).await;
        let last = followed(&books, new, "2026-11-20").await;
        let expected = [
            "2026-10-01: 2026-10-01->2026-11-01 100.00",
            "2026-11-01: 2026-11-01->2026-12-01 100.00",
            "2026-11-20: 2026-11-01->2026-12-01 -100.00",
            "2026-11-20: 2026-11-20->2026-12-01 400.00",
        ];
        assert_eq!(lines(&books, [old, last], "2026-11-22").await, expected);
        let events = test.events().await;
        for day in ["2026-11-20", "2026-11-25"] {
            // Others may say that it has ended already: nothing is charged for it in either case.
            drop(end(&books, new, day).await);
        }
        assert_eq!(test.events().await, events, "nothing was decided");
        assert_eq!(lines(&books, [old, last], "2026-11-28").await, expected);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_two_contracts_share_is_whole_to_its_end_whatever_divides_from_then_on() {
    on_both(async |test| {
        let books = Books::of(&test);
        test.clock.set("2026-10-01T12:00:00Z");
        let by = |proration| PolicyChanges {
            proration: Some(proration),
            ..PolicyChanges::default()
        };
        let whole = test.app.update_policy(&books.request(), by(Proration::None)).await;
        whole.expect("a policy");
        let (_, old) = books.monthly("100.00", "2026-10-01").await;
        books.bill(old, "2026-10-01").await;
        let upgrade = to_plan(books.plan("200.00").await, None, "2026-11-20");
        let new = test.app.upgrade_contract(&books.request(), old, &upgrade).await;
        let new = new.expect("upgraded");
        let divided = by(Proration::ActualDays);
        // It would pay for the first days, and what follows for the whole month.
        refused(test.app.update_policy_of(&books.request(), old, divided).await);
        let changed = test.app.update_policy_of(&books.request(), new, divided).await;
        changed.expect("changed");
        let expected = [
            "2026-10-01: 2026-10-01->2026-11-01 100.00",
            "2026-11-20: 2026-11-20->2026-12-01 200.00",
            "2026-12-01: 2026-12-01->2027-01-01 200.00",
        ];
        assert_eq!(lines(&books, [old, new], "2026-12-01").await, expected);
        books.prove().await;
    })
    .await;
}

/// What is made of the one that follows, in its turn, on the day on which it took November over.
#[derive(Clone, Copy, Debug)]
enum Third {
    Yearly,
    Divided,
    Undivided,
}

async fn third(books: &Books<'_>, what: Third) -> Upgrade {
    let (plan, cycle) = match what {
        Third::Yearly => (undivided(books, "900.00").await, Some(Cycle::Year)),
        Third::Divided => (books.plan("400.00").await, None),
        Third::Undivided => (undivided(books, "400.00").await, None),
    };
    to_plan(plan, cycle, "2026-11-20")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_estimated_with_what_the_contract_before_the_old_one_pays_after_all() {
    for what in [Third::Yearly, Third::Divided, Third::Undivided] {
        on_both(async |test| {
            let books = Books::of(&test);
            let (old, new) = upgraded(&books, Cycle::Month).await;
            lines(&books, [old, new], "2026-11-20").await;
            let before = books.invoices().await.len();
            let (upgrade, now) = (third(&books, what).await, books.request().at);
            let events = test.events().await;
            let estimate = test.app.estimate_upgrade(&books.tenant, new, &upgrade, now).await;
            let estimate = estimate.expect("an estimate");
            assert_eq!(test.events().await, events);
            let last = test.app.upgrade_contract(&books.request(), new, &upgrade).await;
            let last = last.expect("upgraded");
            let made: Vec<_> = books.invoices().await.iter().skip(before).map(made).collect();
            let invoices = estimate.old.invoices.iter().chain(&estimate.new.invoices);
            assert_eq!(invoices.map(drafted).collect::<Vec<_>>(), made, "{what:?}");
            let expected: &[&str] = match what {
                Third::Yearly | Third::Divided => &[
                    "2026-11-20: 2026-11-20->2026-12-01 -200.00",
                    "2026-11-20: 2026-11-01->2026-12-01 100.00",
                ],
                Third::Undivided => &[
                    "2026-11-20: 2026-11-20->2026-12-01 -200.00",
                    "2026-11-20: 2026-11-20->2026-12-01 400.00",
                ],
            };
            assert_eq!(books.lines().await[4..], *expected, "{what:?}");
            // All of it was told.
            assert_eq!(lines(&books, [old, new], "2026-11-20").await.len(), 6);
            assert_eq!(lines(&books, [new, last], "2026-11-20").await.len(), 6);
            books.prove().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_upgraded_once_is_not_estimated_to_be_again() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, new) = upgraded(&books, Cycle::Month).await;
        end(&books, new, "2026-11-20").await.expect("ended");
        test.clock.set("2026-11-25T12:00:00Z");
        let again = test
            .app
            .reactivate(&books.request(), old, Some(date("2026-11-25")))
            .await;
        again.expect("it goes on");
        let upgrade = to_plan(undivided(&books, "300.00").await, None, "2026-11-26");
        let now = books.request().at;
        let estimate = test.app.estimate_upgrade(&books.tenant, old, &upgrade, now).await;
        let done = test.app.upgrade_contract(&books.request(), old, &upgrade).await;
        let (estimate, done) = (estimate.expect_err("refused"), done.expect_err("refused"));
        assert_eq!(estimate.to_string(), "the subscription exists already");
        assert_eq!(done.to_string(), estimate.to_string());
    })
    .await;
}
