//! Long streams are read from their snapshot, and a snapshot is never trusted against the log.

use aggregates::number_series::{Command, Event, NumberSeries};
use billstream::journal::{Fault, Journal, Streams, verify::verify};

use super::history::{quiet, request, rows, tamper};
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

/// The audit once passed over snapshots, though the next command is decided on what one says.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_snapshot_is_found_and_named_by_the_audit() {
    on_both(async |test| {
        for _ in 0..61 {
            take(&test.app.journal, &test, 10).await;
        }
        let faults = async || verify(&test.app.journal, &[], &quiet).await.expect("a report").faults;
        assert_eq!(faults().await, []);
        let kept = rows(
            &test,
            "SELECT state, recorded_at, hash, sequence FROM snapshots_of_state",
            &[],
        )
        .await;
        let columns = ["state", "recorded_at", "hash", "sequence"];
        let changes = [
            ("state", r#"{"last":1000000}"#.into()),
            ("state", "nonsense".into()),
            ("recorded_at", 1.into()),
            ("hash", vec![1_u8; 32].into()),
            ("sequence", 521.into()),
            ("sequence", 1_000_000.into()),
        ];
        for (column, value) in changes {
            let update = format!("UPDATE snapshots_of_state SET {column} = $1");
            assert_eq!(tamper(&test, &update, &[value]).await, 1);
            let found = faults().await;
            let [
                Fault::Snapshot {
                    aggregate_type, stream, ..
                },
            ] = found.as_slice()
            else {
                panic!("{column}: {found:?}")
            };
            assert_eq!(aggregate_type, "number_series");
            assert!(stream.ends_with("/series"), "{stream}");
            let at = columns.iter().position(|known| *known == column).expect("a column");
            tamper(&test, &update, &[kept[0].get(at).clone()]).await;
        }
        assert_eq!(faults().await, []);
    })
    .await;
}
