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
use billstream::journal::{Request, Store, StoreError, verify::verify};

use crate::{
    journal::history::{self, quiet, rows},
    support::{
        on_both,
        store::{Batch, Meddled, Meddling},
    },
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

/// The third append takes long, so that others are closed behind it, and then comes to that.
struct Fateful {
    fate: Fate,
    appends: AtomicU32,
}

#[async_trait]
impl Meddling for Fateful {
    async fn append(&self, inner: &dyn Store, batch: Batch<'_>) -> Result<bool, StoreError> {
        if self.appends.fetch_add(1, Ordering::SeqCst) != 2 {
            return batch.append(inner).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let gone = || StoreError::Unavailable(sqlx::Error::PoolClosed);
        match self.fate {
            Fate::Overtaken => Ok(false),
            Fate::Lost => Err(gone()),
            Fate::Unanswered => {
                assert!(batch.append(inner).await?, "written");
                Err(gone())
            }
            Fate::Refused => Err(StoreError::Failed(sqlx::Error::RowNotFound)),
        }
    }
}

/// Every command is acknowledged once and stands in the log once, whatever becomes of the batch before its own; half of
/// them were sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_built_behind_a_batch_that_fails_is_written_once() {
    for fate in [Fate::Overtaken, Fate::Lost, Fate::Unanswered, Fate::Refused] {
        on_both(async |test| {
            let tenant = history::tenant(&test);
            let appends = AtomicU32::new(0);
            let app = Meddled::engine(&test, &Arc::new(Fateful { fate, appends })).await;
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
