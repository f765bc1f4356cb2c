//! Streams that are loaded before the commands that need them.

use aggregates::{
    id::TenantId,
    number_series::{self, NumberSeries},
};
use billstream::journal::{Journal, Request, Streams};

use crate::support::{TestApp, on_both};

fn request(test: &TestApp) -> Request {
    let at = "2026-10-05T12:00:00Z".parse().expect("a time");
    Request::new(
        TenantId::from_stored(&test.tenant.tenant_id),
        "tester",
        "billstream",
        at,
    )
}

/// Takes the next number of a series.
async fn number(journal: &Journal, test: &TestApp, series: &str) -> u64 {
    let streams = Streams::new().with::<NumberSeries>(series);
    let request = request(test);
    let taken = journal.execute(&request, streams, |unit| {
        let for_document = "a document".to_owned();
        let taken = unit.send::<NumberSeries>(series, &number_series::Command::TakeNumber { for_document })?;
        let number_series::Event::NumberTaken { number, .. } = &taken[0];
        Ok(*number)
    });
    taken.await.expect("a number")
}

async fn ahead(journal: &Journal, test: &TestApp, all: &[&str]) {
    let streams = all.iter().fold(Streams::new(), Streams::with::<NumberSeries>);
    let tenant = request(test).tenant;
    journal.load_ahead(&tenant, &streams).await.expect("streams");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_goes_on_where_the_loaded_streams_stand() {
    on_both(async |test| {
        let journal = &test.app.journal;
        for _ in 0..3 {
            number(journal, &test, "one").await;
        }
        number(journal, &test, "two").await;
        let cold = Journal::open(&test.database).await.expect("the same log");
        ahead(&cold, &test, &["one", "two", "never written"]).await;
        assert_eq!(number(&cold, &test, "one").await, 4);
        assert_eq!(number(&cold, &test, "two").await, 2);
        assert_eq!(number(&cold, &test, "never written").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_after_a_stream_was_loaded_is_not_overlooked() {
    on_both(async |test| {
        let journal = &test.app.journal;
        number(journal, &test, "one").await;
        let other = Journal::open(&test.database).await.expect("the same log");
        ahead(&other, &test, &["one"]).await;
        assert_eq!(number(journal, &test, "one").await, 2);
        assert_eq!(number(&other, &test, "one").await, 3);
        // What a process has in memory is not replaced by what it reads aside.
        ahead(&other, &test, &["one"]).await;
        assert_eq!(number(&other, &test, "one").await, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_streams_are_left_to_the_commands_that_need_them() {
    on_both(async |test| {
        for _ in 0..70 {
            number(&test.app.journal, &test, "long").await;
        }
        let cold = Journal::open(&test.database).await.expect("the same log");
        ahead(&cold, &test, &["long"]).await;
        assert_eq!(number(&cold, &test, "long").await, 71);
    })
    .await;
}
