//! The customer's timeline: queries.

use aggregates::id::{CustomerId, TenantId};
use chrono::{DateTime, Utc};

use crate::{ReadError, ReadStore, Row, RowError, page::Page};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub position: i64,
    pub event_type: String,
    /// The customer, subscription or invoice it happened to.
    pub aggregate_id: String,
    pub recorded_at: DateTime<Utc>,
}

/// A page of what happened around a customer.
pub async fn timeline(
    store: &dyn ReadStore,
    tenant: &TenantId,
    customer: CustomerId,
    page: &Page,
) -> Result<Vec<Moment>, ReadError> {
    let (beyond, direction) = page.order.sql();
    let sql = format!(
        "SELECT position, event_type, aggregate_id, recorded_at FROM customer_timeline \
         WHERE tenant = $1 AND customer = $2 AND position {beyond} $3 ORDER BY position {direction} LIMIT {}",
        page.limit
    );
    let after = page.after.unwrap_or(page.order.start());
    let parameters = [tenant.as_str().into(), customer.to_string().into(), after.into()];
    let rows = store.fetch(&sql, &parameters).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn read(row: &Row) -> Result<Moment, RowError> {
    Ok(Moment {
        position: row.int(0)?,
        event_type: row.text(1)?.to_owned(),
        aggregate_id: row.text(2)?.to_owned(),
        recorded_at: row.time(3)?,
    })
}
