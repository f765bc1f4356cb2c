//! Purchases: queries.

use aggregates::{
    customer::Contact,
    id::{CustomerId, PurchaseId, TenantId},
    money::Money,
    purchase::{Order, Status},
};
use chrono::{DateTime, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseView {
    pub id: PurchaseId,
    pub customer: CustomerId,
    pub number: u64,
    pub status: Status,
    pub total: Money,
    pub order: Order,
    /// The customer as it was when the purchase was made; empty once the customer is forgotten.
    pub client: Contact,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Oldest first.
    pub history: Vec<(Status, DateTime<Utc>)>,
}

// A forgotten customer's data is not shown by the purchases either.
const SELECT: &str = "SELECT p.purchase, p.customer, p.number, p.status, p.currency, p.total, p.terms, \
                      CASE WHEN c.forgotten THEN NULL ELSE p.client END, p.created_at, p.updated_at, p.tenant \
                      FROM purchases p LEFT JOIN customers c ON c.tenant = p.tenant AND c.customer = p.customer";

pub async fn purchase(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: PurchaseId,
) -> Result<Option<PurchaseView>, ReadError> {
    let sql = format!("{SELECT} WHERE p.tenant = $1 AND p.purchase = $2");
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), id.to_string().into()])
        .await?;
    one(store, rows.first()).await
}

/// For the pages a client opens: whoever knows a purchase's id may see what is to be paid.
pub async fn purchase_of_any_tenant(store: &dyn ReadStore, id: PurchaseId) -> Result<Option<PurchaseView>, ReadError> {
    let sql = format!("{SELECT} WHERE p.purchase = $1");
    let rows = store.fetch(&sql, &[id.to_string().into()]).await?;
    one(store, rows.first()).await
}

async fn one(store: &dyn ReadStore, row: Option<&Row>) -> Result<Option<PurchaseView>, ReadError> {
    let Some(row) = row else { return Ok(None) };
    let sql = "SELECT status, at FROM purchase_status_history WHERE tenant = $1 AND purchase = $2 ORDER BY sequence";
    let history = store.fetch(sql, &[row.get(10).clone(), row.get(0).clone()]).await?;
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
        client: match row.get(7) {
            Value::Null => Contact::default(),
            _ => row.json(7, "a contact")?,
        },
        created_at: row.time(8)?,
        updated_at: row.time(9)?,
        history,
    })
}
