//! An audit names every damage, at its place, and nothing else.

use billstream::journal::{
    Fault, GENESIS, Stored, shard_of,
    verify::{Report, Seal, verify},
};

use super::history::{self, fill, quiet, rows, tamper, tenant};
use crate::support::{TestApp, on_both};

async fn audit(test: &TestApp, known: &[Seal]) -> Report {
    verify(&test.app.journal, known, &quiet).await.expect("readable")
}

/// The shard and the position of the event that invoiced something, somewhere in the middle.
async fn victim(test: &TestApp) -> (i64, i64) {
    let shard = shard_of(&tenant(test));
    let sql = "SELECT pos FROM journal WHERE shard = $1 AND event_type = 'subscription.signed' ORDER BY pos LIMIT 1";
    let found = rows(test, sql, &[shard.into()]).await;
    (shard, found[0].int(0).expect("a position"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_log_has_no_faults_also_with_a_forgotten_customer() {
    on_both(async |test| {
        fill(&test).await;
        let report = audit(&test, &[]).await;
        assert_eq!(report.faults, []);
        assert_eq!(i64::try_from(report.events), Ok(test.events().await));
        assert!(report.streams > 20, "{report:?}");
        let again = audit(&test, &report.seals).await;
        assert_eq!(again.faults, []);
        for seal in report.seals {
            assert_eq!(seal.to_string().parse(), Ok(seal));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_changed_byte_in_any_field_is_named_at_its_event() {
    on_both(async |test| {
        fill(&test).await;
        let (shard, pos) = victim(&test).await;
        let changes = [
            ("payload", "replace(payload, '2026-10-01', '2026-10-02')"),
            ("metadata", "replace(metadata, 'tester', 'tesber')"),
            ("recorded_at", "recorded_at + 1"),
            ("event_type", "'subscription.sighed'"),
        ];
        for (column, changed) in changes {
            let before = rows(
                &test,
                &format!("SELECT {column} FROM journal WHERE shard = $1 AND pos = $2"),
                &[shard.into(), pos.into()],
            )
            .await;
            let sql = format!("UPDATE journal SET {column} = {changed} WHERE shard = $1 AND pos = $2");
            assert_eq!(tamper(&test, &sql, &[shard.into(), pos.into()]).await, 1);
            let report = audit(&test, &[]).await;
            let [Fault::WrongHash { place }] = report.faults.as_slice() else {
                panic!("{column}: {report:?}")
            };
            assert_eq!((place.shard, place.pos, place.sequence), (shard, pos, 1));
            let sql = format!("UPDATE journal SET {column} = $3 WHERE shard = $1 AND pos = $2");
            tamper(&test, &sql, &[shard.into(), pos.into(), before[0].get(0).clone()]).await;
        }
        assert_eq!(audit(&test, &[]).await.faults, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_event_is_a_hole_in_its_shard_and_in_its_stream() {
    on_both(async |test| {
        fill(&test).await;
        let (shard, pos) = victim(&test).await;
        let sql = "DELETE FROM journal WHERE shard = $1 AND pos = $2";
        tamper(&test, sql, &[shard.into(), pos.into()]).await;
        let faults = audit(&test, &[]).await.faults;
        let hole = Fault::Missing {
            shard,
            from: pos,
            to: pos,
        };
        assert!(faults.contains(&hole), "{faults:?}");
        assert!(
            faults
                .iter()
                .any(|fault| matches!(fault, Fault::SequenceGap { place, expected: 1 } if place.pos == pos + 1)),
            "{faults:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_tail_is_found_by_the_head_the_streams_and_the_commands() {
    on_both(async |test| {
        fill(&test).await;
        let shard = shard_of(&tenant(&test));
        let head = rows(&test, "SELECT pos FROM head WHERE shard = $1", &[shard.into()]).await[0]
            .int(0)
            .expect("a head");
        let cut = "DELETE FROM journal WHERE shard = $1 AND pos = $2";
        tamper(&test, cut, &[shard.into(), head.into()]).await;
        let faults = audit(&test, &[]).await.faults;
        let last = head - 1;
        assert!(faults.contains(&Fault::TailCut { shard, head, last }), "{faults:?}");
        let back = "UPDATE head SET pos = pos - 1 WHERE shard = $1";
        tamper(&test, back, &[shard.into()]).await;
        let faults = audit(&test, &[]).await.faults;
        assert!(
            faults.iter().any(|fault| matches!(
                fault,
                Fault::StreamVersion {
                    version: 2,
                    last: 1,
                    ..
                }
            )),
            "{faults:?}"
        );
        assert!(
            faults
                .iter()
                .any(|fault| matches!(fault, Fault::CommandNowhere { last, .. } if *last == head)),
            "{faults:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_cut_with_everything_that_knew_of_it_is_found_by_an_older_seal() {
    on_both(async |test| {
        fill(&test).await;
        let seals = audit(&test, &[]).await.seals;
        let shard = shard_of(&tenant(&test));
        let key: [projections::Value; 1] = [shard.into()];
        for sql in [
            "DELETE FROM commands WHERE shard = $1 AND last_pos = (SELECT pos FROM head WHERE shard = $1)",
            "DELETE FROM journal WHERE shard = $1 AND pos = (SELECT pos FROM head WHERE shard = $1)",
            "UPDATE head SET pos = pos - 1 WHERE shard = $1",
            "UPDATE streams SET version = 1, hash = (SELECT j.hash FROM journal j WHERE j.shard = streams.shard \
             AND j.aggregate_type = streams.aggregate_type AND j.stream = streams.stream AND j.sequence = 1) \
             WHERE shard = $1 AND version = 2 AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.shard = streams.shard \
             AND j.aggregate_type = streams.aggregate_type AND j.stream = streams.stream AND j.sequence = 2)",
        ] {
            tamper(&test, sql, &key).await;
        }
        // What still tells of it is that the customer's key is gone and nobody forgot the customer.
        let faults = audit(&test, &[]).await.faults;
        assert!(matches!(faults.as_slice(), [Fault::KeyLost { .. }]), "{faults:?}");
        let faults = audit(&test, &seals).await.faults;
        let head = seals.iter().find(|seal| seal.shard == shard).map_or(0, |seal| seal.pos);
        assert!(faults.contains(&Fault::SealBroken { shard, pos: head }), "{faults:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_data_under_a_wrong_key_and_a_moved_command_are_found() {
    on_both(async |test| {
        fill(&test).await;
        let (shard, pos) = victim(&test).await;
        let wrong = vec![7_u8; 32];
        let keys = tamper(&test, "UPDATE subject_keys SET key = $1", &[wrong.into()]).await;
        let sql = "UPDATE journal SET command_id = 'another' WHERE shard = $1 AND pos = $2";
        tamper(&test, sql, &[shard.into(), pos.into()]).await;
        let faults = audit(&test, &[]).await.faults;
        let sealed = faults
            .iter()
            .filter(|fault| matches!(fault, Fault::Sealed { .. }))
            .count();
        assert_eq!(sealed as u64, keys);
        assert!(
            faults
                .iter()
                .any(|fault| matches!(fault, Fault::WrongCommand { place } if place.pos == pos)),
            "{faults:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_command_row_and_a_key_kept_after_forgetting_are_named() {
    on_both(async |test| {
        let tenant = history::tenant(&test);
        let app = &test.app;
        let contact = aggregates::customer::Contact::default();
        let profile = aggregates::customer::Profile::default();
        let id = app
            .create_customer(&history::request(&test), None, profile, contact)
            .await
            .expect("accepted");
        let kept = history::rows(&test, "SELECT shard, tenant, subject, key FROM subject_keys", &[]).await;
        app.forget_customer(&history::request(&test), id)
            .await
            .expect("accepted");
        let mut tx = app.journal.store().begin().await.expect("a transaction");
        let insert = "INSERT INTO subject_keys (shard, tenant, subject, key) VALUES ($1, $2, $3, $4)";
        tx.execute(insert, &kept[0].0).await.expect("the key is back");
        let delete = "DELETE FROM commands WHERE tenant = $1 AND first_pos = 1";
        assert_eq!(tx.execute(delete, &[tenant.as_str().into()]).await.expect("deleted"), 1);
        tx.commit().await.expect("committed");
        let report = verify(&app.journal, &[], &history::quiet).await.expect("a report");
        let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(
            faults[0].starts_with("shard 0, position 1: the row of command"),
            "{faults:?}"
        );
        assert!(
            faults[1].ends_with("was forgotten there, but the key is still kept"),
            "{faults:?}"
        );
    })
    .await;
}

/// No hash covered what a command that is sent again is answered with.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_reply_is_named_at_the_first_event_of_its_command() {
    on_both(async |test| {
        fill(&test).await;
        let sql = "SELECT command_id, first_pos, reply FROM commands WHERE first_pos > 1 ORDER BY first_pos LIMIT 1";
        let kept = rows(&test, sql, &[]).await.remove(0);
        let (shard, pos) = (shard_of(&tenant(&test)), kept.int(1).expect("a position"));
        let update = "UPDATE commands SET reply = $1 WHERE command_id = $2";
        let key = kept.get(0).clone();
        assert_eq!(tamper(&test, update, &["\"Inv_mine\"".into(), key.clone()]).await, 1);
        let faults = audit(&test, &[]).await.faults;
        let [Fault::ReplyChanged { command_id, .. }] = faults.as_slice() else {
            panic!("{faults:?}")
        };
        assert_eq!(projections::Value::from(command_id.as_str()), key);
        assert!(
            faults[0]
                .to_string()
                .starts_with(&format!("shard {shard}, position {pos}: the reply stored")),
            "{faults:?}"
        );
        tamper(&test, update, &[kept.get(2).clone(), key.clone()]).await;
        assert_eq!(audit(&test, &[]).await.faults, []);
        // A row that says its command wrote nothing does not get away with another reply.
        let hidden = "UPDATE commands SET reply = '7', first_pos = 0 WHERE command_id = $1";
        tamper(&test, hidden, std::slice::from_ref(&key)).await;
        let faults = audit(&test, &[]).await.faults;
        assert!(
            matches!(faults.as_slice(), [Fault::CommandNowhere { first: 0, .. }]),
            "{faults:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_before_replies_were_hashed_still_verifies() {
    on_both(async |test| {
        fill(&test).await;
        let sql = format!(
            "SELECT {} FROM journal WHERE event_type = 'invoice.issued' ORDER BY pos LIMIT 1",
            Stored::COLUMNS
        );
        let mut old = Stored::read(rows(&test, &sql, &[]).await.remove(0)).expect("an event");
        let mut metadata: serde_json::Value = serde_json::from_str(&old.metadata).expect("JSON");
        let fields = metadata.as_object_mut().expect("an object");
        assert!(fields.remove("reply_sha256").is_some(), "{fields:?}");
        old.metadata = metadata.to_string();
        let hash = old.link(&GENESIS).to_vec();
        let place = [old.shard.into(), old.pos.into(), hash.into()];
        let event = "UPDATE journal SET hash = $3, metadata = $4 WHERE shard = $1 AND pos = $2";
        let whole = [&place[..], &[old.metadata.as_str().into()]].concat();
        assert_eq!(tamper(&test, event, &whole).await, 1);
        let stream = "UPDATE streams SET hash = $3 WHERE shard = $1 AND aggregate_type = 'invoice' \
                      AND stream = (SELECT j.stream FROM journal j WHERE j.shard = $1 AND j.pos = $2)";
        assert_eq!(tamper(&test, stream, &place).await, 1);
        assert_eq!(audit(&test, &[]).await.faults, []);
    })
    .await;
}
