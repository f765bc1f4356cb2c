//! Fulfilments of orders: opened when their day has come, completed when somebody says so.

use aggregates::{
    fulfilment::{self, Command, Fulfilment, Task},
    id::{FulfilmentId, TenantId},
};
use projections::fulfilment::{FulfilmentView, Status};

use super::App;
use crate::journal::{CommandError, Request, Streams};

impl App {
    /// Opens what was planned, once for ever.
    pub async fn open_fulfilment(&self, request: &Request, id: FulfilmentId) -> Result<(), CommandError> {
        let view = self.fulfilment(&request.tenant, id).await?;
        let view = view.ok_or(fulfilment::Refused::Unknown)?;
        if view.due_at.is_some_and(|due| due > request.at) {
            return Err(fulfilment::Refused::Unknown.into());
        }
        let stream = id.to_string();
        self.journal
            .execute(request, Streams::new().with_new::<Fulfilment>(&stream), |unit| {
                let task = Task {
                    fulfilment: id,
                    subscription: view.subscription,
                    period: view.period,
                    automatic: view.automatic,
                };
                let at = unit.at();
                unit.send::<Fulfilment>(&stream, &Command::Open { at, task })?;
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
