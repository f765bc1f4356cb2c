//! Pages of a shard's log by position, and what projections make of them. Positions have no gaps and commit in order,
//! so a page is a range of numbers, and the next one can be asked for before this one has come.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe},
};

use aggregates::{AnyEvent, event::AGGREGATE_TYPES, id::TenantId};
use chrono::{DateTime, Utc};
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

/// The events of a range that these projections look at, with the keys that open them. What is short comes packed into
/// one column: a column of a row costs the drivers more than cutting a text does.
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
        "SELECT j.pos, concat_ws('|', j.shard, j.aggregate_type, j.event_type, j.event_version, j.sequence, \
         j.recorded_at, CASE WHEN j.key_id IS NULL THEN 'open' ELSE 'sealed' END, j.tenant, j.stream), \
         j.payload, CASE WHEN j.key_id IS NULL THEN NULL ELSE (SELECT k.key \
         FROM subject_keys k WHERE k.shard = j.shard AND k.tenant = j.tenant AND k.subject = j.key_id) END \
         FROM journal j WHERE j.shard = $1 AND j.pos > $2 AND j.pos <= $3 AND j.aggregate_type IN ({}) ORDER BY j.pos",
        kinds.join(", ")
    )
}

/// A row of the log as the events it means today.
pub struct Decoded {
    position: i64,
    tenant: TenantId,
    kind: &'static str,
    aggregate_id: String,
    sequence: i64,
    recorded_at: DateTime<Utc>,
    events: Vec<AnyEvent>,
}

impl Decoded {
    fn apply(&self, projections: &[&'static Projection], writes: &mut Writes) {
        for event in &self.events {
            let recorded = Recorded {
                tenant: &self.tenant,
                position: self.position,
                aggregate_id: &self.aggregate_id,
                sequence: self.sequence,
                recorded_at: self.recorded_at,
                event,
            };
            for projection in projections
                .iter()
                .filter(|projection| projection.reads.contains(&self.kind))
            {
                (projection.apply)(&recorded, writes);
            }
        }
    }
}

/// All rows of a page, or the first that does not read.
pub fn decode(rows: &[Row]) -> Result<Vec<Decoded>, Poison> {
    rows.iter().map(decode_row).collect()
}

pub fn apply(events: &[Decoded], projections: &[&'static Projection], writes: &mut Writes) {
    for event in events {
        event.apply(projections, writes);
    }
}

/// Applies the projections to the rows; returns the poison it stopped before, if any: an event that does not read, or
/// one that a projection panics on. The writes of a panic may be half of an event's.
pub fn fold(rows: &[Row], projections: &[&'static Projection], writes: &mut Writes) -> Result<(), Poison> {
    for row in rows {
        let event = decode_row(row)?;
        // The only thing a panic leaves behind are the writes, which are of no use after it.
        let applied = panic::catch_unwind(AssertUnwindSafe(|| event.apply(projections, writes)));
        applied.map_err(|panic| poison(row, format!("a projection panicked: {}", words(panic.as_ref()))))?;
    }
    Ok(())
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}

fn decode_row(row: &Row) -> Result<Decoded, Poison> {
    decode_fields(row).map_err(|reason| poison(row, reason))
}

fn poison(row: &Row, reason: String) -> Poison {
    Poison {
        shard: row
            .text(1)
            .ok()
            .and_then(|packed| packed.split('|').next()?.parse().ok())
            .unwrap_or_default(),
        pos: row.int(0).unwrap_or_default(),
        reason,
    }
}

fn decode_fields(row: &Row) -> Result<Decoded, String> {
    let damaged = |error: RowError| error.to_string();
    let mut packed = row.text(1).map_err(damaged)?.splitn(9, '|').skip(1);
    let mut next = || packed.next().ok_or("the row is cut short");
    let number = |text: &str| text.parse::<i64>().map_err(|error| format!("{text}: {error}"));
    let (kind, name) = (next()?, next()?);
    let version = u32::try_from(number(next()?)?).map_err(|error| error.to_string())?;
    let (sequence, recorded_at) = (number(next()?)?, number(next()?)?);
    let sealed = next()? == "sealed";
    let (tenant, stream) = (next()?, next()?);
    let aggregate_id = stream
        .strip_prefix(tenant)
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or("its stream is not one of its tenant's")?;
    let payload = row.text(2).map_err(damaged)?;
    let opened = if sealed {
        let key = key(row, 3).map_err(damaged)?;
        Some(seal::unseal(payload, key.as_ref()).map_err(|error| error.to_string())?)
    } else {
        None
    };
    let payload = opened.as_deref().unwrap_or(payload);
    Ok(Decoded {
        position: row.int(0).map_err(damaged)?,
        tenant: TenantId::from_stored(tenant),
        kind: AGGREGATE_TYPES
            .iter()
            .find(|known| **known == kind)
            .ok_or_else(|| format!("no aggregate is called {kind}"))?,
        aggregate_id: aggregate_id.to_owned(),
        sequence,
        recorded_at: DateTime::from_timestamp_micros(recorded_at).ok_or("its time is out of range")?,
        events: upcast::decode(kind, name, version, payload).map_err(|error| error.to_string())?,
    })
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
