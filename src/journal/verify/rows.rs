//! Rows that refer to events, against the events: heads, streams, commands, keys.

use std::collections::HashSet;

use aggregates::event::AGGREGATE_TYPES;
use projections::{Row, Value};
use serde_json::Value as Json;

use super::{Audit, Walk};
use crate::journal::{StoreError, fault::Fault, record::reply_hash, scan::Range};

/// How many rows of streams are checked at a time.
const PAGE: usize = 10_000;
/// How many positions' replies are read at a time: some are long lists.
const REPLIES: i64 = 500;

impl Audit<'_> {
    pub(super) async fn beyond_head(&self, walk: &mut Walk) -> Result<(), StoreError> {
        let sql = "SELECT COUNT(*) FROM journal WHERE shard = $1 AND pos > (SELECT pos FROM head WHERE shard = $1)";
        let rows = self.store.read(sql, &[walk.shard.into()]).await?;
        let events = rows.first().map_or(Ok(0), |row| row.int(0))?;
        if events > 0 {
            let shard = walk.shard;
            walk.faults.push(Fault::BeyondHead { shard, events });
        }
        Ok(())
    }

    /// Each stream's row against its last event. Commands may have moved it on since the walk: then the event it
    /// names must be there, with the hash it names.
    pub(super) async fn stream_rows(&self, walk: &mut Walk) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT s.aggregate_type, s.stream, s.version, s.hash, j.hash FROM streams s \
             LEFT JOIN journal j ON j.shard = s.shard AND j.aggregate_type = s.aggregate_type AND j.stream = s.stream \
             AND j.sequence = s.version \
             WHERE s.shard = $1 AND (s.stream, s.aggregate_type) > ($2, $3) \
             ORDER BY s.stream, s.aggregate_type LIMIT {PAGE}"
        );
        let mut unseen: HashSet<_> = walk.streams.keys().cloned().collect();
        let mut after = (String::new(), String::new());
        let shard = walk.shard;
        loop {
            let parameters = [shard.into(), after.1.as_str().into(), after.0.as_str().into()];
            let rows = self.store.read(&sql, &parameters).await?;
            for row in &rows {
                let key = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
                let (version, hash) = (row.int(2)?, row.bytes(3)?);
                let last = walk.streams.get(&key).map_or(0, |last| last.sequence);
                let (aggregate_type, stream) = key.clone();
                if version < last || *row.get(4) == Value::Null {
                    walk.faults.push(Fault::StreamVersion {
                        shard,
                        aggregate_type,
                        stream,
                        version,
                        last,
                    });
                } else if row.bytes(4)? != hash {
                    walk.faults.push(Fault::StreamHash {
                        shard,
                        aggregate_type,
                        stream,
                        version,
                    });
                }
                unseen.remove(&key);
                after = key;
            }
            if rows.len() < PAGE {
                break;
            }
        }
        walk.faults
            .extend(unseen.into_iter().map(|(aggregate_type, stream)| Fault::StreamUnknown {
                shard,
                aggregate_type,
                stream,
            }));
        Ok(())
    }

    /// Commands that changed something, against the first and the last event they wrote.
    pub(super) async fn command_rows(&self, walk: &mut Walk) -> Result<(), StoreError> {
        let sql = "SELECT c.tenant, c.command_id, c.first_pos, c.last_pos FROM commands c \
                   LEFT JOIN journal f ON f.shard = c.shard AND f.pos = c.first_pos AND f.tenant = c.tenant \
                   AND f.command_id = c.command_id \
                   LEFT JOIN journal l ON l.shard = c.shard AND l.pos = c.last_pos AND l.tenant = c.tenant \
                   AND l.command_id = c.command_id \
                   WHERE c.shard = $1 AND (c.first_pos <> 0 OR c.last_pos <> 0) AND (f.pos IS NULL OR l.pos IS NULL)";
        for row in self.store.read(sql, &[walk.shard.into()]).await? {
            walk.faults.push(Fault::CommandNowhere {
                shard: walk.shard,
                tenant: row.text(0)?.to_owned(),
                command_id: row.text(1)?.to_owned(),
                first: row.int(2)?,
                last: row.int(3)?,
            });
        }
        Ok(())
    }

    /// A key is destroyed together with an event that says so, in the subject's own stream.
    pub(super) async fn lost_keys(&self, walk: &mut Walk) -> Result<(), StoreError> {
        let kinds: Vec<_> = AGGREGATE_TYPES.iter().map(|kind| format!("'{kind}'")).collect();
        let sql = format!(
            "SELECT pos FROM journal WHERE shard = $1 AND aggregate_type IN ({}) AND stream = $2 \
             AND event_type LIKE '%.forgotten' LIMIT 1",
            kinds.join(", ")
        );
        for ((tenant, subject), place) in std::mem::take(&mut walk.keyless) {
            let stream = format!("{tenant}/{subject}");
            let forgotten = self.store.read(&sql, &[walk.shard.into(), stream.into()]).await?;
            if forgotten.is_empty() {
                walk.faults.push(Fault::KeyLost { place, subject });
            }
        }
        Ok(())
    }

    /// Events whose command has no row: sent again under its key, it would be booked again.
    pub(super) async fn missing_commands(&self, walk: &mut Walk) -> Result<(), StoreError> {
        let sql = "SELECT MIN(j.pos), j.tenant, j.command_id FROM journal j \
                   LEFT JOIN commands c ON c.shard = j.shard AND c.tenant = j.tenant AND c.command_id = j.command_id \
                   AND j.pos BETWEEN c.first_pos AND c.last_pos \
                   WHERE j.shard = $1 AND c.command_id IS NULL GROUP BY j.tenant, j.command_id ORDER BY 1";
        for row in self.store.read(sql, &[walk.shard.into()]).await? {
            walk.faults.push(Fault::CommandMissing {
                shard: walk.shard,
                pos: row.int(0)?,
                tenant: row.text(1)?.to_owned(),
                command_id: row.text(2)?.to_owned(),
            });
        }
        Ok(())
    }

    /// Stored replies, against the hash of them in the metadata of the first event their commands wrote. That the row
    /// names the first event is what the checks of commands have found.
    pub(super) async fn replies(&self, walk: &mut Walk, head: i64) -> Result<(), StoreError> {
        let sql = "SELECT j.pos, j.tenant, j.command_id, j.metadata, c.reply FROM journal j \
                   JOIN commands c ON c.shard = j.shard AND c.tenant = j.tenant AND c.command_id = j.command_id \
                   AND c.first_pos = j.pos WHERE j.shard = $1 AND j.pos > $2 AND j.pos <= $3 ORDER BY j.pos";
        let mut after = 0;
        while after < head {
            let mut page = Range {
                shard: walk.shard,
                after,
                to: head.min(after + REPLIES),
            };
            after = page.to;
            let rows = match self.store.read(sql, &page.parameters()).await {
                // Each by itself, to name the one that the database cannot hand out.
                Err(StoreError::Failed(_)) => {
                    let mut rows = Vec::new();
                    for pos in page.after + 1..=after {
                        (page.after, page.to) = (pos - 1, pos);
                        match self.store.read(sql, &page.parameters()).await {
                            Ok(read) => rows.extend(read),
                            Err(StoreError::Failed(_)) if walk.unreadable.contains(&pos) => {}
                            Err(StoreError::Failed(error)) => walk.faults.push(Fault::Unreadable {
                                shard: walk.shard,
                                pos,
                                reason: format!("the reply of its command: {error}"),
                            }),
                            Err(error) => return Err(error),
                        }
                    }
                    rows
                }
                read => read?,
            };
            for row in rows {
                walk.reply(&row)?;
            }
        }
        Ok(())
    }

    /// Keys that should be gone: their subject was forgotten.
    pub(super) async fn kept_keys(&self, walk: &mut Walk) -> Result<(), StoreError> {
        let kinds: Vec<_> = AGGREGATE_TYPES.iter().map(|kind| format!("'{kind}'")).collect();
        let sql = format!(
            "SELECT j.pos, k.tenant, k.subject FROM subject_keys k \
             JOIN journal j ON j.shard = k.shard AND j.aggregate_type IN ({}) \
             AND j.stream = k.tenant || '/' || k.subject AND j.event_type LIKE '%.forgotten' WHERE k.shard = $1",
            kinds.join(", ")
        );
        for row in self.store.read(&sql, &[walk.shard.into()]).await? {
            walk.faults.push(Fault::KeyKept {
                shard: walk.shard,
                pos: row.int(0)?,
                tenant: row.text(1)?.to_owned(),
                subject: row.text(2)?.to_owned(),
            });
        }
        Ok(())
    }
}

impl Walk {
    fn reply(&mut self, row: &Row) -> Result<(), StoreError> {
        let metadata = serde_json::from_str::<Json>(row.text(3)?).unwrap_or_default();
        let given = metadata.get("reply_sha256").and_then(Json::as_str);
        if given.is_some_and(|given| given != reply_hash(row.text(4).unwrap_or_default())) {
            self.faults.push(Fault::ReplyChanged {
                shard: self.shard,
                pos: row.int(0)?,
                tenant: row.text(1)?.to_owned(),
                command_id: row.text(2)?.to_owned(),
            });
        }
        Ok(())
    }
}
