//! One billing run: everything that is due up to a moment, many subscriptions at a time, each period by itself.

use std::{any::Any, collections::HashSet, panic::AssertUnwindSafe, sync::Arc};

use aggregates::id::{SubscriptionId, TenantId};
use chrono::{DateTime, Utc};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use projections::due::Standing;

use crate::{
    app::{
        App,
        due::{Owed, Place, Wanted, Work},
        subscribers::Turn,
    },
    journal::{CommandError, Request, StoreError},
};

/// How many subscriptions are billed at the same time: enough to fill the writer's batches.
const PARALLEL: usize = 256;
/// How many that are due are read at once.
const PAGE: usize = 256;
/// The door that billing comes in by, whoever starts it: so that a period has one command id.
pub(super) const DOOR: &str = "scheduler";

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Subscriptions and subscribers that were billed.
    pub subscriptions: u64,
    pub charges: u64,
    pub invoices: u64,
    /// Of subscribers.
    pub purchases: u64,
    /// Those that could not be billed and are on the list now.
    pub failed: u64,
}

impl Summary {
    pub(super) fn add(&mut self, other: Self) {
        self.subscriptions += other.subscriptions;
        self.charges += other.charges;
        self.invoices += other.invoices;
        self.purchases += other.purchases;
        self.failed += other.failed;
    }
}

/// How a run bills.
#[derive(Clone, Debug)]
pub struct How {
    /// Who started it.
    pub actor: String,
    /// Bills up to this moment.
    pub until: DateTime<Utc>,
    /// The time of the commands; `None` for what the clock says when they are sent.
    pub at: Option<DateTime<Utc>>,
}

/// Is told after every subscription.
pub type Told<'a> = &'a (dyn Fn() + Send + Sync);

/// Bills everything that is wanted, until nothing of it is left that can be billed, or `stop` is ready: then those
/// under way are finished and no others begun.
pub async fn everything(
    app: &Arc<App>,
    wanted: &Wanted,
    how: &How,
    told: Told<'_>,
    stop: impl Future<Output = ()> + Send,
) -> Result<Summary, StoreError> {
    let stop = stop.shared();
    let mut summary = Summary::default();
    // What failed is not tried again before the next run.
    let mut failed = HashSet::new();
    // What falls due behind the place where a sweep has come to is found by the next one.
    while stop.clone().now_or_never().is_none() {
        let (swept, broken) = sweep(app, wanted, how, told, stop.clone(), &failed).await?;
        summary.add(swept);
        failed.extend(broken);
        if swept == Summary::default() {
            break;
        }
    }
    Ok(summary)
}

type Key = (TenantId, SubscriptionId);

fn key(place: &Place) -> Key {
    (place.tenant.clone(), place.id)
}

/// Goes once through what is due, but for what has failed before; answers with what fails now.
async fn sweep(
    app: &Arc<App>,
    wanted: &Wanted,
    how: &How,
    told: Told<'_>,
    stop: impl Future<Output = ()> + Send,
    failed_before: &HashSet<Key>,
) -> Result<(Summary, Vec<Key>), StoreError> {
    let work = pages(app, wanted)
        .take_until(stop)
        .try_filter(|work| {
            let fresh = !failed_before.contains(&key(&work.place));
            std::future::ready(fresh)
        })
        .map(|work| async move {
            let work = work?;
            Ok::<_, StoreError>((one(app, &work, how).await?, work))
        })
        .buffer_unordered(PARALLEL);
    let mut work = std::pin::pin!(work);
    let mut summary = Summary::default();
    let mut failed = Vec::new();
    while let Some(billed) = work.next().await {
        let (billed, work) = billed?;
        if billed.failed > 0 {
            failed.push(key(&work.place));
        }
        summary.add(billed);
        told();
    }
    Ok((summary, failed))
}

/// What is due, page by page, read as it is worked off.
fn pages<'a>(app: &'a Arc<App>, wanted: &'a Wanted) -> impl Stream<Item = Result<Work, StoreError>> + Send + 'a {
    let first: Option<Option<Place>> = Some(None);
    stream::try_unfold(first, move |place| async move {
        let Some(after) = place else { return Ok(None) };
        let page = app.work(wanted, after.as_ref(), PAGE).await?;
        app.load_ahead(&page).await?;
        let full = page.len() == PAGE;
        let next = page.last().filter(|_| full).map(|work| work.place.clone());
        let place = next.map(Some);
        Ok::<_, StoreError>(Some((stream::iter(page.into_iter().map(Ok)), place)))
    })
    .try_flatten()
}

/// Bills one subscription or subscriber in a task of its own. What keeps it from being billed, a panic too, is put on the
/// list; an error is returned only where not even that can be written.
pub async fn one(app: &Arc<App>, work: &Work, how: &How) -> Result<Summary, StoreError> {
    let (task_app, mut place, owed, task_how) = (Arc::clone(app), work.place.clone(), work.owed, how.clone());
    let task = tokio::spawn(async move {
        let mut summary = Summary::default();
        let broken = match owed {
            Owed::Charges(standing) => guarded(periods(&task_app, &mut place, standing, &task_how, &mut summary)).await,
            Owed::Purchase(turn) => guarded(turns(&task_app, &mut place, turn, &task_how, &mut summary)).await,
        };
        (summary, place, broken)
    });
    let (mut summary, place, reason) = task
        .await
        .unwrap_or_else(|error| (Summary::default(), work.place.clone(), Some(error.to_string())));
    metrics::counter!("billstream_billing_charges_total").increment(summary.charges);
    metrics::counter!("billstream_billing_invoices_total").increment(summary.invoices);
    metrics::counter!("billstream_billing_purchases_total").increment(summary.purchases);
    if let Some(reason) = reason {
        metrics::counter!("billstream_billing_failed_total").increment(1);
        tracing::warn!(tenant = %place.tenant, subscription = %place.id, reason, "a subscription cannot be billed");
        app.note_unbilled(&place, &reason).await?;
        summary.failed = 1;
        return Ok(summary);
    }
    metrics::counter!("billstream_billing_subscriptions_total").increment(summary.subscriptions);
    if work.failures > 0 {
        app.note_billed(&place).await?;
    }
    Ok(summary)
}

/// One command a moment at which something is due, in order; `place` is the moment it has come to. A command is called by
/// the moment, the subscription and its run, whoever sends it.
async fn periods(
    app: &App,
    place: &mut Place,
    standing: Standing,
    how: &How,
    summary: &mut Summary,
) -> Result<(), CommandError> {
    let mut standing = standing;
    while place.due <= how.until {
        let billed = app
            .bill_due(&request(app, place, how), place.id, standing, place.due)
            .await?;
        summary.charges += billed.accrued as u64;
        summary.invoices += billed.invoices.len() as u64;
        let Some(next) = billed.next else { break };
        place.due = next;
        standing.next_billing = Some(next);
        // Where others have billed it meanwhile, it says so itself.
        standing.run = standing.run.saturating_add(1);
    }
    summary.subscriptions = 1;
    Ok(())
}

/// The same for a subscriber: one purchase a period that has begun. None is made before its day, whatever is asked for.
async fn turns(app: &App, place: &mut Place, turn: Turn, how: &How, summary: &mut Summary) -> Result<(), CommandError> {
    let mut turn = turn;
    loop {
        let request = request(app, place, how);
        if place.due > how.until.min(request.at) {
            break;
        }
        let taken = app.bill_subscriber(&request, place.id, turn, how.until).await?;
        summary.purchases += u64::from(taken.purchase.is_some());
        let Some((number, begins)) = taken.next else { break };
        if taken.purchase.is_none() && number == turn.number && begins <= place.due {
            return Err(CommandError::Corrupt(
                format!("the billing of subscriber {} stands still", place.id).into(),
            ));
        }
        (place.due, turn.number) = (begins, number);
    }
    // Dates that were passed over were not billed.
    summary.subscriptions = u64::from(summary.purchases > 0);
    Ok(())
}

/// Called by the moment, so that whoever bills it sends the same command.
fn request(app: &App, place: &Place, how: &How) -> Request {
    let now = how.at.unwrap_or_else(|| app.clock.now());
    let key = place.due.timestamp_micros().to_string();
    Request::new(place.tenant.clone(), how.actor.as_str(), DOOR, now).with_key(&key, &[])
}

/// What keeps it from being billed, if anything does: an error, or a panic.
pub(super) async fn guarded(billing: impl Future<Output = Result<(), CommandError>>) -> Option<String> {
    match AssertUnwindSafe(billing).catch_unwind().await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(explained(&error)),
        Err(panic) => Some(format!("an internal fault: {}", said(panic.as_ref()))),
    }
}

/// The error and what is behind it.
fn explained(error: &CommandError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text.push_str(&format!(": {reason}"));
        }
        cause = error.source();
    }
    text
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_keeps_a_subscription_from_being_billed_is_named() {
        assert_eq!(guarded(async { Ok(()) }).await, None);
        let refused = aggregates::subscription::Refused::Unknown;
        let named = guarded(async { Err(refused.clone().into()) }).await;
        assert_eq!(named, Some(refused.to_string()));
        let panicked = guarded(async { panic!("line {}", 7) }).await;
        assert_eq!(panicked.as_deref(), Some("an internal fault: line 7"));
    }
}
