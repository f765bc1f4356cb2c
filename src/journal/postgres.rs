//! The journal on Postgres: bulk statements over arrays, the head row as the order of writers.

use std::{num::NonZeroUsize, str::FromStr};

use aggregates::event::{Visitor, visit};
use async_trait::async_trait;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, SerializedEvent};
use futures::future::BoxFuture;
use postgres_es::PostgresEventRepository;
use projections::{Kind, ReadError, ReadStore, Row, Table, Value};
use sqlx::{
    Column as _, ConnectOptions, Connection, Postgres, Row as _, Transaction, TypeInfo, ValueRef,
    postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow},
    query::Query,
};

use tokio::sync::oneshot;

use super::{
    StoreError,
    store::{Existing, Step, Store, WriteTx},
};

/// How many connections read. Each learns every statement for itself, a pool goes round, and more than the processors can
/// serve only wait for them: beside a billing run on two processors the slowest of a hundred previews took 12 ms with
/// sixteen, 9 ms with eight, 8 ms with four.
fn readers() -> u32 {
    let processors = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    u32::try_from(processors.saturating_mul(2)).map_or(16, |two_each| two_each.clamp(4, 16))
}

pub struct PostgresStore {
    pool: PgPool,
    /// One connection that all appends go through: its backend's caches stay warm, where a pool goes round its backends.
    writer: PgPool,
}

impl PostgresStore {
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("billstream")
            .options([
                ("synchronous_commit", "on"),
                ("jit", "off"),
                ("plan_cache_mode", "force_generic_plan"),
                // A writer whose machine is gone must not keep the head from all others.
                ("idle_in_transaction_session_timeout", "60s"),
                ("tcp_keepalives_idle", "10"),
                ("tcp_keepalives_interval", "5"),
                ("tcp_keepalives_count", "3"),
                ("tcp_user_timeout", "30s"),
            ])
            .statement_cache_capacity(512);
        // The pool would try for long, and then say only that time is up: one connection of our own says why not.
        options.connect().await?.close().await?;
        let pool = |connections| {
            PgPoolOptions::new()
                .max_connections(connections)
                .test_before_acquire(false)
                .connect_lazy_with(options.clone())
        };
        Ok(Self {
            pool: pool(readers()),
            writer: pool(1),
        })
    }

    /// The pool that other readers of the same database (postgres-es) may use.
    pub fn pool(&self) -> PgPool {
        self.pool.clone()
    }
}

/// Whether the database holds a log.
pub async fn exists(url: &str) -> Result<bool, StoreError> {
    let mut connection = PgConnectOptions::from_str(url)?.connect().await?;
    let found = sqlx::query("SELECT to_regclass('journal') IS NOT NULL")
        .fetch_one(&mut connection)
        .await?
        .try_get(0)?;
    connection.close().await?;
    Ok(found)
}

#[async_trait]
impl ReadStore for PostgresStore {
    async fn fetch(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, ReadError> {
        Ok(self.read(sql, parameters).await?)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn migrate(&self) -> Result<(), StoreError> {
        sqlx::migrate!("migrations/postgres").run(&self.pool).await?;
        Ok(())
    }

    async fn read(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = bind_all(sqlx::query(sql), parameters).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
    }

    async fn select(&self, table: &Table, keys: &[Vec<Value>]) -> Result<Vec<Row>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {} FROM {} WHERE ({}) IN (SELECT * FROM {})",
            names(table, 0..table.columns.len()).join(", "),
            table.name,
            names(table, 0..table.key).join(", "),
            unnest(table, 0..table.key, 1),
        );
        let rows = bind_columns(sqlx::query(&sql), table, 0..table.key, keys)?
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
    }

    async fn append(
        &self,
        shard: i64,
        from: i64,
        to: i64,
        steps: &[Step<'_>],
        go: oneshot::Receiver<()>,
    ) -> Result<bool, StoreError> {
        let (sql, expected) = append_statement(steps);
        let mut query = sqlx::query(&sql).bind(shard).bind(from).bind(to);
        for step in steps {
            query = match step {
                Step::Insert { table, rows, .. } => bind_columns(query, table, 0..table.columns.len(), rows)?,
                Step::Update {
                    table, columns, rows, ..
                } => bind_columns(query, table, (0..table.key).chain(columns.iter().copied()), rows)?,
                Step::Delete { table, keys } => bind_columns(query, table, 0..table.key, keys)?,
            };
        }
        for rows in expected {
            query = query.bind(rows);
        }
        // Everything is encoded by now.
        if go.await.is_err() {
            return Ok(false);
        }
        let row = query.fetch_one(&self.writer).await?;
        Ok(row.try_get::<bool, _>(0)?)
    }

    async fn begin(&self) -> Result<Box<dyn WriteTx>, StoreError> {
        Ok(Box::new(PostgresTx {
            transaction: self.pool.begin().await?,
        }))
    }

    async fn stock_events(
        &self,
        aggregate_type: &str,
        stream: &str,
    ) -> Result<Option<Vec<SerializedEvent>>, PersistenceError> {
        let repository = PostgresEventRepository::new(self.pool.clone());
        match visit(aggregate_type, StockRead { repository, stream }) {
            Some(reading) => reading.await.map(Some),
            None => Ok(None),
        }
    }

    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn close(&self) {
        self.writer.close().await;
        self.pool.close().await;
    }
}

/// Reads a stream through the stock repository, which wants the aggregate's type.
struct StockRead<'a> {
    repository: PostgresEventRepository,
    stream: &'a str,
}

impl<'a> Visitor for StockRead<'a> {
    type Output = BoxFuture<'a, Result<Vec<SerializedEvent>, PersistenceError>>;

    fn visit<A: aggregates::Decider + cqrs_es::Aggregate>(self) -> Self::Output {
        Box::pin(async move { self.repository.get_events::<A>(self.stream).await })
    }
}

struct PostgresTx {
    transaction: Transaction<'static, Postgres>,
}

fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "bigint",
        Kind::Bool => "boolean",
        Kind::Text => "text",
        Kind::Bytes => "bytea",
    }
}

/// `UNNEST($1::text[], $2::bigint[])` over these columns, parameters numbered from `first`.
fn unnest(table: &Table, columns: impl Iterator<Item = usize>, first: usize) -> String {
    let arrays = (first..)
        .zip(columns)
        .map(|(n, column)| format!("${n}::{}[]", sql_type(table.columns[column].kind)))
        .collect::<Vec<_>>();
    format!("UNNEST({})", arrays.join(", "))
}

fn names(table: &Table, columns: impl Iterator<Item = usize>) -> Vec<&'static str> {
    columns.map(|column| table.columns[column].name).collect()
}

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// Everything in one statement, and so in one round trip: the head moves if it stands where it should, and only then
/// anything else is done. It never waits for the head: it holds the locks of its tables by then, and who holds the head
/// may want those. Rows to update that are not there make it fail as a whole (a division by zero: SQL has no
/// other way to say it inside an expression).
fn append_statement(steps: &[Step<'_>]) -> (String, Vec<i64>) {
    let mut sql = "WITH free AS (SELECT 1 FROM head WHERE shard = $1 AND pos = $2 FOR UPDATE SKIP LOCKED), \
                   moved AS (UPDATE head SET pos = $3 FROM free WHERE shard = $1 AND pos = $2 RETURNING 1)"
        .to_owned();
    let mut next = 4;
    let mut updates = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let (statement, used) = match step {
            Step::Insert {
                table, name, existing, ..
            } => (
                insert_statement(table, name, *existing, "moved, ", next),
                table.columns.len(),
            ),
            Step::Update {
                table,
                name,
                columns,
                rows,
            } => {
                updates.push((n, i64::try_from(rows.len()).unwrap_or(i64::MAX)));
                let statement = update_statement(table, name, columns, "moved, ", next);
                (format!("{statement} RETURNING 1"), table.key + columns.len())
            }
            Step::Delete { table, .. } => (delete_statement(table, "moved, ", next), table.key),
        };
        sql.push_str(&format!(", step{n} AS ({statement})"));
        next += used;
    }
    sql.push_str(" SELECT EXISTS (SELECT FROM moved)");
    for (n, _) in &updates {
        sql.push_str(&format!(
            ", 1 / CASE WHEN (SELECT COUNT(*) FROM step{n}) = ${next} OR NOT EXISTS (SELECT FROM moved) THEN 1 ELSE 0 END"
        ));
        next += 1;
    }
    (sql, updates.into_iter().map(|(_, rows)| rows).collect())
}

/// `also` names what else the rows are joined with; parameters are numbered from `first`.
fn insert_statement(table: &Table, name: &str, existing: Existing, also: &str, first: usize) -> String {
    let all = 0..table.columns.len();
    let columns = names(table, all.clone()).join(", ");
    let conflict = match existing {
        Existing::Fail => String::new(),
        Existing::Replace => {
            let sets = names(table, table.key..table.columns.len())
                .iter()
                .map(|name| format!("{name} = excluded.{name}"))
                .collect::<Vec<_>>();
            format!(
                " ON CONFLICT ({}) DO UPDATE SET {}",
                names(table, 0..table.key).join(", "),
                sets.join(", ")
            )
        }
    };
    let unnest = unnest(table, all, first);
    format!("INSERT INTO {name} ({columns}) SELECT new.* FROM {also}{unnest} AS new ({columns}){conflict}")
}

fn update_statement(table: &Table, name: &str, columns: &[usize], also: &str, first: usize) -> String {
    let bound = || (0..table.key).chain(columns.iter().copied());
    let sets = names(table, columns.iter().copied())
        .iter()
        .map(|name| format!("{name} = new.{name}"))
        .collect::<Vec<_>>()
        .join(", ");
    let keys = names(table, 0..table.key)
        .iter()
        .map(|key| format!("old.{key} = new.{key}"))
        .collect::<Vec<_>>()
        .join(" AND ");
    let (unnest, bound) = (unnest(table, bound(), first), names(table, bound()).join(", "));
    format!("UPDATE {name} AS old SET {sets} FROM {also}{unnest} AS new ({bound}) WHERE {keys}")
}

fn delete_statement(table: &Table, also: &str, first: usize) -> String {
    let keys = names(table, 0..table.key);
    let matches = keys
        .iter()
        .map(|key| format!("old.{key} = gone.{key}"))
        .collect::<Vec<_>>()
        .join(" AND ");
    let (unnest, keys) = (unnest(table, 0..table.key, first), keys.join(", "));
    format!(
        "DELETE FROM {} AS old USING {also}{unnest} AS gone ({keys}) WHERE {matches}",
        table.name
    )
}

/// Binds one array a column. A value of another kind than its column is a fault of the projection, found at once.
fn bind_columns<'q>(
    mut query: PgQuery<'q>,
    table: &Table,
    columns: impl Iterator<Item = usize>,
    rows: &'q [Vec<Value>],
) -> Result<PgQuery<'q>, StoreError> {
    for (n, column) in columns.enumerate() {
        let wrong = |value: &Value| {
            let text = format!("{}.{} got {value:?}", table.name, table.columns[column].name);
            StoreError::Failed(sqlx::Error::Encode(text.into()))
        };
        let cells = rows.iter().map(|row| &row[n]);
        macro_rules! array {
            ($variant:ident, $value:ident => $take:expr) => {
                cells
                    .map(|cell| match cell {
                        Value::Null => Ok(None),
                        Value::$variant($value) => Ok(Some($take)),
                        other => Err(wrong(other)),
                    })
                    .collect::<Result<Vec<_>, StoreError>>()?
            };
        }
        query = match table.columns[column].kind {
            Kind::Int => query.bind(array!(Int, value => *value)),
            Kind::Bool => query.bind(array!(Bool, value => *value)),
            Kind::Text => query.bind(array!(Text, value => value.as_str())),
            Kind::Bytes => query.bind(array!(Bytes, value => value.as_slice())),
        };
    }
    Ok(query)
}

#[async_trait]
impl WriteTx for PostgresTx {
    async fn lock_head(&mut self, shard: i64) -> Result<i64, StoreError> {
        let rows = self
            .fetch("SELECT pos FROM head WHERE shard = $1 FOR UPDATE", &[shard.into()])
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
        if rows.is_empty() {
            return Ok(());
        }
        let sql = insert_statement(table, name, existing, "", 1);
        bind_columns(sqlx::query(&sql), table, 0..table.columns.len(), rows)?
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    async fn update(
        &mut self,
        table: &Table,
        name: &str,
        columns: &[usize],
        rows: &[Vec<Value>],
    ) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let sql = update_statement(table, name, columns, "", 1);
        let bound = (0..table.key).chain(columns.iter().copied());
        let done = bind_columns(sqlx::query(&sql), table, bound, rows)?
            .execute(&mut *self.transaction)
            .await?;
        Ok(done.rows_affected())
    }

    async fn delete(&mut self, table: &Table, keys: &[Vec<Value>]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let sql = delete_statement(table, "", 1);
        bind_columns(sqlx::query(&sql), table, 0..table.key, keys)?
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    async fn create_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError> {
        self.drop_table(name).await?;
        let sql = format!(
            "CREATE TABLE {name} (LIKE {} INCLUDING ALL EXCLUDING INDEXES)",
            table.name
        );
        self.execute(&sql, &[]).await?;
        let sql = format!(
            "ALTER TABLE {name} ADD CONSTRAINT {name}_pkey PRIMARY KEY ({})",
            names(table, 0..table.key).join(", ")
        );
        self.execute(&sql, &[]).await?;
        // LIKE leaves the storage parameters out.
        let sql = "SELECT array_to_string(reloptions, ', ') FROM pg_class \
                   WHERE oid = CAST(CAST($1 AS text) AS regclass) AND reloptions IS NOT NULL";
        for row in self.fetch(sql, &[table.name.into()]).await? {
            self.execute(&format!("ALTER TABLE {name} SET ({})", row.text(0)?), &[])
                .await?;
        }
        Ok(())
    }

    async fn index_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError> {
        for (index, unique, rest) in self.secondary_indexes(table.name).await? {
            let unique = if unique { "UNIQUE " } else { "" };
            let sql = format!("CREATE {unique}INDEX {index}{TWIN_INDEX} ON {name} USING {rest}");
            self.execute(&sql, &[]).await?;
        }
        self.execute(&format!("ANALYZE {name}"), &[]).await?;
        Ok(())
    }

    async fn swap_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError> {
        self.drop_table(table.name).await?;
        for (index, _, _) in self.secondary_indexes(name).await? {
            let own = index.strip_suffix(TWIN_INDEX).unwrap_or(&index);
            self.execute(&format!("ALTER INDEX {index} RENAME TO {own}"), &[])
                .await?;
        }
        let sql = format!(
            "ALTER TABLE {name} RENAME CONSTRAINT {name}_pkey TO {}_pkey",
            table.name
        );
        self.execute(&sql, &[]).await?;
        self.execute(&format!("ALTER TABLE {name} RENAME TO {}", table.name), &[])
            .await?;
        Ok(())
    }

    async fn drop_table(&mut self, name: &str) -> Result<(), StoreError> {
        self.execute(&format!("DROP TABLE IF EXISTS {name}"), &[]).await?;
        Ok(())
    }

    async fn load(&mut self, table: &Table, name: &str, rows: &[Vec<Value>]) -> Result<(), StoreError> {
        let columns = names(table, 0..table.columns.len()).join(", ");
        let mut copy = self
            .transaction
            .copy_in_raw(&format!("COPY {name} ({columns}) FROM STDIN"))
            .await?;
        let mut text = String::with_capacity(COPY_BYTES + 4096);
        for row in rows {
            copy_line(row, &mut text);
            if text.len() >= COPY_BYTES {
                copy.send(text.as_bytes()).await?;
                text.clear();
            }
        }
        copy.send(text.as_bytes()).await?;
        copy.finish().await?;
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
}

/// What the name of a twin's index ends with until the swap.
const TWIN_INDEX: &str = "__next";
/// How much COPY is given at a time.
const COPY_BYTES: usize = 256 * 1024;

impl PostgresTx {
    /// Name, uniqueness and definition after USING of every index but the primary key's.
    async fn secondary_indexes(&mut self, table: &str) -> Result<Vec<(String, bool, String)>, StoreError> {
        let sql = "SELECT CAST(c.relname AS text), i.indisunique, pg_get_indexdef(i.indexrelid) FROM pg_index i \
                   JOIN pg_class c ON c.oid = i.indexrelid \
                   WHERE i.indrelid = CAST(CAST($1 AS text) AS regclass) AND NOT i.indisprimary";
        let mut indexes = Vec::new();
        for row in self.fetch(sql, &[table.into()]).await? {
            let (_, rest) = row
                .text(2)?
                .split_once(" USING ")
                .ok_or_else(|| row.error(2, "an index definition"))?;
            indexes.push((row.text(0)?.to_owned(), row.bool(1)?, rest.to_owned()));
        }
        Ok(indexes)
    }
}

/// One line of COPY's text format.
fn copy_line(row: &[Value], text: &mut String) {
    for (n, value) in row.iter().enumerate() {
        if n > 0 {
            text.push('\t');
        }
        match value {
            Value::Null => text.push_str("\\N"),
            Value::Int(value) => text.push_str(&value.to_string()),
            Value::Bool(value) => text.push(if *value { 't' } else { 'f' }),
            Value::Text(value) => {
                for character in value.chars() {
                    match character {
                        '\\' => text.push_str("\\\\"),
                        '\t' => text.push_str("\\t"),
                        '\n' => text.push_str("\\n"),
                        '\r' => text.push_str("\\r"),
                        other => text.push(other),
                    }
                }
            }
            Value::Bytes(value) => {
                text.push_str("\\\\x");
                text.extend(value.iter().flat_map(|byte| {
                    [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
                }));
            }
        }
    }
    text.push('\n');
}

fn bind_all<'q>(query: PgQuery<'q>, values: &'q [Value]) -> PgQuery<'q> {
    values.iter().fold(query, |query, value| match value {
        Value::Null => query.bind(None::<String>),
        Value::Int(value) => query.bind(*value),
        Value::Bool(value) => query.bind(*value),
        Value::Text(value) => query.bind(value.as_str()),
        Value::Bytes(value) => query.bind(value.as_slice()),
    })
}

fn row(found: &PgRow) -> Result<Row, sqlx::Error> {
    let mut values = Vec::with_capacity(found.columns().len());
    for column in found.columns() {
        let raw = found.try_get_raw(column.ordinal())?;
        if raw.is_null() {
            values.push(Value::Null);
            continue;
        }
        values.push(match raw.type_info().name() {
            "INT8" => found.try_get(column.ordinal()).map(Value::Int)?,
            "INT4" => found
                .try_get::<i32, _>(column.ordinal())
                .map(|value| Value::Int(value.into()))?,
            "BOOL" => found.try_get(column.ordinal()).map(Value::Bool)?,
            "TEXT" | "VARCHAR" | "NAME" => found.try_get(column.ordinal()).map(Value::Text)?,
            "BYTEA" => found.try_get(column.ordinal()).map(Value::Bytes)?,
            other => {
                return Err(sqlx::Error::Decode(
                    format!("column {} is of type {other}", column.name()).into(),
                ));
            }
        });
    }
    Ok(Row(values))
}
