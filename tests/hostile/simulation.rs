//! A random day of billing, by all use cases at once, after which the books must balance.
//!
//! The steps follow from a seed, which is printed; `BILLSTREAM_SEED=...` takes the same steps again.

use std::{sync::Arc, time::Duration};

use aggregates::{
    calendar::Period,
    customer::{Contact, Profile},
    id::{ChargeId, CustomerId, PlanId, SubscriptionId, TenantId},
    money,
    order_terms::OrderBillingChanges,
    preferences::InvoicingChanges,
    purchase,
    subscription::Cycle,
};
use billstream::{
    app::{
        App,
        billing::{Payer, Recipient},
        contracts::{ChargeOrder, NewContract, Special},
        invoicing::Selection,
        orders::{BillingUpdate, NewOrder},
    },
    clock::Clock,
    journal::{Journal, Request, replay::replay, verify::verify},
};
use projections::subscription::Scope;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    journal::history::{quiet, rows},
    support::{Database, TestApp},
};

const STEPS: usize = 300;

#[derive(Clone, Debug)]
enum Step {
    Customer { code: Option<String>, email: String },
    Rename(CustomerId, String),
    Forget(CustomerId),
    Contract(CustomerId, PlanId, Option<bool>),
    Order(CustomerId, String),
    OrderBilling(String, bool),
    CancelOrder(String),
    Charge(SubscriptionId, String, bool, Option<bool>),
    Invoice(Selection),
    Preferences(InvoicingChanges),
    Bill(Vec<Recipient>, i64),
}

/// Does the step; the answer as text, to compare it with what a repetition is answered.
async fn run(app: &App, request: &Request, step: &Step) -> Result<Value, String> {
    let text = |error: &dyn std::fmt::Debug| format!("{error:?}");
    match step {
        Step::Customer { code, email } => {
            let contact = contact(email);
            let made = app
                .create_customer(request, code.as_deref(), Profile::default(), contact)
                .await;
            made.map(|id| json!(id)).map_err(|error| text(&error))
        }
        Step::Rename(id, name) => {
            let named = |_: &mut Profile, contact: &mut Contact| contact.name = Some(name.clone());
            let done = app.update_customer(request, *id, named).await;
            done.map(|()| Value::Null).map_err(|error| text(&error))
        }
        Step::Forget(id) => {
            let done = app.forget_customer(request, *id).await;
            done.map(|()| Value::Null).map_err(|error| text(&error))
        }
        Step::Contract(customer, plan, automatic_payment) => {
            let new = NewContract {
                customer: *customer,
                plan: *plan,
                currency: eur(),
                cycle: Cycle::Month,
                activation: None,
                automatic_payment: *automatic_payment,
                invoice_trigger: None,
                pending: false,
                special: Special::default(),
            };
            let signed = app.sign_contract(request, new).await;
            signed.map(|id| json!(id)).map_err(|error| text(&error))
        }
        Step::Order(customer, account) => {
            let new = NewOrder {
                customer: *customer,
                account: account.clone(),
                number: None,
                name: None,
                currency: eur(),
                start: request.at.date_naive(),
                price_tax_inclusive: false,
                lines: Vec::new(),
                billing: OrderBillingChanges::default(),
            };
            let placed = app.create_order(request, &new).await;
            placed.map(|placed| json!(placed)).map_err(|error| text(&error))
        }
        Step::OrderBilling(number, consolidate) => {
            let changes = OrderBillingChanges {
                consolidate_invoice: Some(*consolidate),
                ..OrderBillingChanges::default()
            };
            let done = app
                .update_order_billing(request, number, &BillingUpdate::Merge(changes))
                .await;
            done.map(|placed| json!(placed)).map_err(|error| text(&error))
        }
        Step::CancelOrder(number) => {
            let done = app.cancel_order(request, number, None).await;
            done.map(|placed| json!(placed)).map_err(|error| text(&error))
        }
        Step::Charge(subscription, amount, flat_fee, automatic_payment) => {
            let order = ChargeOrder {
                name: "Seats".to_owned(),
                amount: amount.clone(),
                period: Period {
                    start: "2026-10-01".parse().expect("a date"),
                    end: Some("2026-11-01".parse().expect("a date")),
                },
                flat_fee: *flat_fee,
                automatic_payment: *automatic_payment,
            };
            let added = app.add_charge(request, *subscription, &order).await;
            added.map(|id| json!(id)).map_err(|error| text(&error))
        }
        Step::Invoice(selection) => {
            let made = app.create_invoices(request, selection).await;
            made.map(|ids| json!(ids)).map_err(|error| text(&error))
        }
        Step::Preferences(changes) => {
            let done = app.update_invoicing_preferences(request, *changes).await;
            done.map(|now| json!(now)).map_err(|error| text(&error))
        }
        Step::Bill(recipients, price) => {
            let made = app.send_billing(request, recipients, &bill(*price)).await;
            made.map(|ids| json!(ids)).map_err(|error| text(&error))
        }
    }
}

fn eur() -> money::Currency {
    money::currency("EUR").expect("a currency")
}

fn contact(email: &str) -> Contact {
    Contact {
        emails: [("main".to_owned(), email.to_owned())].into(),
        ..Contact::default()
    }
}

fn bill(price: i64) -> purchase::Order {
    let product = purchase::Product {
        name: "Support".to_owned(),
        quantity: Decimal::new(15, 1),
        price,
        discount: 0,
        tax_percent: Decimal::from(6),
        category: String::new(),
        total_price_override: None,
    };
    let details = json!({"currency": "EUR", "products": [product], "language": "en", "time_zone": "UTC"});
    let order = json!({"origin": "billing_invoices", "brand_id": uuid::Uuid::nil(), "details": details,
        "due": "2026-11-01T00:00:00Z", "issued": "2026-10-05"});
    serde_json::from_value(order).expect("an order")
}

/// What is known of the world so far: what later steps can be about.
struct World {
    rng: StdRng,
    plan: PlanId,
    customers: Vec<CustomerId>,
    contracts: Vec<SubscriptionId>,
    orders: Vec<String>,
    charges: Vec<ChargeId>,
}

impl World {
    fn step(&mut self) -> Step {
        let customer = self.customers.choose(&mut self.rng).copied();
        let contract = self.contracts.choose(&mut self.rng).copied();
        let order = self.orders.choose(&mut self.rng).cloned();
        match (self.rng.random_range(0..100), customer, contract, order) {
            (0..15, Some(customer), _, _) => Step::Contract(customer, self.plan, self.maybe()),
            (15..50, _, Some(contract), _) => {
                let amount = format!(
                    "{}.{:02}",
                    self.rng.random_range(-5..500),
                    self.rng.random_range(0..100)
                );
                Step::Charge(contract, amount, self.rng.random_bool(0.5), self.maybe())
            }
            (50..65, _, _, _) => Step::Invoice(self.selection(customer, contract)),
            (65..68, _, _, _) => Step::Preferences(InvoicingChanges {
                automatic_payment: self.maybe(),
                ..InvoicingChanges::default()
            }),
            (68..78, Some(_), _, _) => {
                let recipients = (0..self.rng.random_range(1..4)).map(|_| self.recipient()).collect();
                Step::Bill(recipients, self.rng.random_range(1..100_000))
            }
            (78..84, Some(customer), _, _) => Step::Order(customer, format!("A{}", self.rng.random_range(0..3))),
            (84..87, _, _, Some(order)) => Step::OrderBilling(order, self.rng.random_bool(0.5)),
            (87..89, _, _, Some(order)) => Step::CancelOrder(order),
            (89..91, Some(customer), _, _) => Step::Rename(customer, self.email()),
            (91..92, Some(customer), _, _) => Step::Forget(customer),
            _ => Step::Customer {
                code: self
                    .rng
                    .random_bool(0.3)
                    .then(|| format!("CODE{:02}", self.rng.random_range(0..20))),
                email: self.email(),
            },
        }
    }

    fn maybe(&mut self) -> Option<bool> {
        *[None, Some(true), Some(false)]
            .choose(&mut self.rng)
            .expect("three of them")
    }

    fn email(&mut self) -> String {
        format!("person{}@example.com", self.rng.random_range(0..30))
    }

    fn selection(&mut self, customer: Option<CustomerId>, subscription: Option<SubscriptionId>) -> Selection {
        let scopes = [
            Scope::default(),
            Scope {
                customer,
                ..Scope::default()
            },
            Scope {
                subscription,
                ..Scope::default()
            },
        ];
        if self.rng.random_bool(0.5) {
            return Selection::Pending(*scopes.choose(&mut self.rng).expect("three of them"));
        }
        // Mostly the newest, which may still be pending.
        let newest = &self.charges[self.charges.len().saturating_sub(12)..];
        let count = self.rng.random_range(0..4);
        let charges = (0..count)
            .filter_map(|_| newest.choose(&mut self.rng).copied())
            .collect();
        Selection::Charges(charges, Scope::default())
    }

    fn recipient(&mut self) -> Recipient {
        let known = self
            .customers
            .choose(&mut self.rng)
            .copied()
            .filter(|_| self.rng.random_bool(0.5));
        let email = self.email();
        let payer = known.map_or_else(
            || Payer::ByEmail {
                contact: Box::new(contact(&email)),
                email,
            },
            Payer::Known,
        );
        Recipient {
            payer,
            payment_methods: None,
            reference: String::new(),
        }
    }

    /// Takes up what a step has made.
    fn learn(&mut self, step: &Step, answer: Value) {
        match step {
            Step::Customer { .. } => self.customers.push(read(answer)),
            Step::Contract(..) => self.contracts.push(read(answer)),
            Step::Charge(..) => self.charges.push(read(answer)),
            Step::Order(..) => self.orders.push(read(answer["number"].clone())),
            _ => {}
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(answer: Value) -> T {
    serde_json::from_value(answer).expect("an id")
}

#[expect(clippy::print_stdout, reason = "who sees a failure needs its seed")]
async fn simulate(database: Database) {
    let seed = std::env::var("BILLSTREAM_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"));
    println!("BILLSTREAM_SEED={seed}");
    let start = std::time::Instant::now();
    let test = TestApp::start(database).await;
    let tenant = TenantId::from_stored(&test.tenant.tenant_id);
    // A second engine on the same database: each finds that the other has written.
    let journal = Journal::open(&test.database).await.expect("a journal");
    let twin = Arc::new(App::new(journal, Arc::clone(&test.clock) as Arc<dyn Clock>));
    let apps = [Arc::clone(&test.app), twin];
    let request = |key: &str| {
        let request = Request::new(tenant.clone(), "tester", "billstream", test.clock.now());
        request.with_key(key, &[key.as_bytes()])
    };
    let plan = test
        .app
        .create_plan(&request("plan"), "Basic", eur())
        .await
        .expect("a plan");
    let mut world = World {
        rng: StdRng::seed_from_u64(seed),
        plan,
        customers: Vec::new(),
        contracts: Vec::new(),
        orders: Vec::new(),
        charges: Vec::new(),
    };
    let mut done: Vec<(String, Step, Value)> = Vec::new();
    for n in 0..STEPS {
        if !done.is_empty() && world.rng.random_bool(0.1) {
            let (key, step, answer) = done.choose(&mut world.rng).expect("not empty");
            let again = run(&apps[n % 2], &request(key), step).await;
            assert_eq!(again.as_ref(), Ok(answer), "step {n}: {key} sent again: {step:?}");
            continue;
        }
        // Several steps at once, some of them twice or thrice.
        let steps: Vec<_> = (0..world.rng.random_range(1..4)).map(|_| world.step()).collect();
        let mut calls = Vec::new();
        for (part, step) in steps.iter().enumerate() {
            let twins = *[1, 1, 2, 3].choose(&mut world.rng).expect("four of them");
            for copy in 0..twins {
                let (app, request) = (Arc::clone(&apps[copy % 2]), request(&format!("{n}-{part}")));
                let step = step.clone();
                calls.push(tokio::spawn(async move { (part, run(&app, &request, &step).await) }));
            }
        }
        let answers: Vec<_> = futures::future::join_all(calls).await;
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("no panic")).collect();
        for (part, step) in steps.into_iter().enumerate() {
            let same: Vec<_> = answers
                .iter()
                .filter(|answer| answer.0 == part)
                .map(|answer| &answer.1)
                .collect();
            let Some(Ok(first)) = same.iter().find(|answer| answer.is_ok()) else {
                let broken = |error: &String| {
                    ["Unavailable", "Corrupt", "KeyReused"]
                        .iter()
                        .any(|kind| error.contains(kind))
                };
                assert!(
                    !same.iter().any(|answer| answer.as_ref().is_err_and(broken)),
                    "{step:?}: {same:?}"
                );
                continue;
            };
            assert!(
                same.iter().all(|answer| answer.as_ref() == Ok(first)),
                "step {n}: one command, two answers: {step:?}: {same:?}"
            );
            world.learn(&step, first.clone());
            done.push((format!("{n}-{part}"), step, first.clone()));
        }
    }
    println!("{} commands took effect in {:?}", done.len(), start.elapsed());
    assert!(
        world.charges.len() > 20,
        "only {} charges were made",
        world.charges.len()
    );
    balance(&test).await;
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());
}

/// What must hold whatever has happened.
async fn balance(test: &TestApp) {
    let number = async |sql: &str| rows(test, sql, &[]).await[0].int(0).expect("a number");
    assert!(number("SELECT COUNT(*) FROM invoices").await > 5);
    let none = [
        (
            "an invoice whose total is not the sum of its lines",
            "SELECT COUNT(*) FROM invoices i WHERE i.total <> (SELECT COALESCE(CAST(SUM(l.amount) AS BIGINT), 0) \
             FROM invoice_lines l WHERE l.tenant = i.tenant AND l.invoice = i.invoice)",
        ),
        (
            "an invoice without lines",
            "SELECT COUNT(*) FROM invoices i WHERE NOT EXISTS \
             (SELECT 1 FROM invoice_lines l WHERE l.tenant = i.tenant AND l.invoice = i.invoice)",
        ),
        (
            "a charge on two lines",
            "SELECT COUNT(*) FROM (SELECT charge FROM invoice_lines GROUP BY charge HAVING COUNT(*) > 1) twice",
        ),
        (
            "a charge and an invoice that do not agree",
            "SELECT COUNT(*) FROM charges c LEFT JOIN invoice_lines l ON l.tenant = c.tenant AND l.charge = c.charge \
             WHERE COALESCE(c.invoice, '') <> COALESCE(l.invoice, '') OR (c.status = 'pending') <> (l.charge IS NULL)",
        ),
        (
            "a line that says another amount than its charge",
            "SELECT COUNT(*) FROM charges c JOIN invoice_lines l ON l.tenant = c.tenant AND l.charge = c.charge \
             WHERE c.amount <> l.amount",
        ),
        (
            "a gap in the invoice numbers",
            "SELECT COALESCE(MAX(number), 0) - COUNT(DISTINCT number) FROM invoices",
        ),
        (
            "an invoice number given twice",
            "SELECT COUNT(*) - COUNT(DISTINCT number) FROM invoices",
        ),
        (
            "a gap in the purchase numbers",
            "SELECT COALESCE(MAX(number), 0) - COUNT(DISTINCT number) FROM purchases",
        ),
        (
            "a purchase number given twice",
            "SELECT COUNT(*) - COUNT(DISTINCT number) FROM purchases",
        ),
        (
            "an order number given twice",
            "SELECT COUNT(*) - COUNT(DISTINCT number) FROM orders",
        ),
        (
            "an invoice over charges of another payment mode or subscription",
            "SELECT COUNT(*) FROM invoice_lines l JOIN charges c ON c.tenant = l.tenant AND c.charge = l.charge \
             JOIN invoices i ON i.tenant = l.tenant AND i.invoice = l.invoice \
             WHERE c.automatic_payment <> i.automatic_payment OR c.subscription <> i.subscription",
        ),
    ];
    for (what, sql) in none {
        assert_eq!(number(sql).await, 0, "{what}");
    }
    let report = verify(&test.app.journal, &[], &quiet).await.expect("readable");
    assert_eq!(report.faults, []);
    let replayed = replay(&test.app.journal, test.clock.as_ref(), &quiet)
        .await
        .expect("replayed");
    assert!(replayed.is_identical(), "{replayed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_random_day_the_books_balance_on_sqlite() {
    simulate(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_random_day_the_books_balance_on_postgres() {
    simulate(Database::Postgres).await;
}
