//! A store between an engine and its database: it passes everything on, and a test says what it does otherwise.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use billstream::{
    app::App,
    clock::Clock,
    journal::{Journal, Step, Store, StoreError, WriteTx, connect},
};
use cqrs_es::persist::{PersistenceError, SerializedEvent};
use projections::{ReadError, ReadStore, Row, Table, Value};
use tokio::sync::oneshot;

use super::TestApp;

/// What is done otherwise.
#[async_trait]
pub trait Meddling: Send + Sync + 'static {
    async fn append(&self, inner: &dyn Store, batch: Batch<'_>) -> Result<bool, StoreError> {
        batch.append(inner).await
    }

    async fn begin(&self, inner: &dyn Store) -> Result<Box<dyn WriteTx>, StoreError> {
        inner.begin().await
    }

    /// A statement that is about to read.
    fn reads(&self, _sql: &str, _parameters: &[Value]) {}
}

/// What is to be appended.
pub struct Batch<'a> {
    shard: i64,
    from: i64,
    to: i64,
    steps: &'a [Step<'a>],
    go: oneshot::Receiver<()>,
}

impl Batch<'_> {
    pub async fn append(self, store: &dyn Store) -> Result<bool, StoreError> {
        let Self {
            shard,
            from,
            to,
            steps,
            go,
        } = self;
        store.append(shard, from, to, steps, go).await
    }
}

pub struct Meddled<M> {
    inner: Arc<dyn Store>,
    meddler: Arc<M>,
}

impl<M: Meddling> Meddled<M> {
    /// A journal on the test's database.
    pub async fn journal(test: &TestApp, meddler: &Arc<M>) -> Journal {
        let inner = connect(&test.database).await.expect("the database");
        let meddler = Arc::clone(meddler);
        Journal::on(Arc::new(Self { inner, meddler }))
    }

    /// Another engine on the test's database.
    pub async fn engine(test: &TestApp, meddler: &Arc<M>) -> Arc<App> {
        let clock = Arc::clone(&test.clock) as Arc<dyn Clock>;
        Arc::new(App::new(Self::journal(test, meddler).await, clock))
    }
}

#[async_trait]
impl<M: Meddling> ReadStore for Meddled<M> {
    async fn fetch(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, ReadError> {
        self.meddler.reads(sql, parameters);
        self.inner.fetch(sql, parameters).await
    }
}

#[async_trait]
impl<M: Meddling> Store for Meddled<M> {
    async fn migrate(&self) -> Result<(), StoreError> {
        self.inner.migrate().await
    }
    async fn read(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.meddler.reads(sql, parameters);
        self.inner.read(sql, parameters).await
    }
    async fn select(&self, table: &Table, keys: &[Vec<Value>]) -> Result<Vec<Row>, StoreError> {
        self.meddler.reads(table.name, &[]);
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
        let batch = Batch {
            shard,
            from,
            to,
            steps,
            go,
        };
        self.meddler.append(self.inner.as_ref(), batch).await
    }
    async fn begin(&self) -> Result<Box<dyn WriteTx>, StoreError> {
        self.meddler.begin(self.inner.as_ref()).await
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

/// Writes down what is read.
#[derive(Default)]
pub struct Reads(Mutex<Vec<(String, Vec<Value>)>>);

impl Meddling for Reads {
    fn reads(&self, sql: &str, parameters: &[Value]) {
        let statement = (sql.to_owned(), parameters.to_vec());
        self.0.lock().expect("the statements").push(statement);
    }
}

impl Reads {
    /// What was read since somebody asked.
    pub fn taken(&self) -> Vec<(String, Vec<Value>)> {
        std::mem::take(&mut self.0.lock().expect("the statements"))
    }
}
