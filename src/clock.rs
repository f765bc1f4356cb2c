//! Time and randomness: the one place where the outside world's clock and dice are read.

use aggregates::id::TenantId;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What time it is; a test gives its own.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the machine, cut to microseconds, which is what the log keeps.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the edge where time comes in")]
    fn now(&self) -> DateTime<Utc> {
        let now = Utc::now();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }
}

/// A random id for a new thing.
#[expect(clippy::disallowed_methods, reason = "this is the edge where ids come in")]
pub fn random_uuid() -> Uuid {
    Uuid::new_v4()
}

/// An id that sorts by time: for commands that bring no key of their own.
#[expect(clippy::disallowed_methods, reason = "this is the edge where ids come in")]
pub fn command_uuid() -> Uuid {
    Uuid::now_v7()
}

pub fn random_tenant_id() -> TenantId {
    TenantId::from_random(rand::random())
}

/// 256 random bits as hex: a secret.
pub fn random_secret() -> String {
    rand::random::<[u8; 32]>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
