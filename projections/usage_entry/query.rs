//! Statements of usage: queries.

use std::collections::BTreeMap;

use aggregates::{
    id::{LineId, SubscriptionId, TenantId, UsageEntryId},
    usage_entry::Entry,
};
use chrono::{DateTime, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageEntryView {
    pub id: UsageEntryId,
    pub withdrawn: bool,
    /// 1 as it was recorded; each correction adds 1.
    pub version: i64,
    pub entry: Entry,
    pub position: i64,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}

const SELECT: &str = "SELECT usage, withdrawn, version, entry, position, created_at, created_by, updated_at, \
                      updated_by FROM usage_entries WHERE tenant = $1";
/// How many ids one statement names.
const NAMED: usize = 500;

/// These, in the order in which they are named; also those that were taken back.
pub async fn usage_entries(
    store: &dyn ReadStore,
    tenant: &TenantId,
    ids: &[UsageEntryId],
) -> Result<Vec<UsageEntryView>, ReadError> {
    let mut found = BTreeMap::new();
    for some in ids.chunks(NAMED) {
        let (list, parameters) = named(tenant, some);
        let rows = store
            .fetch(&format!("{SELECT} AND usage IN ({list})"), &parameters)
            .await?;
        for row in &rows {
            let view = read(row)?;
            found.insert(view.id, view);
        }
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// Those that stand, in order of their creation: `limit` of them beyond a position, leaving out the first `skip`.
pub async fn standing(
    store: &dyn ReadStore,
    tenant: &TenantId,
    after: Option<i64>,
    limit: u32,
    skip: u32,
) -> Result<Vec<UsageEntryView>, ReadError> {
    let sql =
        format!("{SELECT} AND withdrawn = $2 AND position > $3 ORDER BY position, usage LIMIT {limit} OFFSET {skip}");
    let after = after.unwrap_or(i64::MIN).into();
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), false.into(), after])
        .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub async fn count_standing(store: &dyn ReadStore, tenant: &TenantId) -> Result<i64, ReadError> {
    let sql = "SELECT COUNT(*) FROM usage_entries WHERE tenant = $1 AND withdrawn = $2";
    let rows = store.fetch(sql, &[tenant.as_str().into(), false.into()]).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.int(0))?)
}

/// The orders that these lines are metered in.
pub async fn orders_metering(
    store: &dyn ReadStore,
    tenant: &TenantId,
    lines: &[LineId],
) -> Result<BTreeMap<LineId, SubscriptionId>, ReadError> {
    let mut orders = BTreeMap::new();
    for some in lines.chunks(NAMED) {
        let (list, parameters) = named(tenant, some);
        let sql = format!(
            "SELECT m.line, m.subscription FROM metered_items m JOIN orders o \
             ON o.tenant = m.tenant AND o.subscription = m.subscription WHERE m.tenant = $1 AND m.line IN ({list})"
        );
        for row in store.fetch(&sql, &parameters).await? {
            orders.insert(row.parse(0, "a line id")?, row.parse(1, "a subscription id")?);
        }
    }
    Ok(orders)
}

/// Places for ids in a statement whose first parameter is the tenant.
fn named(tenant: &TenantId, ids: &[impl ToString]) -> (String, Vec<Value>) {
    let mut parameters: Vec<Value> = vec![tenant.as_str().into()];
    parameters.extend(ids.iter().map(|id| Value::from(id.to_string())));
    let places: Vec<_> = (2..=parameters.len()).map(|n| format!("${n}")).collect();
    (places.join(", "), parameters)
}

fn read(row: &Row) -> Result<UsageEntryView, RowError> {
    Ok(UsageEntryView {
        id: row.parse(0, "a usage id")?,
        withdrawn: row.bool(1)?,
        version: row.int(2)?,
        entry: row.json(3, "a statement of usage")?,
        position: row.int(4)?,
        created_at: row.time(5)?,
        created_by: row.text(6)?.to_owned(),
        updated_at: row.time(7)?,
        updated_by: row.text(8)?.to_owned(),
    })
}
