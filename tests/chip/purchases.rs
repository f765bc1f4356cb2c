use serde_json::{Value, json};

use super::{billing, one_product, templates::error};
use crate::support::{Answer, TestApp, on_both};

/// 2026-10-05, noon.
const NOW: i64 = 1_791_201_600;

impl TestApp {
    pub async fn act(&self, purchase: &str, action: &str, body: &str) -> Answer {
        self.chip("POST", &format!("/api/v1/purchases/{purchase}/{action}/"), body)
            .await
    }

    async fn sent_purchase(&self) -> String {
        let ids = self.bill(&billing(one_product())).await.json();
        ids[0].as_str().expect("an id").to_owned()
    }
}

fn statuses(purchase: &Value) -> Vec<(&str, i64)> {
    let history = purchase["status_history"].as_array().expect("a history").iter();
    history
        .map(|step| {
            let status = step["status"].as_str().expect("a status");
            (status, step["timestamp"].as_i64().expect("a time"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_marked_as_paid_says_so() {
    on_both(async |test| {
        let id = test.sent_purchase().await;
        test.clock.set("2026-10-06T12:00:00Z");
        let answer = test
            .act(&id, "mark_as_paid", &json!({"paid_on": NOW + 60}).to_string())
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let purchase = answer.json();
        assert_eq!(purchase["status"], "paid");
        assert_eq!(purchase["marked_as_paid"], true);
        assert_eq!(purchase["updated_on"], NOW + 86_400);
        assert_eq!(
            statuses(&purchase),
            [("created", NOW), ("sent", NOW), ("paid", NOW + 86_400)]
        );
        let payment = json!({
            "is_outgoing": false, "payment_type": "purchase", "amount": 1000, "currency": "MYR", "net_amount": 1000,
            "fee_amount": 0, "pending_amount": 0, "pending_unfreeze_on": null, "description": "",
            "paid_on": NOW + 60, "remote_paid_on": NOW + 60, "owned_bank_account_id": null,
            "owned_bank_account": null, "owned_bank_code": null,
        });
        assert_eq!(purchase["payment"], payment);
        assert_eq!(
            purchase["checkout_url"],
            format!("http://pay.example.com/p/{id}/invoice/")
        );
        assert_eq!(test.purchase(&id).await, purchase);
        let page = test.send("GET", &format!("/p/{id}/"), &[], "").await;
        assert!(page.text.contains("Status: paid"), "{page:?}");

        let now = test.sent_purchase().await;
        let paid = test.act(&now, "mark_as_paid", "").await.json();
        assert_eq!(paid["payment"]["paid_on"], NOW + 86_400);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_purchase_is_not_payable_any_more() {
    on_both(async |test| {
        let id = test.sent_purchase().await;
        let answer = test.act(&id, "cancel", "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let purchase = answer.json();
        assert_eq!(purchase["status"], "cancelled");
        assert_eq!(
            (&purchase["payment"], &purchase["marked_as_paid"]),
            (&Value::Null, &json!(false))
        );
        assert_eq!(
            statuses(&purchase),
            [("created", NOW), ("sent", NOW), ("cancelled", NOW)]
        );
        assert_eq!(purchase["checkout_url"], purchase["invoice_url"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_purchase_cannot_do_is_refused_and_leaves_no_event() {
    on_both(async |test| {
        let (paid, cancelled) = (test.sent_purchase().await, test.sent_purchase().await);
        test.act(&paid, "mark_as_paid", "{}").await;
        test.act(&cancelled, "cancel", "{}").await;
        let open = test.sent_purchase().await;
        let events = test.events().await;
        for id in [&paid, &cancelled] {
            error(
                "__all__",
                "purchase_cancel_wrong_status",
                &test.act(id, "cancel", "").await,
            );
            let again = test.act(id, "mark_as_paid", "").await;
            error("__all__", "purchase_mark_as_paid_wrong_status", &again);
        }
        for (paid_on, code) in [
            (json!(NOW + 1), "max_value"),
            (json!(-1), "min_value"),
            (json!(i64::MAX), "max_value"),
            (json!("yesterday"), "invalid"),
        ] {
            let body = json!({"paid_on": paid_on}).to_string();
            error("paid_on", code, &test.act(&open, "mark_as_paid", &body).await);
        }
        let not_found = json!({"__all__": [{"message": "Not found.", "code": "not_found"}]});
        for id in ["1026967d-0705-4e24-ab35-9c125e5701ea", "x"] {
            for action in ["cancel", "mark_as_paid"] {
                let answer = test.act(id, action, "{}").await;
                assert_eq!((answer.status, answer.json()), (404, not_found.clone()));
            }
        }
        assert_eq!(test.events().await, events);
        let at_once = json!({"paid_on": NOW}).to_string();
        assert_eq!(test.act(&open, "mark_as_paid", &at_once).await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_repeated_under_its_key_is_answered_and_not_done_again() {
    on_both(async |test| {
        let id = test.sent_purchase().await;
        let key = [("idempotency-key", "k-2")];
        let path = format!("/purchases/{id}/mark_as_paid/");
        let first = test.chip_with("POST", &path, &key, "{}").await;
        let events = test.events().await;
        let again = test.chip_with("POST", &path, &key, "{}").await;
        assert_eq!((again.status, again.json()), (200, first.json()));
        assert_eq!(test.events().await, events);
    })
    .await;
}
