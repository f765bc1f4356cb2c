//! Settings: the names that preferences can have, as they are read.

use serde_json::{Value, json};

use super::Client;
use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn what_preferences_can_name_is_read_in_lists_and_one_by_one() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        for (kind, one, count, name) in [
            ("invoice_terms", "invoice_term", 15, "Net -7"),
            ("payment_terms", "payment_term", 8, "Due on Receipt"),
            ("fulfillment_terms", "fulfillment_term", 1, "Immediately"),
            ("billing_periods", "billing_period", 24, "1 Month"),
            ("payment_processors", "payment_processor", 6, "Cash"),
            ("communication_profiles", "communication_profile", 3, "DEFAULT"),
        ] {
            let path = format!("/api/v3/settings/{kind}");
            let all = client.ok("GET", &format!("{path}?limit=100"), &Value::Null).await;
            assert_eq!(all["pagination"]["records"], count, "{kind}");
            let rows = all[kind].as_array().expect("records");
            assert_eq!(rows.len(), count, "{kind}");
            let known = rows.iter().find(|row| row["name"] == name).expect("the name");
            let uuid = known["uuid"].as_str().expect("a uuid");
            let read = client.ok("GET", &format!("{path}/{uuid}"), &Value::Null).await;
            assert_eq!(read, json!({ one: known }));
            let mut next = Some(format!("/api/v4/settings/{kind}?limit=7"));
            let mut seen = Vec::new();
            while let Some(path) = next {
                let page = client.ok("GET", &path, &Value::Null).await;
                seen.extend(page["data"].as_array().expect("records").clone());
                next = page["pagination"]["links"]["next"].as_str().map(str::to_owned);
            }
            let names = |rows: &[Value]| rows.iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
            assert_eq!(names(&seen), names(rows));
            let href = seen[0]["href"].as_str().expect("a path");
            assert_eq!(client.ok("GET", href, &Value::Null).await, json!({ one: seen[0] }));
            assert_eq!(client.send("POST", &path, "{}").await.status, 405);
            assert_eq!(client.send("GET", &format!("{path}/x"), "").await.status, 404);
        }
        for unknown in ["/api/v3/settings/taxes", "/api/v4/settings/taxes/x"] {
            assert_eq!(client.send("GET", unknown, "").await.status, 404);
        }
        let path = "/api/v2/settings/payment_processors";
        assert_eq!(test.send("GET", path, &[], "").await.status, 401);
    })
    .await;
}
