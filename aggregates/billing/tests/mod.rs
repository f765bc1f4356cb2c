//! Tests of the billing function, and the small language they are told in.

mod catching_up;
mod draft;
mod examples;
mod offsets;
mod parts;
mod periods;
mod price;
mod properties;
mod proration;
mod stored;
mod usage;
mod zones;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{
    Accrual, Accrued, Ending, Kind, Phase, Policy, Price, Proration, Schedule, Timing, Usage, UsageRecord, accrue,
};
use crate::{
    calendar::{self, PeriodUnit, Tz},
    id::LineId,
    money::Currency,
    policy::BillingPolicy,
    terms::UsagePeriodClosing,
};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn flat(amount: &str) -> Price {
    Price::Flat { amount: number(amount) }
}

fn schedule(unit: PeriodUnit, count: u32, anchor: &str) -> Schedule {
    Schedule {
        unit,
        count,
        anchor: date(anchor),
        offset: None,
    }
}

/// A flat price by the month in advance, counted from the day it begins.
fn monthly(number: u32, amount: &str, from: &str) -> Phase {
    Phase {
        number,
        line: LineId(Uuid::nil()),
        name: format!("phase {number}"),
        kind: Kind::Recurring,
        timing: Timing::Advance,
        price: flat(amount),
        quantity: Decimal::ONE,
        flat_fee: true,
        prorate: true,
        discount: None,
        tax_rate: None,
        schedule: Some(schedule(PeriodUnit::Month, 1, from)),
        from: date(from),
        until: None,
        ending: Ending::Change,
        billed_through: None,
        given_back: 0,
        charged_to: None,
        agreed_on: None,
        ended_on: None,
        stop: None,
        billed_usage: std::collections::BTreeMap::new(),
    }
}

impl Phase {
    fn anchored(mut self, anchor: &str) -> Self {
        self.schedule.as_mut().unwrap().anchor = date(anchor);
        self
    }

    fn every(mut self, unit: PeriodUnit, count: u32) -> Self {
        let schedule = self.schedule.as_mut().unwrap();
        (schedule.unit, schedule.count) = (unit, count);
        self
    }

    fn until(mut self, end: &str) -> Self {
        self.until = Some(date(end));
        self
    }

    fn terminated(mut self, end: &str) -> Self {
        self.ending = Ending::Termination;
        self.until(end)
    }

    fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    fn in_arrears(mut self) -> Self {
        self.timing = Timing::Arrears;
        self
    }

    fn unscheduled(mut self) -> Self {
        self.schedule = None;
        self
    }

    fn priced(mut self, price: Price, quantity: &str) -> Self {
        (self.price, self.quantity) = (price, number(quantity));
        self
    }
}

/// A subscription that is billed again and again.
struct Account {
    currency: Currency,
    phases: Vec<Phase>,
    usage: Usage,
    policy: Policy,
    /// What the last run said of the next.
    next: Option<DateTime<Utc>>,
}

fn account(phases: impl IntoIterator<Item = Phase>) -> Account {
    Account {
        currency: Currency::USD,
        phases: phases.into_iter().collect(),
        usage: Usage::default(),
        policy: Policy {
            rules: BillingPolicy::default(),
            before: Vec::new(),
            zone: Tz::UTC,
            usage_closing: UsagePeriodClosing::Automatic,
            closed_through: None,
            invoice_days: 0,
        },
        next: None,
    }
}

impl Account {
    fn prorating(mut self, proration: Proration) -> Self {
        self.policy.rules.proration = proration;
        self
    }

    fn within(mut self, zone: &str) -> Self {
        self.policy.zone = calendar::time_zone(zone).unwrap();
        self
    }

    fn accrue_at(&self, until: DateTime<Utc>) -> Accrual {
        accrue(self.currency, &self.phases, &self.usage, &self.policy, until).unwrap()
    }

    /// Bills, and remembers how far.
    fn bill_at(&mut self, until: DateTime<Utc>) -> Vec<Accrued> {
        let accrual = self.accrue_at(until);
        accrual.book(&mut self.phases);
        self.next = accrual.next;
        accrual.charges
    }

    /// Bills on the morning of a local day.
    fn bill_on(&mut self, day: NaiveDate) -> Vec<Accrued> {
        self.bill_at(calendar::midnight(day, self.policy.zone).unwrap())
    }

    /// What is new on that day, as lines to read.
    fn bill(&mut self, day: &str) -> Vec<String> {
        self.bill_on(date(day)).iter().map(line).collect()
    }

    /// The phase of that number ends.
    fn end(&mut self, number: u32, day: &str) {
        let phase = self.phases.iter_mut().find(|phase| phase.number == number).unwrap();
        phase.until = Some(date(day));
    }

    /// One phase follows another.
    fn change(&mut self, number: u32, day: &str, to: Phase) {
        self.end(number, day);
        self.phases.push(to);
    }

    fn use_metric(&mut self, metric: &str, at: &str, quantity: &str) {
        let record = UsageRecord {
            id: None,
            metric: metric.to_owned(),
            at: at.parse().unwrap(),
            quantity: number(quantity),
            key: None,
            total_from: None,
            period_from: None,
            theirs: None,
        };
        self.usage.record(&record, self.policy.zone).unwrap();
    }
}

/// `03-02->03-31 561.24`
fn line(charge: &Accrued) -> String {
    let day = |date: NaiveDate| date.format("%m-%d");
    let end = charge.period.end.map_or("open".to_owned(), |end| day(end).to_string());
    format!("{}->{end} {}", day(charge.period.start), charge.amount)
}
