//! Fulfilments: queries.

use aggregates::{
    calendar::Period,
    id::{FulfilmentId, LineId, SubscriptionId, TenantId},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{ReadError, ReadStore, Row, RowError, Value, value};

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its day has not come.
    Planned,
    Open,
    Completed,
    /// Its order was over before its day came.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FulfilmentView {
    pub id: FulfilmentId,
    pub subscription: SubscriptionId,
    /// The order's.
    pub order: Option<String>,
    pub period: Period,
    pub automatic: bool,
    /// When it is opened, while it is planned.
    pub due_at: Option<DateTime<Utc>>,
    pub status: Status,
    pub opened_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub position: i64,
    /// The one line it is for, where it came to the order later than what else is charged for the period.
    pub line: Option<LineId>,
}

const SELECT: &str = "SELECT f.fulfilment, f.subscription, o.number, f.period_start, f.period_end, f.automatic, \
                      f.due_at, f.status, f.opened_at, f.completed_at, f.position, f.line FROM fulfilments f \
                      LEFT JOIN orders o ON o.tenant = f.tenant AND o.subscription = f.subscription";

pub async fn fulfilment(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: FulfilmentId,
) -> Result<Option<FulfilmentView>, ReadError> {
    let sql = format!("{SELECT} WHERE f.tenant = $1 AND f.fulfilment = $2");
    let key = [tenant.as_str().into(), id.to_string().into()];
    let rows = store.fetch(&sql, &key).await?;
    Ok(rows.first().map(read).transpose()?)
}

/// Fulfilments in the order in which their periods were billed, those of single lines last, beyond a position; all of them, or those of a status.
/// Those of one position are never on two pages: a page ends with all of its last position.
pub async fn fulfilments(
    store: &dyn ReadStore,
    tenant: &TenantId,
    status: Option<Status>,
    after: i64,
    limit: usize,
) -> Result<Vec<FulfilmentView>, ReadError> {
    let mut parameters: Vec<Value> = vec![tenant.as_str().into(), after.into()];
    let mut condition = "";
    if let Some(status) = status {
        parameters.push(value::word(&status));
        condition = " AND f.status = $3";
    }
    let sql = format!(
        "{SELECT} WHERE f.tenant = $1 AND f.position > $2{condition} AND f.position <= COALESCE(\
         (SELECT MAX(p.position) FROM (SELECT f.position FROM fulfilments f WHERE f.tenant = $1 AND f.position > $2{condition} \
         ORDER BY f.position LIMIT {limit}) p), 0) \
         ORDER BY f.position, f.period_start, f.line IS NOT NULL, f.line, f.fulfilment"
    );
    let rows = store.fetch(&sql, &parameters).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn read(row: &Row) -> Result<FulfilmentView, RowError> {
    Ok(FulfilmentView {
        id: row.parse(0, "a fulfilment id")?,
        subscription: row.parse(1, "a subscription id")?,
        order: row.optional_text(2)?.map(str::to_owned),
        period: Period {
            start: row.date(3)?,
            end: row.optional_date(4)?,
        },
        automatic: row.bool(5)?,
        due_at: row.optional_time(6)?,
        status: row.word(7, "a status")?,
        opened_at: row.optional_time(8)?,
        completed_at: row.optional_time(9)?,
        position: row.int(10)?,
        line: match row.optional_text(11)? {
            None => None,
            Some(_) => Some(row.parse(11, "a line id")?),
        },
    })
}
