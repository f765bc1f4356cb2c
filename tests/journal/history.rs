//! A small history to prove things about, and the hands that damage it.

use aggregates::{
    calendar::Period,
    customer::{self, Contact, Customer, Profile},
    id::{ChargeId, CustomerId, SubscriptionId, TenantId},
    money::{self, Money},
    subscription::{self, Agreement, Cycle, NewCharge, Status, Subscription, Terms},
    terms::InvoicingPreferences,
};
use billstream::{
    app::invoicing::Selection,
    journal::{Journal, Request, Streams},
};
use projections::{Row, Value, subscription::Scope};

use crate::support::TestApp;

pub fn tenant(test: &TestApp) -> TenantId {
    TenantId::from_stored(&test.tenant.tenant_id)
}

pub fn request(test: &TestApp) -> Request {
    let at = "2026-10-05T12:00:00Z".parse().expect("a time");
    Request::new(tenant(test), "tester", "billstream", at)
}

/// A customer with a subscription and a charge that waits.
pub async fn customer(journal: &Journal, request: &Request) -> CustomerId {
    let id = CustomerId(billstream::clock::random_uuid());
    let stream = id.to_string();
    let code = id.0.simple().to_string();
    let contact = Contact {
        name: Some("A\tperson\\of \"letters\"".to_owned()),
        ..Contact::default()
    };
    let create = customer::Command::Create {
        at: request.at,
        customer: id,
        code,
        profile: Profile::default(),
        contact,
    };
    let agreed = SubscriptionId(billstream::clock::random_uuid());
    let agreement = agreed.to_string();
    let sign = subscription::Command::Sign {
        at: request.at,
        subscription: agreed,
        agreement: Box::new(Agreement {
            customer: id,
            plan: None,
            currency: money::currency("EUR").expect("a currency"),
            cycle: Cycle::Month,
            activation: "2026-10-01".parse().expect("a date"),
            status: Status::Active,
            terms: Terms::Contract {
                invoicing: InvoicingPreferences::default(),
            },
            order: None,
            offer: None,
            phases: Vec::new(),
            trial_end: None,
            time_zone: None,
            moved_from: None,
            upgraded_from: None,
            usage_from: None,
            under_way: std::collections::BTreeSet::new(),
            goes_on_from: None,
            counted: Vec::new(),
            paid_before: std::collections::BTreeMap::new(),
            rest_before: std::collections::BTreeMap::new(),
            invoice_calendar: None,
            proration: None,
            policy: None,
        }),
    };
    let charge = subscription::Command::AddCharge {
        at: request.at,
        charge: NewCharge {
            id: ChargeId(billstream::clock::random_uuid()),
            name: "Seats\nand more".to_owned(),
            amount: Money::new(1234, money::currency("EUR").expect("a currency")),
            period: Period {
                start: "2026-10-01".parse().expect("a date"),
                end: None,
            },
            flat_fee: true,
            automatic_payment: None,
        },
    };
    let streams = Streams::new()
        .with_new::<Customer>(&stream)
        .with_new::<Subscription>(&agreement);
    journal
        .execute(request, streams, |unit| {
            unit.send::<Customer>(&stream, &create)?;
            unit.send::<Subscription>(&agreement, &sign)?;
            unit.send::<Subscription>(&agreement, &charge).map(|_| ())
        })
        .await
        .expect("accepted");
    id
}

pub async fn forget(test: &TestApp, id: CustomerId) {
    let stream = id.to_string();
    let request = request(test);
    test.app
        .journal
        .execute(&request, Streams::new().with::<Customer>(&stream), |unit| {
            unit.send::<Customer>(&stream, &customer::Command::Forget { at: request.at })?;
            Ok(())
        })
        .await
        .expect("accepted");
}

/// Customers with subscriptions, invoiced; one of them forgotten.
pub async fn fill(test: &TestApp) -> Vec<CustomerId> {
    let mut customers = Vec::new();
    for _ in 0..8 {
        customers.push(customer(&test.app.journal, &request(test)).await);
    }
    let all = Selection::Pending(Scope::default());
    let invoices = test.app.create_invoices(&request(test), &all).await.expect("invoiced");
    assert_eq!(invoices.len(), 8);
    customers.push(customer(&test.app.journal, &request(test)).await);
    forget(test, customers[0]).await;
    customers
}

/// Changes the store behind the program's back.
pub async fn tamper(test: &TestApp, sql: &str, parameters: &[Value]) -> u64 {
    let mut tx = test.app.journal.store().begin().await.expect("a transaction");
    let changed = tx.execute(sql, parameters).await.expect("executed");
    tx.commit().await.expect("committed");
    changed
}

pub async fn rows(test: &TestApp, sql: &str, parameters: &[Value]) -> Vec<Row> {
    test.app.journal.store().read(sql, parameters).await.expect("readable")
}

pub fn quiet(_: u64, _: u64) {}
