use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;

use super::{Door, INVOICE, ids};
use crate::support::{TestApp, on_both};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_callers_at_once_put_every_charge_on_exactly_one_invoice() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        let contracts = join_all((0..100).map(|_| door.contract_of(&customer, &plan, json!({})))).await;
        let charges: BTreeSet<String> = join_all(
            contracts
                .iter()
                .flat_map(|contract| (0..10).map(|n| door.charge(contract, "1.00", Some(n % 2 == 0)))),
        )
        .await
        .into_iter()
        .collect();
        assert_eq!(charges.len(), 1000);

        let answers = join_all((0..50).map(|_| door.post_text(INVOICE, "{}"))).await;
        let mut made = Vec::new();
        for answer in &answers {
            let ids = ids(answer);
            assert_eq!(answer.status, if ids.is_empty() { 200 } else { 201 }, "{answer:?}");
            made.extend(ids);
        }
        assert_eq!(made.len(), 200, "one invoice a contract and payment mode");
        let distinct: BTreeSet<&String> = made.iter().collect();
        assert_eq!(distinct.len(), 200);

        let at = &door;
        let (mut numbers, mut items) = (Vec::new(), Vec::new());
        for invoice in join_all(
            made.iter()
                .map(|id| async move { at.get(&format!("{INVOICE}/{id}")).await.json() }),
        )
        .await
        {
            assert_eq!(invoice["invoice"]["total"], "5.00");
            numbers.push(
                invoice["invoice"]["invoice_number"]["number"]
                    .as_str()
                    .expect("a number")
                    .to_owned(),
            );
            let lines = invoice["invoice_lines"].as_array().expect("lines");
            items.extend(lines.iter().map(|line| line["id"].as_str().expect("an id").to_owned()));
        }
        numbers.sort();
        assert_eq!(numbers, (1..=200).map(|n| format!("INV-{n:06}")).collect::<Vec<_>>());
        assert_eq!(items.len(), 1000);
        assert_eq!(items.into_iter().collect::<BTreeSet<_>>(), charges);
    })
    .await;
}

/// A number that was taken is taken for ever, whatever becomes of its invoice.
#[tokio::test(flavor = "multi_thread")]
async fn example_16_three_customers_finalised_by_fifty_callers_have_numbers_without_gap_or_duplicate() {
    on_both(async |test| {
        let door = Door::new(&test);
        let plan = door.plan().await;
        let mut customers = Vec::new();
        for _ in 0..3 {
            let customer = door.customer().await;
            let contracts = join_all((0..20).map(|_| door.contract_of(&customer, &plan, json!({})))).await;
            for contract in &contracts {
                door.charge(contract, "1.00", None).await;
            }
            customers.push(customer);
        }
        let bearer = format!("Bearer {}", test.tenant.billstream.api_key);
        let headers = [("authorization", bearer.as_str())];
        let drafts = test
            .send("POST", "/billstream/v1/previews/invoices", &headers, "{}")
            .await
            .json();
        let drafts = drafts["invoices"].as_array().expect("drafts").clone();
        assert_eq!(drafts.len(), 60);
        assert!(
            drafts.iter().all(|draft| draft["number"].is_null()),
            "a draft has no number"
        );

        let bodies: Vec<String> = (0..50)
            .map(|n| json!({"customer_id": customers[n % 3]}).to_string())
            .collect();
        let answers = join_all(bodies.iter().map(|body| door.post_text(INVOICE, body))).await;
        let made: Vec<String> = answers.iter().flat_map(ids).collect();
        assert_eq!(made.len(), 60);
        let at = &door;
        let mut numbers = join_all(made.iter().map(|id| async move {
            let invoice = at.get(&format!("{INVOICE}/{id}")).await.json();
            let number = &invoice["invoice"]["invoice_number"]["number"];
            number.as_str().expect("a number").to_owned()
        }))
        .await;
        numbers.sort();
        assert_eq!(numbers, (1..=60).map(|n| format!("INV-{n:06}")).collect::<Vec<_>>());

        voided_numbers_stay_taken(&test, &door, &made).await;
    })
    .await;
}

/// Of sixty invoices three are voided, each by several callers; the last number among them.
async fn voided_numbers_stay_taken(test: &TestApp, door: &Door<'_>, made: &[String]) {
    let bearer = format!("Bearer {}", test.tenant.billstream.api_key);
    let headers = [("authorization", bearer.as_str())];
    let mut voided: Vec<&String> = made.iter().take(2).collect();
    let number = async |id: &str| {
        let invoice = door.get(&format!("{INVOICE}/{id}")).await.json();
        let word = |value: &serde_json::Value| value.as_str().expect("word").to_owned();
        (
            word(&invoice["invoice"]["invoice_number"]["number"]),
            word(&invoice["invoice"]["status"]),
        )
    };
    for id in made {
        if number(id).await.0 == "INV-000060" && !voided.contains(&id) {
            voided.push(id);
        }
    }
    let paths: Vec<String> = voided
        .iter()
        .map(|id| format!("/billstream/v1/invoices/{id}/void"))
        .collect();
    let calls = (0..50).map(|n| test.send("POST", &paths[n % paths.len()], &headers, r#"{"reason": "wrong"}"#));
    for answer in join_all(calls).await {
        assert_eq!(
            (answer.status, answer.json()["balance"].as_str()),
            (200, Some("0.00")),
            "{answer:?}"
        );
    }
    // Their charges wait for other invoices, which get numbers of their own.
    let again = door.invoices(&json!({})).await;
    assert_eq!(again.len(), voided.len());
    let mut new = Vec::new();
    for id in &again {
        new.push(number(id).await);
    }
    new.sort();
    let next = (61..).take(voided.len());
    let next: Vec<_> = next.map(|n| (format!("INV-{n:06}"), "validated".to_owned())).collect();
    assert_eq!(new, next);
    for id in &voided {
        assert_eq!(number(id).await.1, "voided");
    }
    let idle = door.post_text(INVOICE, "{}").await;
    assert_eq!(
        (idle.status, idle.text.as_str()),
        (200, "[]"),
        "every charge is on an invoice again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_with_one_key_all_get_one_list() {
    on_both(async |test| {
        let door = Door::new(&test);
        let (customer, plan) = (door.customer().await, door.plan().await);
        for _ in 0..10 {
            let contract = door.contract_of(&customer, &plan, json!({})).await;
            door.charge(&contract, "1.00", None).await;
        }
        let key = [("idempotency-key", "same")];
        let answers = join_all((0..20).map(|_| door.post_with(INVOICE, &key, "{}"))).await;
        let first = ids(&answers[0]);
        assert_eq!(first.len(), 10);
        for answer in &answers {
            assert_eq!((answer.status, ids(answer)), (201, first.clone()), "{answer:?}");
        }
    })
    .await;
}
