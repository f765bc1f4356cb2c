//! Pages of a shard's log by position, and what projections make of them. Positions have no gaps and commit in order,
//! so a page is a range of numbers, and the next one can be asked for before this one has come.

use aggregates::id::TenantId;
use chrono::DateTime;
use projections::{Projection, Recorded, Row, RowError, Writes, registry::Mode};

use super::{
    StoreError,
    seal::{self, Key},
    store::{SHARDS, Store},
    upcast,
};

/// How many positions are read at a time.
pub const PAGE: i64 = 10_000;

/// The positions `after < pos <= to` of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub shard: i64,
    pub after: i64,
    pub to: i64,
}

impl Range {
    pub fn parameters(self) -> [projections::Value; 3] {
        [self.shard.into(), self.after.into(), self.to.into()]
    }

    /// In pages.
    pub fn pages(self) -> impl Iterator<Item = Self> {
        let mut after = self.after;
        std::iter::from_fn(move || {
            let page = Self {
                shard: self.shard,
                after,
                to: self.to.min(after + PAGE),
            };
            after = page.to;
            (page.after < page.to).then_some(page)
        })
    }
}

/// An event that a projection cannot take.
#[derive(Debug, thiserror::Error)]
#[error("event {pos} of shard {shard} cannot be projected: {reason}")]
pub struct Poison {
    pub shard: i64,
    pub pos: i64,
    pub reason: String,
}

/// The events of a range that these projections look at, with the keys that open them.
pub fn sql(projections: &[&Projection]) -> String {
    let mut kinds: Vec<_> = projections
        .iter()
        .flat_map(|projection| projection.reads)
        .map(|kind| format!("'{kind}'"))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    // The key by a subquery, not by a join: it must stay one look into the index for each sealed event.
    format!(
        "SELECT j.shard, j.pos, j.tenant, j.aggregate_type, j.stream, j.sequence, j.event_type, j.event_version, \
         j.payload, j.recorded_at, j.key_id, CASE WHEN j.key_id IS NULL THEN NULL ELSE (SELECT k.key \
         FROM subject_keys k WHERE k.shard = j.shard AND k.tenant = j.tenant AND k.subject = j.key_id) END \
         FROM journal j WHERE j.shard = $1 AND j.pos > $2 AND j.pos <= $3 AND j.aggregate_type IN ({}) ORDER BY j.pos",
        kinds.join(", ")
    )
}

/// Applies the projections to the rows; returns the poison it stopped before, if any.
pub fn fold(rows: &[Row], projections: &[&'static Projection], writes: &mut Writes) -> Result<(), Poison> {
    let mut tenant = TenantId::from_stored("");
    for row in rows {
        fold_one(row, projections, writes, &mut tenant).map_err(|reason| Poison {
            shard: row.int(0).unwrap_or_default(),
            pos: row.int(1).unwrap_or_default(),
            reason,
        })?;
    }
    Ok(())
}

fn fold_one(
    row: &Row,
    projections: &[&'static Projection],
    writes: &mut Writes,
    tenant: &mut TenantId,
) -> Result<(), String> {
    let damaged = |error: RowError| error.to_string();
    let name = row.text(2).map_err(damaged)?;
    if tenant.as_str() != name {
        *tenant = TenantId::from_stored(name);
    }
    let kind = row.text(3).map_err(damaged)?;
    let aggregate_id = row.text(4).map_err(damaged)?;
    let aggregate_id = aggregate_id
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or("its stream is not one of its tenant's")?;
    let version = u32::try_from(row.int(7).map_err(damaged)?).map_err(|error| error.to_string())?;
    let payload = row.text(8).map_err(damaged)?;
    let opened = if row.optional_text(10).map_err(damaged)?.is_some() {
        let key = key(row, 11).map_err(damaged)?;
        Some(seal::unseal(payload, key.as_ref()).map_err(|error| error.to_string())?)
    } else {
        None
    };
    let payload = opened.as_deref().unwrap_or(payload);
    let events =
        upcast::decode(kind, row.text(6).map_err(damaged)?, version, payload).map_err(|error| error.to_string())?;
    for event in &events {
        let recorded = Recorded {
            tenant,
            position: row.int(1).map_err(damaged)?,
            aggregate_id,
            sequence: row.int(5).map_err(damaged)?,
            recorded_at: DateTime::from_timestamp_micros(row.int(9).map_err(damaged)?).unwrap_or_default(),
            event,
        };
        for projection in projections.iter().filter(|projection| projection.reads.contains(&kind)) {
            (projection.apply)(&recorded, writes);
        }
    }
    Ok(())
}

/// A subject's key in a row, or none where it is gone.
pub fn key(row: &Row, column: usize) -> Result<Option<Key>, RowError> {
    match row.get(column) {
        projections::Value::Null => Ok(None),
        _ => Key::try_from(row.bytes(column)?)
            .map(Some)
            .map_err(|_| row.error(column, "a key of 32 bytes")),
    }
}

/// The last position of each shard.
pub async fn heads(store: &dyn Store) -> Result<Vec<i64>, StoreError> {
    let mut heads = vec![0; usize::try_from(SHARDS).unwrap_or_default()];
    for row in store.read("SELECT shard, pos FROM head", &[]).await? {
        if let Some(head) = usize::try_from(row.int(0)?).ok().and_then(|shard| heads.get_mut(shard)) {
            *head = row.int(1)?;
        }
    }
    Ok(heads)
}

/// The projections that are applied from checkpoints.
pub fn asynchronous() -> impl Iterator<Item = &'static Projection> {
    projections::PROJECTIONS
        .iter()
        .filter(|projection| projection.mode == Mode::Async)
}
