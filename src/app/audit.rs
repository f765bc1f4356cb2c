//! The log, as a tenant may read it: its own events, and nobody else's.

use aggregates::id::TenantId;

use super::App;
use crate::journal::{CommandError, Feed, Recording};

impl App {
    /// A page of the tenant's events in the order in which they took effect.
    pub async fn events(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Feed, CommandError> {
        Ok(self.journal.feed(tenant, after, limit).await?)
    }

    /// Everything that happened to one thing; empty where the tenant has no such thing.
    pub async fn history(
        &self,
        tenant: &TenantId,
        aggregate_type: &str,
        id: &str,
    ) -> Result<Vec<Recording>, CommandError> {
        Ok(self.journal.stream_after(tenant, aggregate_type, id, 0).await?)
    }
}
