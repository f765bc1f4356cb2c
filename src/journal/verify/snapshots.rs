//! Snapshots against their streams: each stream that has one is folded again up to it.
//!
//! That reads those streams once more, a page of events at a time; one state is in memory at a time. Few streams have a
//! snapshot: the long ones.

use projections::Row;
use serde_json::Value as Json;

use super::{Audit, Walk};
use crate::journal::{
    StoreError,
    fault::Fault,
    reader::{self, ReadLogError},
    record::Stored,
    store::SNAPSHOTS,
    unit::AggregateKind,
};

/// How many streams are looked up at a time.
const PAGE: usize = 1_000;
/// How many events are folded at a time.
const EVENTS: usize = 1_000;

impl Audit<'_> {
    /// Streams whose events are damaged are left out: what they fold to proves nothing, and they are named already.
    pub(super) async fn snapshots(&self, walk: &mut Walk) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT aggregate_type, stream FROM {} WHERE shard = $1 AND (aggregate_type, stream) > ($2, $3) \
             ORDER BY aggregate_type, stream LIMIT {PAGE}",
            SNAPSHOTS.name
        );
        let mut after = (String::new(), String::new());
        loop {
            let parameters = [walk.shard.into(), after.0.as_str().into(), after.1.as_str().into()];
            let rows = self.store.read(&sql, &parameters).await?;
            for row in &rows {
                after = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
                if !walk.streams.get(&after).is_some_and(|last| last.damaged) {
                    let fault = self.snapshot(walk.shard, &after.0, &after.1).await?;
                    walk.faults.extend(fault);
                }
            }
            if rows.len() < PAGE {
                return Ok(());
            }
        }
    }

    async fn snapshot(&self, shard: i64, aggregate_type: &str, stream: &str) -> Result<Option<Fault>, StoreError> {
        let sql = format!(
            "SELECT state_version, sequence, hash, recorded_at, state FROM {} \
             WHERE shard = $1 AND aggregate_type = $2 AND stream = $3",
            SNAPSHOTS.name
        );
        let key = [shard.into(), aggregate_type.into(), stream.into()];
        let rows = self.store.read(&sql, &key).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let sequence = row.int(1)?;
        let fault = |what| {
            Ok(Some(Fault::Snapshot {
                shard,
                aggregate_type: aggregate_type.to_owned(),
                stream: stream.to_owned(),
                sequence,
                what,
            }))
        };
        let Some(kind) = AggregateKind::named(aggregate_type) else {
            return fault("aggregate type");
        };
        if row.int(0)? != i64::from(kind.state_version) {
            // Of another program's making: no command reads it.
            return Ok(None);
        }
        let mut state = (kind.empty)();
        let mut last: Option<Stored> = None;
        let mut version = 0;
        while version < sequence {
            let rows = self.events(shard, aggregate_type, stream, (version, sequence)).await?;
            let recordings = match reader::open(self.store, rows).await {
                Ok(recordings) => recordings,
                Err(ReadLogError::Store(error)) => return Err(error),
                // Written after the walk and damaged since: the next audit names it.
                Err(ReadLogError::Upcast { .. } | ReadLogError::Sealed { .. }) => return Ok(None),
            };
            for recording in recordings {
                for event in &recording.events {
                    (kind.apply)(state.as_mut(), event);
                }
                last = Some(recording.stored);
            }
            match &last {
                Some(last) if last.sequence > version => version = last.sequence,
                Some(_) | None => return fault("event"),
            }
        }
        let Some(last) = last else { return fault("event") };
        if last.hash != row.bytes(2)? {
            return fault("hash");
        }
        if last.recorded_at != row.int(3)? {
            return fault("time");
        }
        let written = (kind.restore)(row.text(4)?).and_then(|state| json(&kind, state.as_ref()));
        match (written, json(&kind, state.as_ref())) {
            (Ok(written), Ok(folded)) if written == folded => Ok(None),
            _ => fault("state"),
        }
    }

    /// A page of a stream's events after one sequence, up to another.
    async fn events(
        &self,
        shard: i64,
        aggregate_type: &str,
        stream: &str,
        (after, to): (i64, i64),
    ) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "SELECT {} FROM journal WHERE shard = $1 AND aggregate_type = $2 AND stream = $3 AND sequence > $4 \
             AND sequence <= $5 ORDER BY sequence LIMIT {EVENTS}",
            Stored::COLUMNS
        );
        let parameters = [
            shard.into(),
            aggregate_type.into(),
            stream.into(),
            after.into(),
            to.into(),
        ];
        self.store.read(&sql, &parameters).await
    }
}

/// A state as it is compared: the order of an object's keys says nothing.
fn json(kind: &AggregateKind, state: &(dyn std::any::Any + Send + Sync)) -> Result<Json, serde_json::Error> {
    serde_json::from_str(&(kind.save)(state)?)
}
