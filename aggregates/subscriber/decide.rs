//! Subscribers: the decisions.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{Choices, Command, EndReason, Event, Next, Pause, Refused, Rhythm, Status, Upcoming};
use crate::{
    Decider,
    calendar::{self, Tz},
    id::{BillingTemplateId, CustomerId},
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subscriber {
    #[default]
    Absent,
    Known(Box<Known>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub template: BillingTemplateId,
    pub customer: CustomerId,
    pub rhythm: Rhythm,
    pub time_zone: String,
    pub anchor: NaiveDate,
    pub choices: Choices,
    pub status: Status,
    pub upcoming: Option<Upcoming>,
    /// Its own, oldest first; those that every later date lies behind are dropped.
    pub pauses: Vec<Pause>,
    /// Purchases made so far.
    pub cycles_passed: u32,
}

impl Subscriber {
    pub fn known(&self) -> Option<&Known> {
        match self {
            Self::Absent => None,
            Self::Known(known) => Some(known),
        }
    }
}

impl Known {
    pub fn zone(&self) -> Tz {
        // Names are checked when the subscriber is added.
        calendar::time_zone(&self.time_zone).unwrap_or(Tz::UTC)
    }

    /// The next purchase, if nothing is in its way: the subscriber is active, and no pause covers the date. `template` are
    /// the pauses of its template.
    pub fn billable(&self, template: &[Pause]) -> Option<Upcoming> {
        let now = self.upcoming.filter(|_| self.status == Status::Active)?;
        match self.from(now.number, template) {
            Next::On(next) => Some(next).filter(|next| *next == now),
            Next::Held | Next::Never => None,
        }
    }

    fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        calendar::local_date(at, self.zone())
    }

    fn from(&self, number: u32, pauses: &[Pause]) -> Next {
        self.rhythm.next(self.anchor, self.zone(), number, pauses)
    }

    /// Its pauses once it goes on at that time.
    fn pauses_over(&self, at: DateTime<Utc>) -> Vec<Pause> {
        let today = self.day(at);
        let over = |pause: &Pause| Pause {
            to: pause.to.or(Some(today.max(pause.from))),
            ..*pause
        };
        self.pauses.iter().map(over).collect()
    }
}

impl Decider for Subscriber {
    const TYPE: &'static str = "subscriber";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (Self::Absent, Command::Add { .. }) => add(command),
            (Self::Known(_), Command::Add { .. }) => Err(Refused::AlreadyExists),
            (Self::Known(known), Command::Activate { at, paid_on, limit }) => {
                Ok(activate(known, *at, *paid_on, *limit))
            }
            (Self::Known(known), Command::ChangeChoices { at, choices }) => {
                let changed = || Event::ChoicesChanged {
                    at: *at,
                    choices: choices.clone(),
                };
                Ok((known.choices != *choices).then(changed).into_iter().collect())
            }
            (Self::Known(known), Command::Pause { at }) => match known.status {
                Status::Active => Ok(vec![Event::Paused { at: *at }]),
                Status::Paused => Ok(Vec::new()), // already so: a retry is not an error
                Status::Pending | Status::Inactive => Err(Refused::NotLaunched),
            },
            (Self::Known(known), Command::Resume { at }) => match known.status {
                Status::Paused => Ok(resume(known, *at)),
                Status::Active => Ok(Vec::new()),
                Status::Pending | Status::Inactive => Err(Refused::NotLaunched),
            },
            (Self::Known(known), Command::SkipPauses { at, template }) => Ok(skip(known, *at, template)),
            (
                Self::Known(known),
                Command::Bill {
                    at,
                    number,
                    purchase,
                    limit,
                },
            ) => {
                let period = due(known, *at, *number)?;
                let upcoming = upcoming(known.from(number.saturating_add(1), &known.pauses));
                let made = known.cycles_passed.saturating_add(1);
                let billed = Event::Billed {
                    at: *at,
                    period,
                    purchase: *purchase,
                    cycles_passed: made,
                    upcoming,
                };
                Ok([billed].into_iter().chain(ended(*at, made, *limit, upcoming)).collect())
            }
            (Self::Known(known), Command::End { at, reason }) => match known.status {
                Status::Inactive => Ok(Vec::new()),
                Status::Pending | Status::Active | Status::Paused => Ok(vec![Event::Ended {
                    at: *at,
                    reason: *reason,
                }]),
            },
            (
                Self::Absent,
                Command::Activate { .. }
                | Command::ChangeChoices { .. }
                | Command::Pause { .. }
                | Command::Resume { .. }
                | Command::SkipPauses { .. }
                | Command::Bill { .. }
                | Command::End { .. },
            ) => Err(Refused::Unknown),
        }
    }

    fn apply(&mut self, event: &Event) {
        if let Event::Added {
            template,
            customer,
            rhythm,
            time_zone,
            anchor,
            choices,
            first_purchase,
            upcoming,
            at: _,
            subscriber: _,
        } = event
        {
            let pending = first_purchase.is_some();
            *self = Self::Known(Box::new(Known {
                template: *template,
                customer: *customer,
                rhythm: *rhythm,
                time_zone: time_zone.clone(),
                anchor: *anchor,
                choices: choices.clone(),
                status: if pending { Status::Pending } else { Status::Active },
                upcoming: *upcoming,
                pauses: Vec::new(),
                cycles_passed: u32::from(pending),
            }));
        } else if let Self::Known(known) = self {
            known.apply(event);
        }
    }
}

impl Known {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Added { .. } => {}
            Event::Activated { anchor, upcoming, .. } => {
                self.status = Status::Active;
                self.anchor = *anchor;
                self.move_to(*upcoming);
            }
            Event::ChoicesChanged { choices, .. } => self.choices = choices.clone(),
            Event::Paused { at } => {
                self.status = Status::Paused;
                let from = self.day(*at);
                self.pauses.push(Pause { from, to: None });
            }
            Event::Resumed { at, upcoming } => {
                self.status = Status::Active;
                self.pauses = self.pauses_over(*at);
                self.move_to(*upcoming);
            }
            Event::Billed {
                upcoming,
                cycles_passed,
                ..
            } => {
                self.cycles_passed = *cycles_passed;
                self.move_to(*upcoming);
            }
            Event::PeriodsSkipped { upcoming, .. } => self.move_to(*upcoming),
            Event::Ended { .. } => {
                self.status = Status::Inactive;
                self.upcoming = None;
            }
        }
    }

    fn move_to(&mut self, upcoming: Option<Upcoming>) {
        self.upcoming = upcoming;
        let ahead = |pause: &Pause| match (pause.to, upcoming) {
            (Some(to), Some(upcoming)) => to > upcoming.date,
            (None, _) => true,
            (Some(_), None) => false,
        };
        self.pauses.retain(ahead);
    }
}

fn add(command: &Command) -> Result<Vec<Event>, Refused> {
    let Command::Add {
        at,
        subscriber,
        template,
        customer,
        rhythm,
        time_zone,
        choices,
        first_purchase,
    } = command
    else {
        return Err(Refused::Unknown);
    };
    let zone = calendar::time_zone(time_zone).ok_or(Refused::UnknownTimeZone)?;
    let first = rhythm.first();
    if (first == 0) != first_purchase.is_some() {
        return Err(Refused::FirstPurchase);
    }
    let anchor = calendar::local_date(*at, zone);
    let upcoming = match first {
        0 => None,
        first => upcoming(rhythm.next(anchor, zone, first, &[])),
    };
    let added = Event::Added {
        at: *at,
        subscriber: *subscriber,
        template: *template,
        customer: *customer,
        rhythm: *rhythm,
        time_zone: time_zone.clone(),
        anchor,
        choices: choices.clone(),
        first_purchase: *first_purchase,
        upcoming,
    };
    let over = (first > 0 && upcoming.is_none()).then_some(Event::Ended {
        at: *at,
        reason: EndReason::CalendarOver,
    });
    Ok([added].into_iter().chain(over).collect())
}

/// The cycle begins on the day of the payment, but not before the subscriber was there.
fn activate(known: &Known, at: DateTime<Utc>, paid_on: DateTime<Utc>, limit: Option<u32>) -> Vec<Event> {
    match known.status {
        Status::Pending => {}
        // Its purchase was paid, but the cycle goes on or is over already.
        Status::Active | Status::Paused | Status::Inactive => return Vec::new(),
    }
    let anchor = known.day(paid_on).max(known.anchor);
    let upcoming = upcoming(known.rhythm.next(anchor, known.zone(), 1, &[]));
    let activated = Event::Activated { at, anchor, upcoming };
    [activated]
        .into_iter()
        .chain(ended(at, known.cycles_passed, limit, upcoming))
        .collect()
}

fn resume(known: &Known, at: DateTime<Utc>) -> Vec<Event> {
    let pauses = known.pauses_over(at);
    let next = known.upcoming.map(|now| known.from(now.number, &pauses));
    let upcoming = next.and_then(upcoming);
    let over = upcoming.is_none().then_some(Event::Ended {
        at,
        reason: EndReason::CalendarOver,
    });
    [Event::Resumed { at, upcoming }].into_iter().chain(over).collect()
}

fn skip(known: &Known, at: DateTime<Utc>, template: &[Pause]) -> Vec<Event> {
    let Some(now) = known.upcoming.filter(|_| known.status == Status::Active) else {
        return Vec::new();
    };
    let pauses: Vec<_> = known.pauses.iter().chain(template).copied().collect();
    match known.from(now.number, &pauses) {
        Next::On(upcoming) if upcoming != now => vec![Event::PeriodsSkipped {
            at,
            upcoming: Some(upcoming),
        }],
        Next::On(_) | Next::Held => Vec::new(),
        Next::Never => vec![Event::Ended {
            at,
            reason: EndReason::CalendarOver,
        }],
    }
}

/// The period to be billed now, if it is this one.
fn due(known: &Known, at: DateTime<Utc>, number: u32) -> Result<Upcoming, Refused> {
    let period = match (known.status, known.upcoming) {
        (Status::Active, Some(period)) => period,
        (Status::Active | Status::Pending | Status::Paused | Status::Inactive, _) => return Err(Refused::NotBilledNow),
    };
    if period.number != number {
        return Err(Refused::OtherPeriod);
    }
    if period.date > known.day(at) {
        return Err(Refused::NotDue { date: period.date });
    }
    Ok(period)
}

fn upcoming(next: Next) -> Option<Upcoming> {
    match next {
        Next::On(upcoming) => Some(upcoming),
        Next::Held | Next::Never => None,
    }
}

/// Whether that was the last purchase.
fn ended(at: DateTime<Utc>, made: u32, limit: Option<u32>, upcoming: Option<Upcoming>) -> Option<Event> {
    let reason = if limit.is_some_and(|limit| made >= limit) {
        EndReason::CyclesOver
    } else if upcoming.is_none() {
        EndReason::CalendarOver
    } else {
        return None;
    };
    Some(Event::Ended { at, reason })
}
