//! Usage that names a customer and comes while their contract is upgraded, ended, moved to other periods or to another
//! customer: each record is charged once, by the contract that held its moment, or is kept as unmatched.

use std::collections::BTreeMap;

use aggregates::{
    billing::{Aggregation, Kind},
    id::{CustomerId, LineId, PlanId, SubscriptionId},
    order_terms::OrderBillingChanges,
    subscription::{ChargeType, Cycle, OrderLine},
};
use billstream::{
    app::{
        contracts::upgrades::{Start, Target, Upgrade},
        moves::Move,
        orders::NewOrder,
        usage::{Sent, Taken, Whose, lines::Said},
    },
    clock::Clock,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Books, date, eur,
    usage_histories::{metered, variable},
};
use crate::support::{Answer, TestApp, on_both};

const ROUNDS: u64 = 60;
/// So many records a round: each has a bit of its own for its quantity, so that sums tell which of them are in.
const RECORDS: usize = 12;
const NOW: &str = "2026-10-20T12:00:00Z";
const END: &str = "2027-01-05T00:00:00Z";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Upgrade,
    OtherPeriod,
    End,
    Move,
}

/// How a record is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Single,
    Bulk,
    /// Under an id, twice at the same time.
    Twice,
}

#[derive(Clone, Debug)]
struct Record {
    bit: u64,
    at: DateTime<Utc>,
    way: Way,
    /// So often it lets others go first.
    waits: u32,
}

impl Record {
    fn day(&self) -> NaiveDate {
        self.at.date_naive()
    }
}

struct Round<'a> {
    books: &'a Books<'a>,
    /// By price a call: 1.00 and 2.00.
    plans: [PlanId; 2],
    customer: CustomerId,
    contract: SubscriptionId,
    deed: Deed,
    day: NaiveDate,
    waits: u32,
    records: Vec<Record>,
}

async fn wait(times: u32) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

impl<'a> Round<'a> {
    async fn begin(books: &'a Books<'a>, plans: [PlanId; 2], rng: &mut StdRng) -> Self {
        let customer = books.customer().await;
        let contract = books.sign(Books::new_contract(customer, plans[0], "2026-10-01")).await;
        let now = books.test.clock.now();
        let deed = [Deed::Upgrade, Deed::Upgrade, Deed::OtherPeriod, Deed::End, Deed::Move][rng.random_range(0..5)];
        let records = (0..RECORDS).map(|n| Record {
            bit: 1 << n,
            at: now - TimeDelta::minutes(rng.random_range(0..10 * 24 * 60)),
            way: [Way::Single, Way::Bulk, Way::Twice][rng.random_range(0..3)],
            waits: rng.random_range(0..60),
        });
        let records = records.collect();
        Self {
            books,
            plans,
            customer,
            contract,
            deed,
            day: now.date_naive() - TimeDelta::days(rng.random_range(-1..6)),
            waits: rng.random_range(0..40),
            records,
        }
    }

    /// What the contract goes on as, if it does.
    async fn do_it(&self) -> Option<SubscriptionId> {
        wait(self.waits).await;
        let (app, request) = (&self.books.test.app, self.books.request());
        match self.deed {
            Deed::Upgrade | Deed::OtherPeriod => {
                let upgrade = Upgrade {
                    target: Target::Plan {
                        plan: self.plans[1],
                        currency: None,
                        cycle: (self.deed == Deed::OtherPeriod).then_some(Cycle::Week),
                    },
                    start: Start::On(self.day),
                    downgrade_allowed: true,
                    units: Vec::new(),
                };
                let done = app.upgrade_contract(&request, self.contract, &upgrade).await;
                Some(done.expect("upgraded"))
            }
            Deed::End => {
                app.end(&request, self.contract, Some(self.day)).await.expect("ended");
                None
            }
            Deed::Move => {
                let to = Move {
                    customer: self.books.customer().await,
                    effective: Some(self.day),
                    order: None,
                };
                // Refused where something was used behind the day.
                let moved = app.move_subscription(&request, self.contract, &to).await;
                moved.ok().map(|moved| moved.contract)
            }
        }
    }

    fn event(&self, record: &Record) -> Value {
        json!({"customer_id": format!("Cust_{}", self.customer), "feature_slug": "calls", "units": record.bit,
            "timestamp": record.at.to_rfc3339()})
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [
            ("wb-key", self.books.test.tenant.wingback.api_key.as_str()),
            ("content-type", "application/json"),
        ];
        self.books.test.send("POST", path, &headers, &body.to_string()).await
    }

    /// The bits of what was accepted.
    async fn send(&self, record: &Record) -> u64 {
        wait(record.waits).await;
        let accepted = match record.way {
            Way::Single => {
                let answer = self.post("/v1/c/usage", &self.event(record)).await;
                assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
                answer.status == 200
            }
            Way::Bulk => {
                let answer = self.post("/v1/c/usage/bulk", &json!([self.event(record)])).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                answer.json() == json!([])
            }
            Way::Twice => {
                let sent = Sent {
                    index: 0,
                    whose: Whose::Customer(self.customer),
                    id: Some(format!("{}-{}", self.customer, record.bit)),
                    metric: "calls".to_owned(),
                    quantity: record.bit.into(),
                    at: record.at,
                    key: None,
                    absolute: false,
                };
                let sent = [sent];
                let both = join_all((0..2).map(|_| async {
                    let (app, request) = (&self.books.test.app, self.books.request());
                    app.record_usage(&request, &sent).await.expect("taken")
                }))
                .await;
                let count = |of: fn(&Taken) -> usize| both.iter().map(of).sum::<usize>();
                let recorded = count(|taken| taken.recorded);
                assert!(recorded <= 1, "it counts once: {both:?}");
                assert_eq!(recorded, count(|taken| taken.duplicates), "{both:?}");
                recorded == 1
            }
        };
        if accepted { record.bit } else { 0 }
    }

    /// Bills everything and looks where each record is.
    async fn check(&self, next: Option<SubscriptionId>, accepted: u64) {
        let until = END.parse().expect("a time");
        for contract in [Some(self.contract), next].into_iter().flatten() {
            let (app, request) = (&self.books.test.app, self.books.request());
            app.bill_subscription(&request, contract, until).await.expect("billed");
        }
        let first = self.charged(self.contract, 1).await;
        let second = match next {
            // What was moved keeps its prices.
            Some(next) => self.charged(next, if self.deed == Deed::Move { 1 } else { 2 }).await,
            None => 0,
        };
        let unmatched = self.unmatched().await;
        let told = || format!("{:?} on {} of {:#?}", self.deed, self.day, self.records);
        assert_eq!(first & second, 0, "charged twice: {}", told());
        assert_eq!(first | second, accepted, "accepted, but not charged: {}", told());
        let all = (1 << RECORDS) - 1;
        assert_eq!(accepted | unmatched, all, "lost: {}", told());
        assert_eq!(accepted & unmatched, 0, "charged and unmatched: {}", told());
        let since: u64 = self
            .records
            .iter()
            .filter(|record| record.day() >= self.day)
            .map(|record| record.bit)
            .sum();
        match self.deed {
            Deed::Upgrade | Deed::OtherPeriod => {
                assert_eq!(unmatched, 0, "one of them metered it: {}", told());
                assert_eq!(second, since, "each has its days: {}", told());
            }
            Deed::End | Deed::Move => {
                assert_eq!(second, 0, "of a customer who did not have it: {}", told());
                assert_eq!(unmatched & !since, 0, "it was metered before: {}", told());
            }
        }
    }

    /// The sum of what was charged of a contract, as bits.
    async fn charged(&self, contract: SubscriptionId, price: i64) -> u64 {
        let state = self
            .books
            .test
            .app
            .subscription_state(&self.books.tenant, contract)
            .await;
        let state = state.expect("readable");
        let phases = &state.agreement().expect("signed").phases;
        let metered = phases.iter().filter(|phase| matches!(phase.kind, Kind::Metered { .. }));
        let billed = metered.flat_map(|phase| phase.billed_usage.values());
        let minor: i64 = billed.map(|billed| billed.amount.minor).sum();
        assert_eq!(minor % (100 * price), 0);
        u64::try_from(minor / (100 * price)).expect("no less than nothing")
    }

    async fn unmatched(&self) -> u64 {
        let app = &self.books.test.app;
        let kept = app
            .unmatched_usage(&self.books.tenant, 0, 100_000)
            .await
            .expect("readable");
        let records = kept.iter().flat_map(|kept| &kept.records);
        // What was sent twice under one id is there as often as it was sent.
        let mut by_quantity: BTreeMap<Decimal, usize> = BTreeMap::new();
        for record in records.filter(|record| record.customer == Some(self.customer)) {
            *by_quantity.entry(record.record.quantity).or_default() += 1;
        }
        let bits = by_quantity
            .keys()
            .map(|quantity| u64::try_from(*quantity).expect("whole"));
        bits.fold(0, |all, bits| all | bits)
    }
}

async fn plan(books: &Books<'_>, price: u32) -> PlanId {
    let line = metered("calls", Aggregation::Sum, price, true);
    let (app, request) = (&books.test.app, books.request());
    let made = app.create_plan_with(&request, "Plan", eur(), vec![line]).await;
    made.expect("a plan")
}

async fn race(test: &TestApp, seed: u64) {
    println!("BILLSTREAM_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let books = Books::of(test);
    let plans = [plan(&books, 1).await, plan(&books, 2).await];
    for _ in 0..ROUNDS {
        test.clock.set(NOW);
        let round = Round::begin(&books, plans, &mut rng).await;
        let sent = join_all(round.records.iter().map(|record| round.send(record)));
        let (next, accepted) = futures::join!(round.do_it(), sent);
        test.clock.set(END);
        round.check(next, accepted.into_iter().sum()).await;
    }
    books.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_of_a_customer_that_comes_while_their_contract_changes_is_charged_once_or_shown() {
    let seed = variable("BILLSTREAM_SEED").unwrap_or_else(rand::random);
    on_both(async |test| race(&test, seed).await).await;
}

/// An order of one metered line at 1.00.
#[tokio::test(flavor = "multi_thread")]
async fn usage_of_a_contract_that_was_to_be_upgraded_and_moved_instead_is_charged_to_who_has_it() {
    on_both(async |test| {
        test.clock.set(NOW);
        let books = Books::of(&test);
        let plans = [plan(&books, 1).await, plan(&books, 2).await];
        let (app, request) = (&test.app, || books.request());
        // Their ids are in no order.
        for n in 0..6 {
            let (customer, next) = (books.customer().await, books.customer().await);
            let contract = books.sign(Books::new_contract(customer, plans[0], "2026-10-01")).await;
            let upgrade = Upgrade {
                target: Target::Plan {
                    plan: plans[1],
                    currency: None,
                    cycle: None,
                },
                start: Start::On(date("2026-10-25")),
                downgrade_allowed: true,
                units: Vec::new(),
            };
            let planned = app
                .upgrade_contract(&request(), contract, &upgrade)
                .await
                .expect("upgraded");
            let ended = app.end(&request(), planned, Some(date("2026-10-25"))).await;
            ended.expect("it never begins");
            let again = app.reactivate(&request(), contract, Some(date("2026-10-25"))).await;
            again.expect("it goes on");
            let to = Move {
                customer: next,
                effective: Some(date("2026-10-20")),
                order: None,
            };
            let moved = app.move_subscription(&request(), contract, &to).await.expect("moved");
            for (whose, day) in [(customer, "2026-10-19"), (next, "2026-10-20")] {
                let sent = Sent {
                    index: 0,
                    whose: Whose::Customer(whose),
                    id: None,
                    metric: "calls".to_owned(),
                    quantity: 3.into(),
                    at: format!("{day}T12:00:00Z").parse().expect("a time"),
                    key: None,
                    absolute: false,
                };
                let taken = app.record_usage(&request(), &[sent]).await.expect("taken");
                assert_eq!((taken.recorded, taken.unmatched.len()), (1, 0), "{n}: {whose} on {day}");
            }
            for one in [contract, planned, moved.contract] {
                let until = END.parse().expect("a time");
                app.bill_subscription(&request(), one, until).await.expect("billed");
            }
        }
        books.prove().await;
    })
    .await;
}

async fn order(books: &Books<'_>, customer: CustomerId, n: u64) -> (SubscriptionId, LineId) {
    let line = OrderLine {
        id: LineId(Uuid::from_u128(u128::from(n) + 1)),
        item: "calls".to_owned(),
        name: None,
        quantity: Decimal::ONE,
        price: Decimal::ONE,
        charge_type: ChargeType::Metered,
        tax: None,
    };
    let (app, request, number) = (&books.test.app, books.request(), format!("ORD-{n}"));
    let new = NewOrder {
        customer,
        account: format!("CODE{n}"),
        number: Some(number.clone()),
        name: None,
        currency: eur(),
        start: date("2026-10-01"),
        price_tax_inclusive: false,
        lines: vec![line.clone()],
        billing: OrderBillingChanges::default(),
    };
    app.create_order(&request, &new).await.expect("an order");
    let view = app.order(&books.tenant, &number).await.expect("readable").expect("it");
    (view.id, line.id)
}

/// Statements are all taken or refused one by one: a call is never cut in the middle because its order has moved.
#[tokio::test(flavor = "multi_thread")]
async fn usage_of_a_line_that_comes_while_its_order_moves_is_charged_once_or_refused() {
    on_both(async |test| {
        let (books, mut rng) = (Books::of(&test), StdRng::seed_from_u64(1));
        for n in 0..ROUNDS {
            test.clock.set(NOW);
            let (customer, other) = (books.customer().await, books.customer().await);
            let (order, line) = order(&books, customer, n).await;
            let now = test.clock.now();
            let said: Vec<Said> = (0..8)
                .map(|bit| Said {
                    line,
                    period: None,
                    quantity: (1 << bit).into(),
                    start: None,
                    end: Some(now - TimeDelta::hours(rng.random_range(0..200))),
                    attributes: BTreeMap::new(),
                    note: None,
                    reference: None,
                })
                .collect();
            let waits: Vec<u32> = (0..9).map(|_| rng.random_range(0..30)).collect();
            let sent = join_all(said.iter().zip(&waits).map(|(said, waits)| async {
                wait(*waits).await;
                let request = books.request();
                let done = test.app.record_line_usage(&request, std::slice::from_ref(said)).await;
                let outcomes = done.expect("taken or refused by itself");
                let taken = outcomes.iter().any(Result::is_ok);
                if taken { said.quantity } else { Decimal::ZERO }
            }));
            let moved = async {
                wait(waits[8]).await;
                let to = Move {
                    customer: other,
                    effective: Some(now.date_naive() + TimeDelta::days(1)),
                    order: None,
                };
                test.app.move_subscription(&books.request(), order, &to).await
            };
            let (moved, taken) = futures::join!(moved, sent);
            moved.expect("moved");
            test.clock.set(END);
            let until = END.parse().expect("a time");
            let billed = test.app.bill_subscription(&books.request(), order, until).await;
            billed.expect("billed");
            let state = test
                .app
                .subscription_state(&books.tenant, order)
                .await
                .expect("readable");
            let phases = &state.agreement().expect("signed").phases;
            let billed = phases.iter().flat_map(|phase| phase.billed_usage.values());
            let minor: i64 = billed.map(|billed| billed.amount.minor).sum();
            assert_eq!(Decimal::new(minor, 2), taken.into_iter().sum::<Decimal>());
        }
    })
    .await;
}
