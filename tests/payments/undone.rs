//! Collections and fulfilments that are ahead of time, late, broken or too many.

use std::{collections::BTreeSet, sync::Arc};

use aggregates::payment;
use billstream::{
    app::due::Whose,
    journal::CommandError,
    processes::{duties, run::How, scheduler::Scheduler},
};
use serde_json::{Value, json};

use super::{asked, automatic, broken_collection, round};
use crate::{
    billing::Books,
    billstream::post,
    support::{TestApp, on_both, process::run},
};

fn until(text: &str) -> How {
    How {
        actor: "test".to_owned(),
        until: text.parse().expect("a time"),
        at: None,
    }
}

async fn run_to_the_end(test: &TestApp, how: &How, known: &mut BTreeSet<duties::Key>) -> usize {
    let done = duties::everything(&test.app, &Whose::RealTime, how, known, std::future::pending());
    done.await.expect("the database").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_before_it_is_due_however_far_billing_runs_ahead() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, contract) = automatic(&books, "10.00", "2026-10-05").await;
        let invoices = books.bill(contract, "2026-12-05").await.invoices;
        assert_eq!(invoices.len(), 3);
        let ahead = until("2027-01-31T00:00:00Z");
        assert_eq!(run_to_the_end(&test, &ahead, &mut BTreeSet::new()).await, 0);
        assert_eq!(asked(&test).await.len(), 1);
        let events = test.events().await;
        let refused = test.app.request_payment(&books.request(), invoices[1]).await;
        let Err(CommandError::Refused(refused)) = refused else {
            panic!("refused, not {refused:?}")
        };
        assert_eq!(refused, aggregates::Refused::Payment(payment::Refused::NotDue));
        assert_eq!(test.events().await, events);
        test.clock.set("2026-11-05T00:00:00Z");
        assert_eq!(run_to_the_end(&test, &ahead, &mut BTreeSet::new()).await, 0);
        assert_eq!(asked(&test).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_are_broken_are_left_alone_and_a_stop_is_heard() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, contract) = automatic(&books, "10.00", "2026-10-05").await;
        books.bill(contract, "2026-10-05").await;
        for number in 1..=510 {
            broken_collection(&test, number).await;
        }
        let now = until("2026-10-05T12:00:00Z");
        let mut known = BTreeSet::new();
        let stopped = duties::everything(&test.app, &Whose::RealTime, &now, &mut known, std::future::ready(()));
        assert_eq!(stopped.await.expect("the database"), []);
        assert_eq!(asked(&test).await, Vec::<Value>::new());
        assert_eq!(
            run_to_the_end(&test, &now, &mut known).await,
            500,
            "a page of them is enough"
        );
        assert_eq!(run_to_the_end(&test, &now, &mut known).await, 10);
        assert_eq!(asked(&test).await.len(), 1);
        assert_eq!(run_to_the_end(&test, &now, &mut known).await, 0);
        assert_eq!(known.len(), 510, "what was done is not remembered");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_not_ready_while_a_collection_is_late() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, contract) = automatic(&books, "10.00", "2026-10-05").await;
        books.bill(contract, "2026-10-05").await;
        let late = test.send("GET", "/health/ready", &[], "").await;
        assert_eq!(late.status, 503, "{late:?}");
        assert!(late.text.contains("due since 2026-10-05T00:00:00Z"), "{late:?}");
        round(&mut Scheduler::new(Arc::clone(&test.app))).await;
        let ready = test.send("GET", "/health/ready", &[], "").await;
        assert_eq!(ready.status, 200, "{ready:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_hand_and_a_moved_clock_count_what_could_not_be_asked_for() {
    on_both(async |mut test| {
        broken_collection(&test, 7).await;
        let arguments = [
            "run-billing",
            "--until",
            "2026-10-05",
            "--json",
            "--database",
            &test.database,
        ];
        let (code, output, errors) = run(&arguments).await;
        assert_eq!(code, Some(1), "{output}{errors}");
        let said: Value = serde_json::from_str(&output).expect("JSON");
        assert_eq!(said["failed"], 1);
        assert!(errors.contains("of collections and fulfilments 1 failed"), "{errors}");

        test.tenant = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
        broken_collection(&test, 8).await;
        let moved = post(&test, "/billstream/v1/clock", &json!({"now": "2026-10-06T00:00:00Z"})).await;
        assert_eq!((moved.status, &moved.json()["unbilled"]), (200, &json!(1)), "{moved:?}");
    })
    .await;
}
