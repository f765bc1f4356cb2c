//! What the journal asks of a database, in words both databases know; `sqlite.rs` and `postgres.rs` answer.

use std::borrow::Cow;

use async_trait::async_trait;
use cqrs_es::persist::{PersistenceError, SerializedEvent};
use projections::{
    ReadStore, Row, Table, Value,
    table::{bytes, int, text},
};

use tokio::sync::oneshot;

use super::StoreError;

/// How many shards the log has. Each has its own writer and its own gapless positions.
pub const SHARDS: i64 = 1;

pub static JOURNAL: Table = Table {
    name: "journal",
    columns: &[
        int("shard"),
        int("pos"),
        text("tenant"),
        text("aggregate_type"),
        text("stream"),
        int("sequence"),
        text("event_type"),
        int("event_version"),
        text("payload"),
        text("metadata"),
        int("recorded_at"),
        text("command_id"),
        text("key_id"),
        bytes("hash"),
    ],
    key: 2,
};

/// The events of some streams: found by stream and type, then as the log has them.
pub static EVENTS_OF_STREAMS: Table = Table {
    name: "journal",
    columns: &[
        text("stream"),
        text("aggregate_type"),
        int("shard"),
        int("pos"),
        text("tenant"),
        text("aggregate_type"),
        text("stream"),
        int("sequence"),
        text("event_type"),
        int("event_version"),
        text("payload"),
        text("metadata"),
        int("recorded_at"),
        text("command_id"),
        text("key_id"),
        bytes("hash"),
    ],
    key: 2,
};

pub static STREAMS: Table = Table {
    name: "streams",
    columns: &[
        text("stream"),
        text("aggregate_type"),
        int("shard"),
        int("version"),
        bytes("hash"),
    ],
    key: 3,
};

/// By id before tenant: the ids of commands without a caller's key rise with time, so their rows are appended.
pub static COMMANDS: Table = Table {
    name: "commands",
    columns: &[
        int("shard"),
        text("command_id"),
        text("tenant"),
        text("request_hash"),
        int("first_pos"),
        int("last_pos"),
        text("reply"),
    ],
    key: 3,
};

pub static SNAPSHOTS: Table = Table {
    name: "snapshots_of_state",
    columns: &[
        int("shard"),
        text("aggregate_type"),
        text("stream"),
        int("state_version"),
        int("sequence"),
        bytes("hash"),
        int("recorded_at"),
        text("state"),
    ],
    key: 3,
};

pub static SUBJECT_KEYS: Table = Table {
    name: "subject_keys",
    columns: &[int("shard"), text("tenant"), text("subject"), bytes("key")],
    key: 3,
};

pub static CHECKPOINTS: Table = Table {
    name: "projections",
    columns: &[
        text("name"),
        int("shard"),
        int("version"),
        int("pos"),
        text("status"),
        int("lease"),
        int("fence"),
        text("detail"),
    ],
    key: 2,
};

/// What to do where a row with the same key exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Existing {
    Fail,
    Replace,
}

/// One bulk statement of a transaction. Names are of tables, or of their twins.
#[derive(Debug)]
pub enum Step<'a> {
    Insert {
        table: &'static Table,
        name: Cow<'static, str>,
        rows: Cow<'a, [Vec<Value>]>,
        existing: Existing,
    },
    /// Sets columns of rows that exist; each row is its key followed by the new values.
    Update {
        table: &'static Table,
        name: Cow<'static, str>,
        columns: Vec<usize>,
        rows: Vec<Vec<Value>>,
    },
    Delete {
        table: &'static Table,
        keys: Cow<'a, [Vec<Value>]>,
    },
}

/// Takes the steps one by one.
pub async fn run(tx: &mut dyn WriteTx, steps: &[Step<'_>]) -> Result<(), StoreError> {
    for step in steps {
        match step {
            Step::Insert {
                table,
                name,
                rows,
                existing,
            } => tx.insert(table, name, rows, *existing).await?,
            Step::Update {
                table,
                name,
                columns,
                rows,
            } => {
                let found = tx.update(table, name, columns, rows).await?;
                if found != rows.len() as u64 {
                    let (table, expected) = (table.name, rows.len());
                    return Err(StoreError::RowsMissing { table, expected, found });
                }
            }
            Step::Delete { table, keys } => tx.delete(table, keys).await?,
        }
    }
    Ok(())
}

/// A database that can hold the log.
#[async_trait]
pub trait Store: ReadStore {
    async fn migrate(&self) -> Result<(), StoreError>;

    /// Reads outside any transaction.
    async fn read(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// The rows with these keys, all columns, in no order; outside any transaction.
    async fn select(&self, table: &Table, keys: &[Vec<Value>]) -> Result<Vec<Row>, StoreError>;

    /// Takes all steps and moves the shard's head from one position to another, if it stands there: then nobody else
    /// has written to the shard since. `false` where it does not, and nothing is done. It begins when it is told to go
    /// on; where whoever tells it is gone, nothing is done either.
    async fn append(
        &self,
        shard: i64,
        from: i64,
        to: i64,
        steps: &[Step<'_>],
        go: oneshot::Receiver<()>,
    ) -> Result<bool, StoreError>;

    /// Starts the transaction of a writer.
    async fn begin(&self) -> Result<Box<dyn WriteTx>, StoreError>;

    /// A stream (by its qualified name) as the stock repository of the es crates reads it: another code path than the
    /// one that wrote. `None` where no aggregate is called so.
    async fn stock_events(
        &self,
        aggregate_type: &str,
        stream: &str,
    ) -> Result<Option<Vec<SerializedEvent>>, PersistenceError>;

    /// `sqlite` or `postgres`, for people.
    fn name(&self) -> &'static str;

    async fn close(&self);
}

/// A write transaction; dropped without `commit` it is rolled back.
#[async_trait]
pub trait WriteTx: Send {
    /// Takes the shard's head row until the end of the transaction, and returns the last position.
    async fn lock_head(&mut self, shard: i64) -> Result<i64, StoreError>;

    async fn set_head(&mut self, shard: i64, pos: i64) -> Result<(), StoreError>;

    async fn fetch(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError>;

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError>;

    /// Writes into the table of that name (a table's twin under another name has the same columns).
    async fn insert(
        &mut self,
        table: &Table,
        name: &str,
        rows: &[Vec<Value>],
        existing: Existing,
    ) -> Result<(), StoreError>;

    /// Sets some columns of existing rows; each row is its key followed by the new values.
    async fn update(
        &mut self,
        table: &Table,
        name: &str,
        columns: &[usize],
        rows: &[Vec<Value>],
    ) -> Result<u64, StoreError>;

    async fn delete(&mut self, table: &Table, keys: &[Vec<Value>]) -> Result<(), StoreError>;

    /// Makes an empty table of that name, made like `table` but without its secondary indexes. One that was left over
    /// is dropped.
    async fn create_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError>;

    /// Gives a filled twin the secondary indexes of its table, where that can be done before the swap.
    async fn index_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError>;

    /// Puts the twin in its table's place, with the names of the table's indexes.
    async fn swap_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError>;

    async fn drop_table(&mut self, name: &str) -> Result<(), StoreError>;

    /// Adds rows that are not there yet, by the fastest way there is.
    async fn load(&mut self, table: &Table, name: &str, rows: &[Vec<Value>]) -> Result<(), StoreError>;

    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
