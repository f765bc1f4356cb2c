//! Loading many streams before the commands that need them: two queries instead of one a stream.

use std::{collections::HashMap, sync::Arc};

use aggregates::id::TenantId;
use projections::{Row, Value};

use super::{
    Journal, StoreError, Streams,
    cache::{Loaded, Slot},
    reader::{self, ReadLogError, Recording},
    record::{StreamKey, qualified},
    store::{EVENTS_OF_STREAMS, STREAMS},
    unit::{self, AggregateKind},
};

/// Streams of more events are left to the commands that need them: they have snapshots, and many would fill the memory.
const SHORT: i64 = 64;

/// A stream that is not in memory.
struct Absent {
    key: StreamKey,
    kind: AggregateKind,
    slot: Arc<Slot>,
    /// Of the slot before anything was read: what is evicted meanwhile must not come back.
    epoch: u64,
    events: Vec<Row>,
}

impl Journal {
    /// Brings streams into memory that are about to be asked for. Nothing depends on it but time: a stream that cannot
    /// be read is left to the command that needs it, which says why.
    pub async fn load_ahead(&self, tenant: &TenantId, streams: &Streams) -> Result<(), StoreError> {
        let mut absent = self.absent(tenant, streams);
        if absent.is_empty() {
            return Ok(());
        }
        let store = self.inner.store.as_ref();
        // It is never closed.
        let _turn = self.inner.ahead.acquire().await;
        let keys: Vec<Vec<Value>> = absent
            .values()
            .map(|absent| {
                let (stream, shard) = (absent.key.qualified(), absent.key.shard());
                vec![stream.into(), absent.key.aggregate_type.into(), shard.into()]
            })
            .collect();
        let mut short: Vec<Vec<Value>> = Vec::new();
        for tip in store.select(&STREAMS, &keys).await? {
            let name = (tip.text(0)?.to_owned(), tip.text(1)?.to_owned());
            if tip.int(3)? > SHORT {
                absent.remove(&name);
            } else {
                short.push(vec![name.0.into(), name.1.into()]);
            }
        }
        for mut event in store.select(&EVENTS_OF_STREAMS, &short).await? {
            let name = (event.text(0)?.to_owned(), event.text(1)?.to_owned());
            event.0.drain(..EVENTS_OF_STREAMS.key);
            if let Some(absent) = absent.get_mut(&name) {
                absent.events.push(event);
            }
        }
        for absent in absent.into_values() {
            self.remember(absent).await;
        }
        Ok(())
    }

    /// The histories of streams of one type, in no order and each oldest first: in one query, however many they are.
    pub async fn histories(
        &self,
        tenant: &TenantId,
        aggregate_type: &'static str,
        ids: &[String],
    ) -> Result<HashMap<String, Vec<Recording>>, ReadLogError> {
        let store = self.inner.store.as_ref();
        let names: Vec<Vec<Value>> = ids
            .iter()
            .map(|id| vec![qualified(tenant, id).into(), aggregate_type.into()])
            .collect();
        let mut events = store.select(&EVENTS_OF_STREAMS, &names).await?;
        for event in &mut events {
            event.0.drain(..EVENTS_OF_STREAMS.key);
        }
        let mut histories: HashMap<String, Vec<Recording>> = HashMap::with_capacity(ids.len());
        for recording in reader::open(store, events).await? {
            let id = recording.stored.aggregate_id.clone();
            histories.entry(id).or_default().push(recording);
        }
        for history in histories.values_mut() {
            history.sort_by_key(|recording| recording.stored.sequence);
        }
        Ok(histories)
    }

    /// Those of the streams that nobody has loaded and nobody works on, by their names in the store.
    fn absent(&self, tenant: &TenantId, streams: &Streams) -> HashMap<(String, String), Absent> {
        let mut absent = HashMap::with_capacity(streams.wanted.len());
        for wanted in &streams.wanted {
            let key = StreamKey {
                hot: wanted.hot,
                tenant: tenant.clone(),
                aggregate_type: wanted.aggregate_type,
                id: wanted.id.clone(),
            };
            let slot = self.inner.cache.slot(&key);
            if slot.is_empty() {
                let name = (key.qualified(), key.aggregate_type.to_owned());
                let (kind, epoch, events) = (wanted.kind, slot.epoch(), Vec::new());
                absent.insert(
                    name,
                    Absent {
                        key,
                        kind,
                        slot,
                        epoch,
                        events,
                    },
                );
            }
        }
        absent
    }

    async fn remember(&self, absent: Absent) {
        let Absent {
            key,
            kind,
            slot,
            epoch,
            events,
        } = absent;
        let Ok(mut recordings) = reader::open(self.inner.store.as_ref(), events).await else {
            return;
        };
        recordings.sort_by_key(|recording| recording.stored.sequence);
        let mut loaded = Loaded {
            epoch,
            ..unit::empty(&kind)
        };
        if reader::fold(&key, &kind, &mut loaded, &recordings).is_ok() {
            slot.fill(loaded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Stored;
    use super::*;

    #[test]
    fn an_event_of_a_stream_is_read_as_the_reader_reads_it() {
        let names: Vec<_> = EVENTS_OF_STREAMS.columns[EVENTS_OF_STREAMS.key..]
            .iter()
            .map(|column| column.name)
            .collect();
        assert_eq!(names.join(", "), Stored::COLUMNS);
    }
}
