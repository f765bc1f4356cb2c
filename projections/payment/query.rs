//! Collected payments: queries.

use aggregates::{
    id::{CustomerId, InvoiceId, PaymentId, TenantId},
    money::{self, Money},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{ReadError, ReadStore, Row, RowError, Value, value};

/// What has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Requested,
    Succeeded,
    Failed,
    /// The invoice was paid otherwise.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentView {
    pub id: PaymentId,
    pub invoice: InvoiceId,
    pub customer: CustomerId,
    pub amount: Money,
    /// What is left to pay of the invoice now.
    pub open: Money,
    pub processor: Option<String>,
    pub status: Status,
    /// The collector's, once it has succeeded.
    pub reference: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    pub requested_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    pub position: i64,
}

const SELECT: &str = "SELECT p.payment, p.invoice, p.customer, p.amount, p.currency, p.processor, p.status, \
                      p.reference, p.reason, p.requested_at, p.settled_at, p.position, i.balance FROM payments p \
                      JOIN invoices i ON i.tenant = p.tenant AND i.invoice = p.invoice";

pub async fn payment(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: PaymentId,
) -> Result<Option<PaymentView>, ReadError> {
    let sql = format!("{SELECT} WHERE p.tenant = $1 AND p.payment = $2");
    let key = [tenant.as_str().into(), id.to_string().into()];
    let rows = store.fetch(&sql, &key).await?;
    Ok(rows.first().map(read).transpose()?)
}

/// Payments in the order in which they were asked for, beyond a position; all of them, or those of a status.
pub async fn payments(
    store: &dyn ReadStore,
    tenant: &TenantId,
    status: Option<Status>,
    after: i64,
    limit: usize,
) -> Result<Vec<PaymentView>, ReadError> {
    let mut parameters: Vec<Value> = vec![tenant.as_str().into(), after.into()];
    let mut condition = "";
    if let Some(status) = status {
        parameters.push(value::word(&status));
        condition = match status {
            // What is paid otherwise is not to be collected, whatever has become of the request.
            Status::Requested => " AND p.status = $3 AND i.balance > 0",
            Status::Succeeded | Status::Failed | Status::Withdrawn => " AND p.status = $3",
        };
    }
    let sql = format!("{SELECT} WHERE p.tenant = $1 AND p.position > $2{condition} ORDER BY p.position LIMIT {limit}");
    let rows = store.fetch(&sql, &parameters).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn read(row: &Row) -> Result<PaymentView, RowError> {
    let currency = money::currency(row.text(4)?).ok_or_else(|| row.error(4, "a currency"))?;
    Ok(PaymentView {
        id: row.parse(0, "a payment id")?,
        invoice: row.parse(1, "an invoice id")?,
        customer: row.parse(2, "a customer id")?,
        amount: Money::new(row.int(3)?, currency),
        open: Money::new(row.int(12)?, currency),
        processor: row.optional_text(5)?.map(str::to_owned),
        status: row.word(6, "a status")?,
        reference: row.optional_text(7)?.map(str::to_owned),
        reason: row.optional_text(8)?.map(str::to_owned),
        requested_at: row.time(9)?,
        settled_at: row.optional_time(10)?,
        position: row.int(11)?,
    })
}
