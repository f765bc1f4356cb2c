//! The journal on Postgres: bulk statements over arrays, the head row as the order of writers.

use std::str::FromStr;

use async_trait::async_trait;
use projections::{Kind, ReadError, ReadStore, Row, Table, Value};
use sqlx::{
    Column as _, Postgres, Row as _, Transaction, TypeInfo, ValueRef,
    postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow},
    query::Query,
};

use super::{
    StoreError,
    store::{Existing, Store, WriteTx},
};

pub struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("billstream")
            .options([
                ("synchronous_commit", "on"),
                ("jit", "off"),
                ("plan_cache_mode", "force_generic_plan"),
            ])
            .statement_cache_capacity(512);
        let pool = PgPoolOptions::new().max_connections(16).connect_with(options).await?;
        Ok(Self { pool })
    }

    /// The pool that other readers of the same database (postgres-es) may use.
    pub fn pool(&self) -> PgPool {
        self.pool.clone()
    }
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

    async fn begin(&self) -> Result<Box<dyn WriteTx>, StoreError> {
        Ok(Box::new(PostgresTx {
            transaction: self.pool.begin().await?,
        }))
    }

    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn close(&self) {
        self.pool.close().await;
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

/// `UNNEST($1::text[], $2::bigint[])` over these columns.
fn unnest(table: &Table, columns: impl Iterator<Item = usize>) -> String {
    let arrays = (1..)
        .zip(columns)
        .map(|(n, column)| format!("${n}::{}[]", sql_type(table.columns[column].kind)))
        .collect::<Vec<_>>();
    format!("UNNEST({})", arrays.join(", "))
}

fn names(table: &Table, columns: impl Iterator<Item = usize>) -> Vec<&'static str> {
    columns.map(|column| table.columns[column].name).collect()
}

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

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

    async fn select(&mut self, table: &Table, keys: &[Vec<Value>]) -> Result<Vec<Row>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {} FROM {} WHERE ({}) IN (SELECT * FROM {})",
            names(table, 0..table.columns.len()).join(", "),
            table.name,
            names(table, 0..table.key).join(", "),
            unnest(table, 0..table.key),
        );
        let rows = bind_columns(sqlx::query(&sql), table, 0..table.key, keys)?
            .fetch_all(&mut *self.transaction)
            .await?;
        Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
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
        let all = 0..table.columns.len();
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
        let sql = format!(
            "INSERT INTO {name} ({}) SELECT * FROM {}{conflict}",
            names(table, all.clone()).join(", "),
            unnest(table, all.clone()),
        );
        bind_columns(sqlx::query(&sql), table, all, rows)?
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
        let sql = format!(
            "UPDATE {name} AS old SET {sets} FROM {} AS new ({}) WHERE {keys}",
            unnest(table, bound()),
            names(table, bound()).join(", "),
        );
        let done = bind_columns(sqlx::query(&sql), table, bound(), rows)?
            .execute(&mut *self.transaction)
            .await?;
        Ok(done.rows_affected())
    }

    async fn delete(&mut self, table: &Table, keys: &[Vec<Value>]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "DELETE FROM {} WHERE ({}) IN (SELECT * FROM {})",
            table.name,
            names(table, 0..table.key).join(", "),
            unnest(table, 0..table.key),
        );
        bind_columns(sqlx::query(&sql), table, 0..table.key, keys)?
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
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
