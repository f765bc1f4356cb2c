//! The small language in which histories of a subscription are told: commands on days, and what is charged.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{date, signed};
use crate::{
    Decider,
    billing::{Aggregation, Kind, Price, Proration, Timing, Usage, UsageRecord, price::Limits},
    calendar::{self, Tz},
    catalog::PlanLine,
    id::{ChargeId, InvoiceId, LineId, SubscriptionId},
    subscription::{
        Agreement, Change, Charge, ChargeType, Command, Cycle, Event, Offer, OrderDetails, OrderLine, Refused, Status,
        Subscription, Terms,
    },
    terms::InvoiceTrigger,
};

pub(super) fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(super) fn id(n: u128) -> LineId {
    LineId(Uuid::from_u128(n))
}

/// A flat price by the month in advance, in proportion for parts of a month.
pub(super) fn flat(n: u128, amount: &str) -> PlanLine {
    PlanLine {
        id: id(n),
        name: format!("line {n}"),
        kind: Kind::Recurring,
        timing: Timing::Advance,
        price: Price::Flat { amount: number(amount) },
        quantity: Decimal::ONE,
        flat_fee: true,
        prorate: true,
        tax_rate: None,
    }
}

pub(super) fn undivided(n: u128, amount: &str) -> PlanLine {
    PlanLine {
        prorate: false,
        ..flat(n, amount)
    }
}

pub(super) fn one_off(n: u128, amount: &str) -> PlanLine {
    PlanLine {
        kind: Kind::OneOff,
        ..flat(n, amount)
    }
}

pub(super) fn calls(n: u128, each: &str) -> PlanLine {
    PlanLine {
        kind: Kind::Metered {
            metric: "calls".to_owned(),
            aggregation: Aggregation::Sum,
        },
        timing: Timing::Arrears,
        price: Price::PerUnit {
            amount: number(each),
            limits: Limits::default(),
        },
        quantity: Decimal::ZERO,
        ..flat(n, "0")
    }
}

/// A subscription, and everything that was ever charged on it.
pub(super) struct Told {
    pub state: Subscription,
    ids: BTreeSet<ChargeId>,
    /// In the order in which it was charged; what was charged together is together.
    pub billed: Vec<Vec<Charge>>,
    pub usage: Usage,
    pub today: NaiveDate,
}

pub(super) fn agreed(lines: &[PlanLine]) -> Agreement {
    let Event::Signed { agreement, .. } = signed() else {
        unreachable!()
    };
    Agreement {
        activation: date("2026-03-01"),
        offer: Some(Box::new(Offer {
            lines: lines.to_vec(),
            ..Offer::default()
        })),
        proration: Some(Proration::ActualDays),
        ..*agreement
    }
}

impl Told {
    pub fn of(agreement: Agreement) -> Self {
        let today = agreement.activation;
        Self::signed_on(agreement, today)
    }

    pub fn signed_on(agreement: Agreement, today: NaiveDate) -> Self {
        let mut told = Self {
            state: Subscription::Absent,
            ids: BTreeSet::new(),
            billed: Vec::new(),
            usage: Usage::default(),
            today,
        };
        let sign = Command::Sign {
            at: told.at(),
            subscription: SubscriptionId(Uuid::from_u128(1)),
            agreement: Box::new(agreement),
        };
        told.send(&sign).unwrap();
        told
    }

    /// What was recorded before.
    pub fn recorded(event: &Event, today: NaiveDate) -> Self {
        let mut state = Subscription::Absent;
        state.apply(event);
        Self {
            state,
            ids: BTreeSet::new(),
            billed: Vec::new(),
            usage: Usage::default(),
            today,
        }
    }

    /// A contract from the first of March 2026 on.
    pub fn contract(lines: &[PlanLine]) -> Self {
        Self::of(agreed(lines))
    }

    pub fn prorating(lines: &[PlanLine], proration: Proration) -> Self {
        Self::of(Agreement {
            proration: Some(proration),
            ..agreed(lines)
        })
    }

    pub fn waiting(lines: &[PlanLine]) -> Self {
        Self::of(Agreement {
            status: Status::Pending,
            ..agreed(lines)
        })
    }

    /// An order of one line under the preferences that orders start with: nothing is divided.
    pub fn order(price: &str) -> Self {
        let line = OrderLine {
            id: id(1),
            item: "ITEM-1".to_owned(),
            name: None,
            quantity: Decimal::ONE,
            price: number(price),
            charge_type: ChargeType::Recurring,
            tax: None,
        };
        Self::of(Agreement {
            offer: None,
            terms: Terms::Order {
                billing: Box::default(),
            },
            order: Some(Box::new(OrderDetails {
                number: "ORD-1".to_owned(),
                account: "EXAMPL".to_owned(),
                name: None,
                price_tax_inclusive: false,
                lines: vec![line],
                line_billing: std::collections::BTreeMap::new(),
                billing_start: None,
                tax_level: crate::billing::TaxLevel::default(),
            })),
            ..agreed(&[])
        })
    }

    /// Noon of the day that the history has come to.
    pub fn at(&self) -> DateTime<Utc> {
        self.today.and_hms_opt(12, 0, 0).unwrap().and_utc()
    }

    pub fn send(&mut self, command: &Command) -> Result<Vec<Event>, Refused> {
        let events = self.state.decide(command)?;
        for event in &events {
            self.state.apply(event);
            if let Event::Accrued { charges, .. } = event {
                for charge in charges {
                    assert!(self.ids.insert(charge.id), "charged under one id twice: {charge:?}");
                }
                self.billed.push(charges.clone());
            }
        }
        Ok(events)
    }

    /// Bills up to the morning of a day, moment by moment, as the real run does; answers with what is charged then.
    pub fn bill_on(&mut self, day: NaiveDate) -> Vec<Charge> {
        self.today = self.today.max(day);
        let until = calendar::midnight(day, Tz::UTC).unwrap();
        let before = self.billed.len();
        while let Some(next) = self.next().filter(|next| *next <= until) {
            let run = self.state.progress().unwrap().run;
            let accrue = Command::Accrue {
                at: self.at(),
                until: next,
                usage: Box::new(self.usage.clone()),
            };
            self.send(&accrue).unwrap();
            let moved = self.next() != Some(next) || self.state.progress().unwrap().run != run;
            assert!(moved, "the billing stands still at {next}");
        }
        let charged: Vec<_> = self.billed.drain(before..).flatten().collect();
        self.billed.push(charged.clone());
        charged
    }

    /// The same as lines to read, in the order of their days; what cost nothing is left out.
    pub fn bill(&mut self, day: &str) -> Vec<String> {
        let mut charges = self.bill_on(date(day));
        charges.retain(|charge| charge.amount.minor != 0);
        charges.sort_by_key(|charge| (charge.period.start, -charge.amount.minor));
        charges.iter().map(line).collect()
    }

    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.state.progress().unwrap().next_billing
    }

    pub fn status(&self) -> Status {
        self.state.agreement().unwrap().status
    }

    /// What all charges come to, in minor units.
    pub fn sum(&self) -> i64 {
        self.billed.iter().flatten().map(|charge| charge.amount.minor).sum()
    }

    pub fn on(&mut self, day: &str) -> &mut Self {
        self.today = date(day);
        self
    }

    pub fn cancel(&mut self, effective: &str) -> Result<Vec<Event>, Refused> {
        let (at, effective) = (self.at(), date(effective));
        self.send(&Command::Cancel { at, effective })
    }

    pub fn reactivate(&mut self, from: &str) -> Result<Vec<Event>, Refused> {
        let (at, from) = (self.at(), date(from));
        self.send(&Command::Reactivate {
            at,
            from,
            undelivered: Vec::new(),
        })
    }

    pub fn pause(&mut self, from: &str) -> Result<Vec<Event>, Refused> {
        let (at, from) = (self.at(), date(from));
        self.send(&Command::Pause { at, from })
    }

    pub fn resume(&mut self, from: &str) -> Result<Vec<Event>, Refused> {
        let (at, from) = (self.at(), date(from));
        self.send(&Command::Resume { at, from })
    }

    pub fn activate(&mut self, activation: &str) -> Result<Vec<Event>, Refused> {
        let (at, activation) = (self.at(), date(activation));
        self.send(&Command::Activate { at, activation })
    }

    /// From that day on these lines in the place of those of the same ids.
    pub fn change(&mut self, effective: &str, lines: &[PlanLine]) -> Result<Vec<Event>, Refused> {
        let replaced = lines.iter().map(|line| line.id).collect();
        self.replace(effective, replaced, lines)
    }

    pub fn replace(
        &mut self,
        effective: &str,
        replaced: Vec<LineId>,
        lines: &[PlanLine],
    ) -> Result<Vec<Event>, Refused> {
        let change = Change {
            replaced,
            lines: lines.to_vec(),
            ..Change::on(date(effective))
        };
        let (at, change) = (self.at(), Box::new(change));
        self.send(&Command::Change { at, change })
    }

    pub fn change_cycle(&mut self, effective: &str, cycle: Cycle, lines: &[PlanLine]) -> Result<Vec<Event>, Refused> {
        let effective = date(effective);
        let change = Change {
            replaced: lines.iter().map(|line| line.id).collect(),
            lines: lines.to_vec(),
            cycle: Some(cycle),
            ..Change::on(effective)
        };
        let (at, change) = (self.at(), Box::new(change));
        self.send(&Command::Change { at, change })
    }

    /// Puts everything that is pending on an invoice.
    pub fn invoice(&mut self) {
        let charges = self.state.pending().map(|charge| charge.id).collect();
        let (at, invoice) = (self.at(), InvoiceId(Uuid::from_u128(9)));
        self.send(&Command::InvoiceCharges { at, invoice, charges }).unwrap();
    }

    pub fn use_calls(&mut self, day: &str, quantity: &str) {
        let record = UsageRecord {
            id: None,
            metric: "calls".to_owned(),
            at: date(day).and_hms_opt(8, 0, 0).unwrap().and_utc(),
            quantity: number(quantity),
            key: None,
            total_from: None,
            period_from: None,
            theirs: None,
        };
        self.usage.record(&record, Tz::UTC).unwrap();
    }
}

pub(super) fn triggered(agreement: Agreement, trigger: InvoiceTrigger) -> Agreement {
    let mut invoicing = agreement.terms.as_invoicing();
    invoicing.invoice_trigger = trigger;
    Agreement {
        terms: Terms::Contract { invoicing },
        ..agreement
    }
}

/// `03-02->03-31 561.24`
pub(super) fn line(charge: &Charge) -> String {
    let day = |date: NaiveDate| date.format("%m-%d").to_string();
    let end = charge.period.end.map_or("open".to_owned(), day);
    format!("{}->{end} {}", day(charge.period.start), charge.amount)
}
