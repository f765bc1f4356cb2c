//! The journal on SQLite: WAL, a sync at every commit, one writing connection.

use std::{str::FromStr, sync::Arc, time::Duration};

use aggregates::event::{Visitor, visit};
use async_trait::async_trait;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, SerializedEvent};
use futures::future::BoxFuture;
use projections::{ReadError, ReadStore, Row, Table, Value};
use sqlite_es::SqliteEventRepository;
use sqlx::{
    Column as _, ConnectOptions, Connection, Row as _, Sqlite, Transaction, TypeInfo, ValueRef,
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
        SqliteSynchronous,
    },
};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use super::{
    StoreError,
    checkpoints::Checkpoints,
    store::{self, Existing, Step, Store, WriteTx},
};

pub struct SqliteStore {
    readers: SqlitePool,
    writer: SqlitePool,
    /// Writers of this process wait here in order, instead of polling SQLite's lock.
    turn: Arc<Mutex<()>>,
    /// How many rows were written since the last checkpoint, and who is told that there are many.
    checkpoints: Checkpoints,
}

impl SqliteStore {
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            .pragma("temp_store", "MEMORY")
            .pragma("cache_size", "-32768") // KiB
            // Checkpoints are made beside the writer. This is for a program that ends before they are.
            .pragma("wal_autocheckpoint", "32000")
            .statement_cache_capacity(256);
        create_for_owner(&options);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await?;
        let checkpointer = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await?;
        // A reader that needs more finds it in the system's cache, mapped: what it keeps itself is kept four times.
        let options = options
            .pragma("cache_size", "-8192") // KiB
            .pragma("mmap_size", "67108864");
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        let turn = Arc::default();
        Ok(Self {
            readers,
            writer,
            checkpoints: Checkpoints::start(checkpointer, Arc::clone(&turn)),
            turn,
        })
    }

    /// The pool that other readers of the same file (sqlite-es) may use.
    pub fn pool(&self) -> SqlitePool {
        self.readers.clone()
    }
}

/// A new file is its owner's alone: it holds the keys that open personal data. SQLite gives the files beside it the same
/// rights. What is there already keeps the rights that somebody gave it.
fn create_for_owner(options: &SqliteConnectOptions) {
    let mut new = std::fs::OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    // What is wrong with the place SQLite says when it opens the file.
    drop(new.open(options.get_filename()));
}

/// Whether the file is there and holds a log. An empty one stays empty.
pub async fn exists(url: &str) -> Result<bool, StoreError> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(30));
    if !options.get_filename().exists() {
        return Ok(false);
    }
    let mut connection = options.connect().await?;
    let found = sqlx::query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'journal'")
        .fetch_optional(&mut connection)
        .await?;
    connection.close().await?;
    Ok(found.is_some())
}

#[async_trait]
impl ReadStore for SqliteStore {
    async fn fetch(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, ReadError> {
        Ok(self.read(sql, parameters).await?)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn migrate(&self) -> Result<(), StoreError> {
        // SQLite has no lock that the migrator could take by itself: several programs may start on one new file.
        let mut alone = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::migrate!("migrations/sqlite").run_direct(&mut *alone).await?;
        alone.commit().await?;
        Ok(())
    }

    async fn read(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = bind_all(sqlx::query(sql), parameters).fetch_all(&self.readers).await?;
        Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
    }

    async fn select(&self, table: &Table, keys: &[Vec<Value>]) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        for chunk in chunks(keys, table.key) {
            let sql = select_statement(table, chunk.len());
            let rows = bind_rows(sqlx::query(&sql), chunk).fetch_all(&self.readers).await?;
            for found_row in &rows {
                found.push(row(found_row)?);
            }
        }
        Ok(found)
    }

    async fn append(
        &self,
        shard: i64,
        from: i64,
        to: i64,
        steps: &[Step<'_>],
        go: oneshot::Receiver<()>,
    ) -> Result<bool, StoreError> {
        if go.await.is_err() {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        if tx.lock_head(shard).await? != from {
            return Ok(false);
        }
        store::run(tx.as_mut(), steps).await?;
        tx.set_head(shard, to).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn begin(&self) -> Result<Box<dyn WriteTx>, StoreError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let writer = self.writer.clone();
        // On a task of its own: a caller who goes away while the lock is taken would leave it taken for ever.
        let begun = tokio::spawn(async move { writer.begin_with("BEGIN IMMEDIATE").await });
        let transaction = begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??;
        Ok(Box::new(SqliteTx {
            transaction,
            rows: 0,
            checkpoints: self.checkpoints.clone(),
            _turn: turn,
        }))
    }

    async fn stock_events(
        &self,
        aggregate_type: &str,
        stream: &str,
    ) -> Result<Option<Vec<SerializedEvent>>, PersistenceError> {
        let repository = SqliteEventRepository::new(self.readers.clone());
        match visit(aggregate_type, StockRead { repository, stream }) {
            Some(reading) => reading.await.map(Some),
            None => Ok(None),
        }
    }

    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        self.checkpoints.close().await;
    }
}

/// Reads a stream through the stock repository, which wants the aggregate's type.
struct StockRead<'a> {
    repository: SqliteEventRepository,
    stream: &'a str,
}

impl<'a> Visitor for StockRead<'a> {
    type Output = BoxFuture<'a, Result<Vec<SerializedEvent>, PersistenceError>>;

    fn visit<A: aggregates::Decider + cqrs_es::Aggregate>(self) -> Self::Output {
        Box::pin(async move { self.repository.get_events::<A>(self.stream).await })
    }
}

struct SqliteTx {
    transaction: Transaction<'static, Sqlite>,
    rows: u64,
    checkpoints: Checkpoints,
    _turn: OwnedMutexGuard<()>,
}

/// Rows of a multi-row statement: few sizes, so that few statements are prepared.
fn chunks<T>(rows: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    let sizes = [256, 64, 16, 4, 1].map(|size: usize| size.min((30_000 / width.max(1)).max(1)));
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = *sizes.iter().find(|size| **size <= rest.len())?;
        let (chunk, tail) = rest.split_at(size);
        rest = tail;
        Some(chunk)
    })
}

/// `(?, ?), (?, ?)`
fn tuples(rows: usize, width: usize) -> String {
    let tuple = format!("({})", vec!["?"; width].join(", "));
    vec![tuple; rows].join(", ")
}

fn key_columns(table: &Table) -> String {
    table.columns[..table.key]
        .iter()
        .map(|column| column.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// SQLite reads a whole table for `(a, b) IN (VALUES ...)`; a cross join is taken in the order it is written in.
fn select_statement(table: &Table, rows: usize) -> String {
    let all = table
        .columns
        .iter()
        .map(|column| format!("found.{}", column.name))
        .collect::<Vec<_>>()
        .join(", ");
    format!(
        "SELECT {all} FROM (VALUES {}) AS wanted CROSS JOIN {} AS found ON {}",
        tuples(rows, table.key),
        table.name,
        key_matches(table, "found", "wanted"),
    )
}

fn update_statement(table: &Table, name: &str, columns: &[usize], rows: usize) -> String {
    let sets = (table.key + 1..)
        .zip(columns)
        .map(|(n, column)| format!("{} = new.column{n}", table.columns[*column].name))
        .collect::<Vec<_>>()
        .join(", ");
    format!(
        "UPDATE {name} AS old SET {sets} FROM (VALUES {}) AS new WHERE {}",
        tuples(rows, table.key + columns.len()),
        key_matches(table, "old", "new"),
    )
}

/// That a row's key is that of a row of values.
fn key_matches(table: &Table, row: &str, values: &str) -> String {
    (1..)
        .zip(&table.columns[..table.key])
        .map(|(n, column)| format!("{row}.{} = {values}.column{n}", column.name))
        .collect::<Vec<_>>()
        .join(" AND ")
}

#[async_trait]
impl WriteTx for SqliteTx {
    async fn lock_head(&mut self, shard: i64) -> Result<i64, StoreError> {
        // BEGIN IMMEDIATE holds the only write lock there is.
        let rows = self
            .fetch("SELECT pos FROM head WHERE shard = $1", &[shard.into()])
            .await?;
        rows.first().map_or(Ok(0), |row| Ok(row.int(0)?))
    }

    async fn set_head(&mut self, shard: i64, pos: i64) -> Result<(), StoreError> {
        self.execute("UPDATE head SET pos = $2 WHERE shard = $1", &[shard.into(), pos.into()])
            .await?;
        Ok(())
    }

    async fn fetch(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = bind_all(sqlx::query(sql), parameters)
            .fetch_all(&mut *self.transaction)
            .await?;
        Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        Ok(bind_all(sqlx::query(sql), parameters)
            .execute(&mut *self.transaction)
            .await?
            .rows_affected())
    }

    async fn insert(
        &mut self,
        table: &Table,
        name: &str,
        rows: &[Vec<Value>],
        existing: Existing,
    ) -> Result<(), StoreError> {
        let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let conflict = match existing {
            Existing::Fail => String::new(),
            Existing::Replace => {
                let sets: Vec<_> = columns[table.key..]
                    .iter()
                    .map(|name| format!("{name} = excluded.{name}"))
                    .collect();
                format!(
                    " ON CONFLICT ({}) DO UPDATE SET {}",
                    key_columns(table),
                    sets.join(", ")
                )
            }
        };
        for chunk in chunks(rows, columns.len()) {
            let values = tuples(chunk.len(), columns.len());
            let sql = format!("INSERT INTO {name} ({}) VALUES {values}{conflict}", columns.join(", "));
            let inserted = bind_rows(sqlx::query(&sql), chunk)
                .execute(&mut *self.transaction)
                .await?;
            self.rows += inserted.rows_affected();
        }
        Ok(())
    }

    async fn update(
        &mut self,
        table: &Table,
        name: &str,
        columns: &[usize],
        rows: &[Vec<Value>],
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for chunk in chunks(rows, table.key + columns.len()) {
            let sql = update_statement(table, name, columns, chunk.len());
            changed += bind_rows(sqlx::query(&sql), chunk)
                .execute(&mut *self.transaction)
                .await?
                .rows_affected();
        }
        self.rows += changed;
        Ok(changed)
    }

    async fn delete(&mut self, table: &Table, keys: &[Vec<Value>]) -> Result<(), StoreError> {
        // What is deleted is a destroyed key of a person: it leaves no trace in free pages.
        self.execute("PRAGMA secure_delete = ON", &[]).await?;
        let matches = table.columns[..table.key]
            .iter()
            .map(|column| format!("{} = ?", column.name))
            .collect::<Vec<_>>()
            .join(" AND ");
        let sql = format!("DELETE FROM {} WHERE {matches}", table.name);
        for key in keys {
            self.execute(&sql, key).await?;
        }
        Ok(())
    }

    async fn create_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError> {
        self.drop_table(name).await?;
        let sql = "SELECT substr(sql, instr(sql, '(')) FROM sqlite_master WHERE type = 'table' AND name = $1";
        for row in self.fetch(sql, &[table.name.into()]).await? {
            self.execute(&format!("CREATE TABLE {name} {}", row.text(0)?), &[])
                .await?;
        }
        Ok(())
    }

    async fn index_twin(&mut self, _: &Table, _: &str) -> Result<(), StoreError> {
        // SQLite cannot rename an index: they are made under their own names once the old table is gone.
        Ok(())
    }

    async fn swap_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError> {
        let sql = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL";
        let indexes = self.fetch(sql, &[table.name.into()]).await?;
        self.drop_table(table.name).await?;
        self.execute(&format!("ALTER TABLE {name} RENAME TO {}", table.name), &[])
            .await?;
        for index in indexes {
            self.execute(index.text(0)?, &[]).await?;
        }
        Ok(())
    }

    async fn drop_table(&mut self, name: &str) -> Result<(), StoreError> {
        self.execute(&format!("DROP TABLE IF EXISTS {name}"), &[]).await?;
        Ok(())
    }

    async fn load(&mut self, table: &Table, name: &str, rows: &[Vec<Value>]) -> Result<(), StoreError> {
        self.insert(table, name, rows, Existing::Fail).await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.transaction.commit().await?;
        self.checkpoints.written(self.rows);
        Ok(())
    }
}

type SqliteQuery<'q> = Query<'q, Sqlite, SqliteArguments<'q>>;

fn bind<'q>(query: SqliteQuery<'q>, value: &'q Value) -> SqliteQuery<'q> {
    match value {
        Value::Null => query.bind(None::<i64>),
        Value::Int(value) => query.bind(*value),
        Value::Bool(value) => query.bind(i64::from(*value)),
        Value::Text(value) => query.bind(value.as_str()),
        Value::Bytes(value) => query.bind(value.as_slice()),
    }
}

fn bind_all<'q>(query: SqliteQuery<'q>, values: &'q [Value]) -> SqliteQuery<'q> {
    values.iter().fold(query, bind)
}

fn bind_rows<'q>(query: SqliteQuery<'q>, rows: &'q [Vec<Value>]) -> SqliteQuery<'q> {
    rows.iter().flatten().fold(query, bind)
}

fn row(found: &SqliteRow) -> Result<Row, sqlx::Error> {
    let mut values = Vec::with_capacity(found.columns().len());
    for column in found.columns() {
        let raw = found.try_get_raw(column.ordinal())?;
        if raw.is_null() {
            values.push(Value::Null);
            continue;
        }
        values.push(match raw.type_info().name() {
            "INTEGER" | "BOOLEAN" | "INT4" => found.try_get(column.ordinal()).map(Value::Int)?,
            "TEXT" => found.try_get(column.ordinal()).map(Value::Text)?,
            "BLOB" => found.try_get(column.ordinal()).map(Value::Bytes)?,
            other => {
                return Err(sqlx::Error::Decode(
                    format!("column {} is of type {other}", column.name()).into(),
                ));
            }
        });
    }
    Ok(Row(values))
}

#[cfg(test)]
mod tests {
    use projections::registry;

    use super::{
        store::{COMMANDS, EVENTS_OF_STREAMS, SNAPSHOTS, STREAMS, SUBJECT_KEYS},
        *,
    };

    /// Two keys: what SQLite did with one was right, and reading whole tables for more was seen in the time only.
    #[tokio::test]
    async fn rows_are_found_by_their_keys_and_no_table_is_read_for_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}", directory.path().join("plans.db").display());
        let store = SqliteStore::open(&url).await.expect("a store");
        store.migrate().await.expect("tables");
        let views = registry::PROJECTIONS.iter().flat_map(|projection| projection.tables);
        let journal = [&COMMANDS, &EVENTS_OF_STREAMS, &SNAPSHOTS, &STREAMS, &SUBJECT_KEYS];
        for table in views.copied().chain(journal) {
            let mut statements = vec![select_statement(table, 2)];
            if table.columns.len() > table.key && table.name != "journal" {
                statements.push(update_statement(table, table.name, &[table.key], 2));
            }
            for sql in statements {
                let plan = store
                    .read(&format!("EXPLAIN QUERY PLAN {sql}"), &[])
                    .await
                    .expect("a plan");
                let steps: Vec<_> = plan.iter().map(|row| row.text(3).expect("a step")).collect();
                let by_key = |step: &&str| step.starts_with("SEARCH found ") || step.starts_with("SEARCH old ");
                assert!(steps.iter().any(by_key), "{sql}\n{steps:?}");
            }
        }
        store.close().await;
    }
}
