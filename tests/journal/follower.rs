//! Asynchronous projections count every event exactly once, and stop visibly where they cannot go on.

use billstream::journal::{
    Journal,
    checkpoint::{Status, lag, list},
    follower::{Step, catch_up, resume, step},
    shard_of,
};
use projections::{
    Projection, Recorded, Value, Writes, customer_timeline,
    customer_timeline::timeline,
    page::{Order, Page},
    registry,
};

use super::history::{customer, fill, request, rows, tamper, tenant};
use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn two_followers_count_every_event_once() {
    on_both(async |test| {
        let customers = fill(&test).await;
        assert!(lag(&test.app.journal).await.expect("a lag")[0].1 > 0);
        let other = Journal::open(&test.database).await.expect("a journal");
        for _ in 0..5 {
            let request = request(&test);
            let write = customer(&test.app.journal, &request);
            let (_, one, two) = tokio::join!(write, catch_up(&test.app.journal), catch_up(&other));
            for result in [one, two] {
                assert!(
                    matches!(
                        result,
                        Ok(())
                            | Err(billstream::journal::BuildError::Store(
                                billstream::journal::StoreError::Contended(_)
                            ))
                    ),
                    "{result:?}"
                );
            }
        }
        catch_up(&test.app.journal).await.expect("caught up");
        assert_eq!(lag(&test.app.journal).await.expect("a lag"), [("customer_timeline", 0)]);
        let page = Page {
            limit: 10,
            after: None,
            order: Order::OldestFirst,
        };
        let moments = timeline(test.app.journal.views(), &tenant(&test), customers[0], &page).await;
        let moments: Vec<_> = moments
            .expect("readable")
            .into_iter()
            .map(|moment| moment.event_type)
            .collect();
        assert_eq!(
            moments,
            [
                "customer.created",
                "subscription.signed",
                "invoice.issued",
                "customer.forgotten"
            ]
        );
        assert_eq!(
            rows(&test, "SELECT 1 FROM customer_timeline", &[]).await.len(),
            27 + 5 * 2
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_taken_parks_the_projection_before_it_and_is_not_skipped() {
    on_both(async |test| {
        fill(&test).await;
        let sql = "SELECT shard, pos, payload FROM journal WHERE event_type = 'invoice.issued' ORDER BY pos LIMIT 1";
        let poison = rows(&test, sql, &[]).await.remove(0);
        let key = [poison.get(0).clone(), poison.get(1).clone()];
        let update = "UPDATE journal SET payload = $3 WHERE shard = $1 AND pos = $2";
        tamper(&test, update, &[key[0].clone(), key[1].clone(), "{}".into()]).await;
        catch_up(&test.app.journal)
            .await
            .expect("parked is not an error of the follower");
        let lines = list(&test.app.journal, test.clock.as_ref()).await.expect("a list");
        let line = lines
            .iter()
            .find(|line| line.name == "customer_timeline")
            .expect("listed");
        let Status::Parked {
            shard,
            position,
            reason,
        } = &line.status
        else {
            panic!("{line:?}")
        };
        assert_eq!([Value::from(*shard), Value::from(*position)], key);
        assert!(reason.contains("invoice.issued"), "{reason}");
        assert!(line.lag > 0);
        tamper(&test, update, &[key[0].clone(), key[1].clone(), poison.get(2).clone()]).await;
        resume(&test.app.journal, "customer_timeline").await.expect("resumed");
        catch_up(&test.app.journal).await.expect("caught up");
        assert_eq!(rows(&test, "SELECT 1 FROM customer_timeline", &[]).await.len(), 27);
    })
    .await;
}

/// The timeline, but that it panics on invoices, with half of what it writes written.
fn panics_on_invoices(recorded: &Recorded<'_>, writes: &mut Writes) {
    customer_timeline::apply(recorded, writes);
    assert!(
        !matches!(recorded.event, aggregates::AnyEvent::Invoice(_)),
        "no invoice is welcome here"
    );
}

/// The panic ended the follower's task, and nobody saw why nothing moved any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_panics_is_parked_with_the_words_of_its_panic() {
    on_both(async |test| {
        fill(&test).await;
        let healthy = registry::find("customer_timeline").expect("a projection");
        let panics: &'static Projection = Box::leak(Box::new(Projection {
            apply: panics_on_invoices,
            ..*healthy
        }));
        let shard = shard_of(&tenant(&test));
        let journal = &test.app.journal;
        let sql = "SELECT MIN(pos) FROM journal WHERE aggregate_type = 'invoice'";
        let before = rows(&test, sql, &[]).await[0].int(0).expect("a position") - 1;
        let first = step(journal, panics, shard).await.expect("a step");
        assert_eq!(first, Step::Advanced { to: before });
        assert_eq!(step(journal, panics, shard).await.expect("a step"), Step::Parked);
        let lines = list(journal, test.clock.as_ref()).await.expect("a list");
        let line = lines.iter().find(|line| line.name == panics.name).expect("listed");
        let Status::Parked { position, reason, .. } = &line.status else {
            panic!("{line:?}")
        };
        assert_eq!(*position, before + 1);
        assert!(reason.contains("no invoice is welcome here"), "{reason}");
        let written = "SELECT 1 FROM customer_timeline WHERE event_type = 'invoice.issued'";
        assert_eq!(rows(&test, written, &[]).await.len(), 0);
        resume(journal, panics.name).await.expect("resumed");
        catch_up(journal).await.expect("caught up");
        assert_eq!(rows(&test, "SELECT 1 FROM customer_timeline", &[]).await.len(), 27);
    })
    .await;
}
