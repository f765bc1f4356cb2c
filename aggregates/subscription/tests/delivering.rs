//! Orders that are billed and delivered day by day in tests, and what has become of each fulfilment.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::{
    told::{Told, id},
    *,
};
use crate::{
    billing::Reason,
    calendar::{self, Tz},
    order_terms::{BillingPeriod, Term},
};

/// How an order is delivered and invoiced.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Invoiced so many days after the first of a period.
    pub invoiced: i64,
    /// Delivered so many days after it.
    pub delivered: i64,
    pub divided: bool,
    pub daily: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Planned,
    Opened,
    Withdrawn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    pub period: Period,
    pub due: NaiveDate,
    /// The day on which it was planned.
    pub planned: NaiveDate,
    pub fate: Fate,
}

/// The first day, the line where it is one's own, and for the how manieth time.
pub type Key = (NaiveDate, Option<LineId>, u32);

/// An order that somebody looks at every morning.
pub struct Delivering {
    pub told: Told,
    pub tasks: BTreeMap<Key, Task>,
}

fn term(days: i64) -> Term {
    Term {
        name: format!("Net {days}"),
        days,
        months: 0,
    }
}

pub fn agreement(terms: Terms, lines: &[ChargeType], start: &str) -> Agreement {
    let billing = OrderBillingPreferences {
        invoice_term: term(terms.invoiced),
        fulfillment_term: term(terms.delivered),
        pro_rata_partial_charging_period: terms.divided,
        pro_rata_partial_pricing_period: terms.divided,
        billing_period: if terms.daily {
            BillingPeriod {
                name: "1 Day".to_owned(),
                unit: calendar::PeriodUnit::Day,
                count: 1,
            }
        } else {
            OrderBillingPreferences::default().billing_period
        },
        ..OrderBillingPreferences::default()
    };
    let mut agreement = books::order("31.00", start, billing);
    let order = agreement.order.as_mut().unwrap();
    let first = order.lines[0].clone();
    order.lines = (1..)
        .zip(lines)
        .map(|(n, charge_type)| OrderLine {
            id: id(n),
            item: format!("ITEM-{n}"),
            charge_type: *charge_type,
            ..first.clone()
        })
        .collect();
    agreement
}

impl Delivering {
    pub fn of(agreement: Agreement) -> Self {
        let mut order = Self {
            told: Told::of(agreement),
            tasks: BTreeMap::new(),
        };
        order.look();
        order
    }

    /// One that begins in the past; nobody has looked yet.
    pub fn begun(agreement: Agreement, today: NaiveDate) -> Self {
        Self {
            told: Told::signed_on(agreement, today),
            tasks: BTreeMap::new(),
        }
    }

    /// Every morning until that day, and on it.
    pub fn pass_to(&mut self, day: NaiveDate) {
        while self.told.today < day {
            self.told.today += TimeDelta::days(1);
            self.look();
        }
    }

    pub fn pass(&mut self, day: &str) -> &mut Self {
        self.pass_to(date(day));
        self
    }

    /// What is due is charged and planned; what is to be delivered today is opened, or withdrawn where the order is over.
    pub fn look(&mut self) {
        let until = calendar::midnight(self.told.today, Tz::UTC).unwrap();
        while let Some(next) = self.told.next().filter(|next| *next <= until) {
            let run = self.told.state.progress().unwrap().run;
            let accrue = Command::Accrue {
                at: self.told.at(),
                until: next,
                usage: Box::default(),
            };
            self.send(&accrue).unwrap();
            let moved = self.told.next() != Some(next) || self.told.state.progress().unwrap().run != run;
            assert!(moved, "the billing stands still at {next}");
        }
        let due: Vec<Key> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.fate == Fate::Planned && task.due <= self.told.today)
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            let task = self.tasks[&key];
            let (start, line, _) = key;
            let mut same = self.tasks.range((start, line, 0)..=(start, line, u32::MAX));
            let fate = if self.is_over(task.due) || same.any(|(_, other)| other.fate == Fate::Opened) {
                Fate::Withdrawn
            } else {
                Fate::Opened
            };
            self.tasks.insert(key, Task { fate, ..task });
        }
    }

    /// As the fulfilments of orders ask.
    fn is_over(&self, day: NaiveDate) -> bool {
        let progress = self.told.state.progress().unwrap();
        let end = match self.told.status() {
            Status::Cancelled => progress.cancelled_from,
            Status::Pending | Status::Active | Status::Paused => progress.ends,
        };
        end.is_some_and(|end| end <= day)
    }

    pub fn send(&mut self, command: &Command) -> Result<Vec<Event>, Refused> {
        let events = self.told.send(command)?;
        for event in &events {
            let (Event::Accrued { fulfilments, .. } | Event::Resumed { fulfilments, .. }) = event else {
                continue;
            };
            for planned in fulfilments {
                let key = (planned.period.start, planned.line, planned.again);
                let task = Task {
                    period: planned.period,
                    due: calendar::local_date(planned.at, Tz::UTC),
                    planned: self.told.today,
                    fate: Fate::Planned,
                };
                let known = self.tasks.insert(key, task);
                assert_eq!(known, None, "planned under one id twice: {planned:?}");
            }
        }
        Ok(events)
    }

    pub fn cancel(&mut self, effective: NaiveDate) -> Result<Vec<Event>, Refused> {
        let at = self.told.at();
        self.send(&Command::Cancel { at, effective })
    }

    /// As whoever reactivates an order tells it.
    pub fn reactivate(&mut self, from: NaiveDate) -> Result<Vec<Event>, Refused> {
        let (at, undelivered) = (self.told.at(), self.undelivered());
        self.send(&Command::Reactivate { at, from, undelivered })
    }

    fn undelivered(&self) -> Vec<LineId> {
        let progress = self.told.state.progress().unwrap();
        let latest = progress.delivered.iter().filter(|(line, start)| {
            let again = progress.renewed.get(line).copied().unwrap_or(0);
            let own = self.tasks.get(&(**start, Some(**line), again));
            let latest = own.or(self.tasks.get(&(**start, None, again)));
            latest.is_some_and(|task| task.fate == Fate::Withdrawn)
        });
        latest.map(|(line, _)| *line).collect()
    }

    /// Whether its latest fulfilment was withdrawn, and it is to go on within a period before that was opened: what is left
    /// of that one would be delivered once more, which is a known fault.
    pub fn goes_on_in_what_was_opened(&self, from: NaiveDate) -> bool {
        let mut opened = self.tasks.values().filter(|task| task.fate == Fate::Opened);
        let is_within = |period: Period| period.start <= from && period.end.is_some_and(|end| from < end);
        !self.undelivered().is_empty() && opened.any(|task| is_within(task.period))
    }

    /// What was not withdrawn, with the day on which it is delivered: `10-05 on 10-08`.
    pub fn delivered(&self) -> Vec<String> {
        let day = |date: NaiveDate| date.format("%m-%d");
        let kept = self.tasks.iter().filter(|(_, task)| task.fate != Fate::Withdrawn);
        let mut shown: Vec<String> = kept
            .map(|((start, line, _), task)| {
                let line = line.map_or(String::new(), |line| format!(" line {}", line.0.as_u128()));
                let end = task.period.end.map_or("open".to_owned(), |end| day(end).to_string());
                format!("{}->{end} on {}{line}", day(*start), day(task.due))
            })
            .collect();
        shown.sort();
        shown
    }

    /// The days that a line is charged for, when all that was given back is taken off.
    pub fn charged(&self, line: LineId) -> BTreeSet<NaiveDate> {
        let mut times: BTreeMap<NaiveDate, i64> = BTreeMap::new();
        for charge in self.told.billed.iter().flatten().filter(|one| one.line == Some(line)) {
            let sign = match charge.explanation.as_ref().unwrap().reason {
                Reason::Unused => -1,
                Reason::Trial | Reason::OneOff | Reason::Period | Reason::Usage | Reason::UsageCorrection => 1,
            };
            let end = charge.period.end.unwrap_or(charge.period.start);
            for day in charge.period.start.iter_days().take_while(|day| *day < end) {
                *times.entry(day).or_default() += sign;
            }
        }
        times.retain(|_, times| *times != 0);
        assert!(times.values().all(|times| *times == 1), "{times:?}");
        times.into_keys().collect()
    }

    /// How many times a line was charged that is bought once, and not given back.
    pub fn times_bought(&self, line: LineId) -> i64 {
        let charges = self.told.billed.iter().flatten().filter(|one| one.line == Some(line));
        let times = charges.map(|charge| match charge.explanation.as_ref().unwrap().reason {
            Reason::OneOff => 1,
            Reason::Unused => -1,
            Reason::Trial | Reason::Period | Reason::Usage | Reason::UsageCorrection => 0,
        });
        times.sum()
    }

    /// What was opened, for comparing two that are told the same.
    pub fn opened(&self) -> Vec<(Key, Period, NaiveDate)> {
        let opened = self.tasks.iter().filter(|(_, task)| task.fate == Fate::Opened);
        opened.map(|(key, task)| (*key, task.period, task.due)).collect()
    }
}
