//! Orders of one account that share their invoices.

use std::{future::pending, sync::Arc};

use aggregates::id::{SubscriptionId, TenantId};
use billstream::{
    app::{
        App,
        due::{Wanted, Whose},
    },
    clock::Clock,
    journal::{Journal, Request},
    processes::{
        run::{self, How, Summary},
        scheduler::Scheduler,
    },
};
use serde_json::{Value, json};

use super::Client;
use crate::{
    billstream::{get, post},
    support::{
        TestApp, on_both,
        store::{Meddled, Reads},
    },
};

/// An order of one line of 10.00 a month from the first of October on.
async fn order(client: &Client<'_>, account: &str, properties: Value) -> String {
    let body = json!({"order": {
        "account_id": account, "order_start_date": "2026-10-01", "properties": properties,
        "lines": [{"item_id": "ITEM-1", "item_price_snapshot": {"pricing_rule": {"price": "10.00"}}}],
    }});
    let made = client.ok("POST", "/api/v3/orders", &body).await;
    made["order"]["id"].as_str().expect("an id").to_owned()
}

fn shared(key: &str) -> Value {
    json!({"consolidate_invoice": true, "consolidate_key": key})
}

/// The number and total of every invoice of an order.
async fn invoices(client: &Client<'_>, order: &str) -> Vec<String> {
    let path = format!("/api/v3/orders/{order}/invoices");
    let listed = client.ok("GET", &path, &Value::Null).await;
    let rows = listed["invoices"].as_array().expect("invoices").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    rows.map(|row| format!("{} {}", text(&row["issue_date"]), text(&row["total"])))
        .collect()
}

async fn count(app: &App, sql: &str) -> i64 {
    let rows = app.journal.store().read(sql, &[]).await.expect("a count");
    rows[0].int(0).expect("a number")
}

async fn made(test: &TestApp) -> i64 {
    count(&test.app, "SELECT COUNT(*) FROM invoices").await
}

async fn round(scheduler: &mut Scheduler) -> Summary {
    let summary = scheduler.round(pending()).await;
    summary.expect("the database").expect("its turn")
}

#[tokio::test(flavor = "multi_thread")]
async fn due_charges_of_one_account_with_the_same_key_share_an_invoice() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let (account, other) = (client.account().await, client.account().await);
        let mut orders = Vec::new();
        for properties in [
            shared("north"),
            json!({}),
            shared("north"),
            shared("south"),
            shared("north"),
            json!({"consolidate_invoice": true, "consolidate_key": "north", "payment_mode": "AUTOMATIC"}),
            shared(""),
            shared(""),
        ] {
            orders.push(order(&client, &account, properties).await);
        }
        orders.push(order(&client, &other, shared("north")).await);
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        let summary = round(&mut scheduler).await;
        assert_eq!((summary.subscriptions, summary.charges, summary.invoices, summary.failed), (9, 9, 6, 0));
        let mut totals = Vec::new();
        for order in &orders {
            let found = invoices(&client, order).await;
            assert_eq!(found.len(), 1, "{order}: {found:?}");
            totals.push(found[0].clone());
        }
        let of = |total: &str| format!("2026-10-01 {total}");
        let expected = ["30.00", "10.00", "30.00", "10.00", "30.00", "10.00", "20.00", "20.00", "10.00"].map(of);
        assert_eq!(totals, expected);
        let mixed = "SELECT COUNT(*) FROM invoices i JOIN invoice_lines l ON l.tenant = i.tenant AND l.invoice = i.invoice \
                     JOIN charges c ON c.tenant = l.tenant AND c.charge = l.charge \
                     WHERE c.automatic_payment <> i.automatic_payment \
                     OR COALESCE(l.subscription, i.subscription) <> c.subscription";
        assert_eq!(count(&test.app, mixed).await, 0, "automatic and manual charges never share one, lines say whose they are");
        assert_eq!(round(&mut scheduler).await, Summary::default());
        prove(&test).await;
    })
    .await;
}

async fn prove(test: &TestApp) {
    use crate::journal::history::quiet;
    let journal = &test.app.journal;
    let report = billstream::journal::verify::verify(journal, &[], &quiet)
        .await
        .expect("readable");
    assert_eq!(report.faults, []);
    let replayed = billstream::journal::replay::replay(journal, test.clock.as_ref(), &quiet).await;
    let replayed = replayed.expect("replayed");
    assert!(replayed.is_identical(), "{replayed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_clock_makes_one_invoice_a_group_and_day_as_the_preview_says() {
    on_both(async |mut test| {
        test.tenant = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
        let client = Client::of(&test).await;
        let account = client.account().await;
        for properties in [shared("north"), json!({}), shared("north"), shared("north")] {
            order(&client, &account, properties).await;
        }
        let body = json!({"until": "2026-12-31T00:00:00Z"});
        let preview = post(&test, "/billstream/v1/previews/run", &body).await.json();
        let previewed: Vec<&Value> = preview["invoices"].as_array().expect("invoices").iter().collect();
        assert_eq!(previewed.len(), 6, "{preview}");
        let body = json!({"now": "2026-12-31T00:00:00Z"});
        let moved = post(&test, "/billstream/v1/clock", &body).await.json();
        assert_eq!(moved["billed"], json!({"charges": 12, "invoices": 6}));
        let sql = "SELECT issue_date, total, (SELECT COUNT(*) FROM invoice_lines l WHERE l.invoice = i.invoice) \
                   FROM invoices i ORDER BY number";
        let rows = test.app.journal.store().read(sql, &[]).await.expect("invoices");
        let found: Vec<String> = rows
            .iter()
            .map(|row| {
                let total = row.int(1).expect("a total");
                format!(
                    "{} {}.00 {}",
                    row.text(0).expect("text"),
                    total / 100,
                    row.int(2).expect("a count")
                )
            })
            .collect();
        let expected: Vec<String> = previewed
            .iter()
            .map(|one| {
                let text = |name: &str| one[name].as_str().expect("text");
                let lines = one["lines"].as_array().expect("lines").len();
                format!("{} {} {lines}", text("issue_date"), text("total"))
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(found.iter().filter(|one| one.ends_with("30.00 3")).count(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_make_one_invoice_a_group_and_day() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        for _ in 0..30 {
            order(&client, &account, shared("north")).await;
        }
        test.clock.set("2027-01-15T00:00:00Z");
        let journal = Journal::open(&test.database).await.expect("a journal");
        let other = Arc::new(App::new(journal, Arc::clone(&test.clock) as Arc<dyn Clock>));
        let until = test.clock.now();
        let runs = [Arc::clone(&test.app), other].map(|app| {
            tokio::spawn(async move {
                let wanted = Wanted {
                    whose: Whose::RealTime,
                    until,
                    rested_at: None,
                };
                let how = How {
                    actor: "test".to_owned(),
                    until,
                    at: None,
                };
                run::everything(&app, &wanted, &how, &|| {}, pending()).await
            })
        });
        for run in runs {
            assert_eq!(run.await.expect("no panic").expect("a run").failed, 0);
        }
        assert_eq!(made(&test).await, 4, "one a month");
        let sql = "SELECT COUNT(*) FROM invoices WHERE total = 30000";
        assert_eq!(count(&test.app, sql).await, 4);
        prove(&test).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_one_order_invoices_what_shares_its_invoice() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let by_hand = json!({"consolidate_invoice": true, "consolidate_key": "north", "invoice_mode": "MANUAL"});
        for properties in [shared("north"), by_hand] {
            let (one, other) = (
                order(&client, &account, properties.clone()).await,
                order(&client, &account, properties).await,
            );
            let path = |order: &str| format!("/api/v4/orders/{order}/invoices");
            let key = [("x-idempotency-key", one.as_str())];
            let first = client.send_with("POST", &path(&one), &key, "{}").await;
            assert_eq!(
                (first.status, &first.json()["invoice"]["total"]),
                (201, &json!("20.00")),
                "{first:?}"
            );
            let again = client.send_with("POST", &path(&one), &key, "{}").await;
            assert_eq!((again.status, again.text), (201, first.text));
            assert_eq!(client.send("POST", &path(&other), "{}").await.status, 409);
            assert_eq!(invoices(&client, &one).await, invoices(&client, &other).await);
        }
        assert_eq!(made(&test).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_billed_keeps_no_other_of_its_group_from_it() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        for _ in 0..7 {
            order(&client, &account, shared("north")).await;
        }
        // It is due, and does not exist.
        let broken = SubscriptionId(uuid::Uuid::from_u128(0xdead));
        let mut tx = test.app.journal.store().begin().await.expect("a transaction");
        let sql = "INSERT INTO billing_due (tenant, subscription, customer, currency, run, next_billing, zone, consolidation) \
                   SELECT tenant, $1, customer, currency, 0, next_billing, zone, consolidation FROM billing_due LIMIT 1";
        tx.execute(sql, &[broken.to_string().into()]).await.expect("a row");
        tx.commit().await.expect("committed");
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        let summary = round(&mut scheduler).await;
        assert_eq!((summary.subscriptions, summary.charges, summary.failed), (7, 7, 1));
        let sql = "SELECT COUNT(*) FROM charges WHERE invoice IS NULL";
        assert_eq!(count(&test.app, sql).await, 0);
        let tenant = TenantId::from_stored(&test.tenant.tenant_id);
        let unbilled = test.app.unbilled(&tenant).await.expect("a list");
        assert_eq!(unbilled.iter().map(|one| one.subscription).collect::<Vec<_>>(), [broken]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_different_processors_collect_shares_no_invoice() {
    on_both(async |mut test| {
        test.tenant = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
        let client = Client::of(&test).await;
        let account = client.account().await;
        for (mode, processor) in [
            ("AUTOMATIC", "Stripe"),
            ("AUTOMATIC", "Cash"),
            ("AUTOMATIC", "Stripe"),
            ("MANUAL", "Stripe"),
            ("MANUAL", "Cash"),
        ] {
            let mut properties = shared("north");
            properties["payment_mode"] = mode.into();
            properties["payment_processor"] = processor.into();
            properties["payment_term"] = "Due on Receipt".into();
            order(&client, &account, properties).await;
        }
        let until = json!({"until": "2026-10-06T00:00:00Z"});
        let preview = post(&test, "/billstream/v1/previews/run", &until).await.json();
        let totals = |invoices: &Value| {
            let rows = invoices.as_array().expect("invoices").iter();
            let mut totals: Vec<String> = rows
                .map(|row| format!("{} {}", row["automatic_payment"], row["total"]))
                .collect();
            totals.sort();
            totals
        };
        let expected = ["false \"20.00\"", "true \"10.00\"", "true \"20.00\""];
        assert_eq!(totals(&preview["invoices"]), expected);
        post(&test, "/billstream/v1/clock", &json!({"now": "2026-10-06T00:00:00Z"})).await;
        assert_eq!(made(&test).await, 3);
        let asked = get(&test, "/billstream/v1/payments").await.json();
        let rows = asked["payments"].as_array().expect("payments").iter();
        let mut asked: Vec<String> = rows
            .map(|row| format!("{} {}", row["processor"], row["amount"]))
            .collect();
        asked.sort();
        assert_eq!(asked, ["\"Cash\" \"10.00\"", "\"Stripe\" \"20.00\""]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_share_their_invoices_are_compared_under_other_terms() {
    on_both(async |mut test| {
        test.tenant = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
        let client = Client::of(&test).await;
        let account = client.account().await;
        let by_hand = json!({"consolidate_invoice": true, "consolidate_key": "south", "invoice_mode": "MANUAL"});
        let mut numbers = Vec::new();
        for properties in [shared("north"), shared("north"), json!({}), by_hand.clone(), by_hand] {
            numbers.push(order(&client, &account, properties).await);
        }
        for (day, called) in [("2026-10-20", true), ("2026-11-20", false), ("2026-12-20", true)] {
            let moved = json!({"now": format!("{day}T00:00:00Z")});
            assert_eq!(post(&test, "/billstream/v1/clock", &moved).await.status, 200);
            test.clock.set(&format!("{day}T00:00:00Z"));
            if called {
                let path = format!("/api/v4/orders/{}/invoices", numbers[4]);
                // An hour has gone by: with a token of its own.
                let client = Client::of(&test).await;
                client.ok("POST", &path, &json!({})).await;
            }
        }
        let ask = async |body: &Value| post(&test, "/billstream/v1/previews/preferences", body).await.json();
        let same = ask(&json!({"months": 3})).await;
        assert_eq!(same["unbillable"], json!([]), "{same}");
        let customer = &same["customers"][0];
        // Three months of one shared invoice and one of its own; two calls for one of four lines, and of two.
        assert_eq!(customer["was"]["invoices"], 8, "{customer}");
        let pairs = customer["invoices"].as_array().expect("invoices");
        assert_eq!(pairs.len(), 8);
        for pair in pairs {
            for field in ["issue_date", "due_date", "lines", "net", "tax", "total", "to_pay"] {
                assert_eq!(pair["was"][field], pair["would_be"][field], "{field} of {pair}");
            }
        }
        let net = json!({"months": 3, "order_billing": {"invoice_term": "Net 7", "payment_term": "Due on Receipt"}});
        let later = ask(&net).await;
        assert_eq!(later["unbillable"], json!([]), "{later}");
        let pairs = later["customers"][0]["invoices"].as_array().expect("invoices");
        let shared = pairs
            .iter()
            .filter(|pair| pair["would_be"]["total"] == "20.00" && pair["was"]["total"] == "20.00");
        assert!(shared.clone().count() >= 3, "{later}");
        assert!(
            shared
                .clone()
                .any(|pair| pair["was"]["issue_date"] != pair["would_be"]["issue_date"])
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_of_one_order_shows_the_invoice_that_it_shares() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let mut numbers = Vec::new();
        for key in ["north", "north", "south", "north"] {
            numbers.push(order(&client, &account, shared(key)).await);
        }
        let tenant = TenantId::from_stored(&test.tenant.tenant_id);
        let one = test
            .app
            .order(&tenant, &numbers[1])
            .await
            .expect("readable")
            .expect("it");
        let contract = format!("Cont_{}", one.id);
        test.clock.set("2026-11-02T00:00:00Z");
        let body = json!({"until": "2026-11-02T00:00:00Z", "contract_id": contract});
        let preview = post(&test, "/billstream/v1/previews/run", &body).await.json();
        let own = preview["charges"].as_array().expect("charges");
        assert_eq!(own.len(), 2, "{preview}");
        assert!(own.iter().all(|charge| charge["contract_id"] == contract), "{preview}");
        let previewed = preview["invoices"].as_array().expect("invoices");
        let totals: Vec<_> = previewed.iter().map(|invoice| &invoice["total"]).collect();
        assert_eq!(totals, ["30.00", "30.00"], "{preview}");

        // So does the preview of a change, for what is due with the others. A month has gone by for the token.
        let client = Client::of(&test).await;
        let line = client
            .ok("GET", &format!("/api/v3/orders/{}/lines", numbers[1]), &Value::Null)
            .await;
        let more = json!({"order": {"effective_date": "2026-11-02", "lines": [
            {"op": "change", "uuid": line["order"]["lines"][0]["uuid"], "item_order_quantity": "1"},
        ]}});
        let path = format!("/api/v3/orders/{}/change/preview", numbers[1]);
        let changed = client.ok("POST", &path, &more).await;
        let invoices = changed["order"]["invoices"].as_array().expect("invoices");
        let totals: Vec<_> = invoices.iter().map(|invoice| &invoice["total"]).collect();
        assert_eq!(totals, ["30.00", "10.00"], "{changed}");

        round(&mut Scheduler::new(Arc::clone(&test.app))).await;
        for shown in previewed {
            let path = format!(
                "/billstream/v1/invoices/{}/explain",
                shown["id"].as_str().expect("an id")
            );
            let mut made = get(&test, &path).await.json();
            made["number"] = Value::Null;
            for line in made["lines"].as_array_mut().expect("lines") {
                line.as_object_mut()
                    .expect("a line")
                    .remove("origin")
                    .expect("its origin");
            }
            assert_eq!(made, *shown);
            let whose: std::collections::BTreeSet<_> = made["lines"]
                .as_array()
                .expect("lines")
                .iter()
                .map(|line| line["contract_id"].to_string())
                .collect();
            assert_eq!(whose.len(), 3, "{made}");
        }
        prove(&test).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn voiding_an_invoice_over_many_orders_reads_their_histories_together() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let tenant = TenantId::from_stored(&test.tenant.tenant_id);
        let (mut read, mut waiting) = (Vec::new(), 0);
        let mut scheduler = Scheduler::new(Arc::clone(&test.app));
        for orders in [5, 120] {
            let account = client.account().await;
            for _ in 0..orders {
                order(&client, &account, shared("north")).await;
            }
            waiting += orders;
            round(&mut scheduler).await;
            let sql = "SELECT invoice FROM invoices ORDER BY number DESC LIMIT 1";
            let rows = test.app.journal.store().read(sql, &[]).await.expect("an invoice");
            let invoice = rows[0].parse(0, "an id").expect("an id");
            let reads = Arc::new(Reads::default());
            let app = Meddled::engine(&test, &reads).await;
            let request = Request::new(tenant.clone(), "tester", "billstream", test.clock.now());
            app.void_invoice(&request, invoice, "wrong").await.expect("voided");
            read.push(reads.taken().len());
            let pending = "SELECT COUNT(*) FROM charges WHERE status = 'pending'";
            assert_eq!(count(&test.app, pending).await, waiting);
        }
        assert!(read[1] < read[0] + 10, "{read:?}");
        prove(&test).await;
    })
    .await;
}
