//! What happened to a tenant.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Recordable;

/// Which door a credential opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// Our own API: bearer key.
    Billstream,
    /// `wb-key` header.
    Wingback,
    /// `OAuth2` client credentials.
    Exsited,
    /// Bearer secret key.
    Chip,
}

/// A credential as it is kept: its public part, and the hash of its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub kind: CredentialKind,
    /// What is not secret of it: the `OAuth2` client id; the first characters of a key.
    pub public_id: String,
    /// SHA-256 of the secret (256 random bits, so a fast hash is enough), in hex.
    pub secret_sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Created {
        at: DateTime<Utc>,
        name: String,
        company_id: Uuid,
        brand_id: Uuid,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        test_mode: bool,
    },
    /// The tenant's own clock now shows `at`.
    ClockMoved {
        at: DateTime<Utc>,
    },
    CredentialIssued {
        at: DateTime<Utc>,
        credential: Credential,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "tenant.created",
            Self::ClockMoved { .. } => "tenant.clock_moved",
            Self::CredentialIssued { .. } => "tenant.credential_issued",
        }
    }
}
