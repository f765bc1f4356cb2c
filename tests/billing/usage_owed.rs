//! What random histories of usage come to, counted anew from what was accepted.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    billing::{Aggregation, Kind, Phase, Price, Schedule},
    id::CustomerId,
    subscription::Agreement,
};
use billstream::app::usage::Sent;
use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::usage_histories::{END, History};

/// What is priced together: place in the chain, metric, first day of the period and line.
type Priced = (usize, String, NaiveDate, String);

impl History<'_> {
    /// By place in the chain and metric, in minor units: what was accepted comes to.
    async fn owed(&self) -> BTreeMap<(usize, String), Decimal> {
        let mut agreements = Vec::new();
        for link in &self.chain {
            agreements.push(self.agreement(link.contract).await);
        }
        let mut groups: BTreeMap<Priced, (Phase, Vec<&Sent>)> = BTreeMap::new();
        for sent in &self.accepted {
            let (n, day) = self.owner(sent.at).expect("it was metered");
            // Whatever has ended since: what was accepted is billed.
            let phase = meter(&agreements[n], &sent.metric, day);
            let phase = phase.unwrap_or_else(|| panic!("lost on {day} by {n}: {sent:?}: {:#?}", agreements[n].phases));
            let period = phase
                .schedule
                .and_then(|schedule| schedule.containing(day))
                .expect("a period");
            let group = (n, sent.metric.clone(), period.start, phase.line.to_string());
            let (_, used) = groups.entry(group).or_insert((phase.clone(), Vec::new()));
            used.push(sent);
        }
        let mut owed: BTreeMap<(usize, String), Decimal> = BTreeMap::new();
        for ((n, metric, _, _), (phase, used)) in groups {
            let Price::PerUnit { amount, .. } = phase.price else {
                panic!("every plan has a price a unit")
            };
            *owed.entry((n, metric)).or_default() += measured(&phase, &used) * amount * Decimal::ONE_HUNDRED;
        }
        owed
    }

    /// Where totals are stated: what the chain has used together, in minor units.
    fn used_together(&self, schedule: Schedule) -> Decimal {
        let mut periods: BTreeMap<NaiveDate, Vec<&Sent>> = BTreeMap::new();
        for sent in &self.accepted {
            let (_, day) = self.owner(sent.at).expect("it was metered");
            periods
                .entry(schedule.containing(day).expect("a period").start)
                .or_default()
                .push(sent);
        }
        let of_period = |used: &Vec<&Sent>| {
            let totals = used.iter().filter(|sent| sent.absolute);
            let last = totals.max_by_key(|sent| sent.at);
            let adds = |sent: &&&Sent| !sent.absolute && last.is_none_or(|last| sent.at > last.at);
            let added: Decimal = used.iter().filter(adds).map(|sent| sent.quantity).sum();
            last.map_or(Decimal::ZERO, |last| last.quantity) + added
        };
        periods.values().map(of_period).sum::<Decimal>() * Decimal::ONE_HUNDRED
    }

    pub async fn check(&mut self) {
        self.now = END.parse().expect("a time");
        self.books.test.clock.set(END);
        self.bill(self.now).await;
        let mut billed: BTreeMap<(usize, String), Decimal> = BTreeMap::new();
        let mut by_customer: BTreeMap<CustomerId, Decimal> = BTreeMap::new();
        for (n, link) in self.chain.iter().enumerate() {
            for phase in self.agreement(link.contract).await.phases {
                let Kind::Metered { metric, .. } = &phase.kind else {
                    continue;
                };
                let amounts = phase
                    .billed_usage
                    .values()
                    .map(|billed| Decimal::from(billed.amount.minor));
                let amount: Decimal = amounts.sum();
                *billed.entry((n, metric.clone())).or_default() += amount;
                *by_customer.entry(self.customers[link.customer].0).or_default() += amount;
            }
        }
        billed.retain(|_, amount| !amount.is_zero());
        by_customer.retain(|_, amount| !amount.is_zero());
        if self.totals {
            let agreement = self.agreement(self.chain[0].contract).await;
            let schedule = agreement.phases[0].schedule.expect("a schedule");
            let sum = billed.values().sum::<Decimal>();
            assert_eq!(sum, self.used_together(schedule), "{billed:?}");
        } else {
            let mut owed = self.owed().await;
            owed.retain(|_, amount| !amount.is_zero());
            assert_eq!(billed, owed);
        }
        let mut invoiced: BTreeMap<CustomerId, Decimal> = BTreeMap::new();
        for (invoice, lines) in self.books.invoices().await {
            let lines: Decimal = lines.iter().map(|line| Decimal::from(line.amount)).sum();
            *invoiced.entry(invoice.customer).or_default() += lines;
        }
        invoiced.retain(|_, amount| !amount.is_zero());
        assert_eq!(invoiced, by_customer);
    }
}

pub(super) fn meter<'a>(agreement: &'a Agreement, metric: &str, day: NaiveDate) -> Option<&'a Phase> {
    // Where both ends count the day on which something is terminated is used.
    let is_then = |phase: &&Phase| {
        let end = phase.end(agreement.rules().proration).expect("on the calendar");
        phase.from <= day && end.is_none_or(|end| day < end)
    };
    let metered = |phase: &&Phase| matches!(&phase.kind, Kind::Metered { metric: own, .. } if own == metric);
    agreement.phases.iter().filter(metered).find(is_then)
}

fn measured(phase: &Phase, used: &[&Sent]) -> Decimal {
    let Kind::Metered { aggregation, .. } = phase.kind else {
        panic!("it is metered")
    };
    let quantities = used.iter().map(|sent| sent.quantity);
    match aggregation {
        Aggregation::Sum => quantities.sum(),
        Aggregation::Count => Decimal::from(used.len()),
        Aggregation::Max => quantities.max().unwrap_or_default(),
        Aggregation::Latest => {
            let latest = used.iter().max_by_key(|sent| (sent.at, sent.quantity));
            latest.map_or(Decimal::ZERO, |sent| sent.quantity)
        }
        Aggregation::Unique => {
            let keys: BTreeSet<&String> = used.iter().filter_map(|sent| sent.key.as_ref()).collect();
            Decimal::from(keys.len())
        }
    }
}
