//! Filling twins of view tables from the log: what a rebuild swaps in, and what a replay compares with.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use projections::{Projection, Row, Table, Value, Write, Writes, write::Change};
use tokio::task::JoinHandle;

use super::{
    Progress, StoreError,
    checkpoint::Lease,
    scan::{self, Decoded, Poison, Range},
    store::{self, SHARDS, Store, WriteTx},
    views,
};
use crate::clock::Clock;

/// How many rows are folded in memory before they are written.
const MAX_ROWS: usize = 200_000;
/// How many rows are loaded in one transaction: on SQLite commands wait for it.
const LOAD_ROWS: usize = 25_000;
/// With no more events than this to go, the rest is done while the log stands still.
const FEW: i64 = 500;
/// Catching up with a log that grows faster than it is read ends after so many rounds.
const MAX_ROUNDS: usize = 50;

/// A page that is decoded on another thread.
type Decoding = JoinHandle<Result<Vec<Decoded>, Poison>>;

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("there is no projection \"{name}\"")]
    Unknown { name: String },
    #[error("{name} is being rebuilt by another process")]
    Busy { name: String },
    #[error("another process has taken over the rebuild of {name}")]
    TakenOver { name: String },
    #[error(transparent)]
    Poison(#[from] Poison),
    #[error("a projection panicked: {0}")]
    Panicked(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Twins under construction.
pub(super) struct Build<'a> {
    store: Arc<dyn Store>,
    clock: &'a dyn Clock,
    projections: Vec<&'static Projection>,
    suffix: &'static str,
    leases: Vec<Lease>,
    sql: String,
    /// How far each shard is built.
    done: Vec<i64>,
    /// Hashes of the keys that are in the twins: a key that is not among them is surely new.
    written: HashMap<&'static str, HashSet<u64>>,
    pending: Writes,
}

impl<'a> Build<'a> {
    /// Takes the leases and makes empty twins; leftovers of a build that was cut off are dropped.
    pub async fn start(
        store: Arc<dyn Store>,
        clock: &'a dyn Clock,
        projections: Vec<&'static Projection>,
        suffix: &'static str,
        leases: &[&str],
    ) -> Result<Self, BuildError> {
        let mut tx = store.begin().await?;
        let mut taken = Vec::with_capacity(leases.len());
        for name in leases {
            taken.push(Lease::take(tx.as_mut(), clock, name).await?);
        }
        for table in projections.iter().flat_map(|projection| projection.tables) {
            tx.create_twin(table, &format!("{}{suffix}", table.name)).await?;
        }
        tx.commit().await?;
        Ok(Self {
            sql: scan::sql(&projections),
            done: vec![0; usize::try_from(SHARDS).unwrap_or_default()],
            written: HashMap::new(),
            pending: Writes::default(),
            leases: taken,
            store,
            clock,
            projections,
            suffix,
        })
    }

    pub fn tables(&self) -> impl Iterator<Item = (&'static Table, String)> {
        let suffix = self.suffix;
        self.projections
            .iter()
            .flat_map(|projection| projection.tables)
            .map(move |table| (*table, format!("{}{suffix}", table.name)))
    }

    /// Reads the log until few events are left to do.
    pub async fn run(&mut self, progress: Progress<'_>) -> Result<(), BuildError> {
        for round in 0..MAX_ROUNDS {
            let heads = scan::heads(self.store.as_ref()).await?;
            let total: i64 = heads.iter().sum();
            let left = total - self.done.iter().sum::<i64>();
            progress(count(total - left), count(total));
            if round > 0 && left <= FEW {
                break;
            }
            for (shard, to) in (0_i64..).zip(heads) {
                self.read(shard, to, count(total), progress).await?;
            }
            self.flush().await?;
            if round == 0 {
                self.index().await?;
            }
        }
        Ok(())
    }

    async fn read(&mut self, shard: i64, to: i64, total: u64, progress: Progress<'_>) -> Result<(), BuildError> {
        let n = usize::try_from(shard).unwrap_or_default();
        let after = self.done[n];
        // Three pages are under way: one is read by the database, one decoded and one applied on other threads.
        let mut decoding: Option<(Range, Decoding)> = None;
        let mut applying: Option<(Range, JoinHandle<Writes>)> = None;
        let mut pages = Range { shard, after, to }.pages();
        loop {
            let page = pages.next();
            let rows = match page {
                Some(page) => Some((page, self.page(page).await?)),
                None => None,
            };
            let decoded = match decoding.take() {
                Some((page, task)) => Some((page, task.await??)),
                None => None,
            };
            if let Some((page, task)) = applying.take() {
                self.pending = task.await?;
                self.done[n] = page.to;
                progress(count(self.done.iter().sum()), total);
                if self.pending.len() >= MAX_ROWS {
                    self.flush().await?;
                }
            }
            if rows.is_none() && decoded.is_none() {
                return Ok(());
            }
            applying = decoded.map(|(page, events)| (page, self.apply_page(events)));
            decoding = rows.map(|(page, rows)| (page, tokio::task::spawn_blocking(move || scan::decode(&rows))));
        }
    }

    async fn page(&self, page: Range) -> Result<Vec<Row>, StoreError> {
        self.store.read(&self.sql, &page.parameters()).await
    }

    fn apply_page(&mut self, events: Vec<Decoded>) -> JoinHandle<Writes> {
        let mut writes = std::mem::take(&mut self.pending);
        let projections = self.projections.clone();
        tokio::task::spawn_blocking(move || {
            scan::apply(&events, &projections, &mut writes);
            writes
        })
    }

    /// Writes what is folded: new rows in bulk, the others one way or the other.
    async fn flush(&mut self) -> Result<(), BuildError> {
        let mut rest = Writes::default();
        for (table, changes) in std::mem::take(&mut self.pending).into_tables() {
            let written = self.written.entry(table.name).or_default();
            let mut fresh = Vec::new();
            for (key, change) in changes {
                match change {
                    Change::Put(row) | Change::New(row) if written.insert(digest(&key)) => fresh.push(row),
                    Change::Put(row) | Change::New(row) => rest.push(Write::Put(table, row)),
                    Change::Set(columns) => rest.push(Write::Set(table, key, columns.into_iter().collect())),
                }
            }
            let name = format!("{}{}", table.name, self.suffix);
            for rows in fresh.chunks(LOAD_ROWS) {
                let mut tx = self.begin().await?;
                tx.load(table, &name, rows).await?;
                tx.commit().await?;
            }
        }
        if !rest.is_empty() {
            let mut tx = self.begin().await?;
            self.apply(tx.as_mut(), rest).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn apply(&self, tx: &mut dyn WriteTx, writes: Writes) -> Result<(), StoreError> {
        let suffix = self.suffix;
        store::run(
            tx,
            &views::steps(writes, |table| format!("{}{suffix}", table.name).into()),
        )
        .await
    }

    async fn index(&self) -> Result<(), BuildError> {
        let mut tx = self.begin().await?;
        for (table, name) in self.tables() {
            tx.index_twin(table, &name).await?;
        }
        Ok(tx.commit().await?)
    }

    /// A transaction of a builder that is still the only one.
    pub async fn begin(&self) -> Result<Box<dyn WriteTx>, BuildError> {
        let mut tx = self.store.begin().await?;
        for lease in &self.leases {
            lease.renew(tx.as_mut(), self.clock).await?;
        }
        Ok(tx)
    }

    /// Stops the log, and does what is left. While the transaction lasts, twins and log are of one moment; the heads
    /// are returned. The locks are taken in the order of the writers: heads before anything else.
    pub async fn finish(&self) -> Result<(Box<dyn WriteTx>, Vec<i64>), BuildError> {
        let mut tx = self.store.begin().await?;
        let mut heads = Vec::with_capacity(self.done.len());
        for shard in 0..SHARDS {
            heads.push(tx.lock_head(shard).await?);
        }
        for lease in &self.leases {
            lease.renew(tx.as_mut(), self.clock).await?;
        }
        for ((shard, after), to) in (0_i64..).zip(&self.done).zip(&heads) {
            let (after, to) = (*after, *to);
            for page in (Range { shard, after, to }).pages() {
                let rows = tx.fetch(&self.sql, &page.parameters()).await?;
                let mut writes = Writes::default();
                scan::fold(&rows, &self.projections, &mut writes)?;
                self.apply(tx.as_mut(), writes).await?;
            }
        }
        Ok((tx, heads))
    }

    pub async fn end(&self, tx: &mut dyn WriteTx, detail: Option<&str>) -> Result<(), BuildError> {
        for lease in &self.leases {
            lease.end(tx, detail).await?;
        }
        Ok(())
    }

    /// Drops the twins and gives the leases back, after a failure or when the twins have done their work.
    pub async fn abandon(&self, detail: Option<&str>) -> Result<(), BuildError> {
        let mut tx = self.begin().await?;
        for (_, name) in self.tables() {
            tx.drop_table(&name).await?;
        }
        self.end(tx.as_mut(), detail).await?;
        Ok(tx.commit().await?)
    }
}

fn count(events: i64) -> u64 {
    u64::try_from(events).unwrap_or_default()
}

fn digest(key: &[Value]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
