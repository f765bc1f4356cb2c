//! Three lives of one history: the actual one, that of a twin who has other terms from a day on, and what is made of the
//! actual one's history under those terms.

use chrono::{Days, TimeDelta};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    books::{Books, flat},
    *,
};
use crate::{
    catalog::PlanLine,
    order_terms::{BillingPeriod, LineBilling, OrderBillingChanges},
    policy::PolicyChanges,
};

/// What somebody does, told without knowing what came of what was done before.
#[derive(Clone, Debug)]
pub enum Step {
    Change {
        about: i64,
        line: u128,
        price: u32,
        all: bool,
        cycle: Option<Cycle>,
    },
    Quantity {
        about: i64,
        line: u128,
        quantity: u32,
    },
    Pause(i64),
    Resume(i64),
    Cancel(i64),
    Reactivate(i64),
    Policy(PolicyChanges),
    Preferences(OrderBillingChanges),
    Line(LineBilling, i64),
    Period(BillingPeriod, i64),
    Charge(u128),
}

/// So many days pass before each.
pub type History = Vec<(u64, Step)>;

fn changed_line(line: u128, price: u32) -> PlanLine {
    flat(line, &format!("{}.{:02}", price / 100, price % 100))
}

/// The command that the step comes to, for who has that subscription; none where it says nothing to it.
fn command(subscription: &Subscription, supposed: &Supposed, step: &Step, at: DateTime<Utc>) -> Option<Command> {
    let today = at.date_naive();
    let on = |days: i64| today + TimeDelta::days(days);
    Some(match step {
        Step::Change {
            about,
            line,
            price,
            all,
            cycle,
        } => Command::Change {
            at,
            change: Box::new(Change {
                replaced: if *all {
                    Vec::new()
                } else {
                    vec![LineId(Uuid::from_u128(*line))]
                },
                lines: vec![changed_line(*line, *price)],
                cycle: *cycle,
                ..Change::on(on(*about))
            }),
        },
        Step::Quantity { about, line, quantity } => {
            let (line, effective) = (LineId(Uuid::from_u128(*line)), on(*about));
            let now = subscription.line(line, effective)?;
            let said = Said {
                quantity: Some(Decimal::from(*quantity)),
                ..Said::default()
            };
            Command::Change {
                at,
                change: Box::new(Change {
                    replaced: vec![line],
                    lines: vec![PlanLine {
                        quantity: (*quantity).into(),
                        ..now
                    }],
                    said: [(line, said)].into(),
                    ..Change::on(effective)
                }),
            }
        }
        Step::Pause(about) => Command::Pause { at, from: on(*about) },
        Step::Resume(about) => Command::Resume { at, from: on(*about) },
        Step::Cancel(about) => Command::Cancel {
            at,
            effective: on(*about),
        },
        Step::Reactivate(about) => Command::Reactivate {
            at,
            from: on(*about),
            undelivered: Vec::new(),
        },
        Step::Policy(changes) => Command::UpdatePolicy {
            at,
            changes: PolicyChanges {
                proration: supposed.policy.proration.or(changes.proration),
                tax_level: supposed.policy.tax_level.or(changes.tax_level),
                tax_mode: supposed.policy.tax_mode.or(changes.tax_mode),
            },
        },
        Step::Preferences(changes) => match &subscription.agreement()?.terms {
            Terms::Contract { .. } => return None,
            Terms::Order { billing } => Command::UpdateBillingPreferences {
                at,
                preferences: Box::new(supposed.order.clone().over(&changes.clone().over(billing))),
            },
        },
        Step::Line(billing, about) => {
            let day = on(*about);
            Command::UpdateLineBilling {
                at,
                line: LineId(Uuid::from_u128(7)),
                billing: Box::new(LineBilling {
                    fixed_start: billing.fixed_start.map(|_| day),
                    ..billing.clone()
                }),
            }
        }
        Step::Period(period, about) => {
            let change = longer(subscription, supposed, period, on(*about))?;
            let change = Box::new(change);
            Command::Change { at, change }
        }
        Step::Charge(id) => Command::AddCharge {
            at,
            charge: NewCharge {
                id: ChargeId(Uuid::from_u128(1_000 + id)),
                ..new_charge(1)
            },
        },
    })
}

/// Another billing period of an order, for all lines that have none of their own: they begin anew with it.
fn longer(
    subscription: &Subscription,
    supposed: &Supposed,
    period: &BillingPeriod,
    effective: NaiveDate,
) -> Option<Change> {
    let agreement = subscription.agreement()?;
    let Terms::Order { billing } = &agreement.terms else {
        return None;
    };
    if supposed.order.billing_period.is_some() || billing.billing_period == *period {
        return None;
    }
    let divided = |line: PlanLine| {
        let own = agreement.line_billing(line.id).cloned().unwrap_or_default();
        let prorate = own.prorates(billing);
        PlanLine { prorate, ..line }
    };
    let lines = subscription.begins_anew(effective, &[]);
    let lines: Vec<PlanLine> = lines.into_iter().map(divided).collect();
    (!lines.is_empty()).then(|| Change {
        replaced: lines.iter().map(|line| line.id).collect(),
        said: lines.iter().map(|line| (line.id, Said::default())).collect(),
        lines,
        billing_period: Some(period.clone()),
        ..Change::on(effective)
    })
}

/// What was charged, but for ids and for the numbers of policies.
fn told(charge: &Charge) -> String {
    let why = charge.explanation.as_ref();
    let why = why.map(|why| (why.reason, why.numerator, why.denominator, why.full_price));
    format!(
        "{:?} {:?}..{:?} {} due {} {} {why:?}",
        charge.line, charge.period.start, charge.period.end, charge.amount, charge.due_date, charge.automatic_payment
    )
}

/// One who is billed as soon as anything is due, and what that came to.
pub struct Life {
    books: Books,
    pub charged: Vec<String>,
}

impl Life {
    fn sign(agreement: Agreement) -> Self {
        Self {
            books: Books::sign(agreement, "2026-10-01T00:00:00Z"),
            charged: Vec::new(),
        }
    }

    fn bill(&mut self, until: DateTime<Utc>) {
        let mut charges = self.books.bill_at(until);
        charges.sort_by_key(|charge| (charge.period.start, charge.line, charge.amount.minor));
        self.charged.extend(charges.iter().map(told));
    }
}

/// The actual one, the twin who has other terms from the beginning of the window on, and what is made of the actual one's
/// history: all at once.
pub struct Three {
    actual: Life,
    pub twin: Life,
    what_if: WhatIf,
    pub would_be: Life,
    supposed: Supposed,
    refused: Vec<(Step, Refused)>,
    begun: bool,
    day: NaiveDate,
}

impl Three {
    fn of(agreement: Agreement, supposed: &Supposed) -> Self {
        let actual = Life::sign(agreement.clone());
        let mut what_if = WhatIf::new(supposed.clone());
        for event in &actual.books.history {
            what_if.happened(event);
        }
        Self {
            actual,
            twin: Life::sign(agreement),
            what_if,
            would_be: Life {
                books: Books::default(),
                charged: Vec::new(),
            },
            supposed: supposed.clone(),
            refused: Vec::new(),
            begun: false,
            day: date("2026-10-01"),
        }
    }

    fn at(&self) -> DateTime<Utc> {
        self.day.and_hms_opt(8, 0, 0).unwrap().and_utc()
    }

    /// All that was due by now is billed.
    fn bill(&mut self, until: DateTime<Utc>) {
        let from = self.actual.books.history.len();
        self.actual.bill(until);
        self.twin.bill(until);
        if !self.begun {
            for event in &self.actual.books.history[from..] {
                self.what_if.happened(event);
            }
            return;
        }
        for event in &self.actual.books.history[from..] {
            self.what_if
                .live_through(&mut self.would_be.books.subscription, event)
                .unwrap();
        }
        self.would_be.bill(until);
    }

    fn begin(&mut self) {
        let (at, supposed) = (self.at(), self.supposed.clone());
        let twin = &mut self.twin.books;
        if let Terms::Order { billing } = twin.subscription.agreement().unwrap().terms.clone() {
            let preferences = Box::new(supposed.order.over(&billing));
            drop(twin.send(&Command::UpdateBillingPreferences { at, preferences }));
        }
        let changes = supposed.policy;
        drop(twin.send(&Command::UpdatePolicy { at, changes }));
        self.would_be.books.subscription = self.what_if.begin(at).unwrap();
        self.begun = true;
        self.twin.charged.clear();
        self.bill(at);
    }

    fn take(&mut self, step: &Step) {
        let at = self.at();
        let nothing = Supposed::default();
        let from = self.actual.books.history.len();
        let Some(wanted) = command(&self.actual.books.subscription, &nothing, step, at) else {
            return;
        };
        let Ok(events) = self.actual.books.send(&wanted) else {
            // Nobody knows of what was refused.
            return;
        };
        let supposed = if self.begun { &self.supposed } else { &nothing };
        // A command that said nothing new is none that anybody can know of either.
        if !events.is_empty()
            && let Some(wanted) = command(&self.twin.books.subscription, supposed, step, at)
            && let Err(refused) = self.twin.books.send(&wanted)
        {
            self.refused.push((step.clone(), refused));
        }
        for event in &self.actual.books.history[from..] {
            if self.begun {
                let lived = self.what_if.live_through(&mut self.would_be.books.subscription, event);
                if let Err(refused) = lived {
                    assert_eq!(
                        self.refused.last().map(|(_, refused)| refused),
                        Some(&refused),
                        "{step:?}"
                    );
                }
            } else {
                self.what_if.happened(event);
            }
        }
        self.bill(at);
    }

    pub fn live(agreement: Agreement, supposed: &Supposed, history: &[(u64, Step)], begin: usize) -> Self {
        let mut three = Self::of(agreement, supposed);
        three.bill(three.at());
        for (n, (later, step)) in history.iter().enumerate() {
            if n == begin {
                three.begin();
            }
            three.day = three.day + Days::new(*later);
            three.bill(three.at() - TimeDelta::hours(8));
            three.take(step);
        }
        if !three.begun {
            three.begin();
        }
        three.day = three.day + Days::new(100);
        three.bill(three.at());
        three
    }

    pub fn compare(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(&self.would_be.charged, &self.twin.charged);
        let next = |life: &Life| life.books.next();
        prop_assert_eq!(next(&self.would_be), next(&self.twin));
        Ok(())
    }
}
