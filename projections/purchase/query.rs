//! Purchases: queries.

use aggregates::{
    id::{CustomerId, PurchaseId, TenantId},
    money::Money,
    purchase::{Order, Status},
};
use chrono::{DateTime, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value};

/// Who the client is beyond its id is not in here: that is read from the log, where it can be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseView {
    pub id: PurchaseId,
    pub customer: CustomerId,
    pub number: u64,
    pub status: Status,
    pub total: Money,
    pub order: Order,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// When it was paid, as the merchant says.
    pub paid_on: Option<DateTime<Utc>>,
    /// Oldest first.
    pub history: Vec<(Status, DateTime<Utc>)>,
}

const SELECT: &str = "SELECT purchase, customer, number, status, currency, total, terms, created_at, updated_at, tenant, \
                      paid_on FROM purchases";

pub async fn purchase(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: PurchaseId,
) -> Result<Option<PurchaseView>, ReadError> {
    let sql = format!("{SELECT} WHERE tenant = $1 AND purchase = $2");
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), id.to_string().into()])
        .await?;
    one(store, rows.first()).await
}

/// For the pages a client opens: whoever knows a purchase's id may see what is to be paid.
pub async fn purchase_of_any_tenant(store: &dyn ReadStore, id: PurchaseId) -> Result<Option<PurchaseView>, ReadError> {
    let sql = format!("{SELECT} WHERE purchase = $1");
    let rows = store.fetch(&sql, &[id.to_string().into()]).await?;
    one(store, rows.first()).await
}

async fn one(store: &dyn ReadStore, row: Option<&Row>) -> Result<Option<PurchaseView>, ReadError> {
    let Some(row) = row else { return Ok(None) };
    let sql = "SELECT status, at FROM purchase_status_history WHERE tenant = $1 AND purchase = $2 ORDER BY sequence";
    let history = store.fetch(sql, &[row.get(9).clone(), row.get(0).clone()]).await?;
    let history = history
        .iter()
        .map(|row| Ok((row.word(0, "a status")?, row.time(1)?)))
        .collect::<Result<_, RowError>>()?;
    Ok(Some(read(row, history)?))
}

fn read(row: &Row, history: Vec<(Status, DateTime<Utc>)>) -> Result<PurchaseView, RowError> {
    let currency = aggregates::money::currency(row.text(4)?).ok_or_else(|| row.error(4, "a currency"))?;
    Ok(PurchaseView {
        id: row.parse(0, "a purchase id")?,
        customer: row.parse(1, "a customer id")?,
        number: u64::try_from(row.int(2)?).map_err(|_| row.error(2, "a number"))?,
        status: row.word(3, "a status")?,
        total: Money::new(row.int(5)?, currency),
        order: row.json(6, "an order")?,
        created_at: row.time(7)?,
        updated_at: row.time(8)?,
        paid_on: match row.get(10) {
            Value::Null => None,
            _ => Some(row.time(10)?),
        },
        history,
    })
}
