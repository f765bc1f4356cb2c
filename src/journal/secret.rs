//! Secrets of a tenant: made when first asked for, kept beside the keys that seal personal data, never in the log.

use std::time::Duration;

use aggregates::id::TenantId;

use super::{
    CommandError, Journal, StoreError,
    record::shard_of,
    seal::{self, Key},
    store::SUBJECT_KEYS,
};

/// How often it is tried to keep a new one while the database asks for another try.
const MAX_TRIES: u32 = 12;

impl Journal {
    /// The tenant's secret of that name: the same for everybody who asks, also at the same time.
    pub async fn secret(&self, tenant: &TenantId, name: &str) -> Result<Key, CommandError> {
        // No subject is called so: their ids have no slash.
        let subject = format!("secret/{name}");
        for tries in 0..MAX_TRIES {
            if let Some(secret) = self.stored_subject_key(tenant, &subject).await? {
                return Ok(secret);
            }
            match self.keep(tenant, &subject, seal::new_key()).await {
                Ok(()) => {} // read again: somebody else may have been faster
                Err(StoreError::Contended(_)) => tokio::time::sleep(Duration::from_millis(1 << tries.min(9))).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommandError::Unavailable(
            "a secret of the tenant cannot be kept".into(),
        ))
    }

    async fn keep(&self, tenant: &TenantId, subject: &str, secret: Key) -> Result<(), StoreError> {
        let mut tx = self.inner.store.begin().await?;
        let sql = format!(
            "INSERT INTO {} (shard, tenant, subject, key) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            SUBJECT_KEYS.name
        );
        let row = [
            shard_of(tenant).into(),
            tenant.as_str().into(),
            subject.into(),
            secret.to_vec().into(),
        ];
        tx.execute(&sql, &row).await?;
        tx.commit().await
    }
}
