use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use aggregates::{
    catalog::{self, Plan},
    id::{PlanId, TenantId},
    money::Currency,
    number_series::{self, NumberSeries},
    preferences::{Command, InvoicingChanges, Preferences},
};
use billstream::journal::{CommandError, Journal, Request, Streams, shard_of, verify::verify};

use super::history::{quiet, rows};
use crate::support::{Database, TestApp, on_both};

fn tenant(test: &TestApp) -> TenantId {
    TenantId::from_stored(&test.tenant.tenant_id)
}

fn request(test: &TestApp) -> Request {
    Request::new(
        tenant(test),
        "tester",
        "billstream",
        "2026-10-05T12:00:00Z".parse().expect("a time"),
    )
}

fn automatic(on: bool) -> InvoicingChanges {
    InvoicingChanges {
        automatic_payment: Some(on),
        ..InvoicingChanges::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_read_back_from_its_view_and_from_the_log() {
    on_both(async |test| {
        let before = test.events().await;
        let answer = test
            .app
            .update_invoicing_preferences(&request(&test), automatic(true))
            .await
            .expect("accepted");
        assert!(answer.automatic_payment);
        assert_eq!(
            test.app.invoicing_preferences(&tenant(&test)).await.expect("readable"),
            answer
        );
        assert_eq!(test.events().await, before + 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gets_the_stored_reply_and_another_request_under_it_is_refused() {
    on_both(async |test| {
        let keyed = |content: &[u8]| request(&test).with_key("key-1", &[content]);
        let first = test
            .app
            .update_invoicing_preferences(&keyed(b"a"), automatic(true))
            .await
            .expect("accepted");
        test.app
            .update_invoicing_preferences(&request(&test), automatic(false))
            .await
            .expect("accepted");
        let events = test.events().await;
        let again = test
            .app
            .update_invoicing_preferences(&keyed(b"a"), automatic(true))
            .await
            .expect("accepted");
        assert_eq!(again, first);
        let other = test
            .app
            .update_invoicing_preferences(&keyed(b"b"), automatic(true))
            .await;
        assert!(matches!(other, Err(CommandError::KeyReused)), "{other:?}");
        assert_eq!(test.events().await, events);
    })
    .await;
}

/// Creates the plan that follows from the request; `meanwhile` runs before the first decision, which
/// is then taken again on what the log says.
async fn create_plan(
    journal: &Journal,
    request: &Request,
    meanwhile: Option<&(dyn Fn() + Send + Sync)>,
) -> Result<PlanId, CommandError> {
    let plan = PlanId(request.derive("plan"));
    let stream = plan.to_string();
    let decided = AtomicBool::new(false);
    journal
        .execute(request, Streams::new().with_new::<Plan>(&stream), |unit| {
            if !decided.swap(true, Ordering::SeqCst)
                && let Some(meanwhile) = meanwhile
            {
                meanwhile();
                return Err(CommandError::Conflict);
            }
            let create = catalog::Command::Create {
                at: unit.at(),
                plan,
                name: "Basic".to_owned(),
                currency: Currency::EUR,
                lines: Vec::new(),
            };
            unit.send::<Plan>(&stream, &create).map(|_| plan)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_another_process_carries_out_meanwhile_gets_the_stored_reply_not_a_refusal() {
    on_both(async |test| {
        let request = request(&test).with_key("key-1", &[]);
        let other = Journal::open(&test.database).await.expect("a journal");
        let meanwhile = || {
            let same = create_plan(&other, &request, None);
            let done = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(same));
            done.expect("accepted");
        };
        let plan = create_plan(&test.app.journal, &request, Some(&meanwhile)).await;
        assert_eq!(plan.expect("the stored reply"), PlanId(request.derive("plan")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_callers_at_once_on_one_stream_each_take_effect_once() {
    on_both(async |test| {
        let before = test.events().await;
        let id = tenant(&test).to_string();
        let calls = (0..50).map(|n| {
            let (id, request, journal) = (id.clone(), request(&test), test.app.journal.clone());
            tokio::spawn(async move {
                let rule = aggregates::terms::PeriodRule {
                    unit: aggregates::calendar::PeriodUnit::Month,
                    count: n + 1,
                    offset_days: None,
                };
                let changes = InvoicingChanges {
                    invoice_trigger: Some(aggregates::terms::InvoiceTrigger::Periodic(rule)),
                    ..InvoicingChanges::default()
                };
                journal
                    .execute(&request, Streams::new().with::<Preferences>(&id), |unit| {
                        let at = unit.at();
                        unit.send::<Preferences>(&id, &Command::UpdateInvoicingPreferences { at, changes })
                            .map(|_| ())
                    })
                    .await
            })
        });
        for call in futures::future::join_all(calls).await {
            call.expect("no panic").expect("accepted");
        }
        assert_eq!(test.events().await, before + 50);
        let history = test
            .app
            .journal
            .stream_after(&tenant(&test), "preferences", &id, 0)
            .await
            .expect("readable");
        let sequences: Vec<_> = history.iter().map(|recording| recording.stored.sequence).collect();
        assert_eq!(sequences, (1..=50).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_one_command_stand_in_the_log_in_the_order_in_which_they_were_decided() {
    on_both(async |test| {
        let take = number_series::Command::TakeNumber {
            for_document: "x".to_owned(),
        };
        // Locked (and kept) in the order of their names; decided in another, back and forth.
        let order = ["c", "a", "b", "a", "c", "c", "b"];
        let streams = Streams::new()
            .with::<NumberSeries>("a")
            .with_new::<NumberSeries>("b")
            .with::<NumberSeries>("c");
        test.app
            .journal
            .execute(&request(&test), streams, |unit| {
                for series in order {
                    unit.send::<NumberSeries>(series, &take)?;
                }
                Ok(())
            })
            .await
            .expect("accepted");
        let feed = test.app.journal.feed(&tenant(&test), 0, 100).await.expect("readable");
        let taken: Vec<_> = feed
            .recordings
            .iter()
            .filter(|recording| recording.stored.aggregate_type == "number_series")
            .map(|recording| (recording.stored.aggregate_id.as_str(), recording.stored.sequence))
            .collect();
        let expected = [("c", 1), ("a", 1), ("b", 1), ("a", 2), ("c", 2), ("c", 3), ("b", 2)];
        assert_eq!(taken, expected);
        let report = verify(&test.app.journal, &[], &quiet).await.expect("readable");
        assert_eq!(report.faults, []);
    })
    .await;
}

/// How many connections wait for a row that another one holds.
async fn waiting(test: &TestApp, wanted: i64) {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while rows(test, sql, &[]).await[0].int(0) != Ok(wanted) {
        assert!(tokio::time::Instant::now() < deadline, "never {wanted} waiting");
        tokio::task::yield_now().await;
    }
}

/// The bug: an engine decided on its own event that was still to be written; another engine's event took that place,
/// the first command was refused, but the one decided after it had the right version number and was written.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_never_builds_on_an_event_of_its_own_that_another_engine_was_faster_than() {
    let test = TestApp::start(Database::Postgres).await;
    let twin = Journal::open(&test.database).await.expect("a journal");
    let take = |engine: &Journal, document: &str| {
        let (engine, request) = (engine.clone(), request(&test));
        let take = number_series::Command::TakeNumber {
            for_document: document.to_owned(),
        };
        tokio::spawn(async move {
            let streams = Streams::new().with::<NumberSeries>("series");
            let taken = engine.execute(&request, streams, |unit| {
                unit.send::<NumberSeries>("series", &take).map(|_| ())
            });
            taken.await.expect("accepted");
        })
    };
    // While nobody may write, three commands queue up: the other engine's, and two of ours, the second on the first.
    let mut hold = test.app.journal.store().begin().await.expect("a transaction");
    hold.lock_head(shard_of(&tenant(&test))).await.expect("locked");
    let theirs = take(&twin, "theirs");
    waiting(&test, 1).await;
    let first = take(&test.app.journal, "first");
    waiting(&test, 2).await;
    let mut second = take(&test.app.journal, "second");
    let early = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(early.is_err(), "the second waits behind the first");
    hold.commit().await.expect("released");
    for taken in [theirs, first, second] {
        taken.await.expect("no panic");
    }
    let report = verify(&test.app.journal, &[], &quiet).await.expect("readable");
    assert_eq!(report.faults, []);
}
