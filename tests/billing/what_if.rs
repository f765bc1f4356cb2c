//! The last months under other terms, over HTTP: nothing is written, and the same terms come to the same.

use aggregates::{
    billing::Proration,
    id::{InvoiceId, SubscriptionId},
    money::Money,
    policy::PolicyChanges,
};
use billstream::app::moves::Move;
use serde_json::{Value, json};

use super::{Books, date, eur, what_if_paid::invoiced_later};
use crate::{
    billstream::{NOBODY, post, refused},
    support::{Answer, TestApp, on_both},
};

const PREVIEW: &str = "/billstream/v1/previews/preferences";

/// Asks, and sees that asking left no trace.
async fn ask(test: &TestApp, body: &Value) -> Answer {
    let events = test.events().await;
    let answer = post(test, PREVIEW, body).await;
    assert_eq!(test.events().await, events);
    answer
}

async fn asked(test: &TestApp, body: &Value) -> Value {
    let answer = ask(test, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn nothing() -> Value {
    json!({"invoices": 0, "net": "0.00", "tax": "0.00", "total": "0.00", "to_pay": "0.00"})
}

/// Three months of a customer who changes plan and goes, billed day by day.
async fn history(books: &Books<'_>) -> aggregates::id::SubscriptionId {
    let test = books.test;
    test.clock.set("2026-07-01T08:00:00Z");
    let (customer, contract) = books.monthly("31.00", "2026-07-01").await;
    let at = async |day: &str| {
        test.clock.set(&format!("{day}T08:00:00Z"));
        books.bill(contract, day).await;
    };
    at("2026-07-01").await;
    at("2026-08-01").await;
    let grant = Money::new(1_000, eur());
    let granted = test
        .app
        .grant_credit(&books.request(), customer, grant, "goodwill")
        .await;
    granted.expect("granted");
    test.clock.set("2026-08-11T08:00:00Z");
    let plan = books.plan("62.00").await;
    let changed = test
        .app
        .change_plan(&books.request(), contract, plan, None, Some(date("2026-08-11")))
        .await;
    changed.expect("changed");
    at("2026-08-11").await;
    at("2026-09-01").await;
    test.clock.set("2026-09-11T08:00:00Z");
    let ended = test.app.end(&books.request(), contract, Some(date("2026-09-11"))).await;
    ended.expect("ended");
    at("2026-09-11").await;
    test.clock.set("2026-10-05T12:00:00Z");
    contract
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_terms_come_to_the_same() {
    on_both(async |test| {
        let books = Books::of(&test);
        history(&books).await;
        let (_, other) = books.monthly("10.00", "2026-10-01").await;
        books.bill(other, "2026-10-05").await;
        for months in [1, 2, 3, 12] {
            for body in [
                json!({"months": months}),
                json!({"months": months, "policy": {"proration": "actual_days"},
                    "invoicing": {"invoice_trigger": "immediate", "usage_period_closing": "automatic"}}),
            ] {
                let answer = asked(&test, &body).await;
                assert_eq!(answer["unbillable"], json!([]));
                let customers = answer["customers"].as_array().expect("customers");
                assert_eq!(customers.len(), 2);
                for customer in customers {
                    assert_eq!(customer["difference"], nothing(), "{months}: {customer}");
                    for pair in customer["invoices"].as_array().expect("invoices") {
                        assert_eq!(pair["difference"], nothing(), "{pair}");
                        for field in ["issue_date", "due_date", "lines", "net", "tax", "total", "to_pay"] {
                            assert_eq!(pair["was"][field], pair["would_be"][field], "{field} of {pair}");
                        }
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_terms_are_compared_invoice_by_invoice() {
    on_both(async |test| {
        let books = Books::of(&test);
        let contract = history(&books).await;
        let id = format!("Cont_{contract}");
        let none = json!({"months": 3, "contract_id": id, "policy": {"proration": "none"}});
        let answer = asked(&test, &none).await;
        assert_eq!(answer["from"], "2026-07-05");
        let customer = &answer["customers"][0];
        assert_eq!(customer["was"]["invoices"], 4);
        assert_ne!(customer["difference"]["total"], "0.00");
        let thirty = json!({"months": 3, "contract_id": id, "policy": {"proration": "thirty_day_months"}});
        let answer = asked(&test, &thirty).await;
        let invoices = answer["customers"][0]["invoices"].as_array().expect("invoices").clone();
        let totals = |of: &str| -> Vec<String> {
            let total = |pair: &Value| pair[of]["total"].as_str().expect("a total").to_owned();
            invoices.iter().map(total).collect()
        };
        assert_eq!(totals("was"), ["31.00", "21.00", "62.00", "-41.33"]);
        assert_eq!(totals("would_be"), ["31.00", "20.66", "62.00", "-41.33"]);
        assert_eq!(answer["customers"][0]["difference"]["total"], "-0.34");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_days_and_triggers_make_other_invoices() {
    on_both(async |test| {
        let books = Books::of(&test);
        let contract = history(&books).await;
        let id = format!("Cont_{contract}");
        let due = json!({"months": 3, "contract_id": id, "invoicing": {"flat_fee_due_date_policy": "end_of_period"}});
        let answer = asked(&test, &due).await;
        let first = &answer["customers"][0]["invoices"][0];
        assert_eq!(first["was"]["due_date"], "2026-08-01");
        assert_eq!(first["would_be"]["due_date"], "2026-09-01");
        assert_eq!(answer["customers"][0]["difference"], nothing());
        let manual = json!({"months": 3, "contract_id": id, "invoicing": {"invoice_trigger": "manual"}});
        let answer = asked(&test, &manual).await;
        let customer = &answer["customers"][0];
        assert_eq!(customer["would_be"]["invoices"], 0);
        assert_eq!(customer["difference"]["invoices"], -4);
        assert!(
            customer["invoices"]
                .as_array()
                .expect("invoices")
                .iter()
                .all(|pair| pair["would_be"].is_null())
        );
        let quarterly = json!({"months": 3, "contract_id": id,
            "invoicing": {"invoice_trigger": {"periodic": {"unit": "quarter", "count": 1}}}});
        let answer = asked(&test, &quarterly).await;
        let customer = &answer["customers"][0];
        assert_eq!(customer["would_be"]["invoices"], 1);
        assert_eq!(customer["difference"]["total"], "0.00");
        let only = customer["invoices"].as_array().expect("invoices").iter();
        let only = only.clone().find(|pair| !pair["would_be"].is_null()).expect("one");
        assert_eq!(only["would_be"]["issue_date"], "2026-10-01");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tax_in_the_prices_is_compared_with_tax_on_them() {
    on_both(async |test| {
        let books = Books::of(&test);
        let plan = json!({"name": "Plan", "currency": "EUR", "lines": [
            {"name": "Fee", "kind": "recurring", "tax_rate": "20", "price": {"model": "flat", "amount": "12.00"}}]});
        let plan = crate::wingback::Door::new(&test)
            .own("/billstream/v1/plans", &plan)
            .await;
        let plan = plan.split_once('_').expect("an id").1.parse().expect("a plan");
        test.clock.set("2026-08-05T08:00:00Z");
        let new = Books::new_contract(books.customer().await, plan, "2026-08-05");
        let contract = books.sign(new).await;
        books.bill(contract, "2026-10-05").await;
        test.clock.set("2026-10-05T12:00:00Z");
        let inclusive = json!({"months": 3, "policy": {"tax_mode": "inclusive"}});
        let answer = asked(&test, &inclusive).await;
        let customer = &answer["customers"][0];
        assert_eq!(customer["was"]["total"], "43.20");
        assert_eq!(customer["would_be"]["total"], "36.00");
        assert_eq!(customer["would_be"]["tax"], "6.00");
        assert_eq!(customer["difference"]["net"], "-6.00");
        assert_eq!(customer["difference"]["to_pay"], "-7.20");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_supposed_is_refused() {
    on_both(async |test| {
        let nobody = format!("Cust_{NOBODY}");
        let nothing = format!("Cont_{NOBODY}");
        for (body, status, code, field) in [
            (json!({}), 400, "missing", Some("months")),
            (json!({"months": 0}), 400, "invalid", Some("months")),
            (json!({"months": 61}), 400, "invalid", Some("months")),
            (
                json!({"months": 1, "customer_id": "x"}),
                400,
                "invalid",
                Some("customer_id"),
            ),
            (json!({"months": 1, "customer_id": nobody}), 404, "not_found", None),
            (json!({"months": 1, "contract_id": nothing}), 404, "not_found", None),
            (
                json!({"months": 1, "policy": {"proration": "x"}}),
                400,
                "invalid",
                Some("policy.proration"),
            ),
            (
                json!({"months": 1, "invoicing": {"invoice_trigger": {"periodic": {"unit": "month", "count": 0}}}}),
                400,
                "invalid",
                Some("invoicing.invoice_trigger"),
            ),
            (
                json!({"months": 1, "order_billing": {"invoice_term": "Net 0"}}),
                400,
                "invalid",
                Some("order_billing.invoice_term"),
            ),
            (
                json!({"months": 1, "order_billing": {"billing_period": "0 Month"}}),
                400,
                "invalid",
                Some("order_billing.billing_period"),
            ),
        ] {
            refused(&ask(&test, &body).await, status, code, field);
        }
        assert_eq!(ask(&test, &json!({"months": 1, "monhts": 1})).await.status, 400);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_invoice_lost_that_was_voided_is_lost_in_the_comparison_too() {
    on_both(async |test| {
        test.clock.set("2026-07-01T08:00:00Z");
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("62.00", "2026-07-01").await;
        let bill = async |contract: SubscriptionId, day: &str| {
            test.clock.set(&format!("{day}T08:00:00Z"));
            books.bill(contract, day).await.invoices
        };
        bill(contract, "2026-07-01").await;
        // Both are voided: one that gave something back, and one that credit had paid.
        test.clock.set("2026-07-11T08:00:00Z");
        let cheaper = books.plan("31.00").await;
        let changed = test
            .app
            .change_plan(&books.request(), contract, cheaper, None, Some(date("2026-07-11")))
            .await;
        changed.expect("changed");
        let granting = bill(contract, "2026-07-11").await;
        let void = async |invoice: &InvoiceId| {
            let voided = test.app.void_invoice(&books.request(), *invoice, "wrong").await;
            voided.expect("voided");
        };
        assert_eq!(books.credit(customer).await, "21.00");
        void(&granting[0]).await;
        assert_eq!(books.credit(customer).await, "0.00");
        let gift = test
            .app
            .grant_credit(&books.request(), customer, Money::new(1_500, eur()), "goodwill")
            .await;
        gift.expect("granted");
        let other = books
            .sign(Books::new_contract(customer, books.plan("10.00").await, "2026-07-20"))
            .await;
        bill(other, "2026-07-20").await;
        let using = bill(contract, "2026-08-01").await;
        void(&using[0]).await;
        bill(other, "2026-08-20").await;
        bill(contract, "2026-09-01").await;
        bill(other, "2026-09-20").await;
        test.clock.set("2026-10-05T12:00:00Z");
        let answer = asked(&test, &json!({"months": 3})).await;
        assert_eq!(answer["unbillable"], json!([]));
        let compared = &answer["customers"][0];
        // What was on the voided ones is on the first of September's.
        assert_eq!(compared["was"]["invoices"], 4, "{answer}");
        for pair in compared["invoices"].as_array().expect("invoices") {
            assert_eq!(pair["difference"], nothing(), "{pair}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_for_a_voided_invoice_is_voided_and_its_charges_are_on_the_next_one() {
    on_both(async |test| {
        test.clock.set("2026-07-06T08:00:00Z");
        let books = Books::of(&test);
        let (customer, contract) = books.monthly("62.00", "2026-07-06").await;
        let (other, twin) = books.monthly("62.00", "2026-07-06").await;
        let policy = PolicyChanges {
            proration: Some(Proration::ThirtyDayMonths),
            ..PolicyChanges::default()
        };
        let updated = test.app.update_policy_of(&books.request(), twin, policy).await;
        updated.expect("updated");
        let cheaper = books.plan("31.00").await;
        let both = [contract, twin];
        let bill = async |day: &str| {
            test.clock.set(&format!("{day}T08:00:00Z"));
            let mut invoices = Vec::new();
            for one in both {
                invoices.extend(books.bill(one, day).await.invoices);
            }
            invoices
        };
        bill("2026-07-06").await;
        test.clock.set("2026-07-16T08:00:00Z");
        for one in both {
            let effective = Some(date("2026-07-16"));
            let changed = test
                .app
                .change_plan(&books.request(), one, cheaper, None, effective)
                .await;
            changed.expect("changed");
        }
        for granting in bill("2026-07-16").await {
            let voided = test.app.void_invoice(&books.request(), granting, "wrong").await;
            voided.expect("voided");
        }
        bill("2026-08-06").await;
        bill("2026-09-06").await;
        test.clock.set("2026-10-05T12:00:00Z");
        let of = |customer| format!("Cust_{customer}");
        let same = asked(&test, &json!({"months": 3, "customer_id": of(customer)})).await;
        assert_eq!(same["customers"][0]["difference"], nothing(), "{same}");
        let supposed = json!({"proration": "thirty_day_months"});
        let answer = asked(
            &test,
            &json!({"months": 3, "customer_id": of(customer), "policy": supposed}),
        )
        .await;
        assert_eq!(answer["unbillable"], json!([]));
        let twins = asked(&test, &json!({"months": 3, "customer_id": of(other)})).await;
        assert_eq!(
            answer["customers"][0]["would_be"], twins["customers"][0]["was"],
            "{answer}"
        );
        assert_eq!(answer["customers"][0]["was"]["invoices"], 3);
        assert_ne!(answer["customers"][0]["difference"], nothing(), "{answer}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_over_keeps_its_terms_with_whoever_takes_it_over() {
    on_both(async |test| {
        test.clock.set("2026-07-05T08:00:00Z");
        let books = Books::of(&test);
        let order = invoiced_later(&books).await;
        let at = |day: &str| test.clock.set(&format!("{day}T08:00:00Z"));
        for day in ["2026-07-05", "2026-07-19"] {
            at(day);
            books.bill(order, day).await;
        }
        at("2026-07-25");
        let app = &test.app;
        let ended = app.end(&books.request(), order, Some(date("2026-07-25"))).await;
        ended.expect("ended");
        books.bill(order, "2026-07-25").await;
        // The window begins here.
        at("2026-08-25");
        let again = app.reactivate(&books.request(), order, Some(date("2026-08-25"))).await;
        again.expect("it goes on");
        books.bill(order, "2026-08-25").await;
        at("2026-08-28");
        let to = Move {
            customer: books.customer().await,
            effective: Some(date("2026-08-28")),
            order: Some("ORD-2".to_owned()),
        };
        let moved = app.move_subscription(&books.request(), order, &to).await;
        let moved = moved.expect("moved").contract;
        for day in ["2026-09-05", "2026-09-19"] {
            at(day);
            books.bill(moved, day).await;
        }
        at("2026-09-20");
        let answer = asked(
            &test,
            &json!({"months": 1, "order_billing": {"payment_term": "Net 60"}}),
        )
        .await;
        let customers = answer["customers"].as_array().expect("customers");
        let pairs: Vec<&Value> = customers
            .iter()
            .flat_map(|customer| customer["invoices"].as_array().expect("invoices"))
            .collect();
        assert!(!pairs.is_empty(), "{answer}");
        for pair in pairs {
            assert_eq!(pair["difference"], nothing(), "{answer}");
            assert_eq!(pair["was"]["due_date"], pair["would_be"]["due_date"], "{answer}");
        }
        assert_eq!((&answer["unbillable"], &answer["refused"]), (&json!([]), &json!([])));
    })
    .await;
}
