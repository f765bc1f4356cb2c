//! Long streams are read from their snapshot, and a snapshot is never trusted against the log.

use aggregates::number_series::{Command, Event, NumberSeries};
use billstream::journal::{Journal, Streams};

use super::history::{request, rows, tamper};
use crate::support::{TestApp, on_both};

async fn take(journal: &Journal, test: &TestApp, times: usize) -> u64 {
    let take = Command::TakeNumber {
        for_document: "x".to_owned(),
    };
    journal
        .execute(&request(test), Streams::new().with::<NumberSeries>("series"), |unit| {
            let mut last = 0;
            for _ in 0..times {
                for Event::NumberTaken { number, .. } in unit.send::<NumberSeries>("series", &take)? {
                    last = number;
                }
            }
            Ok(last)
        })
        .await
        .expect("accepted")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_stream_has_the_same_state_with_and_without_its_snapshot_and_a_forged_one_is_passed_over() {
    on_both(async |test| {
        for _ in 0..61 {
            take(&test.app.journal, &test, 10).await;
        }
        let snapshots = rows(&test, "SELECT sequence, state FROM snapshots_of_state", &[]).await;
        assert_eq!(snapshots.len(), 1);
        assert_eq!(snapshots[0].int(0), Ok(520));
        let told = "UPDATE snapshots_of_state SET state = $1";
        tamper(&test, told, &[r#"{"last":1000000}"#.into()]).await;
        // A forged one, taken after another history, is not.
        let forged = "UPDATE snapshots_of_state SET hash = $1";
        tamper(&test, forged, &[vec![1_u8; 32].into()]).await;
        let fresh = Journal::open(&test.database).await.expect("a journal");
        assert_eq!(take(&fresh, &test, 1).await, 611);
        let honest = "UPDATE snapshots_of_state SET state = $1, sequence = 520, \
                      hash = (SELECT j.hash FROM journal j WHERE j.aggregate_type = 'number_series' AND j.sequence = 520)";
        tamper(&test, honest, &[snapshots[0].get(1).clone()]).await;
        let fresh = Journal::open(&test.database).await.expect("a journal");
        assert_eq!(take(&fresh, &test, 1).await, 612);
    })
    .await;
}
