//! The last months under other terms are what a twin was billed in them, who had those terms from their first day on.
//!
//! The steps follow from a seed, which is printed; `BILLSTREAM_SEED=...` takes the same again, and
//! `BILLSTREAM_HISTORIES=...` so many histories.

mod dice;
mod side;
mod steps;
mod taken;

use std::collections::BTreeMap;

use aggregates::{id::SubscriptionId, preferences::InvoicingChanges, subscription::Supposed};
use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use self::{
    dice::Dice,
    side::Side,
    steps::{Step, Told},
};
use crate::support::{TestApp, on_both};

struct History {
    was: Told,
    would_be: Told,
    /// So many days and hours pass before each.
    steps: Vec<(u64, Step)>,
    /// Whether the other terms are supposed from the beginning, or some of them from the middle.
    whole: bool,
}

/// On each database.
const HISTORIES: u64 = 12;
const BEGIN: &str = "2026-10-05T12:00:00Z";
const MIDDLE: &str = "2026-12-05T00:00:00Z";
const END: &str = "2027-03-05T12:00:00Z";

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// Before anything else happens on the first day of the window.
async fn in_the_middle(twin: &mut Side, terms: &Told) {
    let first = instant(MIDDLE);
    twin.move_to(first - TimeDelta::microseconds(1)).await;
    twin.take_terms(terms, first).await;
}

/// What these have and the others have not.
fn only(these: &BTreeMap<usize, Vec<String>>, others: &BTreeMap<usize, Vec<String>>) -> String {
    let all = these
        .iter()
        .flat_map(|(customer, of)| of.iter().map(move |one| (customer, one)));
    let alone = all.filter(|(customer, one)| others.get(customer).is_none_or(|of| !of.contains(one)));
    let alone: Vec<String> = alone.map(|(customer, one)| format!("{customer}: {one}")).collect();
    alone.join("\n")
}

async fn lived(test: &TestApp, name: &str, history: &History) -> Result<usize, String> {
    let mut actual = Side::of(test, &format!("{name}-actual"), 2).await;
    let mut twin = Side::of(test, &format!("{name}-twin"), 2).await;
    for side in [&mut actual, &mut twin] {
        side.take_terms(&history.was, instant(BEGIN)).await;
        (side.terms, side.base) = (Told::default(), history.was.order.clone());
    }
    if history.whole {
        twin.take_terms(&history.would_be, instant(BEGIN)).await;
    }
    let (mut now, mut begun, mut taken, mut otherwise) = (instant(BEGIN), history.whole, Vec::new(), 0);
    let triggers =
        history.would_be.invoicing.invoice_trigger.is_some() || history.would_be.order.invoice_mode.is_some();
    for (hours, step) in &history.steps {
        // Nobody knows of a call for invoices that found nothing: under other triggers it would have.
        if triggers && matches!(step, Step::Invoices { .. } | Step::InvoiceOrder { .. }) {
            continue;
        }
        now = (now + TimeDelta::hours((*hours).cast_signed())).min(instant(END));
        if !begun && now >= instant(MIDDLE) {
            begun = true;
            in_the_middle(&mut twin, &history.would_be).await;
        }
        actual.move_to(now).await;
        twin.move_to(now).await;
        if let Some(nth) = step.bill() {
            let pairs = actual.pairs(&twin).await;
            let Some((own, other)) = nth.checked_rem(pairs.len()).map(|nth| pairs[nth]) else {
                continue;
            };
            (actual.bill, twin.bill) = (Some(own), Some(other));
        }
        let before = actual.state(step).await;
        if actual.take(step).await.is_err() {
            continue;
        }
        if before.is_some() && before == actual.state(step).await {
            continue;
        }
        twin.like.clone_from(&actual.contracts);
        let done = twin.take(step).await;
        taken.push(format!("{now} {step:?}: {done:?}"));
        if done.is_err() {
            otherwise += 1;
            if twin.contracts.len() < actual.contracts.len() {
                twin.contracts.push(SubscriptionId(Uuid::nil()));
            }
        }
    }
    if !begun {
        in_the_middle(&mut twin, &history.would_be).await;
    }
    actual.move_to(instant(END)).await;
    twin.move_to(instant(END)).await;
    let months = if history.whole { 12 } else { 3 };
    let same = actual.compare(months, &Supposed::default()).await;
    let (left, right) = (actual.told(&same, false, true), actual.told(&same, true, true));
    if !same.unbillable.is_empty() || left != right {
        return Err(format!(
            "the same terms come to something else: {:?}, whole: {}, was {:?}\nsteps {}\nwhat-if {}\nreally {}",
            same.unbillable,
            history.whole,
            history.was,
            taken.join("\n"),
            only(&left, &right),
            only(&right, &left),
        ));
    }
    let would_be = actual.compare(months, &history.would_be.supposed()).await;
    let was = twin.compare(months, &Supposed::default()).await;
    let in_order = twin.is_in_order();
    let (left, right) = (actual.told(&would_be, false, in_order), twin.told(&was, true, in_order));
    if !would_be.unbillable.is_empty() || left != right {
        let (otherwise, twins) = (only(&left, &right), only(&right, &left));
        return Err(format!(
            "unbillable {:?}, refused {:?}\nwas {:?}\nsupposed {:?}, whole: {}\nsteps {}\nwhat-if {otherwise}\ntwin {twins}",
            would_be.unbillable,
            would_be.refused,
            history.was,
            history.would_be,
            history.whole,
            taken.join("\n"),
        ));
    }
    Ok(otherwise)
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[tokio::test(flavor = "multi_thread")]
async fn random_months_under_other_terms_are_what_a_twin_was_billed() {
    on_both(async |test| {
        let seed = variable("BILLSTREAM_SEED").unwrap_or_else(rand::random);
        let histories = variable("BILLSTREAM_HISTORIES").unwrap_or(HISTORIES);
        println!("BILLSTREAM_SEED={seed}");
        for n in 0..histories {
            let seed = seed.wrapping_add(n);
            let mut dice = Dice(StdRng::seed_from_u64(seed));
            let whole = dice.one_in(2);
            let mut would_be = dice.terms();
            let was = dice.terms();
            if !whole {
                // Nobody can give a contract other preferences once it is signed.
                would_be.invoicing = InvoicingChanges::default();
            }
            let mut steps = vec![
                (
                    0,
                    Step::Sign {
                        customer: 0,
                        plan: dice.below(3),
                        about: 0,
                        trial: None,
                        offset: None,
                    },
                ),
                (
                    0,
                    Step::Order {
                        customer: 0,
                        units: dice.units(),
                        price: 3_100,
                        metered: true,
                    },
                ),
            ];
            for _ in 0..dice.below(22) {
                steps.push((dice.0.random_range(0..24 * 12), dice.step()));
            }
            let history = History {
                was,
                would_be,
                steps,
                whole,
            };
            if let Err(reason) = lived(&test, &format!("t{n}"), &history).await {
                panic!("BILLSTREAM_SEED={seed} BILLSTREAM_HISTORIES=1: {reason}");
            }
        }
    })
    .await;
}
