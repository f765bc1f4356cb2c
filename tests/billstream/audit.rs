use serde_json::{Value, json};

use super::{NOBODY, call, get, refused};
use crate::{support::on_both, wingback::Door};

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_shows_every_event_of_the_tenant_once_and_in_order() {
    on_both(async |test| {
        let (door, other) = (Door::new(&test), Door::other(&test).await);
        let contract = door.contract().await;
        other.contract().await;
        door.charge(&contract, "12.34", None).await;
        door.invoices(&json!({})).await;
        let (mut after, mut events) = (0, Vec::new());
        loop {
            let answer = get(&test, &format!("/billstream/v1/events?after={after}&limit=2")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let page = answer.json();
            let found = page["events"].as_array().expect("events").clone();
            assert!(found.len() <= 2);
            after = page["next_after"].as_i64().expect("a position");
            let end = found.is_empty();
            events.extend(found);
            if end {
                assert_eq!(page["next_after"], page["head"]);
                break;
            }
        }
        let types: Vec<&str> = events
            .iter()
            .map(|event| event["type"].as_str().expect("a type"))
            .collect();
        for expected in [
            "tenant.created",
            "customer.created",
            "plan.created",
            "subscription.signed",
            "subscription.charge_added",
            "invoice.issued",
        ] {
            assert_eq!(
                types.iter().filter(|name| **name == expected).count(),
                1,
                "{expected} in {types:?}"
            );
        }
        let positions: Vec<i64> = events
            .iter()
            .map(|event| event["position"].as_i64().expect("a number"))
            .collect();
        assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
        let added = events
            .iter()
            .find(|event| event["type"] == "subscription.charge_added")
            .expect("the charge");
        assert_eq!(added["stream"]["type"], "subscription");
        assert_eq!((&added["sequence"], &added["version"]), (&json!(2), &json!(1)));
        assert_eq!(added["payload"]["charge"]["amount"]["minor"], 1234);
        assert_eq!(added["metadata"]["dialect"], "billstream");
        assert!(
            added["metadata"]["actor"]
                .as_str()
                .is_some_and(|actor| actor.starts_with("bs_"))
        );
        assert!(added["metadata"]["request_id"].is_string() && added["metadata"]["command_id"].is_string());
        assert_eq!(added["metadata"]["tzdb"], aggregates::calendar::TZDB);
        assert_eq!(added["recorded_at"], "2026-10-05T12:00:00.000000Z");
        assert_eq!(added["hash"].as_str().map(str::len), Some(64));
        for (query, field) in [
            ("after=-1", "after"),
            ("after=x", "after"),
            ("limit=0", "limit"),
            ("limit=x", "limit"),
        ] {
            refused(
                &get(&test, &format!("/billstream/v1/events?{query}")).await,
                400,
                "invalid",
                Some(field),
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_shows_its_history_and_what_it_was_at_any_time() {
    on_both(async |test| {
        let door = Door::new(&test);
        let contract = door.contract().await;
        let id = contract.strip_prefix("Cont_").expect("a contract").to_owned();
        test.clock.set("2026-10-06T12:00:00Z");
        door.charge(&contract, "1.00", None).await;
        test.clock.set("2026-10-07T12:00:00Z");
        door.invoices(&json!({})).await;

        let path = format!("/billstream/v1/streams/subscription/{id}");
        let stream = get(&test, &path).await.json();
        assert_eq!((&stream["type"], &stream["id"]), (&json!("subscription"), &json!(id)));
        let events = stream["events"].as_array().expect("events");
        let sequences: Vec<&Value> = events.iter().map(|event| &event["sequence"]).collect();
        assert_eq!(sequences, [1, 2, 3]);

        refused(
            &get(&test, &format!("{path}?at=2026-10-05T11:59:59Z")).await,
            404,
            "not_found",
            None,
        );
        for (at, version, pending) in [
            ("2026-10-05T12:00:00Z", 1, 0),
            ("2026-10-06T11:59:59.999999Z", 1, 0),
            ("2026-10-06T14:00:00%2B02:00", 2, 1),
            ("2026-10-07T12:00:00Z", 3, 0),
            ("2030-01-01T00:00:00Z", 3, 0),
        ] {
            let answer = get(&test, &format!("{path}?at={at}")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let state = answer.json();
            assert_eq!(state["version"], version, "{at}");
            let charges = state["state"]["Signed"]["pending"].as_object().expect("charges");
            assert_eq!(charges.len(), pending, "{at}: {state}");
        }
        refused(
            &get(&test, &format!("{path}?at=yesterday")).await,
            400,
            "invalid",
            Some("at"),
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_foreign_streams_are_not_found() {
    on_both(async |test| {
        let other = Door::other(&test).await;
        let foreign = other.contract().await;
        let foreign = foreign.strip_prefix("Cont_").expect("a contract");
        for path in [
            format!("subscription/{foreign}"),
            format!("subscription/{NOBODY}"),
            format!("nothing/{NOBODY}"),
            "subscription/%00".to_owned(),
            "subscription/x'--".to_owned(),
        ] {
            refused(
                &get(&test, &format!("/billstream/v1/streams/{path}")).await,
                404,
                "not_found",
                None,
            );
        }
        let key = &other.tenant.billstream.api_key;
        let own = call(
            &test,
            key,
            "GET",
            &format!("/billstream/v1/streams/subscription/{foreign}"),
            "",
        )
        .await;
        assert_eq!(own.status, 200);
    })
    .await;
}
