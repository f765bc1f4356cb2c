//! A store that asks for another try at the worst moment: when everything is done but the commit.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use billstream::journal::{
    Existing, Journal, Step, Store, StoreError, WriteTx, connect,
    rebuild::{Which, rebuild},
    replay::replay,
};
use cqrs_es::persist::{PersistenceError, SerializedEvent};
use projections::{ReadError, ReadStore, Row, Table, Value};

use super::history::{fill, quiet, rows, tamper};
use tokio::sync::oneshot;

use crate::support::on_both;

/// Refuses the commits of so many transactions that have swapped a table.
struct Contended {
    inner: Arc<dyn Store>,
    left: Arc<AtomicU32>,
}

#[async_trait]
impl ReadStore for Contended {
    async fn fetch(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, ReadError> {
        self.inner.fetch(sql, parameters).await
    }
}

#[async_trait]
impl Store for Contended {
    async fn migrate(&self) -> Result<(), StoreError> {
        self.inner.migrate().await
    }
    async fn read(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.inner.read(sql, parameters).await
    }
    async fn select(&self, table: &Table, keys: &[Vec<Value>]) -> Result<Vec<Row>, StoreError> {
        self.inner.select(table, keys).await
    }
    async fn append(
        &self,
        shard: i64,
        from: i64,
        to: i64,
        steps: &[Step<'_>],
        go: oneshot::Receiver<()>,
    ) -> Result<bool, StoreError> {
        self.inner.append(shard, from, to, steps, go).await
    }
    async fn begin(&self) -> Result<Box<dyn WriteTx>, StoreError> {
        Ok(Box::new(ContendedTx {
            inner: self.inner.begin().await?,
            left: Arc::clone(&self.left),
            swapped: false,
        }))
    }
    async fn stock_events(&self, kind: &str, stream: &str) -> Result<Option<Vec<SerializedEvent>>, PersistenceError> {
        self.inner.stock_events(kind, stream).await
    }
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}

struct ContendedTx {
    inner: Box<dyn WriteTx>,
    left: Arc<AtomicU32>,
    swapped: bool,
}

#[async_trait]
impl WriteTx for ContendedTx {
    async fn lock_head(&mut self, shard: i64) -> Result<i64, StoreError> {
        self.inner.lock_head(shard).await
    }
    async fn set_head(&mut self, shard: i64, pos: i64) -> Result<(), StoreError> {
        self.inner.set_head(shard, pos).await
    }
    async fn fetch(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.inner.fetch(sql, parameters).await
    }
    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        self.inner.execute(sql, parameters).await
    }
    async fn insert(
        &mut self,
        table: &Table,
        name: &str,
        rows: &[Vec<Value>],
        existing: Existing,
    ) -> Result<(), StoreError> {
        self.inner.insert(table, name, rows, existing).await
    }
    async fn update(
        &mut self,
        table: &Table,
        name: &str,
        columns: &[usize],
        rows: &[Vec<Value>],
    ) -> Result<u64, StoreError> {
        self.inner.update(table, name, columns, rows).await
    }
    async fn delete(&mut self, table: &Table, keys: &[Vec<Value>]) -> Result<(), StoreError> {
        self.inner.delete(table, keys).await
    }
    async fn create_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError> {
        self.inner.create_twin(table, name).await
    }
    async fn index_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError> {
        self.inner.index_twin(table, name).await
    }
    async fn swap_twin(&mut self, table: &Table, name: &str) -> Result<(), StoreError> {
        self.swapped = true;
        self.inner.swap_twin(table, name).await
    }
    async fn drop_table(&mut self, name: &str) -> Result<(), StoreError> {
        self.inner.drop_table(name).await
    }
    async fn load(&mut self, table: &Table, name: &str, rows: &[Vec<Value>]) -> Result<(), StoreError> {
        self.inner.load(table, name, rows).await
    }
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let take = |left: u32| left.checked_sub(1);
        if self.swapped && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
            return Err(StoreError::Contended(sqlx::Error::WorkerCrashed));
        }
        self.inner.commit().await
    }
}

/// A rebuild that met another transaction at its end threw all of its work away.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_tries_its_swap_again_when_the_database_asks_for_it() {
    on_both(async |test| {
        fill(&test).await;
        tamper(&test, "DELETE FROM charges", &[]).await;
        let left = Arc::new(AtomicU32::new(2));
        let store = Contended {
            inner: connect(&test.database).await.expect("the database"),
            left: Arc::clone(&left),
        };
        let journal = Journal::on(Arc::new(store));
        let clock = test.clock.as_ref();
        rebuild(&journal, Which::All, clock, &quiet).await.expect("rebuilt");
        assert_eq!(left.load(Ordering::SeqCst), 0, "the swap was refused twice");
        assert_eq!(rows(&test, "SELECT 1 FROM charges", &[]).await.len(), 9);
        let result = replay(&test.app.journal, clock, &quiet).await.expect("replayed");
        assert!(result.is_identical(), "{result:#?}");
    })
    .await;
}
