//! Due billing: queries.

use aggregates::{
    id::{CustomerId, SubscriptionId, TenantId},
    money::{self, Currency},
};
use chrono::{DateTime, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value, subscription::Payer};

/// A subscription that has something to bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub tenant: TenantId,
    pub subscription: SubscriptionId,
    pub next_billing: DateTime<Utc>,
    pub standing: Standing,
}

/// How far the billing of a subscription has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How often it was billed.
    pub run: u32,
    pub payer: Payer,
    pub next_billing: Option<DateTime<Utc>>,
    /// Whether anything is billed by usage.
    pub metered: bool,
}

const COLUMNS: &str = "tenant, subscription, run, customer, currency, next_billing, \
                       EXISTS (SELECT 1 FROM metered_lines m WHERE m.tenant = billing_due.tenant \
                       AND m.subscription = billing_due.subscription)";

/// What is due at `until`, what has waited longest first, beyond `after`; of one tenant or of all.
pub async fn due(
    store: &dyn ReadStore,
    tenant: Option<&TenantId>,
    until: DateTime<Utc>,
    after: Option<&Due>,
    limit: u32,
) -> Result<Vec<Due>, ReadError> {
    let mut parameters: Vec<Value> = vec![until.into()];
    let mut condition = String::new();
    if let Some(tenant) = tenant {
        parameters.push(tenant.as_str().into());
        condition.push_str(" AND tenant = $2");
    }
    if let Some(after) = after {
        let first = parameters.len() + 1;
        parameters.push(after.next_billing.into());
        parameters.push(after.tenant.as_str().into());
        parameters.push(after.subscription.to_string().into());
        condition.push_str(&format!(
            " AND (next_billing, tenant, subscription) > (${first}, ${}, ${})",
            first + 1,
            first + 2
        ));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM billing_due WHERE next_billing IS NOT NULL AND next_billing <= $1{condition} \
         ORDER BY next_billing, tenant, subscription LIMIT {limit}"
    );
    let rows = store.fetch(&sql, &parameters).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Since when the subscription that has waited longest could have been billed; `None` where nothing is due.
pub async fn overdue_since(
    store: &dyn ReadStore,
    tenant: Option<&TenantId>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, ReadError> {
    let first = due(store, tenant, now, None, 1).await?;
    Ok(first.first().map(|due| due.next_billing))
}

/// How far the billing of one subscription has come.
pub async fn standing(
    store: &dyn ReadStore,
    tenant: &TenantId,
    subscription: SubscriptionId,
) -> Result<Option<Standing>, ReadError> {
    let sql = format!("SELECT {COLUMNS} FROM billing_due WHERE tenant = $1 AND subscription = $2");
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), subscription.to_string().into()])
        .await?;
    Ok(rows.first().map(read_standing).transpose()?)
}

/// The subscriptions of a tenant that have something to bill by then, of one customer or of all.
pub async fn subscriptions(
    store: &dyn ReadStore,
    tenant: &TenantId,
    customer: Option<CustomerId>,
    until: DateTime<Utc>,
) -> Result<Vec<SubscriptionId>, ReadError> {
    let mut parameters: Vec<Value> = vec![tenant.as_str().into(), until.into()];
    let mut sql = "SELECT subscription FROM billing_due WHERE tenant = $1 AND next_billing <= $2".to_owned();
    if let Some(customer) = customer {
        parameters.push(customer.to_string().into());
        sql.push_str(" AND customer = $3");
    }
    sql.push_str(" ORDER BY next_billing, subscription");
    let rows = store.fetch(&sql, &parameters).await?;
    let id = |row: &Row| row.parse(0, "a subscription id");
    Ok(rows.iter().map(id).collect::<Result<_, _>>()?)
}

fn read(row: &Row) -> Result<Due, RowError> {
    Ok(Due {
        tenant: TenantId::from_stored(row.text(0)?),
        subscription: row.parse(1, "a subscription id")?,
        next_billing: row.time(5)?,
        standing: read_standing(row)?,
    })
}

fn read_standing(row: &Row) -> Result<Standing, RowError> {
    Ok(Standing {
        run: u32::try_from(row.int(2)?).map_err(|_| row.error(2, "a number of runs"))?,
        payer: Payer {
            customer: row.parse(3, "a customer id")?,
            currency: currency(row, 4)?,
        },
        next_billing: match row.get(5) {
            Value::Null => None,
            _ => Some(row.time(5)?),
        },
        metered: row.bool(6)?,
    })
}

fn currency(row: &Row, column: usize) -> Result<Currency, RowError> {
    money::currency(row.text(column)?).ok_or_else(|| row.error(column, "a currency"))
}
