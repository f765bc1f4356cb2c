use serde_json::{Value, json};

use super::{NOBODY, post, refused};
use crate::{support::on_both, wingback::Door};

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_stands_still_goes_on_and_ends_on_the_days_it_is_told() {
    on_both(async |test| {
        test.clock.set("2026-10-05T12:00:00Z");
        let contract = Door::new(&test).contract().await;
        let tell = async |call: &str, body: Value| {
            let path = format!("/billstream/v1/contracts/{contract}/{call}");
            post(&test, &path, &body).await
        };
        let told = async |call: &str, body: Value| {
            let answer = tell(call, body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let state = answer.json();
            (state["status"].clone(), state["ends"].clone())
        };
        assert_eq!(told("activate", json!({})).await, (json!("active"), Value::Null));
        let ends = json!("2026-12-31");
        assert_eq!(
            told("end", json!({"on": "2026-12-31"})).await,
            (json!("active"), ends.clone())
        );
        assert_eq!(
            told("pause", json!({"on": "2026-10-10"})).await,
            (json!("paused"), ends.clone())
        );
        let events = test.events().await;
        assert_eq!(told("pause", json!({})).await, (json!("paused"), ends.clone()));
        refused(
            &tell("resume", json!({"on": "2026-10-09"})).await,
            400,
            "before_pause",
            Some("on"),
        );
        refused(
            &tell("resume", json!({"on": "2026-12-31"})).await,
            409,
            "ends_already",
            None,
        );
        refused(&tell("resume", json!({"on": "soon"})).await, 400, "invalid", Some("on"));
        refused(
            &tell("resume", json!({"from": "2026-10-20"})).await,
            400,
            "invalid",
            Some("from"),
        );
        refused(&tell("reactivate", json!({})).await, 409, "subscription_paused", None);
        assert_eq!(test.events().await, events);
        assert_eq!(
            told("resume", json!({"on": "2026-10-20"})).await,
            (json!("active"), ends)
        );
        assert_eq!(told("reactivate", json!({})).await, (json!("active"), Value::Null));
        assert_eq!(told("end", json!({})).await, (json!("cancelled"), Value::Null));
        refused(&tell("pause", json!({})).await, 409, "subscription_cancelled", None);
        assert_eq!(
            told("reactivate", json!({"on": "2026-11-01"})).await,
            (json!("active"), Value::Null)
        );
        let nobodys = post(&test, &format!("/billstream/v1/contracts/{NOBODY}/end"), &json!({})).await;
        refused(&nobodys, 404, "subscription_unknown", Some("contract"));
    })
    .await;
}
