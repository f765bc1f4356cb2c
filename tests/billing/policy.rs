//! Billing policy over HTTP, and what it does to invoices in every door.

use serde_json::{Value, json};

use super::{Books, midnight};
use crate::{
    billstream::{NOBODY, call, get, post, refused},
    support::{Answer, TestApp, on_both},
    wingback::{CONTRACT, CUSTOMER, Door, INVOICE},
};

const POLICY: &str = "/billstream/v1/policy";

async fn put(test: &TestApp, path: &str, body: &Value) -> Answer {
    call(test, &test.tenant.billstream.api_key, "PUT", path, &body.to_string()).await
}

/// Contract and id over one-off lines at these prices, all taxed alike.
async fn contract(test: &TestApp, prices: &[&str], rate: &str) -> (String, aggregates::id::SubscriptionId) {
    let door = Door::new(test);
    let line = |price: &&str| {
        json!({"name": format!("Item at {price}"), "kind": "one_off", "tax_rate": rate,
            "price": {"model": "flat", "amount": price}})
    };
    let lines: Vec<Value> = prices.iter().map(line).collect();
    let plan = door
        .own(
            "/billstream/v1/plans",
            &json!({"name": "Plan", "currency": "EUR", "lines": lines}),
        )
        .await;
    let customer = door.post(CUSTOMER, &json!({"name": "Ada"})).await.json();
    let body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month",
        "activation": "2026-10-05"});
    let contract = door.post(CONTRACT, &body).await.json();
    let contract = contract.as_str().expect("an id").to_owned();
    let id = contract.split_once('_').expect("an id").1.parse().expect("a contract");
    (contract, id)
}

/// Previews and bills the contract: net, tax and total of its one invoice, which is the one previewed.
async fn billed(test: &TestApp, prices: &[&str], rate: &str) -> ([String; 3], String) {
    let (_, id) = contract(test, prices, rate).await;
    let books = Books::of(test);
    let made = books.bill(id, "2026-10-05").await;
    let path = format!("/billstream/v1/invoices/Inv_{}/explain", made.invoices[0]);
    let explained = get(test, &path).await.json();
    let word = |field: &str| explained[field].as_str().expect("an amount").to_owned();
    add_up(&explained);
    let shown = Door::new(test)
        .get(&format!("{INVOICE}/Inv_{}", made.invoices[0]))
        .await
        .json();
    assert_eq!(shown["invoice"]["total"], explained["total"]);
    assert_eq!(shown["cost_summary"]["subtotal"], explained["net"]);
    assert_eq!(shown["cost_summary"]["total_excluding_tax"], explained["net"]);
    assert_eq!(shown["cost_summary"]["tax_amount"], explained["tax"]);
    assert_eq!(shown["cost_summary"]["total_including_tax"], explained["total"]);
    let sum = |field: &str| cents(shown["invoice_lines"].as_array().expect("lines"), field);
    assert_eq!(sum("total_excluding_tax"), minor(&explained["net"]));
    assert_eq!(sum("tax_amount"), minor(&explained["tax"]));
    assert_eq!(sum("total_including_tax"), minor(&explained["total"]));
    let version = explained["lines"][0]["explanation"]["policy_version"].as_str();
    (
        [word("net"), word("tax"), word("total")],
        version.expect("a version").to_owned(),
    )
}

fn minor(amount: &Value) -> i64 {
    amount
        .as_str()
        .expect("text")
        .replace('.', "")
        .parse()
        .expect("a number")
}

fn cents(lines: &[Value], field: &str) -> i64 {
    lines.iter().map(|line| minor(&line[field])).sum()
}

/// Net and tax are the total, and the lines have the tax between them.
fn add_up(explained: &Value) {
    let lines = explained["lines"].as_array().expect("lines");
    assert_eq!(
        minor(&explained["net"]) + minor(&explained["tax"]),
        minor(&explained["total"])
    );
    assert_eq!(cents(lines, "tax"), minor(&explained["tax"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_shown_changed_and_counted() {
    on_both(async |test| {
        let fresh = json!({"version": "tenant/1", "proration": "actual_days", "tax_level": "invoice",
            "tax_mode": "exclusive"});
        assert_eq!(get(&test, POLICY).await.json(), fresh);
        let changed = put(&test, POLICY, &json!({"tax_level": "line", "proration": null})).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let line = json!({"version": "tenant/2", "proration": "actual_days", "tax_level": "line",
            "tax_mode": "exclusive"});
        assert_eq!(changed.json(), line);
        let events = test.events().await;
        assert_eq!(put(&test, POLICY, &json!({"tax_level": "line"})).await.json(), line);
        assert_eq!(test.events().await, events, "what is so already is no event");
        let (contract, _) = contract(&test, &["1.00"], "20").await;
        let own = format!("/billstream/v1/contracts/{contract}/policy");
        assert_eq!(get(&test, &own).await.json(), line);
        put(&test, POLICY, &json!({"tax_mode": "inclusive"})).await;
        assert_eq!(get(&test, &own).await.json(), line, "a contract keeps what it copied");
        let changed = put(&test, &own, &json!({"proration": "seconds"})).await.json();
        let expected = json!({"version": "subscription/1", "proration": "seconds", "tax_level": "line",
            "tax_mode": "exclusive"});
        assert_eq!(changed, expected);
        assert_eq!(get(&test, &own).await.json(), expected);
        assert_eq!(get(&test, POLICY).await.json()["version"], "tenant/3");
        Books::of(&test).prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_cannot_be_is_refused() {
    on_both(async |test| {
        let (contract, id) = contract(&test, &["1.00"], "20").await;
        let own = format!("/billstream/v1/contracts/{contract}/policy");
        let events = test.events().await;
        for path in [POLICY, own.as_str()] {
            for (body, field) in [
                (json!({"proration": "by_moon"}), "proration"),
                (json!({"tax_level": 1}), "tax_level"),
                (json!({"tax_mode": "none"}), "tax_mode"),
            ] {
                refused(&put(&test, path, &body).await, 400, "invalid", Some(field));
            }
            assert_eq!(put(&test, path, &json!({"tax_levels": "line"})).await.status, 400);
            assert_eq!(post(&test, path, &json!({})).await.status, 405);
        }
        let nobody = format!("/billstream/v1/contracts/Cont_{NOBODY}/policy");
        refused(&get(&test, &nobody).await, 404, "subscription_unknown", None);
        refused(
            &put(&test, &nobody, &json!({})).await,
            404,
            "subscription_unknown",
            None,
        );
        assert_eq!(test.events().await, events);
        let books = Books::of(&test);
        let ended = test.app.end(&books.request(), id, None).await;
        ended.expect("ended");
        let late = put(&test, &own, &json!({"tax_level": "line"})).await;
        refused(&late, 409, "subscription_cancelled", None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_09_tax_of_the_invoice_and_of_its_lines_differ() {
    on_both(async |test| {
        let (sums, version) = billed(&test, &["68.33", "68.33"], "20").await;
        assert_eq!(
            (sums, version),
            (["136.66", "27.33", "163.99"].map(str::to_owned), "tenant/1".to_owned())
        );
        put(&test, POLICY, &json!({"tax_level": "line"})).await;
        let (sums, version) = billed(&test, &["68.33", "68.33"], "20").await;
        assert_eq!(
            (sums, version),
            (["136.66", "27.34", "164.00"].map(str::to_owned), "tenant/2".to_owned())
        );
        Books::of(&test).prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn example_10_each_line_is_rounded_once() {
    on_both(async |test| {
        let few = ["0.004", "0.004", "0.004", "0.004", "0.004", "0.004", "0.01", "0.01"];
        for (level, tax, total) in [("invoice", "0.01", "0.03"), ("line", "0.00", "0.02")] {
            put(&test, POLICY, &json!({"tax_level": level})).await;
            let (sums, _) = billed(&test, &few, "40").await;
            assert_eq!(sums, ["0.02", tax, total], "{level}");
            let (sums, _) = billed(&test, &["0.014"; 8], "40").await;
            let (tax, total) = if level == "invoice" {
                ("0.03", "0.11")
            } else {
                ("0.00", "0.08")
            };
            assert_eq!(sums, ["0.08", tax, total], "{level}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_that_contain_their_tax_are_the_total_in_every_view() {
    on_both(async |test| {
        put(&test, POLICY, &json!({"tax_mode": "inclusive"})).await;
        for (level, net, tax) in [("invoice", "16.68", "3.34"), ("line", "16.68", "3.34")] {
            put(&test, POLICY, &json!({"tax_level": level})).await;
            let (sums, _) = billed(&test, &["10.01", "10.01"], "20").await;
            assert_eq!(sums, [net, tax, "20.02"], "{level}");
        }
        // 0.02 contain 0.0033: a third of a cent each, one together.
        put(&test, POLICY, &json!({"tax_level": "invoice"})).await;
        let (sums, _) = billed(&test, &["0.02", "0.02", "0.02"], "20").await;
        assert_eq!(sums, ["0.05", "0.01", "0.06"]);
        put(&test, POLICY, &json!({"tax_level": "line"})).await;
        let (sums, _) = billed(&test, &["0.02", "0.02", "0.02"], "20").await;
        assert_eq!(sums, ["0.06", "0.00", "0.06"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_takes_its_tax_back_exactly() {
    on_both(async |test| {
        for mode in ["exclusive", "inclusive"] {
            for level in ["invoice", "line"] {
                put(&test, POLICY, &json!({"tax_mode": mode, "tax_level": level})).await;
                let door = Door::new(&test);
                let line = |price: &str| {
                    json!({"name": "Fee", "kind": "recurring", "tax_rate": "20",
                        "price": {"model": "flat", "amount": price}})
                };
                let lines = [line("68.33"), line("68.33"), line("0.02")];
                let plan = json!({"name": "Plan", "currency": "EUR", "lines": lines});
                let plan = door.own("/billstream/v1/plans", &plan).await;
                let customer = door.post(CUSTOMER, &json!({"name": "Ada"})).await.json();
                let body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month",
                    "activation": "2026-10-05"});
                let contract = door.post(CONTRACT, &body).await.json();
                let id = contract.as_str().and_then(|id| id.split_once('_')).expect("an id").1;
                let id = id.parse().expect("a contract");
                let books = Books::of(&test);
                let first = books.bill(id, "2026-10-05").await.invoices[0];
                // The policy of the contract changes before it is taken back: the charge keeps its own.
                let own = format!("/billstream/v1/contracts/{}/policy", contract.as_str().expect("an id"));
                let other = if mode == "inclusive" { "exclusive" } else { "inclusive" };
                put(&test, &own, &json!({"tax_mode": other, "tax_level": "line"})).await;
                let day = Some(super::date("2026-10-05"));
                test.app.end(&books.request(), id, day).await.expect("ended");
                let back = books.bill(id, "2026-10-05").await.invoices[0];
                let sums = async |invoice| {
                    let view = books.whole(invoice).await.0;
                    [view.net, view.tax, view.total].map(|amount| amount.minor)
                };
                let (first, back) = (sums(first).await, sums(back).await);
                assert_eq!(first.map(|minor| -minor), back, "{mode}, {level}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_the_next_charge_and_no_invoice_that_is_made() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (_, contract) = books.monthly("29.00", "2026-10-05").await;
        let first = books.bill(contract, "2026-10-05").await.invoices[0];
        let path = format!("/billstream/v1/invoices/Inv_{first}/explain");
        let before = get(&test, &path).await.text;
        let own = format!("/billstream/v1/contracts/Cont_{contract}/policy");
        put(&test, &own, &json!({"proration": "thirty_day_months"})).await;
        let next = books.bill(contract, "2026-11-05").await.invoices[0];
        assert_eq!(get(&test, &path).await.text, before);
        let next = get(&test, &format!("/billstream/v1/invoices/Inv_{next}/explain"))
            .await
            .json();
        let why = &next["lines"][0]["explanation"];
        assert_eq!(why["policy_version"], "subscription/1");
        assert_eq!(
            (why["numerator"].clone(), why["denominator"].clone()),
            (json!(30), json!(30))
        );
        let until = midnight("2026-12-05");
        let scope = projections::subscription::Scope {
            subscription: Some(contract),
            ..projections::subscription::Scope::default()
        };
        let preview = test
            .app
            .preview_run(&books.request(), scope, until)
            .await
            .expect("a preview");
        assert_eq!(preview.invoices.len(), 1);
    })
    .await;
}
