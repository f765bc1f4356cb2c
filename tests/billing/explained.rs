//! Invoices explained: every line can be worked out again, and says which events it came from.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Books;
use crate::{
    billstream::{get, post},
    support::{TestApp, on_both},
    wingback::{CONTRACT, CUSTOMER, Door},
};

fn plan() -> Value {
    json!({"name": "Basic", "currency": "EUR", "lines": [
        {"name": "Base fee", "kind": "recurring", "price": {"model": "flat", "amount": "31.00"}, "tax_rate": "20"},
        {"name": "Calls", "kind": "metered", "metric": "calls", "price": {"model": "graduated", "tiers": [
            {"up_to": "100", "unit": "0.10"}, {"unit": "0.05", "flat": "2"}]}},
        {"name": "Setup", "kind": "one_off", "price": {"model": "per_unit", "amount": "5"}, "quantity": "3"},
    ]})
}

async fn sent(test: &TestApp, path: &str, body: &Value) -> Value {
    let answer = post(test, path, body).await;
    assert!((200..300).contains(&answer.status), "{path} {body}: {answer:?}");
    answer.json()
}

async fn read(test: &TestApp, path: &str) -> Value {
    let answer = get(test, path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

fn number(value: &Value) -> Decimal {
    match value {
        Value::Null => Decimal::ZERO,
        Value::String(text) => text.parse().expect("a number"),
        Value::Number(number) => number.to_string().parse().expect("a number"),
        other => panic!("{other} is no number"),
    }
}

/// What the explanation says that the line comes to.
fn worked_out(line: &Value) -> Decimal {
    let told = &line["explanation"];
    let tiers: Decimal = told["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|step| number(&step["amount"]))
        .sum();
    assert_eq!(tiers, number(&told["full_price"]), "{line}");
    let price = number(&told["full_price"]) - number(&told["discount"]);
    let part = price * number(&told["numerator"]) / number(&told["denominator"]);
    let before = number(&told["correction"]["billed_before"]);
    assert_eq!(
        told["rounding"],
        json!({"mode": "half_away_from_zero", "places": 2}),
        "{line}"
    );
    part.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero) - before
}

/// The names of the events that a line came from, each of them looked up in its stream.
async fn events_of(test: &TestApp, line: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for event in line["origin"]["events"].as_array().expect("events") {
        let (kind, id) = (&event["stream"]["type"], &event["stream"]["id"]);
        let path = format!(
            "/billstream/v1/streams/{}/{}",
            kind.as_str().expect("a type"),
            id.as_str().expect("an id")
        );
        let stream = read(test, &path).await;
        let stored = stream["events"].as_array().expect("events").iter();
        let stored = stored.clone().find(|stored| stored["sequence"] == event["sequence"]);
        let stored = stored.unwrap_or_else(|| panic!("{event} is not in {stream}"));
        assert_eq!(
            (&stored["type"], &stored["position"]),
            (&event["type"], &event["position"])
        );
        names.push(event["type"].as_str().expect("a name").to_owned());
    }
    names
}

async fn explained(test: &TestApp, contract: &str) -> Vec<Value> {
    let books = Books::of(test);
    let mut invoices = Vec::new();
    for (invoice, _) in books.invoices().await {
        if format!("Cont_{}", invoice.subscription) == contract {
            let told = read(test, &format!("/billstream/v1/invoices/Inv_{}/explain", invoice.id)).await;
            for line in told["lines"].as_array().expect("lines") {
                if line["explanation"].is_object() {
                    assert_eq!(worked_out(line), number(&line["amount"]), "{line}");
                }
            }
            invoices.push(told);
        }
    }
    invoices
}

fn line<'a>(invoices: &'a [Value], name: &str, reason: &str) -> &'a Value {
    let mut lines = invoices
        .iter()
        .flat_map(|invoice| invoice["lines"].as_array().expect("lines"));
    lines
        .find(|line| line["name"] == name && line["explanation"]["reason"] == reason)
        .unwrap_or_else(|| panic!("no {name} for {reason} in {invoices:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_says_which_events_it_came_from_and_can_be_worked_out_again() {
    on_both(async |test| {
        let door = Door::new(&test);
        let plan = sent(&test, "/billstream/v1/plans", &plan()).await;
        let customer = door.post(CUSTOMER, &json!({"name": "Example Ltd"})).await.json();
        let body = json!({"customer": customer, "plan": plan["id"], "currency": "eur", "cycle": "month",
            "activation": "2026-10-01"});
        let contract = door.post(CONTRACT, &body).await.json();
        let contract = contract.as_str().expect("an id");
        let id = contract.trim_start_matches("Cont_").parse().expect("an id");
        let books = Books::of(&test);
        books.bill(id, "2026-10-05").await;
        for (quantity, day) in [("60", "02"), ("55", "03")] {
            let record = json!({"contract": contract, "metric": "calls", "quantity": quantity,
                "at": format!("2026-10-{day}T08:00:00Z")});
            sent(&test, "/billstream/v1/usage", &json!({"records": [record]})).await;
        }
        test.clock.set("2026-10-11T08:00:00Z");
        let path = format!("/billstream/v1/contracts/{contract}");
        sent(&test, &format!("{path}/pause"), &json!({"on": "2026-10-11"})).await;
        test.clock.set("2026-11-02T08:00:00Z");
        books.bill(id, "2026-11-02").await;
        let invoices = explained(&test, contract).await;

        let charged = line(&invoices, "Base fee", "period");
        assert_eq!(charged["amount"], "31.00");
        assert_eq!(
            events_of(&test, charged).await,
            [
                "subscription.signed",
                "subscription.accrued",
                "subscription.charges_invoiced"
            ]
        );
        assert_eq!(charged["origin"]["takes_back"], Value::Null);

        let given_back = line(&invoices, "Base fee", "unused");
        assert_eq!(given_back["amount"], "-21.00");
        assert_eq!(given_back["origin"]["takes_back"], json!([charged["id"]]));
        assert_eq!(
            events_of(&test, given_back).await,
            [
                "subscription.signed",
                "subscription.paused",
                "subscription.accrued",
                "subscription.charges_invoiced"
            ]
        );

        let used = line(&invoices, "Calls", "usage");
        assert_eq!(used["amount"], "12.75");
        let usage = &used["origin"]["usage"];
        assert_eq!(
            (&usage["metric"], &usage["aggregation"]),
            (&json!("calls"), &json!("sum"))
        );
        assert_eq!(
            (&usage["from"], &usage["until"]),
            (&json!("2026-10-01"), &json!("2026-10-11"))
        );
        assert_eq!(
            (&usage["records"], &usage["sequences"]),
            (&json!(2), &json!([1, 2])),
            "{usage}"
        );
        let kept = read(&test, &format!("/billstream/v1/streams/usage/{id}")).await;
        assert_eq!(kept["events"].as_array().map(Vec::len), Some(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_charged_by_hand_and_what_corrects_usage_say_where_they_are_from() {
    on_both(async |test| {
        let door = Door::new(&test);
        let plan = sent(&test, "/billstream/v1/plans", &plan()).await;
        let customer = door.post(CUSTOMER, &json!({"name": "Example Ltd"})).await.json();
        let body = json!({"customer": customer, "plan": plan["id"], "currency": "eur", "cycle": "month",
            "activation": "2026-10-01"});
        let contract = door.post(CONTRACT, &body).await.json();
        let contract = contract.as_str().expect("an id");
        let id = contract.trim_start_matches("Cont_").parse().expect("an id");
        let books = Books::of(&test);
        let record = |day: &str| {
            let at = format!("2026-10-{day}T08:00:00Z");
            json!({"records": [{"contract": contract, "metric": "calls", "quantity": "10", "at": at}]})
        };
        sent(&test, "/billstream/v1/usage", &record("02")).await;
        let path = format!("/billstream/v1/contracts/{contract}/charges");
        sent(
            &test,
            &path,
            &json!({"name": "Hours", "amount": "7.50", "period_start": "2026-10-05"}),
        )
        .await;
        test.clock.set("2026-11-02T08:00:00Z");
        books.bill(id, "2026-11-02").await;
        // It comes when its period is billed.
        sent(&test, "/billstream/v1/usage", &record("03")).await;
        test.clock.set("2026-12-02T08:00:00Z");
        books.bill(id, "2026-12-02").await;
        let invoices = explained(&test, contract).await;

        let mut lines = invoices
            .iter()
            .flat_map(|invoice| invoice["lines"].as_array().expect("lines"));
        let by_hand = lines.find(|line| line["name"] == "Hours").expect("the charge");
        assert_eq!(
            events_of(&test, by_hand).await,
            ["subscription.charge_added", "subscription.charges_invoiced"]
        );
        let used = line(&invoices, "Calls", "usage");
        assert_eq!(
            (&used["amount"], &used["origin"]["usage"]["records"]),
            (&json!("1.00"), &json!(1))
        );
        let corrected = line(&invoices, "Calls", "usage_correction");
        assert_eq!(corrected["amount"], "1.00");
        assert_eq!(corrected["origin"]["corrects"], json!([used["id"]]));
        assert_eq!(corrected["origin"]["usage"]["records"], 2);
    })
    .await;
}
