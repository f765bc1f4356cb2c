//! Checkpoints of SQLite's write-ahead log: what was committed is copied into the database file beside the writer, which
//! would otherwise do it in the middle of its work.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sqlx::sqlite::SqlitePool;
use tokio::sync::{Mutex, mpsc};

use super::StoreError;

/// A checkpoint is due after so many rows.
const ROWS: u64 = 25_000;
/// What a commit counts beside its rows: a small one touches many pages for few of them.
const COMMIT: u64 = 20;
/// How often what was written meanwhile is copied too, before the writer is kept waiting for the rest.
const BESIDE: usize = 2;

#[derive(Clone)]
pub struct Checkpoints {
    /// How many rows were written since the last one was due.
    rows: Arc<AtomicU64>,
    due: mpsc::Sender<()>,
    connection: SqlitePool,
}

impl Checkpoints {
    /// Makes them over this connection until nobody writes any more; `turn` is what writers wait for.
    pub fn start(connection: SqlitePool, turn: Arc<Mutex<()>>) -> Self {
        let (due, mut told) = mpsc::channel(1);
        let made = connection.clone();
        tokio::spawn(async move {
            while told.recv().await.is_some() {
                if let Err(error) = make(&made, &turn).await {
                    // The log grows; SQLite makes one by itself before it is too long.
                    tracing::warn!(error = &error as &dyn std::error::Error, "no checkpoint");
                }
            }
        });
        Self {
            rows: Arc::default(),
            due,
            connection,
        }
    }

    /// Is told of every commit.
    pub fn written(&self, rows: u64) {
        let rows = rows + COMMIT;
        if self.rows.fetch_add(rows, Ordering::Relaxed) + rows >= ROWS && self.due.try_send(()).is_ok() {
            self.rows.store(0, Ordering::Relaxed);
        }
    }

    pub async fn close(&self) {
        self.connection.close().await;
    }
}

/// As much as can be copied beside the writer; then the rest while it waits, so that the log begins anew.
async fn make(connection: &SqlitePool, turn: &Mutex<()>) -> Result<(), StoreError> {
    for _ in 0..BESIDE {
        pass(connection).await?;
    }
    let _turn = turn.lock().await;
    pass(connection).await
}

async fn pass(connection: &SqlitePool) -> Result<(), StoreError> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use projections::{Value, customer_timeline::CUSTOMER_TIMELINE};

    use super::*;
    use crate::journal::{Existing, SqliteStore, Store};

    fn size(file: &Path) -> u64 {
        std::fs::metadata(file).expect("the file").len()
    }

    /// SQLite itself would do that after 128 MB.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_committed_comes_into_the_file_without_waiting_for_sqlite() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("log.db");
        let store = SqliteStore::open(&format!("sqlite://{}", file.display()))
            .await
            .expect("a store");
        store.migrate().await.expect("tables");
        let before = size(&file);
        let row = |n: i64| {
            let text = |text: &str| Value::from(text);
            vec![text("t"), text("c"), n.into(), text("event"), text("id"), 0.into()]
        };
        let rows: Vec<_> = (0_i64..).zip(0..ROWS).map(|(n, _)| row(n)).collect();
        for some in rows.chunks(5_000) {
            assert_eq!(size(&file), before, "nothing is copied before it is due");
            let mut tx = store.begin().await.expect("a transaction");
            let table = &CUSTOMER_TIMELINE;
            tx.insert(table, table.name, some, Existing::Fail).await.expect("rows");
            tx.commit().await.expect("a commit");
        }
        for _ in 0..200 {
            if size(&file) > before + 500_000 {
                return store.close().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{before} bytes before, {} after {ROWS} rows", size(&file));
    }
}
