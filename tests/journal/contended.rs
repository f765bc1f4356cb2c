//! A store that asks for another try at the worst moment: when everything is done but the commit.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use billstream::journal::{
    Existing, Store, StoreError, WriteTx,
    rebuild::{Which, rebuild},
    replay::replay,
};
use projections::{Row, Table, Value};

use super::history::{fill, quiet, rows, tamper};
use crate::support::{
    on_both,
    store::{Meddled, Meddling},
};

/// Refuses the commits of so many transactions that have swapped a table.
struct Contended {
    left: Arc<AtomicU32>,
}

#[async_trait]
impl Meddling for Contended {
    async fn begin(&self, inner: &dyn Store) -> Result<Box<dyn WriteTx>, StoreError> {
        Ok(Box::new(ContendedTx {
            inner: inner.begin().await?,
            left: Arc::clone(&self.left),
            swapped: false,
        }))
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
        let contended = Contended {
            left: Arc::clone(&left),
        };
        let journal = Meddled::journal(&test, &Arc::new(contended)).await;
        let clock = test.clock.as_ref();
        rebuild(&journal, Which::All, clock, &quiet).await.expect("rebuilt");
        assert_eq!(left.load(Ordering::SeqCst), 0, "the swap was refused twice");
        assert_eq!(rows(&test, "SELECT 1 FROM charges", &[]).await.len(), 9);
        let result = replay(&test.app.journal, clock, &quiet).await.expect("replayed");
        assert!(result.is_identical(), "{result:#?}");
    })
    .await;
}
