//! Fulfilments of orders: opened when their day has come, or withdrawn where the order is over by then; completed when
//! somebody says so.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    calendar::local_date,
    fulfilment::{self, Command, Fulfilment, Task, fulfilment_id},
    id::{FulfilmentId, LineId, SubscriptionId, TenantId},
    subscription::{Status as Standing, Subscription},
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::fulfilment::{FulfilmentView, Status};

use super::App;
use crate::journal::{CommandError, Request, Streams, Unit};

impl App {
    /// Opens what was planned, once for ever; or withdraws it where its day is no longer one of the order's, or where the
    /// same was opened before. That is decided on the day: until then an order that was cancelled may go on.
    pub async fn open_fulfilment(&self, request: &Request, id: FulfilmentId) -> Result<(), CommandError> {
        let view = self.fulfilment(&request.tenant, id).await?;
        let view = view.ok_or(fulfilment::Refused::Unknown)?;
        if view.due_at.is_some_and(|due| due > request.at) {
            return Err(fulfilment::Refused::Unknown.into());
        }
        let (stream, order) = (id.to_string(), view.subscription.to_string());
        // It may be planned more than once: how often that was done the order knows.
        let now = self.subscription_state(&request.tenant, view.subscription).await?;
        let times = now.progress().map_or(0, |progress| progress.again);
        let mut others: Vec<FulfilmentId> = (0..=times).map(|again| same(&request.tenant, &view, again)).collect();
        others.retain(|other| *other != id);
        let streams = Streams::new()
            .with_new::<Fulfilment>(&stream)
            .with::<Subscription>(&order);
        let streams = others.iter().fold(streams, Streams::with::<Fulfilment>);
        self.journal
            .execute(request, streams, |unit| {
                let task = Task {
                    fulfilment: id,
                    subscription: view.subscription,
                    period: view.period,
                    automatic: view.automatic,
                    line: view.line,
                };
                let at = unit.at();
                let order_now = unit.state::<Subscription>(&order);
                if order_now.progress().is_some_and(|progress| progress.again != times) {
                    return Err(CommandError::Conflict);
                }
                let over = is_over(order_now, &task, view.due_at.unwrap_or(at));
                let is_open = |other: &FulfilmentId| match unit.state::<Fulfilment>(&other.to_string()) {
                    Fulfilment::Open { .. } | Fulfilment::Completed { .. } => true,
                    Fulfilment::Absent | Fulfilment::Withdrawn { .. } => false,
                };
                let command = if over || others.iter().any(is_open) {
                    Command::Withdraw { at, task }
                } else {
                    Command::Open { at, task }
                };
                unit.send::<Fulfilment>(&stream, &command)?;
                Ok(())
            })
            .await
    }

    pub async fn complete_fulfilment(
        &self,
        request: &Request,
        id: FulfilmentId,
    ) -> Result<FulfilmentView, CommandError> {
        let stream = id.to_string();
        self.journal
            .execute(request, Streams::new().with::<Fulfilment>(&stream), |unit| {
                let at = unit.at();
                unit.send::<Fulfilment>(&stream, &Command::Complete { at })?;
                Ok(())
            })
            .await?;
        let done = self.fulfilment(&request.tenant, id).await?;
        done.ok_or_else(|| fulfilment::Refused::Unknown.into())
    }

    pub async fn fulfilment(
        &self,
        tenant: &TenantId,
        id: FulfilmentId,
    ) -> Result<Option<FulfilmentView>, CommandError> {
        Ok(projections::fulfilment::fulfilment(self.journal.views(), tenant, id).await?)
    }

    /// A page of fulfilments, beyond a position; all of them, or those of a status.
    pub async fn fulfilments(
        &self,
        tenant: &TenantId,
        status: Option<Status>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<FulfilmentView>, CommandError> {
        Ok(projections::fulfilment::fulfilments(self.journal.views(), tenant, status, after, limit).await?)
    }
}

/// What is planned for the same for the how manieth time: first, or once more where the latest of the order was withdrawn.
/// Of several days that it goes on behind, the earlier ones may have been opened all the same.
fn same(tenant: &TenantId, view: &FulfilmentView, again: u32) -> FulfilmentId {
    fulfilment_id(tenant, view.subscription, view.period.start, view.line, again)
}

/// The fulfilments that may be the latest of each line of an order: that of a period, or one of the line's own.
fn latest(tenant: &TenantId, id: SubscriptionId, order: &Subscription) -> BTreeMap<LineId, [FulfilmentId; 2]> {
    let Some(progress) = order.progress() else {
        return BTreeMap::new();
    };
    let of = |(line, start): (&LineId, &NaiveDate)| {
        let again = progress.renewed.get(line).copied().unwrap_or(0);
        let of = |line| fulfilment_id(tenant, id, *start, line, again);
        (*line, [of(None), of(Some(*line))])
    };
    progress.delivered.iter().map(of).collect()
}

/// The order, and what tells whether the latest fulfilments of its lines were withdrawn.
pub(super) fn with_latest(tenant: &TenantId, id: SubscriptionId, order: &Subscription) -> Streams {
    let latest: BTreeSet<FulfilmentId> = latest(tenant, id, order).into_values().flatten().collect();
    let streams = Streams::new().with::<Subscription>(id);
    latest.into_iter().fold(streams, Streams::with::<Fulfilment>)
}

/// The lines of an order whose latest fulfilment was withdrawn.
pub(super) fn undelivered(unit: &Unit<'_>, id: SubscriptionId) -> Result<Vec<LineId>, CommandError> {
    let order = unit.state::<Subscription>(&id.to_string());
    let mut lines = Vec::new();
    for (line, fulfilments) in latest(unit.tenant(), id, order) {
        let streams = fulfilments.map(|fulfilment| fulfilment.to_string());
        if !streams.iter().all(|stream| unit.holds::<Fulfilment>(stream)) {
            // It was billed since somebody looked.
            return Err(CommandError::Conflict);
        }
        let [whole, own] = streams.map(|stream| unit.state::<Fulfilment>(&stream));
        let is_own = !matches!(own, Fulfilment::Absent);
        if matches!(if is_own { own } else { whole }, Fulfilment::Withdrawn { .. }) {
            lines.push(line);
        }
    }
    Ok(lines)
}

/// Whether the order has ended before, or on, the day of a moment. Where it is another customer's since, what began here is
/// delivered here.
fn is_over(order: &Subscription, task: &Task, moment: DateTime<Utc>) -> bool {
    let (Some(agreement), Some(progress)) = (order.agreement(), order.progress()) else {
        return false;
    };
    let end = match agreement.status {
        Standing::Cancelled => progress.cancelled_from,
        Standing::Pending | Standing::Active | Standing::Paused => progress.ends,
    };
    let goes_on = |end: &NaiveDate| progress.moved_on == Some(*end) && task.period.start < *end;
    let end = end.filter(|end| !goes_on(end));
    end.is_some_and(|end| end <= local_date(moment, agreement.zone()))
}
