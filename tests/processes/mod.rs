//! Billing that runs itself: moved clocks, the scheduler, runs by hand, and what happens when they are killed.

mod by_hand;
mod killed;
mod moved_clock;
mod scheduled;
mod subscribers;
mod together;

use std::{collections::BTreeMap, future::pending, sync::Arc};

use aggregates::{
    billing::{Kind, Price, Timing},
    customer::{Contact, Profile},
    id::{CustomerId, PlanId, SubscriptionId, TenantId},
    money::Currency,
    subscription::Cycle,
};
use billstream::{
    app::{
        App, Principal,
        contracts::{NewContract, Special},
        plans::NewLine,
        tenants::NewTenant,
    },
    journal::{Journal, Request},
    processes::{run::Summary, scheduler::Scheduler},
};
use rust_decimal::Decimal;

use crate::support::TestApp;

/// The same engine with a tenant in test mode for its own.
async fn in_test_mode(mut test: TestApp) -> TestApp {
    test.tenant = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
    test
}

fn id_of(tenant: &NewTenant) -> TenantId {
    TenantId::from_stored(&tenant.tenant_id)
}

async fn request(app: &App, tenant: &NewTenant) -> Request {
    let id = id_of(tenant);
    let found = app.tenant(&id).await.expect("a view").expect("the tenant");
    let principal = Principal {
        tenant: id,
        actor: "test".to_owned(),
        test_mode: found.test_clock.is_some(),
    };
    app.request(&principal, "test").await.expect("an envelope")
}

fn line(name: &str, cents: i64) -> NewLine {
    NewLine {
        name: name.to_owned(),
        kind: Kind::Recurring,
        timing: Timing::Advance,
        price: Price::Flat {
            amount: Decimal::new(cents, 2),
        },
        quantity: Decimal::ONE,
        flat_fee: true,
        prorate: true,
        tax_rate: None,
    }
}

struct Scene {
    customer: CustomerId,
    plan: PlanId,
}

/// A customer, and a plan of one monthly line at 10.00.
async fn scene(app: &App, tenant: &NewTenant) -> Scene {
    let contact = Contact {
        name: Some("Example Ltd".to_owned()),
        ..Contact::default()
    };
    let envelope = request(app, tenant).await;
    let customer = app.create_customer(&envelope, None, Profile::default(), contact).await;
    let envelope = request(app, tenant).await;
    let plan = app
        .create_plan_with(&envelope, "Basic", Currency::EUR, vec![line("Seat", 1000)])
        .await;
    Scene {
        customer: customer.expect("a customer"),
        plan: plan.expect("a plan"),
    }
}

/// A contract over the scene's plan from this day on.
async fn contract(app: &App, tenant: &NewTenant, scene: &Scene, from: &str) -> SubscriptionId {
    let contract = NewContract {
        customer: scene.customer,
        plan: scene.plan,
        currency: Currency::EUR,
        cycle: Cycle::Month,
        activation: Some(from.parse().expect("a date")),
        automatic_payment: None,
        invoice_trigger: None,
        pending: false,
        special: Special::default(),
    };
    let envelope = request(app, tenant).await;
    app.sign_contract(&envelope, contract).await.expect("a contract")
}

/// A second process on the same database, as far as anybody can tell.
pub async fn another(test: &TestApp) -> Arc<App> {
    let journal = Journal::open(&test.database).await.expect("a journal");
    Arc::new(App::new(
        journal,
        Arc::clone(&test.clock) as Arc<dyn billstream::clock::Clock>,
    ))
}

/// The first days of the periods on invoices, by subscription, in order.
async fn billed(app: &App, tenant: &NewTenant) -> BTreeMap<SubscriptionId, Vec<String>> {
    let sql = "SELECT i.subscription, l.period_start FROM invoice_lines l \
               JOIN invoices i ON i.tenant = l.tenant AND i.invoice = l.invoice \
               WHERE l.tenant = $1 ORDER BY l.period_start";
    let store = app.journal.store();
    let rows = store
        .read(sql, &[tenant.tenant_id.as_str().into()])
        .await
        .expect("lines");
    let mut billed: BTreeMap<SubscriptionId, Vec<String>> = BTreeMap::new();
    for row in rows {
        let subscription = row.text(0).expect("text").parse().expect("an id");
        let start = row.text(1).expect("text").to_owned();
        billed.entry(subscription).or_default().push(start);
    }
    billed
}

async fn count(app: &App, sql: &str) -> i64 {
    let rows = app.journal.store().read(sql, &[]).await.expect("a count");
    rows[0].int(0).expect("a number")
}

/// A round of a scheduler that has work.
async fn round(scheduler: &mut Scheduler) -> Summary {
    let summary = scheduler.round(pending()).await.expect("the database");
    summary.expect("it holds the lease")
}

async fn invoices(app: &App) -> i64 {
    count(app, "SELECT COUNT(*) FROM invoices").await
}

/// Makes a subscription due that does not exist: whoever bills it is refused.
async fn break_one(app: &App, tenant: &NewTenant, due: &str) -> SubscriptionId {
    let id = SubscriptionId(uuid::Uuid::from_u128(0xdead));
    let due: chrono::DateTime<chrono::Utc> = due.parse().expect("a time");
    let mut tx = app.journal.store().begin().await.expect("a transaction");
    let sql = "INSERT INTO billing_due (tenant, subscription, customer, currency, run, next_billing) \
               VALUES ($1, $2, $2, 'EUR', 0, $3)";
    let row = [tenant.tenant_id.as_str().into(), id.to_string().into(), due.into()];
    tx.execute(sql, &row).await.expect("a row");
    tx.commit().await.expect("committed");
    id
}
