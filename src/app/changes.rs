//! Changes of running agreements: activation, another plan, price or quantity, pause, resumption, end.

use aggregates::{
    catalog::PlanLine,
    id::{LineId, PlanId, SubscriptionId},
    subscription::{self, Change, Command, Cycle, Said, Status, Subscription},
};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    App,
    contracts::{
        SigningError,
        followed::{Followed, followed_by, leave_rest, not_followed, with_successor},
    },
    fulfilments::{undelivered, with_latest},
    invoicing::today,
    usage::used_days::{self, with_usage},
};
use crate::journal::{CommandError, Request, Streams, Unit};

/// An agreement as a command left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub status: Status,
    /// The day of an end that is still to come.
    #[serde(default)]
    pub ends: Option<NaiveDate>,
    pub next_billing: Option<DateTime<Utc>>,
}

impl App {
    /// A pending agreement begins, today where no day is named.
    pub async fn activate(
        &self,
        request: &Request,
        id: SubscriptionId,
        activation: Option<NaiveDate>,
    ) -> Result<Changed, CommandError> {
        let command = |at, activation| Command::Activate { at, activation };
        self.on_day(request, id, activation, command).await
    }

    /// From `effective` (today when absent) on, all lines of another plan, and another cycle where one is named.
    pub async fn change_plan(
        &self,
        request: &Request,
        id: SubscriptionId,
        plan: PlanId,
        cycle: Option<Cycle>,
        effective: Option<NaiveDate>,
    ) -> Result<Changed, SigningError> {
        let found = projections::catalog::plan(self.journal.views(), &request.tenant, plan).await;
        let found = found.map_err(CommandError::from)?;
        let found = found.ok_or(SigningError::UnknownPlan(plan))?;
        let changed = self.amend(request, id, |at, today, subscription| {
            let agreement = subscription.agreement().ok_or(subscription::Refused::Unknown)?;
            if agreement.currency != found.currency {
                let (expected, got) = (agreement.currency, found.currency);
                return Err(subscription::Refused::WrongCurrency { expected, got });
            }
            let change = Change {
                lines: found.lines.clone(),
                plan: Some(plan),
                cycle,
                ..Change::on(effective.unwrap_or(today))
            };
            let change = Box::new(change);
            Ok(Command::Change { at, change })
        });
        Ok(changed.await?)
    }

    /// From `effective` (today when absent) on, another quantity of a line.
    pub async fn change_quantity(
        &self,
        request: &Request,
        id: SubscriptionId,
        line: LineId,
        quantity: Decimal,
        effective: Option<NaiveDate>,
    ) -> Result<Changed, CommandError> {
        self.amend(request, id, |at, today, subscription| {
            let effective = effective.unwrap_or(today);
            let now = subscription.line(line, effective);
            let now = now.ok_or(subscription::Refused::UnknownLine { line })?;
            let said = Said {
                quantity: Some(quantity),
                ..Said::default()
            };
            let change = Change {
                replaced: vec![line],
                lines: vec![PlanLine { quantity, ..now }],
                said: [(line, said)].into(),
                ..Change::on(effective)
            };
            let change = Box::new(change);
            Ok(Command::Change { at, change })
        })
        .await
    }

    pub async fn pause(
        &self,
        request: &Request,
        id: SubscriptionId,
        from: Option<NaiveDate>,
    ) -> Result<Changed, CommandError> {
        self.on_day(request, id, from, |at, from| Command::Pause { at, from })
            .await
    }

    pub async fn resume(
        &self,
        request: &Request,
        id: SubscriptionId,
        from: Option<NaiveDate>,
    ) -> Result<Changed, CommandError> {
        self.on_day(request, id, from, |at, from| Command::Resume { at, from })
            .await
    }

    /// A cancelled agreement goes on, or one that was to end does not.
    pub async fn reactivate(
        &self,
        request: &Request,
        id: SubscriptionId,
        from: Option<NaiveDate>,
    ) -> Result<Changed, CommandError> {
        let order = self.subscription_state(&request.tenant, id).await?;
        let stream = id.to_string();
        self.journal
            .execute(request, with_latest(&request.tenant, id, &order), |unit| {
                let from = from.unwrap_or_else(|| today(unit, id));
                let reactivate = Command::Reactivate {
                    at: unit.at(),
                    from,
                    undelivered: undelivered(unit, id)?,
                };
                unit.send::<Subscription>(&stream, &reactivate)?;
                changed(unit, &stream)
            })
            .await
    }

    /// Ends an agreement, today where no day is named; the day may lie in the future.
    pub async fn end(
        &self,
        request: &Request,
        id: SubscriptionId,
        effective: Option<NaiveDate>,
    ) -> Result<Changed, CommandError> {
        let now = self.subscription_state(&request.tenant, id).await?;
        let streams = with_usage(with_successor(&request.tenant, id), id);
        let streams = followed_by(&now)
            .into_iter()
            .fold(streams, Streams::with::<Subscription>);
        let streams = self.with_rests_before(streams, &request.tenant, &now).await?;
        let stream = id.to_string();
        self.journal
            .execute(request, streams, |unit| {
                let (at, effective) = (unit.at(), effective.unwrap_or_else(|| today(unit, id)));
                let followed = Followed::of(unit, id)?;
                used_days::send(unit, id, Command::Cancel { at, effective })?;
                if let Some(followed) = followed {
                    followed.still(unit, id)?;
                }
                not_followed(unit, id)?;
                leave_rest(unit, id)?;
                changed(unit, &stream)
            })
            .await
    }

    /// Sends a command for a day, today where none is named.
    async fn on_day(
        &self,
        request: &Request,
        id: SubscriptionId,
        day: Option<NaiveDate>,
        command: fn(DateTime<Utc>, NaiveDate) -> Command,
    ) -> Result<Changed, CommandError> {
        self.amend(request, id, |at, today, _| Ok(command(at, day.unwrap_or(today))))
            .await
    }

    /// Sends a command that is made of the time, of the day where the customer is, and of the subscription.
    pub async fn amend(
        &self,
        request: &Request,
        id: SubscriptionId,
        command: impl Fn(DateTime<Utc>, NaiveDate, &Subscription) -> Result<Command, subscription::Refused> + Send + Sync,
    ) -> Result<Changed, CommandError> {
        let stream = id.to_string();
        let now = self.subscription_state(&request.tenant, id).await?;
        let streams = with_usage(with_successor(&request.tenant, id), id);
        let streams = self.with_rests_before(streams, &request.tenant, &now).await?;
        self.journal
            .execute(request, streams, |unit| {
                let command = command(unit.at(), today(unit, id), unit.state::<Subscription>(&stream))?;
                let followed = Followed::of(unit, id)?;
                used_days::send(unit, id, command)?;
                if let Some(followed) = followed {
                    followed.still(unit, id)?;
                }
                leave_rest(unit, id)?;
                changed(unit, &stream)
            })
            .await
    }
}

fn changed(unit: &Unit<'_>, stream: &str) -> Result<Changed, CommandError> {
    let state = unit.state::<Subscription>(stream);
    let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
    let progress = state.progress();
    Ok(Changed {
        status: agreement.status,
        ends: progress.and_then(|progress| progress.ends),
        next_billing: progress.and_then(|progress| progress.next_billing),
    })
}
