use serde_json::json;

use super::{billing, one_product};
use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_key_the_documented_401_is_given() {
    on_both(async |test| {
        let body = |message: &str| json!({"__all__": [{"message": message, "code": "authentication_failed"}]});
        let keys = [
            "Bearer wrong".to_owned(),
            "Bearer ".to_owned(),
            format!("Basic {}", test.tenant.chip.secret_key),
            format!("Bearer {}", test.tenant.wingback.api_key),
        ];
        for (method, path) in [
            ("POST", "/billing/"),
            ("GET", "/api/v1/clients/"),
            ("PUT", "/api/v1/billing/"),
        ] {
            let answer = test.send(method, path, &[], "").await;
            assert_eq!(
                (answer.status, answer.json()),
                (401, body("Authorization header missing"))
            );
            for key in &keys {
                let answer = test.send(method, path, &[("authorization", key)], "").await;
                assert_eq!(
                    (answer.status, answer.json()),
                    (401, body("Incorrect secret_key")),
                    "{key}"
                );
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_foreign_things_get_the_same_404() {
    on_both(async |test| {
        let purchase = test.billed(one_product()).await["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let key = format!("Bearer {}", other.chip.secret_key);
        let not_found = json!({"__all__": [{"message": "Not found.", "code": "not_found"}]});
        for path in [
            format!("/api/v1/purchases/{purchase}/"),
            "/api/v1/purchases/1026967d-0705-4e24-ab35-9c125e5701ea/".to_owned(),
            "/api/v1/purchases/unpaid/".to_owned(),
            "/api/v1/clients/1026967d-0705-4e24-ab35-9c125e5701ea/".to_owned(),
            "/api/v1/clients/x/".to_owned(),
            "/api/v1/nothing/".to_owned(),
        ] {
            let answer = test.send("GET", &path, &[("authorization", &key)], "").await;
            assert_eq!((answer.status, answer.json()), (404, not_found.clone()), "{path}");
            assert_eq!(answer.headers["content-type"], "application/json");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_a_route_does_not_have_is_405() {
    on_both(async |test| {
        for (method, path) in [
            ("GET", "/billing/"),
            ("DELETE", "/api/v1/clients/"),
            ("PATCH", "/api/v1/purchases/x/"),
        ] {
            let answer = test.chip(method, path, "").await;
            assert_eq!(answer.status, 405, "{answer:?}");
            let message = format!("Method \"{method}\" not allowed.");
            assert_eq!(
                answer.json(),
                json!({"__all__": [{"message": message, "code": "method_not_allowed"}]})
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_large_or_no_json_are_refused_in_the_same_shape() {
    on_both(async |test| {
        let events = test.events().await;
        let large = format!("{{\"title\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
        let answer = test.chip("POST", "/billing/", &large).await;
        assert_eq!(
            (answer.status, answer.json()["__all__"][0]["code"].as_str()),
            (413, Some("request_too_large"))
        );
        for body in ["{", "{\"clients\":}", "nul", &"[".repeat(1000)] {
            let answer = test.chip("POST", "/billing/", body).await;
            assert_eq!(
                (answer.status, answer.json()["__all__"][0]["code"].as_str()),
                (400, Some("parse_error"))
            );
        }
        let broken = test.chip("POST", "/billing/", "{\n\"clients\": [,]}").await.json();
        let message = broken["__all__"][0]["message"].as_str().expect("a message").to_owned();
        assert!(message.contains("line 2"), "{message}");
        let list = test.chip("POST", "/billing/", "[]").await;
        assert_eq!(
            (list.status, list.json()["__all__"][0]["code"].as_str()),
            (400, Some("invalid"))
        );
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_kept_and_returned() {
    on_both(async |test| {
        let body = billing(one_product()).to_string();
        let answer = test
            .chip_with("POST", "/billing/", &[("x-request-id", "req-7")], &body)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["x-request-id"], "req-7");
        let long = "x".repeat(129);
        let answer = test.chip_with("GET", "/clients/", &[("x-request-id", &long)], "").await;
        assert_ne!(answer.headers["x-request-id"], long.as_str());
        let sql = "SELECT COUNT(*) FROM journal WHERE metadata LIKE '%req-7%'";
        let rows = test.app.journal.store().read(sql, &[]).await.expect("rows");
        assert_eq!(rows[0].int(0).expect("a number"), 4); // client, number, created, sent
    })
    .await;
}
