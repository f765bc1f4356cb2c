//! Due billing: queries.

use aggregates::{
    id::{CustomerId, SubscriptionId, TenantId},
    money::{self, Currency},
};
use chrono::{DateTime, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value, subscription::Payer};

/// How far the billing of a subscription has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How often it was billed.
    pub run: u32,
    pub payer: Payer,
    pub next_billing: Option<DateTime<Utc>>,
    /// Whether anything is billed by usage.
    pub metered: bool,
    /// Subscriptions of one payer of which this is the same share their invoices.
    pub consolidation: Option<String>,
}

impl Standing {
    /// Whose invoices it shares: of two subscriptions of a tenant, those of which this is the same.
    pub fn shares(&self) -> Option<(CustomerId, &'static str, String)> {
        let Payer { customer, currency } = self.payer;
        let alike = self.consolidation.clone()?;
        Some((customer, currency.code(), alike))
    }
}

const COLUMNS: &str = "run, customer, currency, next_billing, \
                       EXISTS (SELECT 1 FROM metered_lines m WHERE m.tenant = billing_due.tenant \
                       AND m.subscription = billing_due.subscription), zone || '/' || consolidation";

/// Those of the payer that are due at the same moment and consolidate alike; nobody where it does not consolidate.
pub async fn sharing(
    store: &dyn ReadStore,
    tenant: &TenantId,
    standing: &Standing,
) -> Result<Vec<(SubscriptionId, Standing)>, ReadError> {
    let (Some(next), Some(alike)) = (standing.next_billing, &standing.consolidation) else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "SELECT {COLUMNS}, subscription FROM billing_due WHERE tenant = $1 AND customer = $2 AND currency = $3 \
         AND next_billing = $4 AND zone || '/' || consolidation = $5 ORDER BY subscription"
    );
    let parameters = [
        tenant.as_str().into(),
        standing.payer.customer.to_string().into(),
        standing.payer.currency.code().into(),
        next.into(),
        alike.as_str().into(),
    ];
    let rows = store.fetch(&sql, &parameters).await?;
    let member = |row: &Row| Ok((row.parse(6, "a subscription id")?, read_standing(row)?));
    Ok(rows.iter().map(member).collect::<Result<_, RowError>>()?)
}

/// Those of the payer that consolidate alike and have something to bill by then; nobody where it does not consolidate.
pub async fn sharing_until(
    store: &dyn ReadStore,
    tenant: &TenantId,
    standing: &Standing,
    until: DateTime<Utc>,
) -> Result<Vec<SubscriptionId>, ReadError> {
    let Some(alike) = &standing.consolidation else {
        return Ok(Vec::new());
    };
    let sql = "SELECT subscription FROM billing_due WHERE tenant = $1 AND customer = $2 AND currency = $3 \
               AND next_billing <= $4 AND zone || '/' || consolidation = $5 ORDER BY subscription";
    let parameters = [
        tenant.as_str().into(),
        standing.payer.customer.to_string().into(),
        standing.payer.currency.code().into(),
        until.into(),
        alike.as_str().into(),
    ];
    let rows = store.fetch(sql, &parameters).await?;
    let id = |row: &Row| row.parse(0, "a subscription id");
    Ok(rows.iter().map(id).collect::<Result<_, _>>()?)
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

/// Whether who pays the subscription has, or had, credit in its currency; `None` where there is no such subscription.
pub async fn payer_has_credit(
    store: &dyn ReadStore,
    tenant: &TenantId,
    subscription: SubscriptionId,
) -> Result<Option<bool>, ReadError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM credit_balances c WHERE c.tenant = d.tenant AND c.customer = d.customer \
               AND c.currency = d.currency) FROM billing_due d WHERE d.tenant = $1 AND d.subscription = $2";
    let rows = store
        .fetch(sql, &[tenant.as_str().into(), subscription.to_string().into()])
        .await?;
    Ok(rows.first().map(|row| row.bool(0)).transpose()?)
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
        consolidation: match row.get(5) {
            Value::Null => None,
            _ => Some(row.text(5)?.to_owned()),
        },
    })
}

fn currency(row: &Row, column: usize) -> Result<Currency, RowError> {
    money::currency(row.text(column)?).ok_or_else(|| row.error(column, "a currency"))
}
