//! The clock of a tenant in test mode: moved forward, everything falls due in the order of time before it stands.

use std::{collections::HashSet, sync::Arc};

use aggregates::tenant::{Command, Refused, Tenant};
use chrono::{DateTime, Duration, Utc};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{
    duties::Left,
    run::{self, How, Key, Summary},
    turn,
};
use crate::{
    app::{
        App,
        due::{Place, Wanted, Whose, Work},
    },
    journal::{CommandError, Request, Streams},
};

/// How many that are due are read at once.
const PAGE: usize = 1_000;
/// How many payers are billed at the same time.
const PARALLEL: usize = 64;

/// What a move of the clock led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    pub now: DateTime<Utc>,
    pub charges: u64,
    pub invoices: u64,
    /// Of subscribers.
    #[serde(default)]
    pub purchases: u64,
    /// How many subscriptions and subscribers could not be billed, and collections and fulfilments not be begun.
    pub unbilled: u64,
}

/// What one step of a move was about; kept so that a move that is sent again after it was cut off knows what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    charges: u64,
    invoices: u64,
    #[serde(default)]
    purchases: u64,
}

impl Step {
    fn add(&mut self, other: Self) {
        self.charges += other.charges;
        self.invoices += other.invoices;
        self.purchases += other.purchases;
    }
}

/// Moves the tenant's clock from moment to moment at which something is due, and bills it at that moment. A move that
/// was cut off leaves the clock where it had come to; sent again it goes on from there.
pub async fn move_clock(app: &Arc<App>, request: &Request, to: DateTime<Utc>) -> Result<Moved, CommandError> {
    if request.keyed
        && let Some(done) = app.journal.reply(request).await?
    {
        return Ok(done);
    }
    let start = clock(app, request).await?;
    if to < start {
        return Err(Refused::ClockBackwards { now: start }.into());
    }
    let mut total = done_before(app, request).await?;
    let mut now = start;
    let mut failed = Arc::new(HashSet::new());
    let mut duties = Left::default();
    let mut after = None;
    // What falls due behind the place where a sweep has come to is found by the next one; the last finds nothing.
    let mut found = false;
    loop {
        let Some(moment) = next_moment(app, request, to, &mut after, &failed).await? else {
            if !found {
                do_duties(app, request, to, &mut now, &mut duties).await?;
                break;
            }
            (after, found) = (None, false);
            continue;
        };
        found = true;
        // What is billed at a moment may make duties of the same one: those come behind it.
        let before = moment[0].place.due - Duration::microseconds(1);
        do_duties(app, request, before, &mut now, &mut duties).await?;
        // What was overdue before the move is billed at the time that the clock shows.
        now = now.max(moment[0].place.due);
        show(app, request, now).await?;
        let billed = bill(app, request, now, moment, &mut failed).await?;
        let step = Step {
            charges: billed.charges,
            invoices: billed.invoices,
            purchases: billed.purchases,
        };
        if request.keyed && step != Step::default() {
            // Whoever sends the move again does other steps than this one.
            let part = request.part(&format!("billed/{}", crate::clock::command_uuid()));
            app.journal.execute(&part, Streams::new(), |_| Ok(Some(step))).await?;
        }
        total.add(step);
    }
    let moved = Moved {
        now: to,
        charges: total.charges,
        invoices: total.invoices,
        purchases: total.purchases,
        unbilled: (failed.len() + duties.failed.len()) as u64,
    };
    let request = Request {
        at: to,
        ..request.clone()
    };
    let id = request.tenant.as_str();
    app.journal
        .execute(&request, Streams::new().with::<Tenant>(id), |unit| {
            unit.send::<Tenant>(id, &Command::MoveClock { to })?;
            Ok(moved)
        })
        .await
}

/// What this move did before it was cut off.
async fn done_before(app: &App, request: &Request) -> Result<Step, CommandError> {
    let mut total = Step::default();
    if request.keyed {
        let steps: Vec<Option<Step>> = app.journal.part_replies(request).await?;
        for step in steps.into_iter().flatten() {
            total.add(step);
        }
    }
    Ok(total)
}

/// What the tenant's clock shows.
async fn clock(app: &App, request: &Request) -> Result<DateTime<Utc>, CommandError> {
    let tenant = app.tenant(&request.tenant).await?.ok_or(Refused::Unknown)?;
    Ok(tenant.test_clock.ok_or(Refused::NotInTestMode)?)
}

fn wanted(request: &Request, until: DateTime<Utc>) -> Wanted {
    Wanted {
        whose: Whose::Tenant(request.tenant.clone()),
        until,
        rested_at: None,
    }
}

/// Everything that is due at the earliest moment at which something is, or `None`. `after` moves past it.
async fn next_moment(
    app: &App,
    request: &Request,
    until: DateTime<Utc>,
    after: &mut Option<Place>,
    failed: &HashSet<Key>,
) -> Result<Option<Vec<Work>>, CommandError> {
    let wanted = wanted(request, until);
    loop {
        let page = app.work(&wanted, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        let last = last.place.clone();
        let mut open = page.into_iter().filter(|work| !failed.contains(&run::key(&work.place)));
        let Some(first) = open.next() else {
            *after = Some(last);
            continue;
        };
        let at = first.place.due;
        let moment: Vec<Work> = std::iter::once(first)
            .chain(open.take_while(|work| work.place.due == at))
            .collect();
        *after = moment.last().map(|work| work.place.clone());
        return Ok(Some(moment));
    }
}

/// Lets the clock show this time, unless it shows a later one.
async fn show(app: &App, request: &Request, now: DateTime<Utc>) -> Result<(), CommandError> {
    let id = request.tenant.as_str();
    let part = Request {
        at: now,
        ..request.part(&format!("shows/{}", now.timestamp_micros()))
    };
    app.journal
        .execute(&part, Streams::new().with::<Tenant>(id), |unit| {
            match unit.send::<Tenant>(id, &Command::MoveClock { to: now }) {
                Ok(_) | Err(CommandError::Refused(aggregates::Refused::Tenant(Refused::ClockBackwards { .. }))) => {
                    Ok(None::<Step>)
                }
                Err(error) => Err(error),
            }
        })
        .await?;
    Ok(())
}

/// Does what is due by then besides billing, each at its own moment.
async fn do_duties(
    app: &Arc<App>,
    request: &Request,
    until: DateTime<Utc>,
    now: &mut DateTime<Utc>,
    duties: &mut Left,
) -> Result<(), CommandError> {
    let whose = Whose::Tenant(request.tenant.clone());
    loop {
        let mut due = duties.next(app, &whose, until).await?;
        let Some(at) = due.first().map(|duty| duty.due) else {
            return Ok(());
        };
        due.retain(|duty| duty.due == at);
        *now = at.max(*now);
        show(app, request, *now).await?;
        let how = How {
            actor: request.actor.clone(),
            until: at,
            at: Some(*now),
        };
        duties.tackle(app, due, &how, std::future::pending()).await;
    }
}

async fn bill(
    app: &Arc<App>,
    request: &Request,
    now: DateTime<Utc>,
    moment: Vec<Work>,
    failed: &mut Arc<HashSet<Key>>,
) -> Result<Summary, CommandError> {
    let Some(due) = moment.first().map(|work| work.place.due) else {
        return Ok(Summary::default());
    };
    let how = How {
        actor: request.actor.clone(),
        until: due,
        at: Some(now),
    };
    let (wanted, how, before) = (&wanted(request, due), &how, &Arc::clone(failed));
    let turns = stream::iter(run::by_payer(moment))
        .map(|works| async move { turn::turn(app, wanted, works, (how, due), before).await });
    let mut summary = Summary::default();
    let mut failure = None;
    for turned in turns.buffer_unordered(PARALLEL).collect::<Vec<_>>().await {
        match turned {
            Ok((turned, _)) => {
                summary.add(turned.summary);
                Arc::make_mut(failed).extend(turned.failed);
            }
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(summary), |error| Err(error.into()))
}
