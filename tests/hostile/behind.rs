//! Batches that were built behind one that does not come to be as expected.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aggregates::money::Currency;
use async_trait::async_trait;
use billstream::{
    app::App,
    clock::Clock,
    journal::{Journal, Request, Step, Store, StoreError, WriteTx, connect, verify::verify},
};
use cqrs_es::persist::{PersistenceError, SerializedEvent};
use projections::{ReadError, ReadStore, Row, Table, Value};
use tokio::sync::oneshot;

use crate::{
    journal::history::{self, quiet, rows},
    support::on_both,
};

/// More than two closed batches and a third that gathers.
const COMMANDS: usize = 700;

/// What becomes of one append.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The head stands elsewhere.
    Overtaken,
    /// It never reaches the database.
    Lost,
    /// It is written, and the answer is lost.
    Unanswered,
    /// A row is in the way.
    Refused,
}

/// A store whose third append takes long, so that others are closed behind it, and then comes to that.
struct Fateful {
    inner: Arc<dyn Store>,
    fate: Fate,
    appends: AtomicU32,
}

#[async_trait]
impl ReadStore for Fateful {
    async fn fetch(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, ReadError> {
        self.inner.fetch(sql, parameters).await
    }
}

#[async_trait]
impl Store for Fateful {
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
        if self.appends.fetch_add(1, Ordering::SeqCst) != 2 {
            return self.inner.append(shard, from, to, steps, go).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let gone = || StoreError::Unavailable(sqlx::Error::PoolClosed);
        match self.fate {
            Fate::Overtaken => Ok(false),
            Fate::Lost => Err(gone()),
            Fate::Unanswered => {
                assert!(self.inner.append(shard, from, to, steps, go).await?, "written");
                Err(gone())
            }
            Fate::Refused => Err(StoreError::Failed(sqlx::Error::RowNotFound)),
        }
    }
    async fn begin(&self) -> Result<Box<dyn WriteTx>, StoreError> {
        self.inner.begin().await
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

/// Every command is acknowledged once and stands in the log once, whatever becomes of the batch before its own; half of
/// them were sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_built_behind_a_batch_that_fails_is_written_once() {
    for fate in [Fate::Overtaken, Fate::Lost, Fate::Unanswered, Fate::Refused] {
        on_both(async |test| {
            let tenant = history::tenant(&test);
            let store = Fateful {
                inner: connect(&test.database).await.expect("the database"),
                fate,
                appends: AtomicU32::new(0),
            };
            let clock = Arc::clone(&test.clock) as Arc<dyn Clock>;
            let app = Arc::new(App::new(Journal::on(Arc::new(store)), clock));
            let plan = |key: usize| {
                let (app, tenant) = (Arc::clone(&app), tenant.clone());
                tokio::spawn(async move {
                    let key = format!("plan {key}");
                    let request = Request::new(tenant, "tester", "billstream", app.clock.now());
                    let request = request.with_key(&key, &[key.as_bytes()]);
                    app.create_plan(&request, &key, Currency::EUR).await
                })
            };
            for key in 0..3 {
                plan(key).await.expect("no panic").expect("accepted");
            }
            let calls: Vec<_> = (3..COMMANDS).map(&plan).chain((3..COMMANDS / 2).map(&plan)).collect();
            let mut made = Vec::new();
            for call in calls {
                made.push(call.await.expect("no panic").expect("accepted"));
            }
            let twice = made.split_off(COMMANDS - 3);
            assert_eq!(made[..twice.len()], twice, "{fate:?}: the same answer");
            let found = rows(&test, "SELECT plan FROM plans WHERE name LIKE 'plan %'", &[]).await;
            assert_eq!(found.len(), COMMANDS, "{fate:?}");
            let report = verify(&test.app.journal, &[], &quiet).await.expect("a report");
            assert_eq!(report.faults, [], "{fate:?}");
        })
        .await;
    }
}
