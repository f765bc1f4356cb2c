//! Read models are made anew while commands keep flowing, and a rebuild that was cut off is seen and starts again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use billstream::journal::{
    BuildError, Journal, StoreError,
    checkpoint::{Status, list},
    rebuild::{Which, rebuild},
    replay::replay,
};
use projections::Value;

use super::history::{customer, fill, quiet, request, rows, tamper};
use crate::support::{TestApp, on_both};

async fn status(test: &TestApp, name: &str) -> Status {
    let lines = list(&test.app.journal, test.clock.as_ref()).await.expect("a list");
    let line = lines.into_iter().find(|line| line.name == name);
    line.expect("listed").status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_repairs_damaged_views_and_reports_what_was_wrong() {
    on_both(async |test| {
        fill(&test).await;
        tamper(&test, "UPDATE invoices SET total = total + 1 WHERE number = 3", &[]).await;
        tamper(&test, "DELETE FROM charges", &[]).await;
        let clock = test.clock.as_ref();
        let rebuilt = rebuild(&test.app.journal, Which::All, clock, &quiet)
            .await
            .expect("rebuilt");
        let found: Vec<_> = rebuilt
            .differences
            .iter()
            .map(|difference| (difference.table, difference.what))
            .collect();
        assert!(found.contains(&("invoices", "total")), "{found:?}");
        assert!(found.contains(&("charges", "rows")), "{found:?}");
        assert!(
            found.iter().all(|(table, _)| ["invoices", "charges"].contains(table)),
            "{found:?}"
        );
        let result = replay(&test.app.journal, clock, &quiet).await.expect("replayed");
        assert!(result.is_identical(), "{result:#?}");
        // Twice, so that the names of tables and indexes are as they were.
        let rebuilt = rebuild(&test.app.journal, Which::Named("customer"), clock, &quiet).await;
        assert_eq!(rebuilt.expect("rebuilt").differences, []);
        assert_eq!(status(&test, "customer").await, Status::Live);
        customer(&test.app.journal, &request(&test)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_keep_flowing_and_nothing_is_lost() {
    on_both(async |test| {
        fill(&test).await;
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (stop, journal) = (Arc::clone(&stop), test.app.journal.clone());
            let template = request(&test);
            tokio::spawn(async move {
                let mut written = 0;
                while !stop.load(Ordering::SeqCst) {
                    let request =
                        billstream::journal::Request::new(template.tenant.clone(), "writer", "billstream", template.at);
                    customer(&journal, &request).await;
                    written += 1;
                }
                written
            })
        };
        let clock = test.clock.as_ref();
        for _ in 0..3 {
            rebuild(&test.app.journal, Which::All, clock, &quiet)
                .await
                .expect("rebuilt");
        }
        stop.store(true, Ordering::SeqCst);
        let written: usize = writer.await.expect("no panic");
        assert!(written > 0);
        assert_eq!(rows(&test, "SELECT 1 FROM customers", &[]).await.len(), 9 + written);
        let result = replay(&test.app.journal, clock, &quiet).await.expect("replayed");
        assert!(result.is_identical(), "{result:#?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_rebuild_is_reported_holds_off_others_until_its_lease_ends_and_starts_again() {
    on_both(async |test| {
        fill(&test).await;
        let (clock, journal) = (test.clock.as_ref(), &test.app.journal);
        let killed = tokio::spawn({
            let (journal, clock) = (journal.clone(), Arc::clone(&test.clock));
            async move {
                // The first report comes when the twins are made: there it dies.
                let die = |_, _| panic!("killed");
                rebuild(&journal, Which::Named("invoice"), clock.as_ref(), &die).await
            }
        });
        assert!(killed.await.is_err());
        assert_eq!(status(&test, "invoice").await, Status::Rebuilding);
        assert_eq!(rows(&test, "SELECT 1 FROM invoices__next", &[]).await.len(), 0);
        let second = rebuild(journal, Which::All, clock, &quiet).await;
        assert!(matches!(second, Err(BuildError::Busy { .. })), "{second:?}");
        assert_eq!(status(&test, "customer").await, Status::Live);
        test.clock.set("2026-10-05T12:01:01Z");
        assert_eq!(status(&test, "invoice").await, Status::RebuildInterrupted);
        rebuild(journal, Which::Named("invoice"), clock, &quiet)
            .await
            .expect("rebuilt");
        assert_eq!(status(&test, "invoice").await, Status::Live);
        assert_eq!(rows(&test, "SELECT 1 FROM invoices", &[]).await.len(), 8);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_of_another_version_is_rebuilt_before_it_is_served() {
    on_both(async |test| {
        fill(&test).await;
        tamper(
            &test,
            "UPDATE projections SET version = 0 WHERE name = 'invoice' AND shard = -1",
            &[],
        )
        .await;
        let refused = Journal::open(&test.database).await;
        assert!(matches!(
            refused,
            Err(StoreError::Outdated {
                name: "invoice",
                stored: 0,
                ..
            })
        ));
        let journal = Journal::open_to_rebuild(&test.database).await.expect("a journal");
        let clock = test.clock.as_ref();
        rebuild(&journal, Which::Named("invoice"), clock, &quiet)
            .await
            .expect("rebuilt");
        Journal::open(&test.database).await.expect("a journal");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_have_their_names_after_a_rebuild() {
    on_both(async |test| {
        let sql = match test.app.journal.store().name() {
            "sqlite" => "SELECT name FROM sqlite_master WHERE type IN ('index', 'table') ORDER BY name",
            _ => {
                "SELECT CAST(relname AS text) FROM pg_class WHERE relnamespace = CAST('public' AS regnamespace) \
                 ORDER BY 1"
            }
        };
        let before: Vec<Vec<Value>> = rows(&test, sql, &[]).await.into_iter().map(|row| row.0).collect();
        let clock = test.clock.as_ref();
        for _ in 0..2 {
            rebuild(&test.app.journal, Which::All, clock, &quiet)
                .await
                .expect("rebuilt");
        }
        let after: Vec<Vec<Value>> = rows(&test, sql, &[]).await.into_iter().map(|row| row.0).collect();
        assert_eq!(after, before);
    })
    .await;
}
