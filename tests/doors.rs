//! What every answer has, whichever door gives it and also where there is none.

use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_id_of_its_request_and_a_type() {
    on_both(async |test| {
        for (method, path, status) in [
            ("GET", "/", 404),
            ("GET", "/nowhere", 404),
            ("GET", "/v1/nowhere", 404),
            ("GET", "/billstream/v1/nowhere", 404),
            ("GET", "/api/v1/nowhere", 404),
            ("GET", "/api/v3/nowhere", 404),
            ("GET", "/api/v4/nowhere", 404),
            ("GET", "/health/live", 200),
            ("GET", "/health/ready", 200),
            ("GET", "/metrics", 404),
            ("POST", "/health/live", 405),
            ("POST", "/health/ready", 405),
            ("DELETE", "/metrics", 405),
            ("GET", "/p/nothing", 404),
            ("POST", "/p/nothing", 405),
            ("POST", "/p/nothing/invoice", 405),
            ("GET", "/clients", 401),
            ("GET", "/v1/c/invoice", 401),
        ] {
            let sent = test.send(method, path, &[("x-request-id", "mine-7")], "").await;
            assert_eq!(sent.status, status, "{method} {path}: {sent:?}");
            assert_eq!(sent.headers["x-request-id"], "mine-7", "{method} {path}");
            assert!(sent.headers.contains_key("content-type"), "{method} {path}");
            for headers in [&[][..], &[("x-request-id", "a b")]] {
                let made = test.send(method, path, headers, "").await;
                let id = made.headers["x-request-id"].to_str().expect("text");
                assert!(id != "a b" && !id.is_empty(), "{method} {path}");
            }
        }
        let unknown = test
            .send("GET", "/api/v4/nowhere", &[("x-request-id", "mine-7")], "")
            .await;
        assert_eq!(unknown.json()["request_id"], "mine-7");
    })
    .await;
}
