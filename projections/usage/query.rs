//! Usage: queries.

use std::collections::BTreeSet;

use aggregates::{
    id::{CustomerId, SubscriptionId, TenantId},
    usage::UnmatchedRecord,
};
use chrono::{DateTime, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value};

/// How many ids one statement names.
const NAMED: usize = 500;

/// A metric that is billed to a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeteredLine {
    pub customer: CustomerId,
    pub subscription: SubscriptionId,
    pub metric: String,
    /// What the subscription was before it became this customer's.
    pub moved_from: Option<SubscriptionId>,
    /// What it is since it became another customer's, or will be.
    pub moved_to: Option<SubscriptionId>,
}

/// Records that were kept together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedView {
    pub position: i64,
    pub received_at: DateTime<Utc>,
    pub records: Vec<UnmatchedRecord>,
}

/// What is billed to these customers by usage: of active subscriptions first, then in order of their creation.
pub async fn metered_of_customers(
    store: &dyn ReadStore,
    tenant: &TenantId,
    customers: &[CustomerId],
) -> Result<Vec<MeteredLine>, ReadError> {
    let ids: Vec<_> = customers.iter().map(ToString::to_string).collect();
    metered(store, tenant, "customer", &ids).await
}

/// What is billed by usage under these subscriptions.
pub async fn metered_of_subscriptions(
    store: &dyn ReadStore,
    tenant: &TenantId,
    subscriptions: &[SubscriptionId],
) -> Result<Vec<MeteredLine>, ReadError> {
    let ids: Vec<_> = subscriptions.iter().map(ToString::to_string).collect();
    metered(store, tenant, "subscription", &ids).await
}

/// Which of these customers there are, forgotten ones included.
pub async fn customers_among(
    store: &dyn ReadStore,
    tenant: &TenantId,
    customers: &[CustomerId],
) -> Result<BTreeSet<CustomerId>, ReadError> {
    let ids: Vec<_> = customers.iter().map(ToString::to_string).collect();
    let rows = named(
        store,
        tenant,
        "SELECT customer FROM customers WHERE tenant = $1 AND customer",
        "",
        &ids,
    )
    .await?;
    let id = |row: &Row| row.parse(0, "a customer id");
    Ok(rows.iter().map(id).collect::<Result<_, RowError>>()?)
}

/// Which of these subscriptions there are.
pub async fn subscriptions_among(
    store: &dyn ReadStore,
    tenant: &TenantId,
    subscriptions: &[SubscriptionId],
) -> Result<BTreeSet<SubscriptionId>, ReadError> {
    let ids: Vec<_> = subscriptions.iter().map(ToString::to_string).collect();
    let sql = "SELECT subscription FROM subscriptions WHERE tenant = $1 AND subscription";
    let rows = named(store, tenant, sql, "", &ids).await?;
    let id = |row: &Row| row.parse(0, "a subscription id");
    Ok(rows.iter().map(id).collect::<Result<_, RowError>>()?)
}

/// Usage that nothing meters, in the order in which it came, beyond a position.
pub async fn unmatched(
    store: &dyn ReadStore,
    tenant: &TenantId,
    after: i64,
    limit: usize,
) -> Result<Vec<UnmatchedView>, ReadError> {
    let sql = format!(
        "SELECT position, received_at, records FROM unmatched_usage WHERE tenant = $1 AND position > $2 \
         ORDER BY position LIMIT {limit}"
    );
    let rows = store.fetch(&sql, &[tenant.as_str().into(), after.into()]).await?;
    let view = |row: &Row| {
        Ok(UnmatchedView {
            position: row.int(0)?,
            received_at: row.time(1)?,
            records: row.json(2, "records of usage")?,
        })
    };
    Ok(rows.iter().map(view).collect::<Result<_, RowError>>()?)
}

async fn metered(
    store: &dyn ReadStore,
    tenant: &TenantId,
    column: &str,
    ids: &[String],
) -> Result<Vec<MeteredLine>, ReadError> {
    let sql = format!(
        "SELECT s.customer, s.subscription, m.metric, s.moved_from, n.subscription FROM subscriptions s \
         JOIN metered_lines m ON m.tenant = s.tenant AND m.subscription = s.subscription \
         LEFT JOIN subscriptions n ON n.tenant = s.tenant AND n.moved_from = s.subscription \
         WHERE s.tenant = $1 AND s.{column}"
    );
    let order = " ORDER BY CASE WHEN s.status = 'active' THEN 0 ELSE 1 END, s.position";
    let rows = named(store, tenant, &sql, order, ids).await?;
    let line = |row: &Row| {
        Ok(MeteredLine {
            customer: row.parse(0, "a customer id")?,
            subscription: row.parse(1, "a subscription id")?,
            metric: row.text(2)?.to_owned(),
            moved_from: subscription(row, 3)?,
            moved_to: subscription(row, 4)?,
        })
    };
    Ok(rows.iter().map(line).collect::<Result<_, RowError>>()?)
}

/// The moves of which these subscriptions are what was before, or what goes on: each as both.
pub async fn moves(
    store: &dyn ReadStore,
    tenant: &TenantId,
    subscriptions: &[SubscriptionId],
) -> Result<Vec<(SubscriptionId, SubscriptionId)>, ReadError> {
    let ids: Vec<_> = subscriptions.iter().map(ToString::to_string).collect();
    let mut moves = Vec::new();
    for column in ["subscription", "moved_from"] {
        let sql = format!(
            "SELECT moved_from, subscription FROM subscriptions WHERE moved_from IS NOT NULL AND tenant = $1 AND {column}"
        );
        let rows = named(store, tenant, &sql, "", &ids).await?;
        let both = |row: &Row| Ok((row.parse(0, "a subscription id")?, row.parse(1, "a subscription id")?));
        moves.extend(rows.iter().map(both).collect::<Result<Vec<_>, RowError>>()?);
    }
    Ok(moves)
}

fn subscription(row: &Row, column: usize) -> Result<Option<SubscriptionId>, RowError> {
    match row.get(column) {
        Value::Null => Ok(None),
        _ => Ok(Some(row.parse(column, "a subscription id")?)),
    }
}

/// The rows of a statement that goes on with the list of ids, so many at a time.
async fn named(
    store: &dyn ReadStore,
    tenant: &TenantId,
    start: &str,
    end: &str,
    ids: &[String],
) -> Result<Vec<Row>, ReadError> {
    let mut rows = Vec::new();
    for some in ids.chunks(NAMED) {
        let mut parameters: Vec<Value> = vec![tenant.as_str().into()];
        parameters.extend(some.iter().map(|id| Value::from(id.as_str())));
        let places: Vec<_> = (2..=parameters.len()).map(|n| format!("${n}")).collect();
        let sql = format!("{start} IN ({}){end}", places.join(", "));
        rows.extend(store.fetch(&sql, &parameters).await?);
    }
    Ok(rows)
}
