//! The stock repositories of the es crates read what we wrote, through an index.

use crate::support::{Database, TestApp, on_both};

use super::history::{fill, request, rows, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn they_read_every_stream_with_the_same_events() {
    on_both(async |test| {
        fill(&test).await;
        let streams = rows(&test, "SELECT aggregate_type, stream, version FROM streams", &[]).await;
        assert!(streams.len() > 20);
        for row in streams {
            let (kind, stream) = (row.text(0).expect("text"), row.text(1).expect("text"));
            let stock = test.app.journal.store().stock_events(kind, stream).await;
            let stock = stock.expect("readable").expect("an aggregate");
            let (_, id) = stream.split_once('/').expect("qualified");
            let tenant = aggregates::id::TenantId::from_stored(stream.split('/').next().expect("a tenant"));
            let ours = test
                .app
                .journal
                .stream_after(&tenant, kind, id, 0)
                .await
                .expect("readable");
            assert_eq!(i64::try_from(stock.len()), Ok(row.int(2).expect("a version")));
            for (stock, ours) in stock.iter().zip(&ours) {
                let ours = &ours.stored;
                assert_eq!(i64::try_from(stock.sequence), Ok(ours.sequence));
                assert_eq!(stock.aggregate_id, stream);
                assert_eq!(stock.event_type, ours.event_type);
                assert_eq!(stock.event_version, ours.event_version.to_string());
                assert_eq!(
                    stock.payload,
                    serde_json::from_str::<serde_json::Value>(&ours.payload).expect("JSON")
                );
                assert_eq!(
                    stock.metadata,
                    serde_json::from_str::<serde_json::Value>(&ours.metadata).expect("JSON")
                );
            }
        }
        assert!(
            test.app
                .journal
                .store()
                .stock_events("nobody", "x")
                .await
                .expect("readable")
                .is_none()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_answers_them_through_the_index_of_streams() {
    let test = TestApp::start(Database::Postgres).await;
    let _ = (request(&test), tenant(&test));
    let mut tx = test.app.journal.store().begin().await.expect("a transaction");
    tx.execute("SET LOCAL enable_seqscan = off", &[]).await.expect("set");
    let plan = tx
        .fetch(
            "EXPLAIN SELECT sequence, payload FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY sequence",
            &["customer".into(), "t_a/b".into()],
        )
        .await
        .expect("a plan");
    let plan: Vec<_> = plan.iter().map(|row| row.text(0).expect("text").to_owned()).collect();
    let condition = plan.iter().find(|line| line.contains("Index Cond")).cloned();
    let condition = condition.unwrap_or_else(|| panic!("no index: {plan:#?}"));
    // The key ends with the shard: the planner may as well filter by it.
    for column in ["aggregate_type", "stream"] {
        assert!(condition.contains(column), "{plan:#?}");
    }
}
