//! Three lives of one history: the actual one, that of a twin who has other terms from a day on, and what is made of the
//! actual one's history under those terms.

use chrono::{Days, TimeDelta};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    books::{Books, flat, line},
    *,
};
use crate::{
    catalog::PlanLine,
    order_terms::{LineBilling, LineBillingChanges, OrderBillingChanges},
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
    /// By our own door, which takes units as they are.
    Units {
        about: i64,
        line: u128,
        units: Decimal,
    },
    Pause(i64),
    Resume(i64),
    Cancel(i64),
    Reactivate(i64),
    Policy(PolicyChanges),
    Preferences(OrderBillingChanges),
    Line(LineBilling, i64),
    /// A call that changes the order, so many days from today.
    Call(OrderChange, i64),
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
        Step::Units { about, line, units } => {
            let (line, effective) = (LineId(Uuid::from_u128(*line)), on(*about));
            let now = subscription.line(line, effective)?;
            let said = Said {
                quantity: Some(*units),
                ..Said::default()
            };
            Command::Change {
                at,
                change: Box::new(Change {
                    replaced: vec![line],
                    lines: vec![PlanLine {
                        quantity: *units,
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
            changes: changes.where_supposed(&supposed.policy),
        },
        Step::Preferences(changes) => match &subscription.agreement()?.terms {
            Terms::Contract { .. } => return None,
            Terms::Order { billing } => Command::UpdateBillingPreferences {
                at,
                preferences: Box::new(changes.clone().where_supposed(&supposed.order).over(billing)),
            },
        },
        Step::Line(billing, about) => {
            let line = LineId(Uuid::from_u128(7));
            let named = LineBilling {
                fixed_start: billing.fixed_start.map(|_| on(*about)),
                ..billing.clone()
            };
            named_of(
                subscription,
                line,
                &LineBillingChanges {
                    named,
                    begins_with_order: false,
                },
                at,
            )
        }
        Step::Call(..) => return None,
        Step::Charge(id) => Command::AddCharge {
            at,
            charge: NewCharge {
                id: ChargeId(Uuid::from_u128(1_000 + id)),
                ..new_charge(1)
            },
        },
    })
}

impl Step {
    /// Whether it was done, for who has that subscription; nothing where it says nothing to it.
    fn done(&self, books: &mut Books, supposed: &Supposed, at: DateTime<Utc>) -> Option<Result<(), Refused>> {
        let Self::Call(wanted, about) = self else {
            let wanted = command(&books.subscription, supposed, self, at)?;
            return Some(books.send(&wanted).map(drop));
        };
        let wanted = OrderChange {
            billing: wanted.billing.clone().where_supposed(&supposed.order),
            ..wanted.clone()
        };
        let (before, told) = (books.subscription.clone(), books.history.len());
        let called = call(books, &wanted, at, at.date_naive() + TimeDelta::days(*about));
        if called.is_err() {
            books.subscription = before;
            books.history.truncate(told);
        }
        Some(called)
    }
}

/// What a call that changes an order is made of, all or nothing of it.
fn call(books: &mut Books, wanted: &OrderChange, at: DateTime<Utc>, effective: NaiveDate) -> Result<(), Refused> {
    for change in books.subscription.ordered(wanted, effective)? {
        let change = Box::new(change);
        books.send(&Command::Change { at, change })?;
    }
    let preferences = Step::Preferences(wanted.billing.clone());
    if let Some(preferences) = command(&books.subscription, &Supposed::default(), &preferences, at) {
        books.send(&preferences)?;
    }
    for change in &wanted.lines {
        if let Some(named) = change.billing() {
            books.send(&named_of(&books.subscription, change.line(), named, at))?;
        }
    }
    Ok(())
}

/// What is named of a line's billing, laid over what holds of it.
fn named_of(subscription: &Subscription, line: LineId, named: &LineBillingChanges, at: DateTime<Utc>) -> Command {
    let now = subscription
        .agreement()
        .and_then(|agreement| agreement.line_billing(line));
    let billing = Box::new(named.clone().over(&now.cloned().unwrap_or_default()));
    Command::UpdateLineBilling { at, line, billing }
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
    /// All that was charged since it was signed.
    charges: Vec<Charge>,
}

impl Life {
    fn sign(agreement: Agreement) -> Self {
        Self {
            books: Books::sign(agreement, "2026-10-01T00:00:00Z"),
            charged: Vec::new(),
            charges: Vec::new(),
        }
    }

    fn bill(&mut self, until: DateTime<Utc>) {
        let mut charges = self.books.bill_at(until);
        charges.sort_by_key(|charge| (charge.period.start, charge.line, charge.amount.minor));
        self.charged.extend(charges.iter().map(told));
        self.charges.extend(charges);
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
                charges: Vec::new(),
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
        if self.actual.books.subscription.agreement().unwrap().status == Status::Cancelled {
            // Nobody can change the terms of what is over: what goes on later goes on as it was agreed.
            self.supposed = Supposed::default();
        }
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
        let Some(Ok(())) = step.done(&mut self.actual.books, &nothing, at) else {
            // Nobody knows of what was refused.
            return;
        };
        let supposed = if self.begun { &self.supposed } else { &nothing };
        let told = self.actual.books.history[from..].to_vec();
        // A command that said nothing new is none that anybody can know of either.
        if !told.is_empty()
            && let Some(Err(refused)) = step.done(&mut self.twin.books, supposed, at)
        {
            self.refused.push((step.clone(), refused));
        }
        if self.begun {
            self.live_through(step, &told);
        } else {
            for event in &told {
                self.what_if.happened(event);
            }
        }
        self.bill(at);
    }

    /// What one step came to, all or nothing of it.
    fn live_through(&mut self, step: &Step, told: &[Event]) {
        let before = self.would_be.books.subscription.clone();
        let mut lived = Ok(());
        for event in told {
            if lived.is_ok() {
                lived = self.what_if.live_through(&mut self.would_be.books.subscription, event);
            } else {
                self.what_if.happened(event);
            }
        }
        if let Err(refused) = lived {
            let last = self.refused.last().map(|(_, refused)| refused);
            assert_eq!(last, Some(&refused), "{step:?}");
            self.would_be.books.subscription = before;
        }
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

    /// The days and amounts that would have been charged.
    pub fn amounts(&self) -> Vec<String> {
        self.would_be.charges.iter().map(line).collect()
    }

    /// What was really charged for a line.
    pub fn charges(&self, of: LineId) -> impl Iterator<Item = &Charge> {
        let charges = self.actual.charges.iter();
        charges.filter(move |charge| charge.line == Some(of))
    }

    pub fn compare(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(&self.would_be.charged, &self.twin.charged);
        let next = |life: &Life| life.books.next();
        prop_assert_eq!(next(&self.would_be), next(&self.twin));
        Ok(())
    }
}
