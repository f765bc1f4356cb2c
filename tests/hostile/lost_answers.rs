//! What a writer makes of answers that got lost, and of commands that meet in one batch.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aggregates::{
    customer::{Contact, Profile},
    id::{PlanId, TenantId},
    money::Currency,
};
use async_trait::async_trait;
use billstream::{
    app::{App, customers::customer_with_code},
    journal::{CommandError, Request, Store, StoreError, verify::verify},
};

use crate::{
    journal::history::{self, quiet, rows},
    support::{
        cut_off, on_both,
        store::{Batch, Meddled, Meddling},
    },
};

async fn plan(app: &App, tenant: &TenantId, key: &str) -> Result<PlanId, CommandError> {
    let request = Request::new(tenant.clone(), "tester", "billstream", app.clock.now());
    let request = request.with_key(key, &[key.as_bytes()]);
    app.create_plan(&request, key, Currency::EUR).await
}

/// The second append never reaches the database, while its first command takes effect elsewhere.
struct Lossy {
    elsewhere: Arc<App>,
    tenant: TenantId,
    appends: AtomicU32,
}

#[async_trait]
impl Meddling for Lossy {
    async fn append(&self, inner: &dyn Store, batch: Batch<'_>) -> Result<bool, StoreError> {
        match self.appends.fetch_add(1, Ordering::SeqCst) {
            0 => {
                // Long enough for the next two commands to gather in one batch.
                tokio::time::sleep(Duration::from_millis(500)).await;
                batch.append(inner).await
            }
            1 => {
                plan(&self.elsewhere, &self.tenant, "twin")
                    .await
                    .expect("accepted elsewhere");
                Err(StoreError::Unavailable(sqlx::Error::PoolClosed))
            }
            _ => batch.append(inner).await,
        }
    }
}

/// The batch `[twin, other]` is lost before it reaches the database, and `twin` is sent again to another process:
/// its row there says nothing of `other`.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_batch_is_not_taken_for_written_because_one_of_its_commands_is_there() {
    on_both(async |test| {
        let tenant = history::tenant(&test);
        let lossy = Lossy {
            elsewhere: Arc::clone(&test.app),
            tenant: tenant.clone(),
            appends: AtomicU32::new(0),
        };
        let app = Meddled::engine(&test, &Arc::new(lossy)).await;
        plan(&app, &tenant, "warm").await.expect("accepted");
        let mut calls = Vec::new();
        for key in ["filler", "twin", "other"] {
            let (app, tenant) = (Arc::clone(&app), tenant.clone());
            calls.push(tokio::spawn(async move { plan(&app, &tenant, key).await }));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for call in calls {
            call.await.expect("no panic").expect("accepted");
        }
        let found = rows(&test, "SELECT command_id FROM commands ORDER BY command_id", &[]).await;
        let ids: Vec<_> = found.iter().filter_map(|row| row.text(0).ok()).collect();
        for key in ["filler", "twin", "other"] {
            assert!(
                ids.contains(&format!("billstream:{key}").as_str()),
                "{key} was acknowledged, but: {ids:?}"
            );
        }
        let report = verify(&test.app.journal, &[], &quiet).await.expect("a report");
        assert_eq!(report.faults, []);
    })
    .await;
}

/// On Postgres the parts of one statement do not see each other's rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_forgotten_in_the_batch_that_made_them_is_forgotten() {
    on_both(async |test| {
        let test = Arc::new(test);
        let tenant = history::tenant(&test);
        for key in ["first", "second"] {
            plan(&test.app, &tenant, key).await.expect("accepted");
        }
        // While the head is held, commands gather: creation and forgetting become one batch behind the filler.
        let mut tx = test.app.journal.store().begin().await.expect("a transaction");
        tx.lock_head(0).await.expect("the head");
        let mut calls = Vec::new();
        let (app, filler) = (Arc::clone(&test.app), tenant.clone());
        calls.push(tokio::spawn(
            async move { plan(&app, &filler, "filler").await.map(|_| ()) },
        ));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (app, create) = (Arc::clone(&test.app), history::request(&test));
        calls.push(tokio::spawn(async move {
            let contact = Contact {
                name: Some("Example Ltd".to_owned()),
                ..Contact::default()
            };
            app.create_customer(&create, Some("ABC123"), Profile::default(), contact)
                .await
                .map(|_| ())
        }));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let id = customer_with_code(&tenant, "ABC123");
        let (app, forget) = (Arc::clone(&test.app), history::request(&test));
        calls.push(tokio::spawn(async move { app.forget_customer(&forget, id).await }));
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(tx);
        for call in calls {
            call.await.expect("no panic").expect("accepted");
        }
        let keys = rows(&test, "SELECT subject FROM subject_keys", &[]).await;
        assert_eq!(keys, [], "the key of the forgotten person is kept");
        let history = test
            .app
            .journal
            .stream_after(&tenant, "customer", &id.to_string(), 0)
            .await
            .expect("readable");
        assert_eq!(history.len(), 2);
        assert!(
            history.iter().all(|recording| !recording.payload.contains("Example")),
            "{history:?}"
        );
        let report = verify(&test.app.journal, &[], &quiet).await.expect("a report");
        assert_eq!(report.faults, []);
    })
    .await;
}

/// On SQLite there is one write lock: whoever is cut off while taking it must not keep it.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_while_a_transaction_begins_leaves_nothing_locked() {
    on_both(async |test| {
        let store = test.app.journal.store();
        for asked in 0..8 {
            drop(cut_off(store.begin(), asked).await);
            let next = tokio::time::timeout(Duration::from_secs(10), store.begin()).await;
            drop(next.unwrap_or_else(|_| panic!("cut off after {asked}, the lock is still held")));
        }
        let tenant = history::tenant(&test);
        plan(&test.app, &tenant, "after").await.expect("accepted");
    })
    .await;
}
