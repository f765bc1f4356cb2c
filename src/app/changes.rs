//! Changes of running agreements: activation, another plan, price or quantity, pause, resumption, end.

use aggregates::{
    catalog::PlanLine,
    id::{LineId, PlanId, SubscriptionId},
    subscription::{self, Change, Command, Cycle, Status, Subscription},
};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{App, contracts::SigningError, invoicing::today};
use crate::journal::{CommandError, Request, Streams};

/// An agreement as a command left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub status: Status,
    pub next_billing: Option<chrono::DateTime<chrono::Utc>>,
}

impl App {
    /// A pending agreement begins, today where no day is named.
    pub async fn activate(
        &self,
        request: &Request,
        id: SubscriptionId,
        activation: Option<NaiveDate>,
    ) -> Result<Changed, CommandError> {
        self.amend(request, id, |at, today, _| {
            let activation = activation.unwrap_or(today);
            Ok(Command::Activate { at, activation })
        })
        .await
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
            let change = Change {
                replaced: vec![line],
                lines: vec![PlanLine { quantity, ..now }],
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
        self.amend(request, id, |at, today, _| {
            let from = from.unwrap_or(today);
            Ok(Command::Pause { at, from })
        })
        .await
    }

    pub async fn resume(
        &self,
        request: &Request,
        id: SubscriptionId,
        from: Option<NaiveDate>,
    ) -> Result<Changed, CommandError> {
        self.amend(request, id, |at, today, _| {
            let from = from.unwrap_or(today);
            Ok(Command::Resume { at, from })
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
        self.amend(request, id, |at, today, _| {
            let effective = effective.unwrap_or(today);
            Ok(Command::Cancel { at, effective })
        })
        .await
    }

    /// Sends a command that is made of the time, of the day where the customer is, and of the subscription.
    pub async fn amend(
        &self,
        request: &Request,
        id: SubscriptionId,
        command: impl Fn(chrono::DateTime<chrono::Utc>, NaiveDate, &Subscription) -> Result<Command, subscription::Refused>
        + Send
        + Sync,
    ) -> Result<Changed, CommandError> {
        let stream = id.to_string();
        self.journal
            .execute(request, Streams::new().with::<Subscription>(&stream), |unit| {
                let command = command(unit.at(), today(unit, id), unit.state::<Subscription>(&stream))?;
                unit.send::<Subscription>(&stream, &command)?;
                let state = unit.state::<Subscription>(&stream);
                let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
                Ok(Changed {
                    status: agreement.status,
                    next_billing: state.progress().and_then(|progress| progress.next_billing),
                })
            })
            .await
    }
}
