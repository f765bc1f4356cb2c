//! What is known of each projection: the version of its tables, who rebuilds them, and how far an asynchronous one is.
//!
//! A projection has one row about its tables (shard -1: version, rebuild, lease) and, if it is asynchronous, one
//! checkpoint a shard. Two kinds of worker thereby never wait for each other's rows.

use chrono::Duration;
use projections::{PROJECTIONS, Projection, Value, registry::Mode};

use super::{
    BuildError, Journal, StoreError,
    scan::{self, heads},
    store::{CHECKPOINTS, Existing, SHARDS, Store, WriteTx},
};
use crate::clock::Clock;

/// The row about the tables themselves.
const TABLES: i64 = -1;
/// How long a rebuild may be silent before another one may take over.
const LEASE_SECONDS: i64 = 60;

/// What a projection is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Live,
    /// Served from its old tables while new ones are filled.
    Rebuilding,
    /// A rebuild was cut off; what is served is untouched. Start it again.
    RebuildInterrupted,
    /// It stopped before an event that it cannot take.
    Parked {
        shard: i64,
        position: i64,
        reason: String,
    },
    /// Its tables are of another version than this program's.
    Outdated {
        stored: i64,
    },
}

/// One line of `projections list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: &'static str,
    pub version: i64,
    pub mode: Mode,
    pub status: Status,
    /// How many events it has behind it, over all shards.
    pub position: i64,
    /// How many it has before it.
    pub lag: i64,
    /// Why the last rebuild failed, if it did.
    pub detail: Option<String>,
}

/// Adds the rows of projections that have none. Where the log holds events, such a projection's tables were never
/// built from them; checkpoints begin at the beginning.
pub async fn register(store: &dyn Store) -> Result<(), StoreError> {
    let known = store.read("SELECT name, shard FROM projections", &[]).await?;
    let mut missing = Vec::new();
    let wanted = PROJECTIONS.iter().flat_map(|projection| {
        let last = if projection.mode == Mode::Async { SHARDS } else { 0 };
        (TABLES..last).map(move |shard| (projection, shard))
    });
    for (projection, shard) in wanted {
        let key = [Value::from(projection.name), shard.into()];
        if known.iter().all(|row| row.0 != key) {
            missing.push((projection, shard));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let mut tx = store.begin().await?;
    let mut events = 0;
    for shard in 0..SHARDS {
        events += tx.lock_head(shard).await?;
    }
    let sql = "INSERT INTO projections (name, shard, version, pos, status, lease, fence) \
               VALUES ($1, $2, $3, 0, 'live', 0, 0) ON CONFLICT (name, shard) DO NOTHING";
    for (projection, shard) in missing {
        let built = events == 0 || projection.mode == Mode::Async;
        let version = if built { projection.version } else { 0 };
        tx.execute(sql, &[projection.name.into(), shard.into(), version.into()])
            .await?;
    }
    tx.commit().await
}

/// Refuses where a projection's tables are of another version than this program's.
pub async fn require_current(store: &dyn Store) -> Result<(), StoreError> {
    let rows = store
        .read(
            "SELECT name, version FROM projections WHERE shard = $1",
            &[TABLES.into()],
        )
        .await?;
    for projection in PROJECTIONS {
        for row in &rows {
            let stored = row.int(1)?;
            if row.text(0)? == projection.name && stored != projection.version {
                return Err(StoreError::Outdated {
                    name: projection.name,
                    stored,
                    wanted: projection.version,
                });
            }
        }
    }
    Ok(())
}

/// Every projection and how it is.
pub async fn list(journal: &Journal, clock: &dyn Clock) -> Result<Vec<Listed>, StoreError> {
    let store = journal.store().as_ref();
    let rows = store
        .read(
            "SELECT name, shard, version, pos, status, lease, detail FROM projections ORDER BY name, shard",
            &[],
        )
        .await?;
    let heads = heads(store).await?;
    let now = clock.now().timestamp_micros();
    let mut listed = Vec::with_capacity(PROJECTIONS.len());
    for projection in PROJECTIONS {
        let mut line = Listed {
            name: projection.name,
            version: projection.version,
            mode: projection.mode,
            status: Status::Live,
            position: 0,
            lag: 0,
            detail: None,
        };
        let mut behind = 0;
        for row in &rows {
            if row.text(0)? != projection.name {
                continue;
            }
            let (shard, stored, status) = (row.int(1)?, row.int(2)?, row.text(4)?);
            let detail = row.optional_text(6)?.map(str::to_owned);
            if shard == TABLES {
                line.detail = detail;
                line.status = match status {
                    "rebuilding" if row.int(5)? > now => Status::Rebuilding,
                    "rebuilding" => Status::RebuildInterrupted,
                    _ if stored != projection.version => Status::Outdated { stored },
                    _ => Status::Live,
                };
                continue;
            }
            behind += row.int(3)?;
            if status == "parked" && line.status == Status::Live {
                line.status = Status::Parked {
                    shard,
                    position: row.int(3)? + 1,
                    reason: detail.unwrap_or_default(),
                };
            }
        }
        let head: i64 = heads.iter().sum();
        line.position = if projection.mode == Mode::Async { behind } else { head };
        line.lag = (head - line.position).max(0);
        listed.push(line);
    }
    Ok(listed)
}

/// How many events each asynchronous projection has before it.
pub async fn lag(journal: &Journal) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let store = journal.store().as_ref();
    let sql = "SELECT CAST(SUM(h.pos - p.pos) AS BIGINT) FROM projections p JOIN head h ON h.shard = p.shard \
               WHERE p.name = $1";
    let mut lags = Vec::new();
    for projection in scan::asynchronous() {
        let rows = store.read(sql, &[projection.name.into()]).await?;
        let lag = rows.first().map_or(Ok(0), |row| row.int(0))?;
        lags.push((projection.name, lag));
    }
    Ok(lags)
}

/// The right to fill a projection's twins, held by one at a time and lost by silence.
pub(super) struct Lease {
    name: String,
    fence: i64,
}

impl Lease {
    /// Takes the lease; refused while another holder is alive.
    pub async fn take(tx: &mut dyn WriteTx, clock: &dyn Clock, name: &str) -> Result<Self, BuildError> {
        let blank = vec![
            name.into(),
            TABLES.into(),
            0.into(),
            0.into(),
            "live".into(),
            0.into(),
            0.into(),
            Value::Null,
        ];
        let key = [Value::from(name), TABLES.into()];
        let known = "SELECT 1 FROM projections WHERE name = $1 AND shard = $2";
        if tx.fetch(known, &key).await?.is_empty() {
            tx.insert(&CHECKPOINTS, CHECKPOINTS.name, &[blank], Existing::Replace)
                .await?;
        }
        let sql = "UPDATE projections SET status = 'rebuilding', lease = $3, fence = fence + 1, detail = NULL \
                   WHERE name = $1 AND shard = $2 AND (status <> 'rebuilding' OR lease <= $4)";
        let now = clock.now();
        let until = now + Duration::seconds(LEASE_SECONDS);
        let times = [until.into(), now.into()];
        let taken = tx.execute(sql, &[&key[..], &times[..]].concat()).await?;
        if taken == 0 {
            return Err(BuildError::Busy { name: name.to_owned() });
        }
        let rows = tx
            .fetch("SELECT fence FROM projections WHERE name = $1 AND shard = $2", &key)
            .await?;
        let fence = rows.first().map_or(Ok(0), |row| row.int(0)).map_err(StoreError::from)?;
        Ok(Self {
            name: name.to_owned(),
            fence,
        })
    }

    /// In each transaction that fills a twin: shows that its holder is alive, and that nobody has taken over.
    pub async fn renew(&self, tx: &mut dyn WriteTx, clock: &dyn Clock) -> Result<(), BuildError> {
        let until = clock.now() + Duration::seconds(LEASE_SECONDS);
        self.change(tx, "lease = $4", until.into()).await
    }

    /// Gives the lease back; `detail` says why nothing came of it.
    pub async fn end(&self, tx: &mut dyn WriteTx, detail: Option<&str>) -> Result<(), BuildError> {
        self.change(
            tx,
            "status = 'live', lease = 0, detail = $4",
            detail.map(str::to_owned).into(),
        )
        .await
    }

    async fn change(&self, tx: &mut dyn WriteTx, sets: &str, value: Value) -> Result<(), BuildError> {
        let sql = format!("UPDATE projections SET {sets} WHERE name = $1 AND shard = $2 AND fence = $3");
        let key = [self.name.as_str().into(), TABLES.into(), self.fence.into(), value];
        match tx.execute(&sql, &key).await? {
            0 => Err(BuildError::TakenOver {
                name: self.name.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// Marks a projection's tables as built by this program up to these heads.
pub(super) async fn built(tx: &mut dyn WriteTx, projection: &Projection, heads: &[i64]) -> Result<(), StoreError> {
    let sql = "UPDATE projections SET version = $3 WHERE name = $1 AND shard = $2";
    let version = projection.version.into();
    tx.execute(sql, &[projection.name.into(), TABLES.into(), version])
        .await?;
    let sql = "UPDATE projections SET pos = $3, status = 'live', detail = NULL, fence = fence + 1 \
               WHERE name = $1 AND shard = $2";
    if projection.mode == Mode::Async {
        for (shard, head) in (0_i64..).zip(heads) {
            tx.execute(sql, &[projection.name.into(), shard.into(), (*head).into()])
                .await?;
        }
    }
    Ok(())
}
