//! Customers whose subscriptions are billed in one append: each is billed as if it were alone.

use std::sync::Arc;

use aggregates::{
    id::SubscriptionId,
    money::{Currency, Money},
};
use billstream::{
    app::{App, tenants::NewTenant},
    processes::{run::Summary, scheduler::Scheduler},
};

use projections::invoice::INVOICES;

use super::{Scene, billed, break_one, contract, count, request, round, scene};
use crate::support::on_both;

const TOGETHER: &str = "SELECT COUNT(*) FROM commands WHERE command_id LIKE 'scheduler:%#bill/together/%'";

/// Contracts of five customers, one each, over the same periods.
async fn five(app: &App, tenant: &NewTenant) -> Vec<SubscriptionId> {
    let mut signed = Vec::new();
    for _ in 0..5 {
        let scene = scene(app, tenant).await;
        signed.push(contract(app, tenant, &scene, "2026-10-05").await);
    }
    signed
}

/// Whose invoices they are, what they come to, and what credit has paid of them; in order of their numbers.
async fn invoiced(app: &App) -> Vec<(String, i64, i64)> {
    let sql = "SELECT customer, total, credit_applied FROM invoices ORDER BY number";
    let rows = app.journal.store().read(sql, &[]).await.expect("invoices");
    let read = |row: &projections::Row| {
        let customer = row.text(0).expect("text").to_owned();
        (customer, row.int(1).expect("a number"), row.int(2).expect("a number"))
    };
    rows.iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_billed_in_one_append_get_invoices_of_their_own_from_credit_of_their_own() {
    on_both(async |test| {
        let (app, tenant) = (&test.app, &test.tenant);
        let mut scenes: Vec<Scene> = Vec::new();
        let mut signed = Vec::new();
        for _ in 0..5 {
            let scene = scene(app, tenant).await;
            signed.push(contract(app, tenant, &scene, "2026-10-05").await);
            scenes.push(scene);
        }
        let (second, third) = (scenes[1].customer, scenes[2].customer);
        let envelope = request(app, tenant).await;
        let four = Money::new(400, Currency::EUR);
        app.grant_credit(&envelope, second, four, "a gift")
            .await
            .expect("credit");

        let mut scheduler = Scheduler::new(Arc::clone(app));
        let summary = round(&mut scheduler).await;
        assert_eq!((summary.subscriptions, summary.invoices, summary.failed), (5, 5, 0));
        assert_eq!(count(app, TOGETHER).await, 1, "one append");
        let mut invoices = invoiced(app).await;
        invoices.sort();
        let mut expected: Vec<_> = scenes
            .iter()
            .map(|scene| {
                (
                    scene.customer.to_string(),
                    1000,
                    if scene.customer == second { 400 } else { 0 },
                )
            })
            .collect();
        expected.sort();
        assert_eq!(invoices, expected);
        let views = app.journal.views();
        let id = super::id_of(tenant);
        for customer in [second, third] {
            let left = projections::credit::balances(views, &id, customer)
                .await
                .expect("a view");
            assert!(left.iter().all(|left| left.minor == 0), "{left:?}");
        }
        let billed = billed(app, tenant).await;
        assert!(signed.iter().all(|id| billed[id] == ["2026-10-05"]), "{billed:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_customer_that_cannot_be_billed_is_left_out_of_what_is_billed_with_others() {
    on_both(async |test| {
        let (app, tenant) = (&test.app, &test.tenant);
        let signed = five(app, tenant).await;
        // Due at the very moment at which the others are.
        let broken = break_one(app, tenant, "2026-10-05T00:00:00Z").await;
        let mut scheduler = Scheduler::new(Arc::clone(app));
        let Summary { invoices, failed, .. } = round(&mut scheduler).await;
        assert_eq!((invoices, failed), (5, 1));
        let billed = billed(app, tenant).await;
        assert_eq!(billed.len(), 5, "{billed:?}");
        assert!(signed.iter().all(|id| billed[id] == ["2026-10-05"]), "{billed:?}");
        assert!(!billed.contains_key(&broken));
        // Downtime: their moments come one after the other, still together.
        test.clock.set("2026-12-06T00:00:00Z");
        let Summary { invoices, .. } = round(&mut scheduler).await;
        assert_eq!(invoices, 10);
        let two_months = ["2026-10-05", "2026-11-05", "2026-12-05"];
        let billed = super::billed(app, tenant).await;
        assert!(signed.iter().all(|id| billed[id] == two_months), "{billed:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_in_the_way_of_one_customer_stops_no_other() {
    on_both(async |test| {
        let (app, tenant) = (&test.app, &test.tenant);
        let signed = five(app, tenant).await;
        let mut scheduler = Scheduler::new(Arc::clone(app));
        assert_eq!(round(&mut scheduler).await.invoices, 5);
        // A stray invoice under the id of the one that is to come.
        let hindered = signed[2];
        let id = super::id_of(tenant).derive_beside(hindered.0, &format!("invoice/{hindered}/1/manual"));
        let columns: Vec<_> = INVOICES.columns.iter().map(|column| column.name).collect();
        let copied = columns.iter().map(|name| match *name {
            "invoice" => format!("'{id}'"),
            "number" => "77".to_owned(),
            name => name.to_owned(),
        });
        let copied: Vec<_> = copied.collect();
        let sql = format!(
            "INSERT INTO invoices ({}) SELECT {} FROM invoices WHERE subscription = $1",
            columns.join(", "),
            copied.join(", ")
        );
        let mut tx = app.journal.store().begin().await.expect("a transaction");
        tx.execute(&sql, &[hindered.to_string().into()]).await.expect("a row");
        tx.commit().await.expect("committed");

        test.clock.set("2026-11-06T00:00:00Z");
        let Summary { invoices, failed, .. } = round(&mut scheduler).await;
        assert_eq!((invoices, failed), (4, 1));
        let billed = billed(app, tenant).await;
        for id in signed {
            let months: &[&str] = if id == hindered {
                &["2026-10-05"]
            } else {
                &["2026-10-05", "2026-11-05"]
            };
            assert_eq!(billed[&id], months);
        }
        let due = count(app, "SELECT COUNT(*) FROM unbilled WHERE attempts = 1").await;
        assert_eq!(due, 1, "only that one is listed");
    })
    .await;
}
