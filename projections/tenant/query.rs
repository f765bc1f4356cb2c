//! Tenants and credentials: queries.

use aggregates::{id::TenantId, tenant::CredentialKind};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{ReadError, ReadStore, Row, RowError, value::word};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantView {
    pub id: TenantId,
    pub name: String,
    pub company_id: Uuid,
    pub brand_id: Uuid,
    /// What the tenant's own clock shows; `None` where the tenant lives in real time.
    pub test_clock: Option<DateTime<Utc>>,
}

/// A credential found by its secret's hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialView {
    pub tenant: TenantId,
    pub public_id: String,
    /// Whether the tenant has a clock of its own.
    pub test_mode: bool,
}

pub async fn tenant(store: &dyn ReadStore, id: &TenantId) -> Result<Option<TenantView>, ReadError> {
    let sql = "SELECT tenant, name, company_id, brand_id, test_clock FROM tenants WHERE tenant = $1";
    let rows = store.fetch(sql, &[id.as_str().into()]).await?;
    Ok(rows.first().map(read).transpose()?)
}

pub async fn tenants(store: &dyn ReadStore) -> Result<Vec<TenantView>, ReadError> {
    let sql = "SELECT tenant, name, company_id, brand_id, test_clock FROM tenants ORDER BY created_at, tenant";
    let rows = store.fetch(sql, &[]).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Whose secret this is, if it opens a door of that kind.
pub async fn credential(
    store: &dyn ReadStore,
    kind: CredentialKind,
    secret_sha256: &str,
) -> Result<Option<CredentialView>, ReadError> {
    let sql = "SELECT c.tenant, c.public_id, t.test_clock FROM credentials c JOIN tenants t ON t.tenant = c.tenant \
               WHERE c.secret_sha256 = $1 AND c.kind = $2";
    let rows = store.fetch(sql, &[secret_sha256.into(), word(&kind)]).await?;
    let read = |row: &Row| -> Result<CredentialView, RowError> {
        Ok(CredentialView {
            tenant: TenantId::from_stored(row.text(0)?),
            public_id: row.text(1)?.to_owned(),
            test_mode: row.optional_time(2)?.is_some(),
        })
    };
    Ok(rows.first().map(read).transpose()?)
}

fn read(row: &Row) -> Result<TenantView, RowError> {
    Ok(TenantView {
        id: TenantId::from_stored(row.text(0)?),
        name: row.text(1)?.to_owned(),
        company_id: row.parse(2, "a company id")?,
        brand_id: row.parse(3, "a brand id")?,
        test_clock: row.optional_time(4)?,
    })
}
