use serde_json::{Value, json};

use super::{Door, INVOICE, NOBODY, ids, refused};
use crate::support::on_both;

/// The lines of an invoice by id.
async fn items(door: &Door<'_>, invoice: &str) -> Vec<String> {
    let detail = door.get(&format!("{INVOICE}/{invoice}")).await.json();
    let mut items: Vec<String> = detail["invoice_lines"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| line["id"].as_str().expect("an id").to_owned())
        .collect();
    items.sort();
    items
}

fn sorted<const N: usize>(mut ids: [&String; N]) -> Vec<String> {
    ids.sort();
    ids.into_iter().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn charges_are_grouped_by_contract_and_payment_mode() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (one, two) = (door.contract().await, door.contract().await);
        let a = door.charge(&one, "1.00", Some(true)).await;
        let b = door.charge(&one, "2.50", Some(true)).await;
        let c = door.charge(&one, "4.00", Some(false)).await;
        let d = door.charge(&two, "8.00", Some(true)).await;
        let made = door.invoices(&json!({})).await;
        assert_eq!(made.len(), 3);
        assert!(made.iter().all(|id| id.starts_with("Inv_")), "{made:?}");
        let mut groups = Vec::new();
        for (at, invoice) in made.iter().enumerate() {
            let detail = door.get(&format!("{INVOICE}/{invoice}")).await.json();
            assert_eq!(
                detail["invoice"]["invoice_number"]["number"],
                format!("INV-{:06}", at + 1)
            );
            groups.push((items(&door, invoice).await, detail["invoice"]["total"].clone()));
        }
        for expected in [
            (sorted([&a, &b]), json!("3.50")),
            (sorted([&c]), json!("4.00")),
            (sorted([&d]), json!("8.00")),
        ] {
            assert!(groups.contains(&expected), "{expected:?} in {groups:?}");
        }
        let again = door.post(INVOICE, &json!({})).await;
        assert_eq!((again.status, again.json()), (200, json!([])));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_selection_takes_its_charges_and_no_others() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        let first = door.contract_of(&customer, &plan, json!({})).await;
        let second = door.contract_of(&customer, &plan, json!({})).await;
        let elsewhere = door.contract().await;
        let charge = async |contract: &str| door.charge(contract, "1.00", None).await;
        let (a, b, c) = (charge(&first).await, charge(&first).await, charge(&second).await);
        let d = charge(&elsewhere).await;
        for nothing in [
            json!({"invoice_item_ids": []}),
            json!({"invoice_item_ids": [], "customer_id": customer}),
        ] {
            let answer = door.post(INVOICE, &nothing).await;
            assert_eq!((answer.status, answer.json()), (200, json!([])), "{nothing}");
        }
        let (theirs, events) = (
            json!({"contract_id": elsewhere, "customer_id": customer}),
            test.events().await,
        );
        assert_eq!(
            door.post(INVOICE, &theirs).await.status,
            404,
            "another customer's contract"
        );
        assert_eq!(test.events().await, events);
        let made = door
            .invoices(&json!({"invoice_item_ids": [a, a, a], "contract_id": first, "customer_id": customer}))
            .await;
        assert_eq!(made.len(), 1);
        assert_eq!(items(&door, &made[0]).await, std::slice::from_ref(&a));
        let made = door.invoices(&json!({"contract_id": first})).await;
        assert_eq!(items(&door, &made[0]).await, [b]);
        let made = door
            .invoices(&json!({"customer_id": customer, "contract_id": null, "invoice_item_ids": null}))
            .await;
        assert_eq!((made.len(), items(&door, &made[0]).await), (1, vec![c]));
        let made = door.invoices(&json!({})).await;
        assert_eq!((made.len(), items(&door, &made[0]).await), (1, vec![d]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn named_charges_are_invoiced_together_or_not_at_all() {
    on_both(async |test| {
        let (door, other) = (Door::new(&test), Door::other(&test).await);
        let contract = door.contract().await;
        let (a, b) = (
            door.charge(&contract, "1.00", None).await,
            door.charge(&contract, "1.00", None).await,
        );
        let far = door.contract().await;
        let foreign_contract = other.contract().await;
        let foreign = other.charge(&foreign_contract, "1.00", None).await;
        let foreign_customer = other.customer().await;
        door.invoices(&json!({"invoice_item_ids": [b]})).await;
        let events = test.events().await;
        let many: Vec<String> = (0..10_001_u128)
            .map(|n| format!("Item_{n:08x}-0000-4000-8000-000000000000"))
            .collect();
        for (body, status, topic) in [
            (json!({"invoice_item_ids": [a, b]}), 409, "invoice_item_ids"),
            (
                json!({"invoice_item_ids": [a, format!("Item_{NOBODY}")]}),
                404,
                "invoice_item_ids",
            ),
            (json!({"invoice_item_ids": [a, foreign]}), 404, "invoice_item_ids"),
            (
                json!({"invoice_item_ids": [a], "contract_id": far}),
                400,
                "invoice_item_ids",
            ),
            (json!({"invoice_item_ids": many}), 400, "invoice_item_ids"),
            (json!({"invoice_item_ids": [NOBODY]}), 400, "invoice_item_ids[0]"),
            (
                json!({"invoice_item_ids": [a, format!("Inv_{NOBODY}")]}),
                400,
                "invoice_item_ids[1]",
            ),
            (json!({"invoice_item_ids": [a, null]}), 400, "invoice_item_ids[1]"),
            (json!({"invoice_item_ids": a}), 400, "invoice_item_ids"),
            (json!({"invoice_item_ids": {}}), 400, "invoice_item_ids"),
            (json!({"contract_id": format!("Contract_{NOBODY}")}), 400, "contract_id"),
            (json!({"contract_id": format!("Cont_{NOBODY}")}), 404, "contract_id"),
            (json!({"contract_id": foreign_contract}), 404, "contract_id"),
            (json!({"contract_id": 1}), 400, "contract_id"),
            (json!({"customer_id": format!("Cust_{NOBODY}")}), 404, "customer_id"),
            (json!({"customer_id": foreign_customer}), 404, "customer_id"),
            (json!({"customer_id": "Cust_"}), 400, "customer_id"),
        ] {
            let answer = door.post(INVOICE, &body).await;
            refused(&answer, status, topic);
        }
        assert_eq!(test.events().await, events);
        assert_eq!(door.invoices(&json!({})).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_with_the_same_key_gets_the_same_list() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (one, two) = (door.contract().await, door.contract().await);
        for contract in [&one, &two] {
            for automatic in [true, false] {
                door.charge(contract, "1.00", Some(automatic)).await;
            }
        }
        let key = [("idempotency-key", "run-1")];
        let first = door.post_with(INVOICE, &key, "{}").await;
        assert_eq!((first.status, ids(&first).len()), (201, 4));
        door.charge(&one, "1.00", None).await;
        let again = door.post_with(INVOICE, &key, "{}").await;
        assert_eq!((again.status, ids(&again)), (201, ids(&first)));
        let item = door.charge(&two, "1.00", None).await;
        let body = json!({"invoice_item_ids": [item]}).to_string();
        let explicit = [("idempotency-key", "run-2")];
        let first = door.post_with(INVOICE, &explicit, &body).await;
        let again = door.post_with(INVOICE, &explicit, &body).await;
        assert_eq!((first.status, again.status, ids(&again)), (201, 201, ids(&first)));
        // A key whose text looks like a part of another key's request is a key of its own.
        let cunning = [("idempotency-key", "run-1#x")];
        assert_eq!(door.post_with(INVOICE, &cunning, "{}").await.status, 201);
        assert_eq!(ids(&door.post_with(INVOICE, &key, "{}").await).len(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn due_dates_follow_the_preferences_for_flat_fees_and_for_the_rest() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        for (policy, flat_policy, due, flat_due) in [
            ("end_of_period", "start_of_period", "2026-12-01", "2026-11-01"),
            ("start_of_period", "end_of_period", "2026-11-01", "2026-12-01"),
        ] {
            let body = json!({"due_date_policy": policy, "flat_fee_due_date_policy": flat_policy});
            assert_eq!(door.post(super::PREFERENCES, &body).await.status, 200);
            let contract = door.contract_of(&customer, &plan, json!({})).await;
            let path = format!("/billstream/v1/contracts/{contract}/charges");
            let charge = |flat: bool, start: &str, end: Value| {
                json!({"name": "Seats", "amount": "1.00", "period_start": start, "period_end": end, "flat_fee": flat})
            };
            let november = |flat| charge(flat, "2026-11-01", json!("2026-12-01"));
            let usage = door.own(&path, &november(false)).await;
            let flat = door.own(&path, &november(true)).await;
            for (item, expected) in [(usage, due), (flat, flat_due)] {
                let made = door.invoices(&json!({"invoice_item_ids": [item]})).await;
                let detail = door.get(&format!("{INVOICE}/{}", made[0])).await.json();
                assert_eq!(detail["invoice"]["due_date"], expected);
                assert_eq!(detail["invoice_lines"][0]["due_date"], expected);
            }
            // Together the earliest counts; never before the day of issue; a period without end is due at its start.
            door.own(&path, &november(false)).await;
            door.own(&path, &november(true)).await;
            let both = door.invoices(&json!({})).await;
            let detail = door.get(&format!("{INVOICE}/{}", both[0])).await.json();
            assert_eq!(detail["invoice"]["due_date"], "2026-11-01");
            door.own(&path, &charge(false, "2026-09-01", Value::Null)).await;
            let past = door.invoices(&json!({})).await;
            let detail = door.get(&format!("{INVOICE}/{}", past[0])).await.json();
            assert_eq!(detail["invoice"]["due_date"], "2026-10-05");
            assert_eq!(detail["invoice_lines"][0]["due_date"], "2026-09-01");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_be_invoiced_stays_pending_and_does_not_hold_up_the_others() {
    on_both(async |test| {
        let door = Door::new(&test);
        // What is pending on the contract can be held, as the three come in, but not what waits for manual payment.
        let most = "92233720368547758.07";
        let stuck = door.contract().await;
        let a = door.charge(&stuck, most, Some(false)).await;
        let beside = door.charge(&stuck, &format!("-{most}"), Some(true)).await;
        let b = door.charge(&stuck, most, Some(false)).await;
        let sound = door.contract().await;
        let c = door.charge(&sound, "2.00", None).await;
        let key = [("idempotency-key", "run")];
        let first = door.post_with(INVOICE, &key, "{}").await;
        assert_eq!(first.status, 201, "{first:?}");
        let mut made = Vec::new();
        for invoice in ids(&first) {
            made.extend(items(&door, &invoice).await);
        }
        made.sort();
        assert_eq!(made, sorted([&beside, &c]));
        let again = door.post_with(INVOICE, &key, "{}").await;
        assert_eq!((again.status, ids(&again)), (201, ids(&first)));
        // Nothing can be done about the group as a whole, and no number is spent on the attempt.
        let events = test.events().await;
        let nothing = door.post(INVOICE, &json!({})).await;
        assert_eq!((nothing.status, nothing.json()), (200, json!([])));
        let named = door.post(INVOICE, &json!({"invoice_item_ids": [a, b]})).await;
        refused(&named, 409, "invoice_item_ids");
        assert_eq!(test.events().await, events);
        // One by one they are invoiced, under the next numbers.
        for (item, number) in [(&a, "INV-000003"), (&b, "INV-000004")] {
            let made = door.invoices(&json!({"invoice_item_ids": [item]})).await;
            let detail = door.get(&format!("{INVOICE}/{}", made[0])).await.json();
            assert_eq!(detail["invoice"]["invoice_number"]["number"], number);
            assert_eq!(detail["invoice"]["total"], most);
        }
    })
    .await;
}
