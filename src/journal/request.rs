//! A command's envelope: whose it is, who asks, when, and under which key it may be sent again.

use aggregates::id::TenantId;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::clock;

/// Everything about a command that is not the command.
#[derive(Clone, Debug)]
pub struct Request {
    pub tenant: TenantId,
    /// Who asks: a credential's public id, or a process.
    pub actor: String,
    /// The door: `wingback`, `exsited`, `chip`, `billstream`, `cli`; `scheduler` for what is billed by itself.
    pub dialect: &'static str,
    pub request_id: String,
    pub at: DateTime<Utc>,
    /// Identifies the command for ever. Sent again, it gets the stored reply.
    pub command_id: String,
    /// Hash of the request as it came; the same key with another hash is refused.
    pub request_hash: String,
    /// The command id comes from the caller, so it may have been seen before.
    pub keyed: bool,
}

impl Request {
    /// A request without an idempotency key: it is always new.
    pub fn new(tenant: TenantId, actor: impl Into<String>, dialect: &'static str, at: DateTime<Utc>) -> Self {
        let command_id = clock::command_uuid().to_string();
        Self {
            tenant,
            actor: actor.into(),
            dialect,
            request_id: command_id.clone(),
            at,
            command_id,
            request_hash: String::new(),
            keyed: false,
        }
    }

    /// Under a key of the caller's, which belongs to one dialect; `content` is the request as it came.
    #[must_use]
    pub fn with_key(mut self, key: &str, content: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in content {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        // '#' sets the parts of a request apart: a key that has one must not look like a part of another key's request.
        let key = key.replace('%', "%25").replace('#', "%23");
        self.command_id = format!("{}:{key}", self.dialect);
        self.request_hash = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        self.keyed = true;
        self
    }

    /// One of several commands that a request consists of: its id is derived, so a retry finds what was done.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self {
            command_id: format!("{}#{name}", self.command_id),
            ..self.clone()
        }
    }

    /// An id for a new thing that this command makes: the same when the command is sent again.
    pub fn derive(&self, name: &str) -> uuid::Uuid {
        self.tenant.derive(&format!("{}#{name}", self.command_id))
    }
}
