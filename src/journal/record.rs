//! The stored form of an event, its place in the hash chain of its stream, and how it is read back.

use aggregates::{AnyEvent, id::TenantId};
use chrono::{DateTime, Utc};
use projections::{Row, RowError, Value};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::upcast::{self, UpcastError};

pub type Hash = [u8; 32];

/// The hash before the first event of a stream.
pub const GENESIS: Hash = [0; 32];

/// Which stream: tenant, kind of aggregate, and the aggregate's id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey {
    /// Streams that many commands share are locked last.
    pub hot: bool,
    pub tenant: TenantId,
    pub aggregate_type: &'static str,
    pub id: String,
}

impl StreamKey {
    /// How the stream is called in the store: unique over all tenants.
    pub fn qualified(&self) -> String {
        qualified(&self.tenant, &self.id)
    }

    pub fn shard(&self) -> i64 {
        shard_of(&self.tenant)
    }
}

pub fn qualified(tenant: &TenantId, id: &str) -> String {
    format!("{tenant}/{id}")
}

/// The shard of a tenant: a stable hash, never changed once data exists.
pub fn shard_of(tenant: &TenantId) -> i64 {
    bucket(tenant).rem_euclid(super::store::SHARDS)
}

fn bucket(tenant: &TenantId) -> i64 {
    i64::from(Sha256::digest(tenant.as_str().as_bytes())[0])
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub shard: i64,
    pub pos: i64,
    pub tenant: TenantId,
    pub aggregate_type: String,
    /// Aggregate id without the tenant.
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: u32,
    pub payload: String,
    pub metadata: String,
    /// Microseconds since the epoch.
    pub recorded_at: i64,
    pub command_id: String,
    pub key_id: Option<String>,
    pub hash: Vec<u8>,
}

impl Stored {
    /// The select list that [`Stored::read`] reads.
    pub const COLUMNS: &'static str = "shard, pos, tenant, aggregate_type, stream, sequence, event_type, \
                                       event_version, payload, metadata, recorded_at, command_id, key_id, hash";

    pub fn read(row: Row) -> Result<Self, RowError> {
        let version = u32::try_from(row.int(7)?).map_err(|_| row.error(7, "an event version"))?;
        let (shard, pos, sequence, recorded_at) = (row.int(0)?, row.int(1)?, row.int(5)?, row.int(10)?);
        let tenant = TenantId::from_stored(row.text(2)?);
        let aggregate_id = row
            .text(4)?
            .strip_prefix(tenant.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| row.error(4, "a stream of this tenant"))?
            .to_owned();
        row.bytes(13)?;
        let Ok::<[Value; 14], _>(
            [
                _,
                _,
                _,
                aggregate_type,
                _,
                _,
                event_type,
                _,
                payload,
                metadata,
                _,
                command,
                key,
                hash,
            ],
        ) = row.0.try_into()
        else {
            return Err(RowError {
                column: 14,
                expected: "14 columns",
                found: "another number".to_owned(),
            });
        };
        let text = |column: usize, value: Value| match value {
            Value::Text(text) => Ok(text),
            other => Err(RowError {
                column,
                expected: "text",
                found: format!("{other:?}"),
            }),
        };
        Ok(Self {
            shard,
            pos,
            tenant,
            aggregate_type: text(3, aggregate_type)?,
            aggregate_id,
            sequence,
            event_type: text(6, event_type)?,
            event_version: version,
            payload: text(8, payload)?,
            metadata: text(9, metadata)?,
            recorded_at,
            command_id: text(11, command)?,
            key_id: match key {
                Value::Null => None,
                key => Some(text(12, key)?),
            },
            hash: match hash {
                Value::Bytes(hash) => hash,
                _ => Vec::new(),
            },
        })
    }

    pub fn time(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.recorded_at).unwrap_or_default()
    }

    /// The link this event should have in its stream's chain.
    pub fn link(&self, previous: &[u8]) -> Hash {
        link(
            previous,
            &Linked {
                tenant: self.tenant.as_str(),
                aggregate_type: &self.aggregate_type,
                aggregate_id: &self.aggregate_id,
                sequence: self.sequence,
                event_type: &self.event_type,
                event_version: self.event_version,
                recorded_at: self.recorded_at,
                payload: &self.payload,
                metadata: &self.metadata,
            },
        )
    }

    /// The domain events this stored event stands for today. `payload` is the unsealed one.
    pub fn decode(&self, payload: &str) -> Result<Vec<AnyEvent>, UpcastError> {
        upcast::decode(&self.aggregate_type, &self.event_type, self.event_version, payload)
    }
}

/// What a link of the chain covers.
pub struct Linked<'a> {
    pub tenant: &'a str,
    pub aggregate_type: &'a str,
    pub aggregate_id: &'a str,
    pub sequence: i64,
    pub event_type: &'a str,
    pub event_version: u32,
    pub recorded_at: i64,
    pub payload: &'a str,
    pub metadata: &'a str,
}

/// SHA-256 over the previous link and every field, each text preceded by its length so that none can flow into another.
pub fn link(previous: &[u8], event: &Linked<'_>) -> Hash {
    let mut digest = Sha256::new();
    digest.update(previous);
    digest.update(event.sequence.to_be_bytes());
    digest.update(event.event_version.to_be_bytes());
    digest.update(event.recorded_at.to_be_bytes());
    let texts = [
        event.tenant,
        event.aggregate_type,
        event.aggregate_id,
        event.event_type,
        event.payload,
        event.metadata,
    ];
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    digest.finalize().into()
}

/// Who asked, through which door, in which request: enough to answer "who and why" without logs.
/// Values are text, as the standard readers of the es crates expect.
#[derive(Clone, Debug, Serialize)]
pub struct Metadata<'a> {
    pub actor: &'a str,
    pub dialect: &'a str,
    pub request_id: &'a str,
    pub command_id: &'a str,
    /// SHA-256 of the command's stored reply, in hex: it puts the reply, which stands in a row of its own, under the
    /// chain. Replies name no person, so that the log, which forgets nothing, holds no hash of what may have to be
    /// forgotten. Events of before there was this field have none.
    pub reply_sha256: &'a str,
    /// The edition of the time zone database by which local days were told: 2025b.
    pub tzdb: &'a str,
}

/// What [`Metadata::reply_sha256`] says of a reply.
pub fn reply_hash(reply: &str) -> String {
    let digest = Sha256::digest(reply.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event<'a>(payload: &'a str, metadata: &'a str) -> Linked<'a> {
        Linked {
            tenant: "t",
            aggregate_type: "a",
            aggregate_id: "i",
            sequence: 1,
            event_type: "e",
            event_version: 1,
            recorded_at: 0,
            payload,
            metadata,
        }
    }

    #[test]
    fn a_byte_moved_from_one_field_to_the_next_changes_the_link() {
        assert_ne!(link(&GENESIS, &event("ab", "c")), link(&GENESIS, &event("a", "bc")));
    }

    #[test]
    fn the_link_depends_on_what_came_before() {
        let first = link(&GENESIS, &event("{}", "{}"));
        assert_ne!(link(&first, &event("{}", "{}")), first);
    }

    #[test]
    fn the_shard_of_a_tenant_never_changes() {
        // Data is stored by these numbers: if this fails, the hash has changed, not the expectation.
        let buckets = ["t_a", "t_b", "t_c", "t_d"].map(|tenant| bucket(&TenantId::from_stored(tenant)));
        assert_eq!(buckets, [74, 209, 4, 189]);
    }
}
