//! Random histories of usage, sent late and twice, while contracts change, stand still and move from zone to zone: what
//! was accepted is charged to who had the contract then, once.
//!
//! They follow from a seed, another one each time, which is printed; `BILLSTREAM_SEED=...` takes the same ones again, and
//! `BILLSTREAM_HISTORIES=...` more or fewer of them.

use aggregates::{
    billing::{Aggregation, Kind, Price, Proration, Timing, price::Limits},
    calendar::{Tz, local_date, midnight},
    customer::{Contact, Profile},
    id::{CustomerId, PlanId, SubscriptionId, TenantId},
    policy::PolicyChanges,
    subscription::{Agreement, Cycle},
};
use billstream::{
    app::{
        contracts::{
            NewContract, Special,
            upgrades::{Start, Target, Upgrade, UpgradeError},
        },
        moves::Move,
        plans::NewLine,
        usage::{Sent, Taken, Whose},
    },
    journal::CommandError,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rust_decimal::Decimal;

use super::{Books, eur, usage_owed::meter};
use crate::support::{Database, TestApp};

const HISTORIES: u64 = 8;
const STEPS: usize = 60;
/// In this one the year is over, and everything is billed.
pub(super) const END: &str = "2027-06-01T00:00:00Z";
const ZONES: [&str; 6] = [
    "UTC",
    "America/New_York",
    "Australia/Sydney",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
    "Pacific/Niue",
];
const METRICS: [(&str, Aggregation); 5] = [
    ("calls", Aggregation::Sum),
    ("hits", Aggregation::Count),
    ("peak", Aggregation::Max),
    ("level", Aggregation::Latest),
    ("users", Aggregation::Unique),
];

/// What was agreed, on the whole and since when.
pub(super) struct Link {
    pub contract: SubscriptionId,
    pub customer: usize,
    zone: Tz,
    /// Its first day, and its first moment.
    from: NaiveDate,
    begins: DateTime<Utc>,
}

pub(super) struct History<'a> {
    pub books: Books<'a>,
    rng: StdRng,
    /// Prices differ, unless totals are stated.
    plans: Vec<PlanId>,
    pub customers: Vec<(CustomerId, Tz)>,
    /// One contract, as whose it was one after the other.
    pub chain: Vec<Link>,
    pub now: DateTime<Utc>,
    pub totals: bool,
    pub accepted: Vec<Sent>,
    /// What was done, to be read where something is wrong.
    done: Vec<String>,
}

pub(super) fn metered(metric: &str, aggregation: Aggregation, price: u32, prorate: bool) -> NewLine {
    NewLine {
        name: metric.to_owned(),
        kind: Kind::Metered {
            metric: metric.to_owned(),
            aggregation,
        },
        timing: Timing::Arrears,
        price: Price::PerUnit {
            amount: price.into(),
            limits: Limits::default(),
        },
        quantity: 1.into(),
        flat_fee: false,
        prorate,
        tax_rate: None,
    }
}

impl<'a> History<'a> {
    async fn begin(test: &'a TestApp, seed: u64) -> Self {
        test.clock.set("2026-10-01T12:00:00Z");
        let made = test.app.create_tenant("random").await.expect("a tenant");
        let tenant = TenantId::from_stored(&made.tenant_id);
        let mut history = Self {
            books: Books { test, tenant },
            rng: StdRng::seed_from_u64(seed),
            plans: Vec::new(),
            customers: Vec::new(),
            chain: Vec::new(),
            now: "2026-10-01T12:00:00Z".parse().expect("a time"),
            totals: false,
            accepted: Vec::new(),
            done: Vec::new(),
        };
        history.totals = history.one_in(2);
        let prorate = history.one_in(2);
        for price in 1..=3 {
            let price = if history.totals { 1 } else { price };
            let lines = METRICS.map(|(metric, aggregation)| metered(metric, aggregation, price, prorate));
            let request = history.books.request();
            let plan = test.app.create_plan_with(&request, "Plan", eur(), lines.to_vec()).await;
            history.plans.push(plan.expect("a plan"));
        }
        for _ in 0..3 {
            let zone = *ZONES.choose(&mut history.rng).expect("some");
            let profile = Profile {
                time_zone: Some(zone.to_owned()),
                ..Profile::default()
            };
            let request = history.books.request();
            let customer = test
                .app
                .create_customer(&request, None, profile, Contact::default())
                .await;
            let zone = aggregates::calendar::time_zone(zone).expect("a zone");
            history.customers.push((customer.expect("a customer"), zone));
        }
        history.sign().await;
        history
    }

    async fn sign(&mut self) {
        let (customer, zone) = self.customers[0];
        let from = local_date(self.now, zone) - TimeDelta::days(self.rng.random_range(0..10));
        let proration = *[Proration::ActualDays, Proration::InclusiveDays]
            .choose(&mut self.rng)
            .expect("some");
        let contract = NewContract {
            customer,
            plan: self.plans[0],
            currency: eur(),
            cycle: *[Cycle::Month, Cycle::Week].choose(&mut self.rng).expect("some"),
            activation: Some(from),
            automatic_payment: None,
            invoice_trigger: None,
            pending: false,
            special: Special {
                policy: PolicyChanges {
                    proration: Some(proration),
                    ..PolicyChanges::default()
                },
                ..Special::default()
            },
        };
        self.done
            .push(format!("sign {contract:?} in {zone}, totals: {}", self.totals));
        let contract = self.books.sign(contract).await;
        self.chain.push(Link {
            contract,
            customer: 0,
            zone,
            from,
            begins: midnight(from, zone).expect("a time"),
        });
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.rng.random_ratio(1, many)
    }

    fn last(&self) -> &Link {
        self.chain.last().expect("it begins with one")
    }

    pub async fn agreement(&self, contract: SubscriptionId) -> Agreement {
        let state = self
            .books
            .test
            .app
            .subscription_state(&self.books.tenant, contract)
            .await;
        state.expect("readable").agreement().expect("signed").clone()
    }

    /// Who had the contract at a moment, and which day it was of theirs.
    pub fn owner(&self, at: DateTime<Utc>) -> Option<(usize, NaiveDate)> {
        let n = self.chain.iter().rposition(|link| link.begins <= at)?;
        let link = &self.chain[n];
        Some((n, local_date(at, link.zone).max(link.from)))
    }

    async fn step(&mut self) {
        self.now += TimeDelta::minutes(self.rng.random_range(0..36 * 60));
        self.books.test.clock.set(&self.now.to_rfc3339());
        if self.one_in(4) {
            self.bill(self.now).await;
        }
        match self.rng.random_range(0..20) {
            0 => self.pause().await,
            1 | 2 => self.resume().await,
            3 => self.change().await,
            4 => self.hand_over().await,
            5 | 6 => self.send_again().await,
            7 => match self.rng.random_range(0..4) {
                0 => self.end().await,
                1 => self.upgrade().await,
                _ => self.reactivate().await,
            },
            _ => self.use_it().await,
        }
    }

    pub async fn bill(&mut self, until: DateTime<Utc>) {
        self.done.push(format!("bill until {until}"));
        for link in &self.chain {
            let (app, request) = (&self.books.test.app, self.books.request());
            app.bill_subscription(&request, link.contract, until)
                .await
                .expect("billed");
        }
    }

    /// A day around today. Where totals are stated nothing is taken from days on which something may be known.
    fn day(&mut self, earliest: i64) -> NaiveDate {
        let earliest = if self.totals { 1 } else { earliest };
        let today = local_date(self.now, self.last().zone);
        today + TimeDelta::days(self.rng.random_range(earliest..6))
    }

    fn note<T>(&mut self, what: &str, done: &Result<T, CommandError>) {
        match done {
            Ok(_) => self.done.push(format!("{}: {what}", self.now)),
            Err(CommandError::Refused(refused)) => self.done.push(format!("{}: {what}: {refused}", self.now)),
            Err(error) => panic!("{what}: {error}"),
        }
    }

    async fn pause(&mut self) {
        let day = self.day(-5);
        let (app, request) = (&self.books.test.app, self.books.request());
        let done = app.pause(&request, self.last().contract, Some(day)).await;
        self.note(&format!("pause from {day}"), &done);
    }

    async fn resume(&mut self) {
        let day = self.day(-5);
        let (app, request) = (&self.books.test.app, self.books.request());
        let done = app.resume(&request, self.last().contract, Some(day)).await;
        self.note(&format!("resume from {day}"), &done);
    }

    async fn change(&mut self) {
        let (day, plan) = (self.day(-5), *self.plans.choose(&mut self.rng).expect("some"));
        let (app, request) = (&self.books.test.app, self.books.request());
        let done = app
            .change_plan(&request, self.last().contract, plan, None, Some(day))
            .await;
        let done = done.map_err(|error| match error {
            billstream::app::contracts::SigningError::Command(error) => error,
            other => panic!("{other:?}"),
        });
        self.note(&format!("change to {plan} on {day}"), &done);
    }

    async fn end(&mut self) {
        let day = self.day(-5);
        let (app, request) = (&self.books.test.app, self.books.request());
        let done = app.end(&request, self.last().contract, Some(day)).await;
        self.note(&format!("end on {day}"), &done);
    }

    async fn reactivate(&mut self) {
        let day = self.day(-5);
        let (app, request) = (&self.books.test.app, self.books.request());
        let done = app.reactivate(&request, self.last().contract, Some(day)).await;
        self.note(&format!("reactivate from {day}"), &done);
    }

    /// Another contract goes on in its place, and meters what was used from the day on.
    async fn upgrade(&mut self) {
        let (day, plan) = (self.day(-3), *self.plans.choose(&mut self.rng).expect("some"));
        let upgrade = Upgrade {
            target: Target::Plan {
                plan,
                currency: None,
                cycle: None,
            },
            start: Start::On(day),
            downgrade_allowed: true,
            units: Vec::new(),
        };
        let (app, request) = (&self.books.test.app, self.books.request());
        let done = app.upgrade_contract(&request, self.last().contract, &upgrade).await;
        let done = done.map_err(|error| match error {
            UpgradeError::Command(error) => error,
            other => panic!("{other:?}"),
        });
        self.note(&format!("upgrade to {plan} on {day}"), &done);
        if let Ok(contract) = done {
            self.goes_on(contract, self.last().customer, day);
        }
    }

    fn goes_on(&mut self, contract: SubscriptionId, customer: usize, day: NaiveDate) {
        let last = self.last();
        let begins = midnight(day, last.zone).expect("a time").max(last.begins);
        self.chain.push(Link {
            contract,
            customer,
            zone: self.customers[customer].1,
            from: day,
            begins: if day <= last.from { last.begins } else { begins },
        });
    }

    async fn hand_over(&mut self) {
        let day = self.day(-3);
        let customer = self.rng.random_range(0..self.customers.len());
        let (id, zone) = self.customers[customer];
        let to = Move {
            customer: id,
            effective: Some(day),
            order: None,
        };
        let (app, request) = (&self.books.test.app, self.books.request());
        let done = app.move_subscription(&request, self.last().contract, &to).await;
        self.note(&format!("move to {customer} in {zone} on {day}"), &done);
        if let Ok(moved) = done {
            self.goes_on(moved.contract, customer, day);
        }
    }

    fn whose(&mut self) -> Whose {
        if self.one_in(4) {
            let (customer, _) = *self.customers.choose(&mut self.rng).expect("some");
            return Whose::Customer(customer);
        }
        Whose::Subscription(self.chain.choose(&mut self.rng).expect("some").contract)
    }

    fn record(&mut self) -> Sent {
        let (metric, _) = if self.totals {
            METRICS[0]
        } else {
            *METRICS.choose(&mut self.rng).expect("some")
        };
        let back = if self.one_in(3) { 20 * 24 * 60 } else { 24 * 60 };
        let at = self.now - TimeDelta::minutes(self.rng.random_range(0..back));
        let absolute = self.totals && self.one_in(4);
        // Totals grow, and are more than everything that is used in between.
        let hours = (at.timestamp() - 1_700_000_000) / 3600;
        let quantity = if absolute {
            Decimal::from(hours) * Decimal::from(10_000)
        } else {
            self.rng.random_range(0..20).into()
        };
        let id = (!self.one_in(4)).then(|| format!("{}-{}", self.accepted.len(), self.rng.random::<u32>()));
        Sent {
            index: 0,
            whose: self.whose(),
            id,
            metric: metric.to_owned(),
            quantity,
            at,
            key: (metric == "users").then(|| format!("user {}", self.rng.random_range(0..4))),
            absolute,
        }
    }

    async fn send(&mut self, sent: &Sent) -> Taken {
        let (app, request) = (&self.books.test.app, self.books.request());
        let taken = app
            .record_usage(&request, std::slice::from_ref(sent))
            .await
            .expect("taken");
        self.done.push(format!("{}: {sent:?}: {taken:?}", self.now));
        taken
    }

    async fn use_it(&mut self) {
        for _ in 0..self.rng.random_range(1..6) {
            let sent = self.record();
            let taken = self.send(&sent).await;
            let is_metered = match self.owner(sent.at) {
                Some((n, day)) => {
                    let owner = &self.chain[n];
                    let named = match sent.whose {
                        Whose::Customer(customer) => self.customers[owner.customer].0 == customer,
                        Whose::Subscription(_) => true,
                    };
                    named && meter(&self.agreement(owner.contract).await, &sent.metric, day).is_some()
                }
                None => false,
            };
            let counts = (taken.recorded, taken.duplicates, taken.unmatched.len());
            let expected = (usize::from(is_metered), 0, usize::from(!is_metered));
            assert_eq!(counts, expected, "{sent:?} at {}", self.now);
            if is_metered {
                self.accepted.push(sent);
            }
        }
    }

    /// What came once does not count again, whenever it is said to have been, and whatever it names.
    async fn send_again(&mut self) {
        let known: Vec<&Sent> = self.accepted.iter().filter(|sent| sent.id.is_some()).collect();
        let Some(known) = known.choose(&mut self.rng).copied().cloned() else {
            return;
        };
        let other = self.record();
        let whose = match self.whose() {
            // What a customer has otherwise does not know what was counted elsewhere.
            Whose::Customer(_) => known.whose,
            whose @ Whose::Subscription(_) => whose,
        };
        let at = if self.one_in(2) { known.at } else { other.at };
        let taken = self.send(&Sent { whose, at, ..known }).await;
        assert_eq!(taken.recorded, 0);
    }
}

pub(super) fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Shows what was done where what follows from it is wrong.
struct Told<'a>(u64, History<'a>);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("BILLSTREAM_SEED={} BILLSTREAM_HISTORIES=1", self.0);
            for done in &self.1.done {
                println!("{done}");
            }
        }
    }
}

async fn live_through(database: Database) {
    let seed = variable("BILLSTREAM_SEED").unwrap_or_else(rand::random);
    println!("BILLSTREAM_SEED={seed}");
    let histories = variable("BILLSTREAM_HISTORIES").unwrap_or(HISTORIES);
    let test = TestApp::start(database).await;
    for n in 0..histories {
        let seed = seed.wrapping_add(n);
        let mut told = Told(seed, History::begin(&test, seed).await);
        for _ in 0..STEPS {
            told.1.step().await;
        }
        told.1.check().await;
    }
    Books::of(&test).prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_charged_once_to_who_had_the_contract_on_sqlite() {
    live_through(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_charged_once_to_who_had_the_contract_on_postgres() {
    live_through(Database::Postgres).await;
}
