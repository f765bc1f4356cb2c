//! Invoicing preferences: queries.

use aggregates::{id::TenantId, terms::InvoicingPreferences};

use crate::{ReadError, ReadStore};

/// The preferences in force; a tenant that never changed them has the defaults.
pub async fn invoicing(store: &dyn ReadStore, tenant: &TenantId) -> Result<InvoicingPreferences, ReadError> {
    let rows = store
        .fetch(
            "SELECT invoicing FROM preferences WHERE tenant = $1",
            &[tenant.as_str().into()],
        )
        .await?;
    match rows.first() {
        Some(row) => Ok(row.json(0, "invoicing preferences")?),
        None => Ok(InvoicingPreferences::default()),
    }
}
