//! Reading the log: one stream, a tenant's feed, or a whole shard, and the events as the domain knows them today.

use std::collections::HashMap;

use aggregates::{AnyEvent, Decider, event::TryFromAny, id::TenantId};
use projections::Row;

use super::{
    CommandError, Journal, StoreError,
    cache::Loaded,
    execute::corrupt,
    record::{Hash, Stored, StreamKey, qualified, shard_of},
    seal::{self, Key, SealError},
    store::{SNAPSHOTS, SUBJECT_KEYS, Store},
    unit::{self, AggregateKind},
    upcast::UpcastError,
};

/// A stored event with its payload opened and the domain events it stands for.
#[derive(Clone, Debug)]
pub struct Recording {
    pub stored: Stored,
    /// The payload with personal data readable, or `null` in its place once the subject is forgotten.
    pub payload: String,
    pub events: Vec<AnyEvent>,
}

/// One page of a tenant's events in order.
#[derive(Debug)]
pub struct Feed {
    pub recordings: Vec<Recording>,
    /// Where the next page starts.
    pub next_after: i64,
    /// The last position of the log when the page was read.
    pub head: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadLogError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("event {pos} of shard {shard} cannot be read: {source}")]
    Upcast { shard: i64, pos: i64, source: UpcastError },
    #[error("event {pos} of shard {shard} cannot be opened: {source}")]
    Sealed { shard: i64, pos: i64, source: SealError },
}

impl From<ReadLogError> for CommandError {
    fn from(error: ReadLogError) -> Self {
        match error {
            ReadLogError::Store(error) => error.into(),
            error => corrupt(error),
        }
    }
}

impl Journal {
    /// The state of an aggregate as the log has it, without locking it.
    pub async fn state<A: Decider>(&self, tenant: &TenantId, id: &str) -> Result<A, CommandError>
    where
        A::Event: TryFromAny,
    {
        let key = StreamKey {
            hot: A::HOT,
            tenant: tenant.clone(),
            aggregate_type: A::TYPE,
            id: id.to_owned(),
        };
        let loaded = self.load(&key, &AggregateKind::of::<A>()).await?;
        let state = loaded.state.downcast::<A>();
        state
            .map(|state| *state)
            .map_err(|_| CommandError::Corrupt(format!("{id} is no {}", A::TYPE).into()))
    }

    /// The state of a stream, from its snapshot where that fits, and the events after it.
    pub(super) async fn load(&self, key: &StreamKey, kind: &AggregateKind) -> Result<Loaded, CommandError> {
        // Most streams are shorter than a snapshot's interval: their beginning is all of them, in one query.
        let every = usize::try_from(kind.snapshot_every).unwrap_or_default();
        let mut loaded = unit::empty(kind);
        let beginning = self.page_of(key, 0, (every > 0).then_some(every)).await?;
        if every == 0 || beginning.len() < every {
            fold(key, kind, &mut loaded, &beginning)?;
            return Ok(loaded);
        }
        if let Some(snapshot) = self.snapshot(key, kind).await? {
            loaded = snapshot;
        }
        let rest = self.page_of(key, loaded.version, None).await?;
        fold(key, kind, &mut loaded, &rest)?;
        Ok(loaded)
    }

    async fn page_of(&self, key: &StreamKey, after: i64, limit: Option<usize>) -> Result<Vec<Recording>, ReadLogError> {
        let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        let sql = format!(
            "SELECT {} FROM journal WHERE shard = $1 AND aggregate_type = $2 AND stream = $3 AND sequence > $4 \
             ORDER BY sequence{limit}",
            Stored::COLUMNS
        );
        let parameters = [
            key.shard().into(),
            key.aggregate_type.into(),
            key.qualified().into(),
            after.into(),
        ];
        let rows = self.inner.store.read(&sql, &parameters).await?;
        open(self.inner.store.as_ref(), rows).await
    }

    async fn snapshot(&self, key: &StreamKey, kind: &AggregateKind) -> Result<Option<Loaded>, CommandError> {
        // Joined with the event it was taken after: a snapshot of a history that is not this one is passed over.
        let sql = format!(
            "SELECT s.sequence, s.hash, s.recorded_at, s.state FROM {} s \
             JOIN journal j ON j.shard = s.shard AND j.aggregate_type = s.aggregate_type AND j.stream = s.stream \
             AND j.sequence = s.sequence AND j.hash = s.hash \
             WHERE s.shard = $1 AND s.aggregate_type = $2 AND s.stream = $3 AND s.state_version = $4",
            SNAPSHOTS.name
        );
        let parameters = [
            key.shard().into(),
            key.aggregate_type.into(),
            key.qualified().into(),
            i64::from(kind.state_version).into(),
        ];
        let rows = self.inner.store.read(&sql, &parameters).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let read = |row: &Row| -> Result<_, projections::RowError> {
            Ok((
                row.int(0)?,
                row.bytes(1)?.to_vec(),
                row.int(2)?,
                row.text(3)?.to_owned(),
            ))
        };
        let (version, hash, last_at, state) = read(row).map_err(corrupt)?;
        Ok(Some(Loaded {
            state: (kind.restore)(&state).map_err(corrupt)?,
            version,
            hash: Hash::try_from(hash.as_slice()).map_err(corrupt)?,
            last_at,
            epoch: 0,
        }))
    }

    /// The history of one stream after a sequence number, oldest first.
    pub async fn stream_after(
        &self,
        tenant: &TenantId,
        aggregate_type: &str,
        id: &str,
        after: i64,
    ) -> Result<Vec<Recording>, ReadLogError> {
        let sql = format!(
            "SELECT {} FROM journal WHERE shard = $1 AND aggregate_type = $2 AND stream = $3 AND sequence > $4 \
             ORDER BY sequence",
            Stored::COLUMNS
        );
        let parameters = [
            shard_of(tenant).into(),
            aggregate_type.into(),
            qualified(tenant, id).into(),
            after.into(),
        ];
        let rows = self.inner.store.read(&sql, &parameters).await?;
        open(self.inner.store.as_ref(), rows).await
    }

    /// What a stream began with, however long it has become; `None` where there is no such stream.
    pub async fn first_event<A: Decider>(&self, tenant: &TenantId, id: &str) -> Result<Option<A::Event>, ReadLogError>
    where
        A::Event: TryFromAny,
    {
        let sql = format!(
            "SELECT {} FROM journal WHERE shard = $1 AND aggregate_type = $2 AND stream = $3 AND sequence = 1",
            Stored::COLUMNS
        );
        let parameters = [shard_of(tenant).into(), A::TYPE.into(), qualified(tenant, id).into()];
        let rows = self.inner.store.read(&sql, &parameters).await?;
        let recordings = open(self.inner.store.as_ref(), rows).await?;
        let first = recordings.first().and_then(|recording| recording.events.first());
        Ok(first.and_then(A::Event::try_from_any).cloned())
    }

    /// A tenant's events after a position, in the order in which they took effect.
    pub async fn feed(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Feed, ReadLogError> {
        let shard = shard_of(tenant);
        let heads = self
            .inner
            .store
            .read("SELECT pos FROM head WHERE shard = $1", &[shard.into()])
            .await?;
        let head = heads
            .first()
            .map_or(Ok(0), |row| row.int(0))
            .map_err(StoreError::from)?;
        let sql = format!(
            "SELECT {} FROM journal WHERE shard = $1 AND pos > $2 AND pos <= $3 AND tenant = $4 \
             ORDER BY pos LIMIT {limit}",
            Stored::COLUMNS
        );
        let parameters = [shard.into(), after.into(), head.into(), tenant.as_str().into()];
        let rows = self.inner.store.read(&sql, &parameters).await?;
        let recordings = open(self.inner.store.as_ref(), rows).await?;
        let full = recordings.len() == limit;
        let next_after = recordings
            .last()
            .filter(|_| full)
            .map_or(head.max(after), |last| last.stored.pos);
        Ok(Feed {
            recordings,
            next_after,
            head,
        })
    }

    pub(super) async fn stored_subject_key(
        &self,
        tenant: &TenantId,
        subject: &str,
    ) -> Result<Option<Key>, CommandError> {
        let keys = subject_keys(self.inner.store.as_ref(), [(tenant.clone(), subject.to_owned())]).await?;
        Ok(keys.into_values().next())
    }
}

/// Moves a state on by events that follow it.
pub(super) fn fold(
    key: &StreamKey,
    kind: &AggregateKind,
    loaded: &mut Loaded,
    recordings: &[Recording],
) -> Result<(), CommandError> {
    for recording in recordings {
        let stored = &recording.stored;
        if stored.sequence != loaded.version + 1 {
            let gap = format!(
                "event {} of {} {} is missing",
                loaded.version + 1,
                key.aggregate_type,
                key.id
            );
            return Err(CommandError::Corrupt(gap.into()));
        }
        for event in &recording.events {
            (kind.apply)(loaded.state.as_mut(), event);
        }
        loaded.version = stored.sequence;
        loaded.last_at = stored.recorded_at;
        loaded.hash = Hash::try_from(stored.hash.as_slice()).map_err(corrupt)?;
    }
    Ok(())
}

/// Reads rows of the log: unseals what can be unsealed, upcasts and decodes.
pub(super) async fn open(store: &dyn Store, rows: Vec<Row>) -> Result<Vec<Recording>, ReadLogError> {
    let stored = rows
        .into_iter()
        .map(Stored::read)
        .collect::<Result<Vec<_>, _>>()
        .map_err(StoreError::from)?;
    let subjects: std::collections::HashSet<_> = stored
        .iter()
        .filter_map(|stored| stored.key_id.clone().map(|subject| (stored.tenant.clone(), subject)))
        .collect();
    let keys = subject_keys(store, subjects).await?;
    stored
        .into_iter()
        .map(|stored| {
            let payload = match &stored.key_id {
                None => stored.payload.clone(),
                Some(subject) => {
                    let key = keys.get(&(stored.tenant.clone(), subject.clone()));
                    seal::unseal(&stored.payload, key).map_err(|source| ReadLogError::Sealed {
                        shard: stored.shard,
                        pos: stored.pos,
                        source,
                    })?
                }
            };
            let events = stored.decode(&payload).map_err(|source| ReadLogError::Upcast {
                shard: stored.shard,
                pos: stored.pos,
                source,
            })?;
            Ok(Recording {
                stored,
                payload,
                events,
            })
        })
        .collect()
}

async fn subject_keys(
    store: &dyn Store,
    subjects: impl IntoIterator<Item = (TenantId, String)>,
) -> Result<HashMap<(TenantId, String), Key>, StoreError> {
    let mut keys = HashMap::new();
    let sql = format!(
        "SELECT key FROM {} WHERE shard = $1 AND tenant = $2 AND subject = $3",
        SUBJECT_KEYS.name
    );
    for (tenant, subject) in subjects {
        let parameters = [
            shard_of(&tenant).into(),
            tenant.as_str().into(),
            subject.as_str().into(),
        ];
        if let Some(row) = store.read(&sql, &parameters).await?.first() {
            let key = Key::try_from(row.bytes(0)?).map_err(|_| row.error(0, "a key of 32 bytes"))?;
            keys.insert((tenant, subject), key);
        }
    }
    Ok(keys)
}
