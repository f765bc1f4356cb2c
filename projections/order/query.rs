//! Orders: queries.

use aggregates::{
    id::{CustomerId, SubscriptionId, TenantId},
    money::Currency,
    order_terms::OrderBillingPreferences,
    subscription::{OrderDetails, Status},
};
use chrono::{DateTime, NaiveDate, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    pub id: SubscriptionId,
    pub customer: CustomerId,
    pub currency: Currency,
    pub start: NaiveDate,
    pub status: Status,
    pub details: OrderDetails,
    pub billing: OrderBillingPreferences,
    pub position: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Which orders of a list are wanted: `limit` of them beyond the position `after`, leaving out the first `skip`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub customer: Option<CustomerId>,
    pub limit: u32,
    pub after: Option<i64>,
    pub skip: u32,
}

const FROM: &str = "FROM orders o JOIN subscriptions s ON s.tenant = o.tenant AND s.subscription = o.subscription \
     WHERE o.tenant = $1";
const COLUMNS: &str = "o.subscription, o.customer, s.currency, s.activation, s.status, o.details, o.billing, \
                       o.position, o.created_at, o.updated_at";

/// By number, exactly as it was given.
pub async fn order(store: &dyn ReadStore, tenant: &TenantId, number: &str) -> Result<Option<OrderView>, ReadError> {
    let sql = format!("SELECT {COLUMNS} {FROM} AND o.number = $2");
    let rows = store.fetch(&sql, &[tenant.as_str().into(), number.into()]).await?;
    Ok(rows.first().map(read).transpose()?)
}

/// Orders in order of their creation.
pub async fn orders(store: &dyn ReadStore, tenant: &TenantId, window: Window) -> Result<Vec<OrderView>, ReadError> {
    let (condition, mut parameters) = condition(tenant, window.customer);
    parameters.push(window.after.unwrap_or(i64::MIN).into());
    let sql = format!(
        "SELECT {COLUMNS} {FROM}{condition} AND o.position > ${} ORDER BY o.position LIMIT {} OFFSET {}",
        parameters.len(),
        window.limit,
        window.skip
    );
    let rows = store.fetch(&sql, &parameters).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub async fn count(store: &dyn ReadStore, tenant: &TenantId, customer: Option<CustomerId>) -> Result<i64, ReadError> {
    let (condition, parameters) = condition(tenant, customer);
    let rows = store
        .fetch(&format!("SELECT COUNT(*) {FROM}{condition}"), &parameters)
        .await?;
    Ok(rows.first().map_or(Ok(0), |row| row.int(0))?)
}

fn condition(tenant: &TenantId, customer: Option<CustomerId>) -> (&'static str, Vec<Value>) {
    let tenant = tenant.as_str().into();
    match customer {
        None => ("", vec![tenant]),
        Some(customer) => (" AND o.customer = $2", vec![tenant, customer.to_string().into()]),
    }
}

fn read(row: &Row) -> Result<OrderView, RowError> {
    Ok(OrderView {
        id: row.parse(0, "a subscription id")?,
        customer: row.parse(1, "a customer id")?,
        currency: aggregates::money::currency(row.text(2)?).ok_or_else(|| row.error(2, "a currency"))?,
        start: row.date(3)?,
        status: row.word(4, "a status")?,
        details: row.json(5, "an order")?,
        billing: row.json(6, "billing preferences")?,
        position: row.int(7)?,
        created_at: row.time(8)?,
        updated_at: row.time(9)?,
    })
}
