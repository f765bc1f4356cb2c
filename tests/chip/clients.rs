use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{billing, one_product};
use crate::{
    journal::history::{rows, tamper},
    support::on_both,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_created_read_changed_and_forgotten() {
    on_both(async |test| {
        let body = json!({
            "email": "ada@example.com", "full_name": "Ada", "phone": "+60 1", "street_address": "1 High St",
            "country": "Malaysia", "city": "KL", "zip_code": "50000", "cc": ["cc@example.com"], "bcc": null,
            "description": "", "shipping_country": "", "tax_number": "T1",
        });
        let created = test.chip("POST", "/api/v1/clients/", &body.to_string()).await;
        assert_eq!(created.status, 201, "{created:?}");
        let client = created.json();
        let path = format!("/api/v1/clients/{}/", client["id"].as_str().expect("an id"));
        assert_eq!(client["type"], "client");
        assert_eq!(client["country"], "MY");
        assert_eq!(client["cc"], json!(["cc@example.com"]));
        assert_eq!(client["bcc"], json!([]));
        assert_eq!(client["legal_name"], "");
        assert_eq!(test.chip("GET", &path, "").await.json(), client);

        let patched = test.chip("PATCH", &path, r#"{"city":"Ipoh"}"#).await.json();
        assert_eq!(
            (&patched["city"], &patched["full_name"]),
            (&json!("Ipoh"), &json!("Ada"))
        );
        let put = test.chip("PUT", &path, r#"{"email":"ada@example.org"}"#).await.json();
        assert_eq!(
            (&put["email"], &put["full_name"], &put["city"]),
            (&json!("ada@example.org"), &json!(""), &json!(""))
        );

        let mut bill = billing(one_product());
        bill["clients"] = json!([{"client_id": client["id"]}]);
        let ids = test.bill(&bill).await.json();
        let deleted = test.chip("DELETE", &path, "").await;
        assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
        assert_eq!(deleted.headers["content-type"], "application/json");
        assert_eq!(test.chip("GET", &path, "").await.status, 404);
        assert_eq!(test.chip("PATCH", &path, "{}").await.status, 404);
        assert_eq!(test.bill(&bill).await.status, 400);
        let purchase = test.purchase(ids[0].as_str().expect("an id")).await;
        assert_eq!(purchase["client"]["email"], "");
        assert_eq!(purchase["client_id"], client["id"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_client_is_refused_field_by_field() {
    on_both(async |test| {
        let events = test.events().await;
        let body = json!({"email": "x", "country": "Nowhere", "bank_code": "1".repeat(12), "phone": null});
        let answer = test.chip("POST", "/clients/", &body.to_string()).await;
        assert_eq!(answer.status, 400);
        let errors = answer.json();
        for (field, code) in [
            ("email", "invalid"),
            ("country", "invalid_choice"),
            ("bank_code", "max_length"),
            ("phone", "null"),
        ] {
            assert_eq!(errors[field][0]["code"], code, "{errors}");
        }
        let empty = test.chip("POST", "/clients/", "{}").await.json();
        assert_eq!(empty["email"][0]["code"], "required");
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_goes_on_by_absolute_urls_in_both_directions() {
    on_both(async |test| {
        let mut body = billing(one_product());
        let clients: Vec<Value> = (0..205)
            .map(|n| json!({"email": format!("c{n}@example.com")}))
            .collect();
        body["clients"] = clients.into();
        assert_eq!(test.bill(&body).await.status, 200);
        test.new_client("newest@example.com").await;
        let page = async |path: &str| test.chip("GET", path, "").await.json();
        let emails = |page: &Value| -> Vec<String> {
            let results = page["results"].as_array().expect("results");
            results
                .iter()
                .map(|c| c["email"].as_str().expect("an address").to_owned())
                .collect()
        };
        let local = |url: &Value| {
            url.as_str()
                .and_then(|u| u.strip_prefix("http://pay.example.com"))
                .map(str::to_owned)
        };
        let first = page("/api/v1/clients/").await;
        assert_eq!(first["previous"], Value::Null);
        let second = page(&local(&first["next"]).expect("a next page")).await;
        let third = page(&local(&second["next"]).expect("a next page")).await;
        assert_eq!(third["next"], Value::Null);
        let sizes = [&first, &second, &third].map(|page| emails(page).len());
        assert_eq!(sizes, [100, 100, 6]);
        let mut all: Vec<String> = [&first, &second, &third].into_iter().flat_map(emails).collect();
        assert_eq!(all[0], "newest@example.com");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 206);
        let back = page(&local(&third["previous"]).expect("a page before")).await;
        assert_eq!(emails(&back), emails(&second));
        let start = page(&local(&back["previous"]).expect("a page before")).await;
        assert_eq!(emails(&start), emails(&first));
        assert_eq!(start["previous"], Value::Null);
        assert_eq!(test.chip("GET", "/clients/?cursor=x", "").await.status, 404);
    })
    .await;
}

/// The code was a plain hash of the address, in the open in a log that forgets nothing: whoever guessed the address of a
/// forgotten client had it confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_a_billed_client_is_keyed_and_the_client_is_found_again_without_the_key() {
    on_both(async |test| {
        let unkeyed = |generation: u32| -> String {
            const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
            let digest = Sha256::digest(format!("email/{generation}/ada@example.com"));
            let codes = digest.iter().take(6);
            codes.map(|byte| char::from(ALPHABET[usize::from(byte % 36)])).collect()
        };
        let bill = async || {
            let answer = test.bill(&billing(one_product())).await.json();
            let id = answer[0].as_str().expect("an id");
            test.purchase(id).await["client_id"].clone()
        };
        let client = bill().await;
        let codes = rows(&test, "SELECT code FROM customers", &[]).await;
        let code = codes[0].text(0).expect("a code");
        assert!((0..3).all(|generation| unkeyed(generation) != code), "{code}");
        let secret = "SELECT key FROM subject_keys WHERE subject = 'secret/email-codes'";
        assert_eq!(rows(&test, secret, &[]).await.len(), 1);
        assert_eq!(bill().await, client);
        assert_eq!(rows(&test, secret, &[]).await.len(), 1);
        let lost = "DELETE FROM subject_keys WHERE subject = 'secret/email-codes'";
        assert_eq!(tamper(&test, lost, &[]).await, 1);
        assert_eq!(bill().await, client);
        assert_eq!(rows(&test, "SELECT 1 FROM customers", &[]).await.len(), 1);
    })
    .await;
}

/// A write sent again under its key showed the client as it had become since.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_a_client_sent_again_has_its_answer_though_the_client_has_changed_since() {
    on_both(async |test| {
        let keyed = async |method: &str, path: &str, key: &str, body: &str| {
            test.chip_with(method, path, &[("idempotency-key", key)], body).await
        };
        let writes = [
            ("POST", r#"{"email":"ada@example.com","full_name":"Ada"}"#),
            ("PATCH", r#"{"city":"Ipoh"}"#),
            ("PUT", r#"{"email":"ada@example.com","city":"Klang"}"#),
        ];
        let mut path = "/api/v1/clients/".to_owned();
        let mut answers = Vec::new();
        for (minute, (method, body)) in writes.into_iter().enumerate() {
            test.clock.set(&format!("2026-10-05T12:0{minute}:00Z"));
            let answer = keyed(method, &path, method, body).await;
            assert!(answer.status < 300, "{answer:?}");
            let sent_to = path.clone();
            path = format!("/api/v1/clients/{}/", answer.json()["id"].as_str().expect("an id"));
            answers.push((method, sent_to, body, answer));
        }
        let last = test.chip("PATCH", &path, r#"{"city":"Muar"}"#).await.json();
        assert_eq!(test.chip("GET", &path, "").await.json(), last);
        let events = test.events().await;
        for (method, sent_to, body, first) in &answers {
            let again = keyed(method, sent_to, method, body).await;
            assert_eq!((again.status, &again.text), (first.status, &first.text), "{method}");
        }
        assert_eq!(test.events().await, events);
        // What a person who is forgotten was is told to nobody, not even again.
        assert_eq!(test.chip("DELETE", &path, "").await.status, 204);
        for (method, sent_to, body, _) in &answers {
            assert_eq!(keyed(method, sent_to, method, body).await.status, 404, "{method}");
        }
    })
    .await;
}
