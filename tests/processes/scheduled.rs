//! The scheduler, driven round by round on a clock that is set.

use std::{future::pending, sync::Arc};

use billstream::{
    app::due::Fault,
    processes::{clock, run::Summary, scheduler::Scheduler},
};

use super::{another, billed, break_one, contract, in_test_mode, invoices, request, scene};
use crate::{
    billstream::get,
    support::{TestApp, on_both},
};

async fn round(scheduler: &mut Scheduler) -> Option<Summary> {
    scheduler.round(pending()).await.expect("the database")
}

#[expect(clippy::unnecessary_wraps, reason = "as a round answers")]
fn of(subscriptions: u64, charges: u64, failed: u64) -> Option<Summary> {
    Some(Summary {
        subscriptions,
        charges,
        invoices: charges,
        purchases: 0,
        failed,
    })
}

async fn is_ready(test: &TestApp) -> (u16, String) {
    let answer = test.send("GET", "/health/ready", &[], "").await;
    (answer.status, answer.text)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_falls_due_is_billed_once_and_a_downtime_is_caught_up_period_by_period() {
    on_both(async |test| {
        let scene = scene(&test.app, &test.tenant).await;
        let one = contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        let two = contract(&test.app, &test.tenant, &scene, "2026-10-20").await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        assert_eq!(round(&mut scheduler).await, of(1, 1, 0));
        assert_eq!(round(&mut scheduler).await, of(0, 0, 0), "there is nothing left");
        // Down for three months.
        test.clock.set("2027-01-06T00:00:00Z");
        assert_eq!(round(&mut scheduler).await, of(2, 6, 0));
        let billed = billed(&test.app, &test.tenant).await;
        assert_eq!(billed[&one], ["2026-10-05", "2026-11-05", "2026-12-05", "2027-01-05"]);
        assert_eq!(billed[&two], ["2026-10-20", "2026-11-20", "2026-12-20"]);
        assert_eq!(invoices(&test.app).await, 7, "one invoice a period");
        assert_eq!(round(&mut scheduler).await, of(0, 0, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_billed_is_listed_with_the_reason_and_the_others_are_billed() {
    on_both(async |test| {
        let scene = scene(&test.app, &test.tenant).await;
        for _ in 0..10 {
            contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        }
        let broken = break_one(&test.app, &test.tenant, "2026-10-01T00:00:00Z").await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        assert_eq!(round(&mut scheduler).await, of(10, 10, 1));
        let listed = get(&test, "/billstream/v1/unbilled").await.json();
        let listed = listed["unbilled"].as_array().expect("a list");
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(listed[0]["subscription"], broken.to_string());
        assert_eq!(listed[0]["since"], "2026-10-01T00:00:00.000000Z");
        assert_eq!(
            (&listed[0]["attempts"], &listed[0]["retry_at"]),
            (&1.into(), &"2026-10-05T12:00:30.000000Z".into())
        );
        assert!(!listed[0]["reason"].as_str().expect("a reason").is_empty());

        assert_eq!(round(&mut scheduler).await, of(0, 0, 0), "it is left alone for a while");
        test.clock.set("2026-10-05T12:00:30Z");
        assert_eq!(round(&mut scheduler).await, of(0, 0, 1));
        let listed = get(&test, "/billstream/v1/unbilled").await.json();
        assert_eq!(
            listed["unbilled"][0]["retry_at"], "2026-10-05T12:01:30.000000Z",
            "for longer each time"
        );

        let other = test.app.create_tenant("other").await.expect("a tenant");
        let theirs =
            crate::billstream::call(&test, &other.billstream.api_key, "GET", "/billstream/v1/unbilled", "").await;
        assert_eq!(theirs.text, r#"{"unbilled":[]}"#, "only the tenant's own");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_listed_is_taken_off_when_it_is_billed() {
    on_both(async |test| {
        let scene = scene(&test.app, &test.tenant).await;
        let id = contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        let wanted = billstream::app::due::Wanted {
            whose: billstream::app::due::Whose::RealTime,
            until: "2026-10-05T12:00:00Z".parse().expect("a time"),
            rested_at: None,
        };
        let due = test.app.work(&wanted, None, 10).await.expect("what is due");
        assert_eq!(due.len(), 1);
        test.app
            .note_unbilled(&due[0].place, &Fault::lasting("for a reason".to_owned()), wanted.until)
            .await
            .expect("listed");
        test.clock.set("2026-10-05T12:01:00Z");
        assert_eq!(round(&mut Scheduler::new(Arc::clone(&test.app))).await, of(1, 1, 0));
        assert_eq!(billed(&test.app, &test.tenant).await[&id], ["2026-10-05"]);
        assert_eq!(test.app.unbilled_count().await.expect("a count"), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_works_and_the_other_takes_over_when_its_lease_has_ended() {
    on_both(async |test| {
        let scene = scene(&test.app, &test.tenant).await;
        contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        let mut first = Scheduler::new(Arc::clone(&test.app));
        let mut second = Scheduler::new(another(&test).await);
        assert_eq!(round(&mut first).await, of(1, 1, 0));
        assert_eq!(round(&mut second).await, None, "it is not its turn");
        test.clock.set("2026-10-05T12:00:29Z");
        assert_eq!(round(&mut second).await, None);
        test.clock.set("2026-10-05T12:00:31Z");
        assert_eq!(round(&mut second).await, of(0, 0, 0), "the first has been silent");
        assert_eq!(round(&mut first).await, None, "and sees that it has lost the lease");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_17_two_runs_at_once_in_two_processes_bill_every_period_once() {
    on_both(async |test| {
        let scene = scene(&test.app, &test.tenant).await;
        for _ in 0..40 {
            contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        }
        test.clock.set("2027-01-06T00:00:00Z");
        let other = another(&test).await;
        let wanted = billstream::app::due::Wanted {
            whose: billstream::app::due::Whose::RealTime,
            until: "2027-01-06T00:00:00Z".parse().expect("a time"),
            rested_at: None,
        };
        let how = billstream::processes::run::How {
            actor: "test".to_owned(),
            until: wanted.until,
            at: None,
        };
        let run = |app: Arc<billstream::app::App>| {
            let (wanted, how) = (wanted.clone(), how.clone());
            tokio::spawn(
                async move { billstream::processes::run::everything(&app, &wanted, &how, &|| {}, pending()).await },
            )
        };
        let (one, two) = (run(Arc::clone(&test.app)), run(other));
        let (one, two) = (
            one.await.expect("no panic").expect("a run"),
            two.await.expect("no panic").expect("a run"),
        );
        assert_eq!((one.failed, two.failed), (0, 0));
        for (id, days) in billed(&test.app, &test.tenant).await {
            assert_eq!(days, ["2026-10-05", "2026-11-05", "2026-12-05", "2027-01-05"], "{id}");
        }
        assert_eq!(invoices(&test.app).await, 160);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_in_test_mode_live_by_their_own_clocks() {
    on_both(async |test| {
        let test = in_test_mode(test).await;
        let scene = scene(&test.app, &test.tenant).await;
        contract(&test.app, &test.tenant, &scene, "2026-10-05").await;
        test.clock.set("2027-01-06T00:00:00Z");
        assert_eq!(round(&mut Scheduler::new(Arc::clone(&test.app))).await, of(0, 0, 0));
        assert_eq!(is_ready(&test).await.0, 200, "nothing of real time is late");
        let envelope = request(&test.app, &test.tenant).await;
        let to = "2026-11-05T00:00:00Z".parse().expect("a time");
        let moved = clock::move_clock(&test.app, &envelope, to).await.expect("a move");
        assert_eq!((moved.charges, moved.invoices), (2, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_not_ready_while_billing_is_late() {
    on_both(async |test| {
        let scene = scene(&test.app, &test.tenant).await;
        contract(&test.app, &test.tenant, &scene, "2026-10-06").await;
        for (now, ready) in [
            ("2026-10-05T12:00:00Z", true),
            ("2026-10-06T00:14:59Z", true),
            ("2026-10-06T00:15:00Z", false),
        ] {
            test.clock.set(now);
            let (status, body) = is_ready(&test).await;
            assert_eq!(status == 200, ready, "{now}: {body}");
            if !ready {
                assert!(
                    body.contains("billing is late: something has been due since 2026-10-06T00:00:00Z"),
                    "{body}"
                );
            }
        }
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        round(&mut scheduler).await;
        assert_eq!(is_ready(&test).await.0, 200);
        // What is broken and listed does not count: somebody has to look at it, but billing goes on.
        break_one(&test.app, &test.tenant, "2026-10-01T00:00:00Z").await;
        assert_eq!(is_ready(&test).await.0, 503);
        round(&mut scheduler).await;
        assert_eq!(is_ready(&test).await.0, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_due_any_more_is_taken_off_the_list() {
    on_both(async |test| {
        break_one(&test.app, &test.tenant, "2026-10-01T00:00:00Z").await;
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        assert_eq!(round(&mut scheduler).await, of(0, 0, 1));
        assert_eq!(test.app.unbilled_count().await.expect("a count"), 1);
        let mut tx = test.app.journal.store().begin().await.expect("a transaction");
        tx.execute("UPDATE billing_due SET next_billing = NULL", &[])
            .await
            .expect("ended");
        tx.commit().await.expect("committed");
        assert_eq!(round(&mut scheduler).await, of(0, 0, 0));
        assert_eq!(test.app.unbilled_count().await.expect("a count"), 0);
    })
    .await;
}
