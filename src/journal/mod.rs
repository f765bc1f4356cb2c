//! The event store: one log, written in groups, read by everything else.
//!
//! A command is executed by [`Journal::execute`]: lock the streams it works on, decide on their states, queue the
//! events for the shard's writer, release the streams, wait until the writer has committed. The writer puts the events,
//! the command's reply and every inline view into one transaction, many commands at a time.

mod ahead;
mod batch;
mod build;
mod cache;
pub mod checkpoint;
mod checkpoints;
mod cqrs;
mod error;
mod execute;
mod fault;
pub mod follower;
mod postgres;
mod reader;
pub mod rebuild;
mod record;
pub mod replay;
mod request;
mod scan;
mod seal;
mod secret;
mod sqlite;
mod stock;
mod store;
mod unit;
mod upcast;
pub mod verify;
mod views;
mod writer;

use std::sync::Arc;

pub use build::BuildError;
pub use cqrs::TenantStore;
pub use error::{CommandError, StoreError};
pub use fault::{Fault, Place};
pub use postgres::PostgresStore;
use projections::ReadStore;
pub use reader::{Feed, ReadLogError, Recording};
pub use record::{GENESIS, Hash, Stored, StreamKey, qualified, shard_of};
pub use request::Request;
pub use sqlite::SqliteStore;
pub use store::{Existing, SHARDS, Step, Store, WriteTx};
use tokio::sync::{Semaphore, mpsc};
pub use unit::{Streams, Unit};

/// How many commands may wait for a shard's writer before callers wait too.
const QUEUE: usize = 4096;
/// How many aggregates are kept in memory.
const CACHED_AGGREGATES: usize = 32_768;

/// Is told how much is done, and how much there is to do.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// The log of one database. Cheap to clone; every clone is the same log.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    cache: cache::Cache,
    /// Many streams are loaded by one at a time: others find connections free.
    ahead: Semaphore,
    writers: Vec<mpsc::Sender<writer::Job>>,
}

impl Journal {
    /// Opens `sqlite://PATH` or `postgres://...`, brings its tables up to date and starts the writers. Where a
    /// projection's tables are of another version than this program's, it is refused: they must be rebuilt first.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let journal = Self::open_to_rebuild(url).await?;
        checkpoint::require_current(journal.inner.store.as_ref()).await?;
        Ok(journal)
    }

    /// Opens the log for those who bring its projections up to date, whatever their versions are.
    pub async fn open_to_rebuild(url: &str) -> Result<Self, StoreError> {
        let store = connect(url).await?;
        store.migrate().await?;
        checkpoint::register(store.as_ref()).await?;
        Ok(Self::on(store))
    }

    /// The log in a store that is up to date.
    pub fn on(store: Arc<dyn Store>) -> Self {
        let writers = (0..SHARDS)
            .map(|shard| writer::start(shard, Arc::clone(&store)))
            .collect();
        Self {
            inner: Arc::new(Inner {
                store,
                cache: cache::Cache::new(CACHED_AGGREGATES),
                ahead: Semaphore::new(1),
                writers,
            }),
        }
    }

    /// The read tables.
    pub fn views(&self) -> &dyn ReadStore {
        self.inner.store.as_ref()
    }

    /// Whether the log can be read and every writer takes work.
    pub async fn check(&self) -> Result<(), CommandError> {
        if self.inner.writers.iter().any(mpsc::Sender::is_closed) {
            return Err(CommandError::Unavailable("a writer has stopped".into()));
        }
        self.inner.store.read("SELECT pos FROM head LIMIT 1", &[]).await?;
        Ok(())
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }
}

/// Connects to a database without touching its tables.
pub async fn connect(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    match Kind::of(url)? {
        Kind::Sqlite => Ok(Arc::new(SqliteStore::open(url).await?)),
        Kind::Postgres => Ok(Arc::new(PostgresStore::open(url).await?)),
    }
}

/// Whether a database is there and holds a log. Nothing is made.
pub async fn exists(url: &str) -> Result<bool, StoreError> {
    match Kind::of(url)? {
        Kind::Sqlite => sqlite::exists(url).await,
        Kind::Postgres => postgres::exists(url).await,
    }
}

enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    fn of(url: &str) -> Result<Self, StoreError> {
        if url.strip_prefix("sqlite://").is_some_and(|path| !path.is_empty()) {
            Ok(Self::Sqlite)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(Self::Postgres)
        } else {
            Err(StoreError::UnknownKind)
        }
    }
}
