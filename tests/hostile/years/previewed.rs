//! What was previewed is what happens: the same charges, invoices and purchases, and the same credit is used.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    books::News,
    world::{Call, Teaches},
};
use crate::support::{
    Answer,
    doors::{Door, Doors},
};

/// What an invoice says beside its id and number and the events that its lines came from.
fn said(invoice: &Value) -> String {
    let mut invoice = invoice.clone();
    for line in invoice["lines"].as_array_mut().expect("lines") {
        line.as_object_mut().expect("a line").remove("origin");
    }
    for field in ["id", "number"] {
        invoice.as_object_mut().expect("an invoice").remove(field);
    }
    invoice.to_string()
}

fn sorted<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort();
    all
}

#[track_caller]
pub fn as_previewed(n: usize, preview: &Value, news: &News, shown: &[Value]) {
    assert_eq!(preview["unbillable"], json!([]), "step {n}");
    let list = |name: &str| preview[name].as_array().expect("a list").iter();
    let expected = sorted(list("charges").map(|charge| charge["id"].to_string()));
    let made = news.charges.iter().map(|(_, charge)| format!("\"Item_{}\"", charge.id));
    assert_eq!(sorted(made), expected, "step {n}: other charges than previewed");
    let expected = sorted(list("invoices").map(said));
    let made = sorted(shown.iter().map(said));
    for (made, expected) in made.iter().zip(&expected) {
        assert_eq!(made, expected, "step {n}: another invoice than previewed");
    }
    assert_eq!(
        made.len(),
        expected.len(),
        "step {n}: more or fewer invoices than previewed"
    );
}

/// What an upgrade would come to, before it is made.
pub async fn estimated(doors: &Doors, call: &Call) -> Option<Answer> {
    let Teaches::Upgraded(_) = call.teaches else {
        return None;
    };
    let path = format!("{}_estimate", call.path);
    Some(doors.send(call.door, None, call.method, &path, &call.body).await)
}

/// What is charged with an upgrade of today is what was estimated: of the contract that goes on, of the one it goes on from,
/// and of those before that pay after all.
#[track_caller]
pub fn as_estimated(n: usize, estimate: &Answer, now: DateTime<Utc>, news: &News) {
    let estimate = estimate.json();
    let start = estimate["new_contract_period"]["start"].as_str().expect("text");
    if start.parse::<DateTime<Utc>>().expect("a time") > now {
        return;
    }
    let minor = |field: &str| {
        let amount = estimate[field].as_str().expect("text").replace('.', "");
        amount.parse::<i64>().expect("an amount")
    };
    let expected = minor("pro_rate_old_contract") + minor("pro_rate_new_contract");
    let charged: i64 = news.charges.iter().map(|(_, charge)| charge.amount.minor).sum();
    assert_eq!(charged, expected, "step {n}: other charges than estimated: {estimate}");
}

/// The purchases of subscribers are those that were previewed: each with its id, day, time and total.
pub async fn bought(doors: &Doors, n: usize, preview: &Value, news: &News) {
    let mut expected: Vec<String> = Vec::new();
    for one in preview["purchases"].as_array().expect("purchases") {
        let due: DateTime<Utc> = one["due"].as_str().expect("text").parse().expect("a time");
        let total = one["total"].as_str().expect("text").replace('.', "");
        let total: i64 = total.parse().expect("an amount");
        expected.push(format!("{} {} {} {total}", one["id"], one["issued"], due.timestamp()));
    }
    let mut made = Vec::new();
    for id in &news.purchases {
        let whole = doors.get(Door::Chip, &format!("/api/v1/purchases/{id}/")).await;
        let total = &whole["purchase"]["total"];
        made.push(format!("{} {} {} {total}", whole["id"], whole["issued"], whole["due"]));
    }
    expected.sort();
    made.sort();
    assert_eq!(made, expected, "step {n}: other purchases than previewed");
}
