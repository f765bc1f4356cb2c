//! Who may come in: credentials, access tokens and sessions. Secrets are compared by hash only.

use std::sync::Arc;

use aggregates::{id::TenantId, tenant::CredentialKind};
use projections::{Value, tenant};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use super::{App, Principal};
use crate::{clock, journal::CommandError};

/// How long an access token and a session live, in seconds.
pub const TOKEN_SECONDS: i64 = 3600;
pub const SESSION_SECONDS: i64 = 12 * 3600;
/// Refresh tokens live long: they only help whoever also holds the client's secret.
const REFRESH_SECONDS: i64 = 365 * 24 * 3600;
const CACHED: usize = 10_000;

/// Credentials seen lately, by the hash of their secret, so that a request costs no query.
pub struct Access {
    known: Cache<(CredentialKind, String), Arc<Principal>>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            known: Cache::new(CACHED),
        }
    }
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    ExsitedAccess,
    ExsitedRefresh,
    Session,
}

impl TokenKind {
    fn word(self) -> &'static str {
        match self {
            Self::ExsitedAccess => "exsited_access",
            Self::ExsitedRefresh => "exsited_refresh",
            Self::Session => "session",
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::ExsitedAccess => TOKEN_SECONDS,
            Self::ExsitedRefresh => REFRESH_SECONDS,
            Self::Session => SESSION_SECONDS,
        }
    }
}

impl App {
    /// Whose key this is.
    pub async fn principal(&self, kind: CredentialKind, secret: &str) -> Result<Option<Arc<Principal>>, CommandError> {
        let key = (kind, sha256_hex(secret));
        if let Some(principal) = self.access.known.get(&key) {
            return Ok(Some(principal));
        }
        let found = tenant::credential(self.journal.views(), kind, &key.1).await?;
        let Some(found) = found else { return Ok(None) };
        let principal = Arc::new(Principal {
            tenant: found.tenant,
            actor: found.public_id,
            test_mode: found.test_mode,
        });
        self.access.known.insert(key, Arc::clone(&principal));
        Ok(Some(principal))
    }

    /// Whose `OAuth2` client this is: id and secret must belong together.
    pub async fn client_principal(
        &self,
        client_id: &str,
        secret: &str,
    ) -> Result<Option<Arc<Principal>>, CommandError> {
        let found = self.principal(CredentialKind::Exsited, secret).await?;
        Ok(found.filter(|principal| principal.actor == client_id))
    }

    /// A new token for this principal.
    pub async fn issue_token(&self, principal: &Principal, kind: TokenKind) -> Result<String, CommandError> {
        let token = clock::random_secret();
        let now = self.clock.now();
        let expires = now + chrono::Duration::seconds(kind.seconds());
        let mut tx = self.journal.store().begin().await?;
        tx.execute("DELETE FROM access_tokens WHERE expires_at < $1", &[now.into()])
            .await?;
        tx.execute(
            "INSERT INTO access_tokens (token_sha256, tenant, kind, public_id, expires_at) VALUES ($1, $2, $3, $4, $5)",
            &[
                sha256_hex(&token).into(),
                principal.tenant.as_str().into(),
                kind.word().into(),
                principal.actor.as_str().into(),
                expires.into(),
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Whose token this is, while it has not expired.
    pub async fn token_principal(&self, token: &str, kind: TokenKind) -> Result<Option<Principal>, CommandError> {
        let parameters: [Value; 3] = [sha256_hex(token).into(), kind.word().into(), self.clock.now().into()];
        let rows = self
            .journal
            .store()
            .read(
                "SELECT a.tenant, a.public_id, t.test_clock FROM access_tokens a JOIN tenants t ON t.tenant = a.tenant \
                 WHERE a.token_sha256 = $1 AND a.kind = $2 AND a.expires_at > $3",
                &parameters,
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let read = || -> Result<Principal, projections::RowError> {
            Ok(Principal {
                tenant: TenantId::from_stored(row.text(0)?),
                actor: row.text(1)?.to_owned(),
                test_mode: row.optional_time(2)?.is_some(),
            })
        };
        Ok(Some(read().map_err(projections::ReadError::from)?))
    }
}

pub fn sha256_hex(secret: &str) -> String {
    Sha256::digest(secret.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
