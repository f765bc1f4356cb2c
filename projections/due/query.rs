//! Due billing: queries.

use aggregates::{
    id::{CustomerId, SubscriptionId, TenantId},
    money::{self, Currency},
};
use chrono::{DateTime, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value, subscription::Payer};

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

const COLUMNS: &str = "run, customer, currency, next_billing, \
                       EXISTS (SELECT 1 FROM metered_lines m WHERE m.tenant = billing_due.tenant \
                       AND m.subscription = billing_due.subscription)";

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

fn read_standing(row: &Row) -> Result<Standing, RowError> {
    Ok(Standing {
        run: u32::try_from(row.int(0)?).map_err(|_| row.error(0, "a number of runs"))?,
        payer: Payer {
            customer: row.parse(1, "a customer id")?,
            currency: currency(row, 2)?,
        },
        next_billing: match row.get(3) {
            Value::Null => None,
            _ => Some(row.time(3)?),
        },
        metered: row.bool(4)?,
    })
}

fn currency(row: &Row, column: usize) -> Result<Currency, RowError> {
    money::currency(row.text(column)?).ok_or_else(|| row.error(column, "a currency"))
}
