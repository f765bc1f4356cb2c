//! Random years of billing through all four doors, after each step of which the books must balance.
//!
//! The steps follow from a seed, another one each time, which is printed; `BILLSTREAM_SEED=...` takes the same steps
//! again, and `BILLSTREAM_STEPS=...` more or fewer of them. Where a request is cut off depends on the machine, but not what comes
//! of it: it is sent again under its key, and what it had begun is waited for.

mod books;
mod documents;
mod previewed;
mod used;
mod world;

use std::time::Instant;

use chrono::{DateTime, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use self::{
    books::{Books, News},
    documents::{invoice_balances, orders_balance, purchase_balances},
    previewed::{as_estimated, as_previewed},
    world::{Call, Teaches, World},
};
use crate::support::{
    Answer, Database, TestApp, cut_off,
    doors::{Door, Doors},
};

const STEPS: usize = 160;
/// How many steps lie between two looks at everything.
const AUDIT_EVERY: usize = 50;

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

struct Simulation {
    doors: Doors,
    world: World,
    books: Books,
    done: Vec<(String, Call)>,
    crashes: u32,
    /// Whether the last request was cut off first.
    cut: bool,
    /// What the upgrade of the last step was to come to, where it was made at once.
    estimate: Option<Answer>,
    /// Decides which invoices are voided, and when.
    voids: StdRng,
    issued: Vec<String>,
    voided: u32,
}

impl Simulation {
    async fn send(&self, key: &str, call: &Call) -> Answer {
        self.doors
            .send(call.door, Some(key), call.method, &call.path, &call.body)
            .await
    }

    /// Sends a request; now and then it is cut off first, or the whole engine is, or it is sent twice at once. Whatever
    /// it began is over then: what is asked next is asked of what stays so.
    async fn sure(&mut self, key: &str, call: &Call, most_cut: u32) -> Answer {
        let mut cut = false;
        if self.world.one_in(6) {
            let asked = self.world.rng.random_range(0..most_cut);
            cut = cut_off(self.send(key, call), asked).await.is_none();
            if self.world.one_in(2) {
                self.crashes += u32::from(cut);
                self.doors.reopen().await;
            }
        }
        let answer = self.again(key, call).await;
        if cut {
            self.doors.settled().await;
        }
        self.cut = cut;
        answer
    }

    async fn again(&mut self, key: &str, call: &Call) -> Answer {
        if self.world.one_in(5) {
            let (one, other) = tokio::join!(self.send(key, call), self.send(key, call));
            assert_eq!(
                one.status, other.status,
                "one command, two answers: {call:?}: {one:?} {other:?}"
            );
            if one.status < 300 {
                assert_eq!(one.text, other.text, "one command, two answers: {call:?}");
            }
            return one;
        }
        self.send(key, call).await
    }

    /// How many events there are more. An order that has nothing to invoice is billed all the same: what is invoiced some
    /// days later is planned to be delivered, without a charge, as it is whenever what is due is billed.
    async fn written_beside_deliveries(&self, call: &Call, before: i64) -> i64 {
        let written = self.doors.test.events().await - before;
        let bills = call.door == Door::Exsited && call.method == "POST" && call.path.ends_with("/invoices");
        if written == 0 || !bills {
            return written;
        }
        let (events, _) = self.doors.feed(0).await;
        let latest = events.iter().rev().take(usize::try_from(written).expect("a count"));
        let delivers = |event: &&Value| {
            let payload = &event["payload"];
            let charges = payload["charges"].as_array().is_none_or(Vec::is_empty);
            let fulfilments = payload["fulfilments"].as_array().map_or(0, Vec::len);
            event["type"] == "subscription.accrued" && charges && fulfilments > 0
        };
        let deliveries = latest.filter(delivers).count();
        written - i64::try_from(deliveries).expect("a count")
    }

    async fn step(&mut self, n: usize) {
        if !self.done.is_empty() && self.world.one_in(10) {
            let which = self.world.rng.random_range(0..self.done.len());
            let (key, call) = self.done[which].clone();
            let events = self.doors.test.events().await;
            let again = self.send(&key, &call).await;
            // Who was forgotten is not shown again.
            let gone = again.status == 404 && self.done.iter().any(|(_, call)| call.method == "DELETE");
            assert!(
                again.status < 300 || gone,
                "{key} was accepted once: {call:?}: {again:?}"
            );
            assert_eq!(
                self.doors.test.events().await,
                events,
                "{key} took effect twice: {call:?}"
            );
            return;
        }
        let call = self.world.next();
        let key = format!("step-{n}");
        let events = self.doors.test.events().await;
        let estimate = previewed::estimated(&self.doors, &call).await;
        assert_eq!(self.doors.test.events().await, events, "step {n}: an estimate wrote");
        let answer = self.sure(&key, &call, 12).await;
        assert!(answer.status < 500, "step {n}: {call:?}: {answer:?}");
        if let Some(estimate) = &estimate {
            assert_eq!(
                answer.status, estimate.status,
                "step {n}: {call:?}: {answer:?} {estimate:?}"
            );
        }
        // Cut off, it may be billed later.
        self.estimate = estimate.filter(|_| answer.status < 300 && !self.cut);
        if answer.status >= 300 || call.teaches == Teaches::Preview {
            let written = self.written_beside_deliveries(&call, events).await;
            assert_eq!(written, 0, "step {n} wrote: {call:?}: {answer:?}");
            return;
        }
        let told = if answer.text.is_empty() {
            Value::Null
        } else {
            answer.json()
        };
        self.world.learn(&call.teaches, &told);
        if let Some(number) = told["order_id"].as_str().filter(|_| call.teaches == Teaches::Moved) {
            let order = self.doors.get(Door::Exsited, &format!("/api/v3/orders/{number}")).await;
            self.world.learn(&Teaches::Order(String::new()), &order);
        }
        self.done.push((key, call));
    }

    /// Credit is granted, used by several invoices and paid beside, all at once.
    async fn rush(&mut self, n: usize) {
        let calls = self.world.rush();
        let keys: Vec<String> = (0..calls.len()).map(|one| format!("step-{n}-{one}")).collect();
        let sent = keys.iter().zip(&calls).map(|(key, call)| self.send(key, call));
        let answers = futures::future::join_all(sent).await;
        for ((key, call), answer) in keys.into_iter().zip(calls).zip(answers) {
            assert!(answer.status < 500, "step {n}: {call:?}: {answer:?}");
            if answer.status < 300 {
                self.done.push((key, call));
            }
        }
    }

    /// Now and then an invoice is voided, or cannot be: twice at once, and the books balance all the same.
    async fn void(&mut self, n: usize) {
        if !self.voids.random_ratio(1, 6) {
            return;
        }
        let Some(id) = self.issued.choose(&mut self.voids).cloned() else {
            return;
        };
        let call = Call {
            door: Door::Own,
            method: "POST",
            path: format!("/billstream/v1/invoices/{id}/void"),
            body: json!({"reason": "wrong"}),
            teaches: Teaches::Nothing,
        };
        let (key, again) = (format!("void-{n}"), format!("void-{n}-again"));
        let (one, other) = tokio::join!(self.send(&key, &call), self.send(&again, &call));
        for answer in [one, other] {
            assert!([200, 409].contains(&answer.status), "step {n}: {call:?}: {answer:?}");
            self.voided += u32::from(answer.status == 200);
        }
        let news = self.books.read(&self.doors).await;
        self.look(&news).await;
        invoice_balances(&self.doors, &id).await;
    }

    /// Moves the clock; what was previewed is what happens.
    async fn jump(&mut self, n: usize) {
        let to = self.world.later();
        let body = json!({"until": to.to_rfc3339()});
        let preview = if self.world.one_in(2) {
            let events = self.doors.test.events().await;
            let preview = self.doors.post(Door::Own, "/billstream/v1/previews/run", &body).await;
            assert_eq!(self.doors.test.events().await, events, "step {n}: a preview wrote");
            Some(preview)
        } else {
            None
        };
        let call = Call {
            door: Door::Own,
            method: "POST",
            path: "/billstream/v1/clock".to_owned(),
            body: json!({"now": to.to_rfc3339()}),
            teaches: Teaches::Nothing,
        };
        let answer = self.sure(&format!("step-{n}"), &call, 400).await;
        assert_eq!(answer.status, 200, "step {n}: {call:?}: {answer:?}");
        assert_eq!(answer.json().get("unbilled"), None, "step {n}: {answer:?}");
        self.world.now = to;
        self.doors.test.clock.set(&to.to_rfc3339());
        let news = self.books.read(&self.doors).await;
        self.books.nothing_is_due(&self.doors, to).await;
        let shown = self.shown(&news, usize::MAX).await;
        if let Some(preview) = preview {
            as_previewed(n, &preview, &news, &shown);
            previewed::bought(&self.doors, n, &preview, &news).await;
        }
        let none = News::default();
        self.look(&none).await;
    }

    /// The new invoices, as our own door explains them.
    async fn shown(&mut self, news: &News, most: usize) -> Vec<Value> {
        let mut shown = Vec::new();
        self.issued.extend(news.invoices.iter().cloned());
        for id in news.invoices.iter().take(most) {
            shown.push(invoice_balances(&self.doors, id).await);
        }
        for id in &news.purchases {
            purchase_balances(&self.doors, id).await;
        }
        self.world.made(&news.invoices, &news.purchases, &news.collections);
        shown
    }

    async fn look(&mut self, news: &News) {
        self.shown(news, usize::MAX).await;
        self.books.balance(&self.doors).await;
    }
}

#[expect(clippy::print_stdout, reason = "who sees a failure needs its seed")]
async fn simulate(database: Database) {
    let seed = variable("BILLSTREAM_SEED").unwrap_or_else(rand::random);
    println!("BILLSTREAM_SEED={seed}");
    let (began, steps) = (Instant::now(), variable("BILLSTREAM_STEPS"));
    let steps = steps.unwrap_or(STEPS);
    let doors = Doors::of(TestApp::start(database).await).await;
    let start: DateTime<Utc> = "2026-10-05T12:00:00Z".parse().expect("a time");
    let mut simulation = Simulation {
        doors,
        world: World::new(seed, start),
        books: Books::default(),
        done: Vec::new(),
        crashes: 0,
        cut: false,
        estimate: None,
        voids: StdRng::seed_from_u64(seed),
        issued: Vec::new(),
        voided: 0,
    };
    let (mut jumps, mut invoices, mut estimates) = (0, 0, 0);
    for n in 0..steps {
        if n > 20 && simulation.world.one_in(5) {
            simulation.jump(n).await;
            jumps += 1;
        } else {
            if n > 20 && simulation.world.one_in(12) {
                simulation.rush(n).await;
            } else {
                simulation.step(n).await;
            }
            let news = simulation.books.read(&simulation.doors).await;
            if let Some(estimate) = simulation.estimate.take() {
                as_estimated(n, &estimate, simulation.world.now, &news);
                estimates += 1;
            }
            simulation.look(&news).await;
        }
        simulation.void(n).await;
        if n % AUDIT_EVERY == AUDIT_EVERY - 1 || n + 1 == steps {
            orders_balance(&simulation.doors).await;
            simulation.books.audit(&simulation.doors).await;
        }
        invoices = simulation.doors.test.events().await;
    }
    println!(
        "{database:?}: {} requests took effect, {jumps} jumps to {}, {} crashes, {} voided, {estimates} upgrades as \
         estimated, {invoices} events in {:?}",
        simulation.done.len(),
        simulation.world.now,
        simulation.crashes,
        simulation.voided,
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_random_years_the_books_balance_on_sqlite() {
    simulate(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_random_years_the_books_balance_on_postgres() {
    simulate(Database::Postgres).await;
}
