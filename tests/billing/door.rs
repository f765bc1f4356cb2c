//! Plans with lines, previews and explanations over HTTP.

use serde_json::{Value, json};

use super::{Books, midnight};
use crate::{
    billstream::{get, post, refused},
    support::on_both,
    wingback::{CONTRACT, CUSTOMER, Door},
};

const PLANS: &str = "/billstream/v1/plans";

fn plan() -> Value {
    json!({"name": "Basic", "currency": "EUR", "lines": [
        {"name": "Base fee", "kind": "recurring", "price": {"model": "flat", "amount": "29.00"}, "tax_rate": "20"},
        {"name": "Calls", "kind": "metered", "metric": "calls", "price": {"model": "graduated", "tiers": [
            {"up_to": "100", "unit": "0.10"}, {"unit": "0.05", "flat": "2"}]}},
        {"name": "Setup", "kind": "one_off", "price": {"model": "per_unit", "amount": "5"}, "quantity": "3"},
    ]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_signed_previewed_billed_and_explained() {
    on_both(async |test| {
        let door = Door::new(&test);
        let made = post(&test, PLANS, &plan()).await;
        assert_eq!(made.status, 201, "{made:?}");
        let customer = door.post(CUSTOMER, &json!({"name": "Ada"})).await.json();
        let body = json!({"customer": customer, "plan": made.json()["id"], "currency": "eur", "cycle": "month",
            "activation": "2026-10-01"});
        let contract = door.post(CONTRACT, &body).await.json();
        let body = json!({"until": "2026-11-01T00:00:00Z", "contract_id": contract});
        let preview = post(&test, "/billstream/v1/previews/run", &body).await;
        assert_eq!(preview.status, 200, "{preview:?}");
        // A date is all of its day.
        let whole_day = json!({"until": "2026-11-01", "contract_id": contract});
        let dated = post(&test, "/billstream/v1/previews/run", &whole_day).await;
        assert_eq!(dated.text, preview.text);
        let drafts = preview.json()["invoices"].clone();
        assert_eq!(drafts.as_array().map(Vec::len), Some(2), "{drafts}");
        let books = Books::of(&test);
        let id = contract.as_str().and_then(|id| id.split_once('_')).expect("an id").1;
        let id = id.parse().expect("a contract");
        let request = books.request();
        let billed = test.app.bill_subscription(&request, id, midnight("2026-11-01")).await;
        let first = billed.expect("billed").invoices[0];
        let explained = get(&test, &format!("/billstream/v1/invoices/Inv_{first}/explain")).await;
        assert_eq!(explained.status, 200, "{explained:?}");
        let mut explained = explained.json();
        assert_eq!(explained["number"], 1);
        explained["number"] = Value::Null;
        // What is not written yet came from no events.
        for line in explained["lines"].as_array_mut().expect("lines") {
            line.as_object_mut()
                .expect("a line")
                .remove("origin")
                .expect("its origin");
        }
        assert_eq!(explained, drafts[0]);
        assert_eq!(explained["total"], "49.80");
        assert_eq!(explained["tax"], "5.80");
        let line = |name: &str| {
            let lines = explained["lines"].as_array().expect("lines").iter();
            lines.clone().find(|line| line["name"] == name).expect("a line").clone()
        };
        assert_eq!(line("Base fee")["explanation"]["policy"], "actual_days");
        assert_eq!(line("Setup")["amount"], "15.00");
        assert_eq!(line("Setup")["explanation"]["full_price"], "15");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_cannot_be_is_refused_with_its_place() {
    on_both(async |test| {
        let events = test.events().await;
        for (pointer, value, code, field) in [
            ("/lines/0/name", Value::Null, "missing", "lines[0].name"),
            ("/lines/0/kind", json!("weekly"), "invalid", "lines[0].kind"),
            ("/lines/0/price", Value::Null, "missing", "lines[0].price"),
            ("/lines/0/price/model", Value::Null, "missing", "lines[0].price.model"),
            ("/lines/0/price/amount", Value::Null, "missing", "lines[0].price.amount"),
            ("/lines/0/price/amount", json!(29), "invalid", "lines[0].price.amount"),
            (
                "/lines/0/price/amount",
                json!("1e3"),
                "invalid",
                "lines[0].price.amount",
            ),
            ("/lines/0/price/amount", json!("-1"), "invalid", "lines[0].price"),
            ("/lines/0/tax_rate", json!("-1"), "line_invalid", "lines"),
            ("/lines/0/quantity", json!("x"), "invalid", "lines[0].quantity"),
            ("/lines/1/metric", Value::Null, "missing", "lines[1].metric"),
            ("/lines/1/price/tiers", Value::Null, "missing", "lines[1].price.tiers"),
            ("/lines/1/price/tiers", json!([]), "invalid", "lines[1].price"),
            ("/lines/1/price/tiers/0/up_to", Value::Null, "invalid", "lines[1].price"),
            (
                "/lines/1/price/tiers/0/up_to",
                json!("many"),
                "invalid",
                "lines[1].price.tiers[0].up_to",
            ),
            (
                "/lines/1/price/tiers/1/unit",
                json!(true),
                "invalid",
                "lines[1].price.tiers[1].unit",
            ),
        ] {
            let mut body = plan();
            *body.pointer_mut(pointer).unwrap_or(&mut Value::Null) = value.clone();
            if body.pointer(pointer).is_none() {
                let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
                body.pointer_mut(parent).expect("a parent")[key] = value;
            }
            refused(&post(&test, PLANS, &body).await, 400, code, Some(field));
        }
        let mut unknown = plan();
        unknown["lines"][0]["price"]["ammount"] = json!("1");
        assert_eq!(post(&test, PLANS, &unknown).await.status, 400);
        assert_eq!(test.events().await, events);
    })
    .await;
}
