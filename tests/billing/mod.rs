//! Subscriptions that are billed by themselves: the right lines, on the right day, once.

mod door;
mod examples;
mod explained;
mod more_examples;
mod moved;
mod moved_still;
mod moved_usage;
mod moved_zones;
mod once;
mod order_of_time;
mod policy;
mod previewed;
mod previewed_pages;
mod previews;
mod tenants_zone;
mod triggers;
mod upgraded;
mod usage_histories;
mod usage_owed;
mod usage_races;
mod used_days;
mod voided;
mod what_if;
mod what_if_paid;
mod what_if_twins;

use aggregates::{
    billing::{Kind, Price, Timing},
    customer::{Contact, Profile},
    id::{CustomerId, InvoiceId, PlanId, SubscriptionId, TenantId},
    invoice::{self, Invoice},
    money::{self, Currency},
    subscription::Cycle,
    terms::InvoiceTrigger,
};
use billstream::{
    app::{
        billing_run::Billed,
        contracts::{NewContract, Special},
        plans::NewLine,
    },
    journal::{Request, replay::replay, verify::verify},
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::{
    invoice::{Filter, InvoiceView, LineView},
    page::{Order, Page},
    subscription::Scope,
};

use crate::{journal::history::quiet, support::TestApp};

pub fn eur() -> Currency {
    money::currency("EUR").expect("a currency")
}

pub fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

pub fn midnight(text: &str) -> DateTime<Utc> {
    format!("{text}T00:00:00Z").parse().expect("a time")
}

/// A tenant's books.
pub struct Books<'a> {
    pub test: &'a TestApp,
    pub tenant: TenantId,
}

/// An invoice with its lines.
pub type Whole = (InvoiceView, Vec<LineView>);

impl<'a> Books<'a> {
    pub fn of(test: &'a TestApp) -> Self {
        let tenant = TenantId::from_stored(&test.tenant.tenant_id);
        Self { test, tenant }
    }

    pub fn request(&self) -> Request {
        use billstream::clock::Clock;
        Request::new(self.tenant.clone(), "tester", "billstream", self.test.clock.now())
    }

    pub async fn customer(&self) -> CustomerId {
        let made = self
            .test
            .app
            .create_customer(&self.request(), None, Profile::default(), Contact::default())
            .await;
        made.expect("a customer")
    }

    /// A plan of one flat price, billed in advance.
    pub async fn plan(&self, price: &str) -> PlanId {
        let line = NewLine {
            name: "Base fee".to_owned(),
            kind: Kind::Recurring,
            timing: Timing::Advance,
            price: Price::Flat {
                amount: price.parse().expect("a price"),
            },
            quantity: 1.into(),
            flat_fee: true,
            prorate: true,
            tax_rate: None,
        };
        let made = self
            .test
            .app
            .create_plan_with(&self.request(), "Plan", eur(), vec![line])
            .await;
        made.expect("a plan")
    }

    pub fn new_contract(customer: CustomerId, plan: PlanId, activation: &str) -> NewContract {
        NewContract {
            customer,
            plan,
            currency: eur(),
            cycle: Cycle::Month,
            activation: Some(date(activation)),
            automatic_payment: None,
            invoice_trigger: None,
            pending: false,
            special: Special::default(),
        }
    }

    pub async fn sign(&self, new: NewContract) -> SubscriptionId {
        let signed = self.test.app.sign_contract(&self.request(), new).await;
        signed.expect("a contract")
    }

    /// A customer of their own who pays so much a month from a day on.
    pub async fn monthly(&self, price: &str, activation: &str) -> (CustomerId, SubscriptionId) {
        let (customer, plan) = (self.customer().await, self.plan(price).await);
        let contract = self.sign(Self::new_contract(customer, plan, activation)).await;
        (customer, contract)
    }

    pub async fn triggered(&self, price: &str, activation: &str, trigger: InvoiceTrigger) -> SubscriptionId {
        let (customer, plan) = (self.customer().await, self.plan(price).await);
        let new = NewContract {
            invoice_trigger: Some(trigger),
            ..Self::new_contract(customer, plan, activation)
        };
        self.sign(new).await
    }

    /// Previews and bills: what is billed is what was previewed, to the last byte but the numbers.
    pub async fn bill(&self, contract: SubscriptionId, until: &str) -> Billed {
        let scope = Scope {
            subscription: Some(contract),
            ..Scope::default()
        };
        let events = self.test.events().await;
        let preview = self.test.app.preview_run(&self.request(), scope, midnight(until)).await;
        let preview = preview.expect("a preview");
        assert_eq!((self.test.events().await, preview.unbillable.len()), (events, 0));
        let billed = self
            .test
            .app
            .bill_subscription(&self.request(), contract, midnight(until))
            .await;
        let billed = billed.expect("billed");
        assert_eq!(
            (preview.charges.len(), preview.invoices.len()),
            (billed.accrued, billed.invoices.len())
        );
        for (mut previewed, invoice) in preview.invoices.into_iter().zip(&billed.invoices) {
            let journal = &self.test.app.journal;
            let made = journal.first_event::<Invoice>(&self.tenant, &invoice.to_string()).await;
            let Some(invoice::Event::Issued { issued, .. }) = made.expect("readable") else {
                panic!("{invoice} was not issued")
            };
            previewed.number = issued.number;
            let text = |issued: &invoice::Issued| serde_json::to_string(issued).expect("JSON");
            assert_eq!(text(&previewed), text(&issued));
        }
        billed
    }

    pub async fn whole(&self, invoice: InvoiceId) -> Whole {
        let found = self.test.app.invoice(&self.tenant, invoice).await.expect("readable");
        found.expect("an invoice")
    }

    /// Every invoice of the tenant, in order of their numbers.
    pub async fn invoices(&self) -> Vec<Whole> {
        let page = Page {
            limit: 10_000,
            after: None,
            order: Order::OldestFirst,
        };
        let views = self.test.app.invoices(&self.tenant, &Filter::default(), &page).await;
        let mut all = Vec::new();
        for view in views.expect("readable") {
            all.push(self.whole(view.id).await);
        }
        all
    }

    /// Every line of every invoice: `issued: start->end amount`.
    pub async fn lines(&self) -> Vec<String> {
        let invoices = self.invoices().await;
        invoices.iter().flat_map(printed).collect()
    }

    pub async fn credit(&self, customer: CustomerId) -> String {
        let balances = self.test.app.credit_of(&self.tenant, customer).await.expect("readable");
        balances.first().map_or("none".to_owned(), ToString::to_string)
    }

    /// The log is sound, and every view is what a rebuild makes of it.
    pub async fn prove(&self) {
        let journal = &self.test.app.journal;
        let report = verify(journal, &[], &quiet).await.expect("readable");
        assert_eq!(report.faults, []);
        let replayed = replay(journal, self.test.clock.as_ref(), &quiet)
            .await
            .expect("replayed");
        assert!(replayed.is_identical(), "{replayed:#?}");
    }
}

pub fn printed((invoice, lines): &Whole) -> Vec<String> {
    let line = |line: &LineView| {
        let end = line.period.end.map_or("open".to_owned(), |end| end.to_string());
        let amount = money::Money::new(line.amount, invoice.currency);
        format!("{}: {}->{end} {amount}", invoice.issue_date, line.period.start)
    };
    lines.iter().map(line).collect()
}
