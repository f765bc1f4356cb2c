use serde_json::{Value, json};

use super::Client;
use crate::support::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn every_version_gives_tokens_to_json_and_to_forms_and_renews_them() {
    on_both(async |test| {
        let credentials = &test.tenant.exsited;
        let (id, secret) = (&credentials.client_id, &credentials.client_secret);
        for version in ["v1", "v2", "v3", "v4"] {
            let path = format!("/api/{version}/oauth2/token");
            let body = json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret,
                "redirect_uri": "https://example.com", "exsited_url": "https://example.com"});
            let answer = test.send("POST", &path, &[], &body.to_string()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let first = answer.json();
            assert_eq!(first["expires_in"], 3600);
            let body = json!({"grant_type": "refresh_token", "client_id": id, "client_secret": secret,
                "refresh_token": first["refresh_token"]});
            let renewed = test.send("POST", &path, &[], &body.to_string()).await.json();
            assert_ne!(renewed["access_token"], first["access_token"]);
            assert_eq!(renewed["refresh_token"], first["refresh_token"]);
            // The first token still works.
            for token in [&first, &renewed] {
                let authorization = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
                let answer = test
                    .send("GET", "/api/v3/orders", &[("authorization", &authorization)], "")
                    .await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let answer = test.send("POST", "/api/v1/oauth2/token", &kind, &form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_credentials_get_no_token() {
    on_both(async |test| {
        let other = test.app.create_tenant("other").await.expect("a tenant").exsited;
        let own = &test.tenant.exsited;
        let refresh = |token: &Value| {
            json!({"grant_type": "refresh_token", "client_id": own.client_id, "client_secret": own.client_secret,
                "refresh_token": token})
        };
        let foreign = json!({"grant_type": "client_credentials", "client_id": other.client_id, "client_secret": other.client_secret});
        let foreign = test.send("POST", "/api/v1/oauth2/token", &[], &foreign.to_string()).await.json();
        for (body, status) in [
            (json!({"grant_type": "client_credentials", "client_id": own.client_id, "client_secret": "wrong"}), 401),
            (json!({"grant_type": "client_credentials", "client_id": own.client_id, "client_secret": other.client_secret}), 401),
            (refresh(&json!("wrong")), 401),
            (refresh(&foreign["refresh_token"]), 401),
            (refresh(&foreign["access_token"]), 401),
            (json!({"grant_type": "client_credentials", "client_id": own.client_id}), 400),
            (json!({"grant_type": "password"}), 400),
            (json!({}), 400),
            (Value::Null, 400),
        ] {
            let legacy = test.send("POST", "/api/v1/oauth2/token", &[], &body.to_string()).await;
            assert_eq!(legacy.status, status, "{body}: {legacy:?}");
            assert!(legacy.json()["errors"][0]["message"].is_string(), "{legacy:?}");
            let v4 = test.send("POST", "/api/v4/oauth2/token", &[], &body.to_string()).await;
            assert_eq!(v4.status, status, "{body}: {v4:?}");
            assert_eq!(v4.json()["object"], "error");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_living_token_nobody_comes_in() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        test.clock.set("2026-10-05T13:00:00Z");
        let expired = client.authorization.clone();
        let events = test.events().await;
        for authorization in ["", "Bearer", "Bearer wrong", "Basic YTpi", &expired] {
            for method in ["GET", "PATCH", "PUT"] {
                for prefix in ["", "/api/v3", "/api/v4"] {
                    let path = format!("{prefix}/orders/{order}/billing-preferences");
                    let answer = test.send(method, &path, &[("authorization", authorization)], "{").await;
                    assert_eq!(answer.status, 401, "{answer:?}");
                    let body = answer.json();
                    let error = if prefix == "/api/v4" { &body } else { &body["errors"][0] };
                    assert_eq!(error["code"], "unauthorized");
                    assert_eq!(error["message"], "Unauthorized access");
                }
            }
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}
