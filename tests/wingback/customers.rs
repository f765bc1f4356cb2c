use serde_json::{Value, json};

use super::{CUSTOMER, Door, NOBODY, refused};
use crate::support::{Answer, on_both};

fn full() -> Value {
    json!({
        "name": "Acme",
        "emails": {"main": "Billing@acme.example"},
        "address": {"line_1": "1 Main St", "line_2": "Floor 2", "city": "Berlin", "zip": "10115", "state": "BE", "country": "de"},
        "tax_details": {"vat_id": "DE123456789"},
        "customer_reference": "ref-1",
        "notes": "pays late",
        "metadata": {"tier": "gold"},
    })
}

async fn delete(door: &Door<'_>, id: &str) -> Answer {
    let key = &door.tenant.wingback.api_key;
    let path = format!("{CUSTOMER}/{id}");
    door.test.send("DELETE", &path, &[("wb-key", key)], "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_created_and_read_back() {
    on_both(async |test| {
        let door = Door::new(&test);
        let id = door.id(CUSTOMER, &full()).await;
        assert!(id.starts_with("Cust_"), "{id}");
        let answer = door.get(&format!("{CUSTOMER}/{id}")).await;
        assert_eq!(answer.status, 200);
        let customer = answer.json();
        for (field, value) in full().as_object().expect("an object") {
            if field != "address" {
                assert_eq!(&customer[field], value, "{field}");
            }
        }
        assert_eq!(customer["id"], id.as_str());
        assert_eq!(customer["created"], "2026-10-05T12:00:00Z");
        assert_eq!(customer["status"], "active");
        assert_eq!(customer["address"]["country"], "DE");
        assert_eq!(customer["contracts"], json!([]));
        // Ids are read in any case and form.
        let loose = id.to_uppercase().replace('-', "");
        assert_eq!(door.get(&format!("{CUSTOMER}/{loose}")).await.json(), customer);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_merges_what_is_sent() {
    on_both(async |test| {
        let door = Door::new(&test);
        let id = door.id(CUSTOMER, &full()).await;
        let change = json!({"id": id, "name": "Acme SE", "notes": null, "address": {"line_1": "a", "city": "b", "zip": "c", "state": "", "country": "FR"}});
        assert_eq!(door.id(CUSTOMER, &change).await, id);
        let customer = door.get(&format!("{CUSTOMER}/{id}")).await.json();
        assert_eq!(customer["name"], "Acme SE");
        assert_eq!(customer["notes"], "pays late");
        assert_eq!(customer["address"]["state"], Value::Null);
        assert_eq!(customer["address"]["country"], "FR");
        assert_eq!(customer["metadata"], json!({"tier": "gold"}));
        let events = test.events().await;
        assert_eq!(door.id(CUSTOMER, &change).await, id);
        assert_eq!(test.events().await, events, "the same change again changes nothing");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_are_found_by_reference_and_by_email_page_by_page() {
    on_both(async |test| {
        let (door, other) = (Door::new(&test), Door::other(&test).await);
        let mut all = Vec::new();
        for n in 0..5 {
            let body = json!({"name": n.to_string(), "emails": {"main": "Same@acme.example"}, "customer_reference": format!("r{n}")});
            all.push(door.id(CUSTOMER, &body).await);
        }
        other.id(CUSTOMER, &json!({"emails": {"main": "same@acme.example"}})).await;
        let found = door.get(&format!("{CUSTOMER}?customer_reference=r3")).await.json();
        assert_eq!((&found["total"], &found["hits"][0]["id"]), (&json!(1), &json!(all[3])));
        let (mut seen, mut path) = (Vec::new(), format!("{CUSTOMER}?email=SAME%40acme.example&limit=2"));
        loop {
            let page = door.get(&path).await.json();
            assert_eq!((&page["total"], &page["total_pages"]), (&json!(5), &json!(3)));
            seen.extend(page["hits"].as_array().expect("hits").iter().map(|hit| hit["id"].clone()));
            let Some(next) = page["forward"].as_str() else { break };
            path = format!("{CUSTOMER}?email=same%40acme.example&limit=2&offset={next}&direction=forward");
        }
        assert_eq!(json!(seen), json!(all));
        assert_eq!(door.get(&format!("{CUSTOMER}?customer_reference=none")).await.json()["hits"], json!([]));
        refused(&door.get(CUSTOMER).await, 400, "query");
        refused(&door.get(&format!("{CUSTOMER}?email=%00")).await, 400, "query");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_customer_is_gone_and_stays_gone() {
    on_both(async |test| {
        let door = Door::new(&test);
        let id = door.id(CUSTOMER, &full()).await;
        let answer = delete(&door, &id).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        assert!(answer.headers.contains_key("content-type"));
        refused(&door.get(&format!("{CUSTOMER}/{id}")).await, 404, "customer_id");
        assert_eq!(
            door.get(&format!("{CUSTOMER}?customer_reference=ref-1")).await.json()["total"],
            0
        );
        let events = test.events().await;
        assert_eq!(delete(&door, &id).await.status, 204);
        refused(
            &door.post(CUSTOMER, &json!({"id": id, "name": "Back"})).await,
            404,
            "customer",
        );
        assert_eq!(test.events().await, events);
        let tenant = aggregates::id::TenantId::from_stored(&door.tenant.tenant_id);
        let feed = test.app.events(&tenant, 0, 100).await.expect("readable");
        for recording in feed.recordings {
            let text = format!("{recording:?}");
            assert!(!text.contains("Acme") && !text.contains("pays late"), "{text}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_unknown_and_foreign_customers_are_refused_and_leave_nothing() {
    on_both(async |test| {
        let (door, other) = (Door::new(&test), Door::other(&test).await);
        let foreign = other.customer().await;
        let events = test.events().await;
        for id in [format!("Cust_{NOBODY}"), foreign.clone()] {
            refused(&door.get(&format!("{CUSTOMER}/{id}")).await, 404, "customer_id");
            refused(
                &door.post(CUSTOMER, &json!({"id": id, "name": "x"})).await,
                404,
                "customer",
            );
            refused(&delete(&door, &id).await, 404, "customer");
        }
        for id in ["x", NOBODY, &format!("Cont_{NOBODY}"), "Cust_1"] {
            refused(&door.get(&format!("{CUSTOMER}/{id}")).await, 400, "customer_id");
            refused(&door.post(CUSTOMER, &json!({"id": id})).await, 400, "id");
            refused(&delete(&door, id).await, 400, "customer_id");
        }
        let address = |country: &str| json!({"address": {"line_1": "a", "city": "b", "zip": "c", "country": country}});
        for (body, topic) in [
            (json!({"name": 1}), "name"),
            (json!({"emails": {"main": "nobody"}}), "emails.main"),
            (json!({"emails": {"main": "a b@c"}}), "emails.main"),
            (json!({"emails": {"main": "@"}}), "emails.main"),
            (json!({"emails": {"main": "a@b@c"}}), "emails.main"),
            (json!({"emails": ["a@b.c"]}), "emails"),
            (json!({"metadata": {"a": 1}}), "metadata.a"),
            (json!({"address": {"line_1": "a"}}), "address"),
            (address("Germany"), "address.country"),
            (address("d1"), "address.country"),
            (address(""), "address.country"),
        ] {
            refused(&door.post(CUSTOMER, &body).await, 400, topic);
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}
