use serde_json::json;

use super::{CONTRACT, CUSTOMER, Door, INVOICE, PREFERENCES, refused};
use crate::support::{TestApp, on_both};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_key_every_endpoint_answers_401() {
    on_both(async |test| {
        let nothing: &[(&str, &str)] = &[];
        let own = test.tenant.billstream.api_key.clone();
        let chip = test.tenant.chip.secret_key.clone();
        for headers in [
            nothing,
            &[("wb-key", "")],
            &[("wb-key", "api_key_wrong")],
            &[("wb-key", own.as_str())],
            &[("wb-key", chip.as_str())],
            &[("cookie", "app-session=wrong"), JSON],
        ] {
            for path in [PREFERENCES, INVOICE, "/v1/c/customer?email=a@b.c"] {
                refused(&test.send("GET", path, headers, "").await, 401, "authentication");
            }
            for path in [PREFERENCES, INVOICE, CUSTOMER, CONTRACT] {
                refused(&test.send("POST", path, headers, "{}").await, 401, "authentication");
            }
        }
    })
    .await;
}

async fn session(test: &TestApp) -> String {
    let bearer = format!("Bearer {}", test.tenant.billstream.api_key);
    let answer = test
        .send("POST", "/billstream/v1/sessions", &[("authorization", &bearer)], "")
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let cookie = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    let (pair, attributes) = cookie.split_once(';').expect("attributes");
    assert_eq!(attributes, " HttpOnly; SameSite=Strict; Path=/; Max-Age=43200");
    pair.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_reads_and_writes_from_its_own_pages_until_it_expires() {
    on_both(async |test| {
        let cookie = session(&test).await;
        let cookie = ("cookie", cookie.as_str());
        let body = r#"{"automatic_payment":true}"#;
        assert_eq!(test.send("GET", PREFERENCES, &[cookie], "").await.status, 200);
        let good: [&[(&str, &str)]; 2] = [
            &[cookie, JSON],
            &[cookie, JSON, ("host", "bill.test"), ("origin", "https://bill.test")],
        ];
        for headers in good {
            assert_eq!(test.send("POST", PREFERENCES, headers, body).await.status, 200);
        }
        let events = test.events().await;
        let bad: [&[(&str, &str)]; 4] = [
            &[cookie],
            &[cookie, ("content-type", "text/plain")],
            &[cookie, JSON, ("host", "bill.test"), ("origin", "https://evil.test")],
            &[cookie, JSON, ("host", "bill.test"), ("origin", "null")],
        ];
        for headers in bad {
            refused(
                &test
                    .send("POST", PREFERENCES, headers, r#"{"automatic_payment":false}"#)
                    .await,
                403,
                "authentication",
            );
        }
        assert_eq!(test.events().await, events);
        test.clock.set("2026-10-06T00:00:01Z");
        refused(
            &test.send("GET", PREFERENCES, &[cookie], "").await,
            401,
            "authentication",
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_object_is_refused_in_our_shape() {
    on_both(async |test| {
        let door = Door::new(&test);
        let events = test.events().await;
        for path in [PREFERENCES, INVOICE, CUSTOMER, CONTRACT] {
            for body in [
                "",
                " ",
                "{",
                "null",
                "[]",
                "true",
                "{} x",
                "{\"a\":}",
                "{'a':1}",
                r#"{"name":"\u0000"}"#,
                r#"{"ignored":"\ud800"}"#,
                "\u{feff}{}",
            ] {
                refused(&door.post_text(path, body).await, 400, "body");
            }
            let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
            refused(&door.post_text(path, &huge).await, 413, "body");
        }
        // Nesting without end exhausts nothing, nor does it where nobody reads.
        let ignored = format!("{{\"ignored\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        refused(&door.post_text(CUSTOMER, &ignored).await, 400, "body");
        let deep = format!("{{\"pricing_id\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(door.post_text(CONTRACT, &deep).await.status, 400);
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_told_apart_in_our_shape() {
    on_both(async |test| {
        let door = Door::new(&test);
        refused(&door.get("/v1/c/nothing").await, 404, "path");
        refused(&door.get("/v1/c/invoice/a/b").await, 404, "path");
        refused(&door.get(CONTRACT).await, 405, "method");
        for method in ["PUT", "DELETE", "PATCH"] {
            let key = door.tenant.wingback.api_key.clone();
            let answer = test.send(method, PREFERENCES, &[("wb-key", &key)], "").await;
            refused(&answer, 405, "method");
            assert!(answer.headers.contains_key("allow"), "{answer:?}");
        }
        // Doubled and final slashes are forgiven.
        assert_eq!(door.get("/v1//c/preferences/invoicing/").await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_a_write_happen_once() {
    on_both(async |test| {
        let door = Door::new(&test);
        let keyed = |key: &'static str| [("idempotency-key", key)];
        let body = json!({"name": "Acme"}).to_string();
        let first = door.post_with(CUSTOMER, &keyed("k1"), &body).await;
        let events = test.events().await;
        let again = door.post_with(CUSTOMER, &keyed("k1"), &body).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        refused(
            &door.post_with(CUSTOMER, &keyed("k1"), "{}").await,
            409,
            "idempotency_key",
        );
        refused(
            &door.post_with(PREFERENCES, &keyed("k1"), "{}").await,
            409,
            "idempotency_key",
        );
        for bad in ["", "two words", &"x".repeat(129)] {
            let answer = door.post_with(CUSTOMER, &[("idempotency-key", bad)], &body).await;
            refused(&answer, 400, "idempotency_key");
        }
        assert_eq!(test.events().await, events);
        let other = door.post_with(CUSTOMER, &keyed("k2"), &body).await;
        assert_ne!(other.text, first.text);
        // Another tenant's key of the same name is another key.
        let foreign = Door::other(&test).await.post_with(CUSTOMER, &keyed("k1"), &body).await;
        assert_eq!(foreign.status, 200);
        assert_ne!(foreign.text, first.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_request_id_is_sent_back_and_kept_with_the_event() {
    on_both(async |test| {
        let door = Door::new(&test);
        let before = test.events().await;
        let body = json!({"automatic_payment": true}).to_string();
        let answer = door.post_with(PREFERENCES, &[("x-request-id", "req-1")], &body).await;
        assert_eq!(answer.headers["x-request-id"], "req-1");
        assert_eq!(test.events().await, before + 1);
        let tenant = aggregates::id::TenantId::from_stored(&door.tenant.tenant_id);
        let feed = test.app.events(&tenant, 0, 100).await.expect("readable");
        let last = feed.recordings.last().expect("an event");
        assert!(last.stored.metadata.contains("\"request_id\":\"req-1\""), "{last:?}");
        assert!(last.stored.metadata.contains("\"dialect\":\"wingback\""), "{last:?}");
        let made = door.get(PREFERENCES).await;
        assert!(!made.headers["x-request-id"].is_empty());
        let long = "x".repeat(129);
        let answer = door.post_with(PREFERENCES, &[("x-request-id", &long)], &body).await;
        assert_ne!(answer.headers["x-request-id"], long.as_str());
    })
    .await;
}
