//! Messages to customers: which there are, and what became of them. They are delivered elsewhere.

use aggregates::{
    id::{MessageId, TenantId},
    message::{self, About, Command, Message},
};
use projections::message::{MessageView, Status};

use super::App;
use crate::journal::{CommandError, Request, Streams};

/// How somebody who delivers says it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Sent,
    Failed { reason: String },
}

impl App {
    /// Notes what became of a message.
    pub async fn settle_message(
        &self,
        request: &Request,
        id: MessageId,
        delivery: &Delivery,
    ) -> Result<MessageView, CommandError> {
        let view = self.message(&request.tenant, id).await?;
        let view = view.ok_or(message::Refused::Unknown)?;
        let stream = id.to_string();
        self.journal
            .execute(request, Streams::new().with::<Message>(&stream), |unit| {
                let at = unit.at();
                let about = About {
                    message: id,
                    invoice: view.invoice,
                    customer: view.customer,
                    occasion: view.occasion,
                };
                let command = match delivery {
                    Delivery::Sent => Command::Send { at, about },
                    Delivery::Failed { reason } => Command::Fail {
                        at,
                        about,
                        reason: reason.clone(),
                    },
                };
                unit.send::<Message>(&stream, &command).map(drop)
            })
            .await?;
        let settled = self.message(&request.tenant, id).await?;
        settled.ok_or_else(|| message::Refused::Unknown.into())
    }

    pub async fn message(&self, tenant: &TenantId, id: MessageId) -> Result<Option<MessageView>, CommandError> {
        Ok(projections::message::message(self.journal.views(), tenant, id).await?)
    }

    /// A page of messages, beyond a position; all of them, or those of a status.
    pub async fn messages(
        &self,
        tenant: &TenantId,
        status: Option<Status>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<MessageView>, CommandError> {
        Ok(projections::message::messages(self.journal.views(), tenant, status, after, limit).await?)
    }
}
