//! Messages: queries.

use aggregates::{
    id::{CustomerId, InvoiceId, MessageId, TenantId},
    message::{Channel, Notice, Occasion},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{ReadError, ReadStore, Row, RowError, Value};

/// What has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Requested,
    Sent,
    Failed,
    /// The invoice was voided before it was sent.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    pub id: MessageId,
    pub invoice: InvoiceId,
    pub customer: CustomerId,
    pub occasion: Occasion,
    pub notice: Notice,
    pub status: Status,
    /// Why it failed.
    pub reason: Option<String>,
    pub requested_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    pub position: i64,
}

const SELECT: &str = "SELECT m.message, m.invoice, m.customer, m.occasion, m.profile, m.channel, m.template, \
                      CASE WHEN m.status = 'requested' AND i.voided_at IS NOT NULL THEN 'withdrawn' ELSE m.status END, \
                      m.reason, m.requested_at, m.settled_at, m.position FROM messages m \
                      JOIN invoices i ON i.tenant = m.tenant AND i.invoice = m.invoice";

pub async fn message(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: MessageId,
) -> Result<Option<MessageView>, ReadError> {
    let sql = format!("{SELECT} WHERE m.tenant = $1 AND m.message = $2");
    let key = [tenant.as_str().into(), id.to_string().into()];
    let rows = store.fetch(&sql, &key).await?;
    Ok(rows.first().map(read).transpose()?)
}

/// Messages in the order in which there was something to tell, beyond a position; all of them, or those of a status.
pub async fn messages(
    store: &dyn ReadStore,
    tenant: &TenantId,
    status: Option<Status>,
    after: i64,
    limit: usize,
) -> Result<Vec<MessageView>, ReadError> {
    let condition = match status {
        None => "",
        Some(Status::Requested) => " AND m.status = 'requested' AND i.voided_at IS NULL",
        Some(Status::Withdrawn) => " AND m.status = 'requested' AND i.voided_at IS NOT NULL",
        Some(Status::Sent) => " AND m.status = 'sent'",
        Some(Status::Failed) => " AND m.status = 'failed'",
    };
    let sql = format!("{SELECT} WHERE m.tenant = $1 AND m.position > $2{condition} ORDER BY m.position LIMIT {limit}");
    let of: [Value; 2] = [tenant.as_str().into(), after.into()];
    let rows = store.fetch(&sql, &of).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn read(row: &Row) -> Result<MessageView, RowError> {
    let channel: Channel = row.word(5, "a channel")?;
    Ok(MessageView {
        id: row.parse(0, "a message id")?,
        invoice: row.parse(1, "an invoice id")?,
        customer: row.parse(2, "a customer id")?,
        occasion: row.word(3, "an occasion")?,
        notice: Notice {
            profile: row.text(4)?.to_owned(),
            channel,
            template: row.text(6)?.to_owned(),
        },
        status: row.word(7, "a status")?,
        reason: row.optional_text(8)?.map(str::to_owned),
        requested_at: row.time(9)?,
        settled_at: row.optional_time(10)?,
        position: row.int(11)?,
    })
}
