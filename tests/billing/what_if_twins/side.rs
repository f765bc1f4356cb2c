//! A tenant to whom the steps are taken, and what it was billed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aggregates::{
    billing::{Aggregation, Kind, Price, Timing, price::Limits},
    customer::{Contact, Profile},
    id::{CustomerId, InvoiceId, LineId, PlanId, SubscriptionId, TenantId},
    invoice::Issued,
    order_terms::OrderBillingChanges,
    subscription::{ChargeType, OrderLine, Subscription, Supposed},
};
use billstream::{
    app::{App, orders::BillingUpdate, plans::NewLine, what_if::Comparison},
    journal::Request,
    processes::clock::move_clock,
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::{
    invoice::{Filter, LineView},
    page::{Order, Page},
    subscription::Scope,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::steps::{Step, Told};
use crate::{billing::eur, support::TestApp};

/// A tenant and what it has.
pub struct Side {
    pub app: Arc<App>,
    pub tenant: TenantId,
    pub customers: Vec<CustomerId>,
    pub plans: Vec<(PlanId, Vec<LineId>)>,
    pub contracts: Vec<SubscriptionId>,
    /// Those of who is taken for an example: what is billed at one moment is billed in the order of the ids.
    pub like: Vec<SubscriptionId>,
    /// Of orders.
    pub numbers: BTreeMap<usize, (String, Vec<LineId>)>,
    /// Contracts whose plan was changed: whose lines run together depends on the policy then.
    pub replanned: BTreeSet<SubscriptionId>,
    /// What is supposed of it: nobody says otherwise.
    pub terms: Told,
    /// What was over, or another's, when they were supposed: it is as it was agreed.
    pub kept: BTreeSet<usize>,
    /// What orders are placed with.
    pub base: OrderBillingChanges,
    /// The invoice that a step is about.
    pub bill: Option<InvoiceId>,
    /// How many steps were about one.
    pub paid: usize,
}

/// Of a line: the place of its subscription, its name and the first day of its period.
type Key = (usize, String, NaiveDate);

pub type Done = Result<(), String>;

pub fn said<T>(done: Result<T, impl std::fmt::Display>) -> Done {
    done.map(drop).map_err(|error| error.to_string())
}

impl Side {
    pub async fn of(test: &TestApp, name: &str, customers: usize) -> Self {
        let tenant = test.app.create_test_tenant(name).await.expect("a tenant");
        let mut side = Self {
            app: Arc::clone(&test.app),
            tenant: TenantId::from_stored(&tenant.tenant_id),
            customers: Vec::new(),
            plans: Vec::new(),
            contracts: Vec::new(),
            like: Vec::new(),
            numbers: BTreeMap::new(),
            replanned: BTreeSet::new(),
            terms: Told::default(),
            kept: BTreeSet::new(),
            base: OrderBillingChanges::default(),
            bill: None,
            paid: 0,
        };
        for n in 0..customers {
            let request = side.request().await;
            let code = format!("CODE{n}");
            let made = side
                .app
                .create_customer(&request, Some(&code), Profile::default(), Contact::default());
            side.customers.push(made.await.expect("a customer"));
        }
        for lines in plans() {
            let request = side.request().await;
            let plan = side.app.create_plan_with(&request, "Plan", eur(), lines).await;
            let plan = plan.expect("a plan");
            let view = side.app.plan(&side.tenant, plan).await.expect("readable").expect("it");
            let lines = view.lines.iter().map(|line| line.id).collect();
            side.plans.push((plan, lines));
        }
        side
    }

    pub async fn now(&self) -> DateTime<Utc> {
        let view = self.app.tenant(&self.tenant).await.expect("readable").expect("it");
        view.test_clock.expect("in test mode")
    }

    pub async fn request(&self) -> Request {
        self.request_at(self.now().await)
    }

    pub fn request_at(&self, at: DateTime<Utc>) -> Request {
        Request::new(self.tenant.clone(), "tester", "billstream", at)
    }

    /// Whether what has this id would be billed as that of the example is, before and behind the same ones.
    fn fits(&self, id: SubscriptionId) -> bool {
        let mut both = self.contracts.iter().zip(&self.like).filter(|(own, _)| !own.0.is_nil());
        let example = self.like.get(self.contracts.len());
        example.is_none_or(|example| both.all(|(own, other)| (*own < id) == (other < example)))
    }

    /// Whether all that is billed at one moment is billed in the order of the example.
    pub fn is_in_order(&self) -> bool {
        let both = || self.contracts.iter().zip(&self.like).filter(|(own, _)| !own.0.is_nil());
        both().all(|(one, like)| both().all(|(other, as_other)| (one < other) == (like < as_other)))
    }

    /// The first thing that would be signed with an id that fits, where there is one.
    pub fn fitting<T>(&self, make: impl Fn(usize) -> (T, SubscriptionId)) -> T {
        let fits = (0..2_000).map(&make).find(|(_, id)| self.fits(*id));
        fits.unwrap_or_else(|| make(0)).0
    }

    pub async fn move_to(&self, now: DateTime<Utc>) {
        let request = self.request().await;
        move_clock(&self.app, &request, now).await.expect("moved");
    }

    /// From then on these hold: of what is signed later, and of all there is.
    pub async fn take_terms(&mut self, terms: &Told, at: DateTime<Utc>) {
        self.terms = terms.clone();
        let request = self.request_at(at);
        let policy = self.app.update_policy(&request, terms.policy).await;
        policy.expect("a policy");
        let request = self.request_at(at);
        let invoicing = self.app.update_invoicing_preferences(&request, terms.invoicing).await;
        invoicing.expect("preferences");
        for n in 0..self.contracts.len() {
            let mut takes_them = true;
            if let Some((number, _)) = self.numbers.get(&n) {
                let request = self.request_at(at);
                let update = BillingUpdate::Merge(terms.order.clone());
                takes_them &= self.app.update_order_billing(&request, number, &update).await.is_ok();
            }
            let request = self.request_at(at);
            let updated = self.app.update_policy_of(&request, self.contracts[n], terms.policy);
            takes_them &= updated.await.is_ok();
            if !takes_them {
                self.kept.insert(n);
            }
        }
    }

    /// What somebody says of the order: where it is supposed, what is supposed of it.
    pub fn named(&self, n: usize, billing: &OrderBillingChanges) -> OrderBillingChanges {
        if self.kept.contains(&n) {
            return billing.clone();
        }
        billing.clone().where_supposed(&self.terms.order)
    }

    pub fn over(&self, billing: &OrderBillingChanges) -> OrderBillingChanges {
        let (own, other) = (&self.terms.order, billing);
        OrderBillingChanges {
            invoice_mode: own.invoice_mode.or(other.invoice_mode),
            invoice_term: own.invoice_term.clone().or(other.invoice_term.clone()),
            billing_period: own.billing_period.clone().or(other.billing_period.clone()),
            payment_mode: own.payment_mode.or(other.payment_mode),
            payment_term: own.payment_term.clone().or(other.payment_term.clone()),
            payment_term_alignment: own.payment_term_alignment.or(other.payment_term_alignment),
            pro_rata_partial_charging_period: own
                .pro_rata_partial_charging_period
                .or(other.pro_rata_partial_charging_period),
            pro_rata_partial_pricing_period: own
                .pro_rata_partial_pricing_period
                .or(other.pro_rata_partial_pricing_period),
            pro_rata_partial_unit: own.pro_rata_partial_unit.or(other.pro_rata_partial_unit),
            consolidate_invoice: own.consolidate_invoice.or(other.consolidate_invoice),
            consolidate_key: other.consolidate_key.clone(),
            ..OrderBillingChanges::default()
        }
    }

    pub fn contract(&self, of: usize) -> Result<(usize, SubscriptionId), String> {
        let n = of.checked_rem(self.contracts.len()).ok_or("nothing is agreed")?;
        Ok((n, self.contracts[n]))
    }

    pub fn order(&self, of: usize) -> Result<(usize, &str, &[LineId]), String> {
        let orders: Vec<usize> = self.numbers.keys().copied().collect();
        let n = of.checked_rem(orders.len()).ok_or("nothing is ordered")?;
        let (number, lines) = &self.numbers[&orders[n]];
        Ok((orders[n], number, lines))
    }

    pub async fn state(&self, step: &Step) -> Option<Subscription> {
        let n = match step {
            Step::Plan { of, .. }
            | Step::Quantity { of, .. }
            | Step::Pause { of, .. }
            | Step::Resume { of, .. }
            | Step::End { of, .. }
            | Step::Reactivate { of, .. }
            | Step::Upgrade { of, .. }
            | Step::CloseUsage { of, .. }
            | Step::Policy { of, .. } => self.contract(*of).ok()?.0,
            Step::Units { of, .. }
            | Step::Price { of, .. }
            | Step::Period { of, .. }
            | Step::Remove { of, .. }
            | Step::Preferences { of, .. }
            | Step::LineBilling { of, .. } => self.order(*of).ok()?.0,
            _ => return None,
        };
        let state = self.app.subscription_state(&self.tenant, self.contracts[n]).await;
        Some(state.expect("readable"))
    }

    /// The invoices that stand, oldest first, and what is on them.
    async fn bills(&self) -> Vec<(InvoiceId, BTreeSet<Key>)> {
        let page = Page {
            limit: 10_000,
            after: None,
            order: Order::OldestFirst,
        };
        let views = self.app.invoices(&self.tenant, &Filter::default(), &page).await;
        let mut bills = Vec::new();
        for view in views
            .expect("readable")
            .into_iter()
            .filter(|view| view.voided.is_none())
        {
            let whole = self.app.invoice(&self.tenant, view.id).await.expect("readable");
            let (_, lines) = whole.expect("an invoice");
            let key = |line: &LineView| {
                let of = line.subscription.unwrap_or(view.subscription);
                let place = self.contracts.iter().position(|id| *id == of).expect("known");
                (place, line.name.clone(), line.period.start)
            };
            bills.push((view.id, lines.iter().map(key).collect()));
        }
        bills
    }

    /// The invoices that have what one of the other side has on it, and nothing that another one has.
    pub async fn pairs(&self, other: &Self) -> Vec<(InvoiceId, InvoiceId)> {
        let (own, theirs) = (self.bills().await, other.bills().await);
        let one = |bill: &BTreeSet<Key>, among: &[(InvoiceId, BTreeSet<Key>)]| {
            let mut sharing = among.iter().filter(|(_, keys)| !keys.is_disjoint(bill));
            sharing.next().filter(|_| sharing.next().is_none()).cloned()
        };
        let pair = |(id, keys): &(InvoiceId, BTreeSet<Key>)| {
            let (other, of_other) = one(keys, &theirs)?;
            one(&of_other, &own).map(|_| (*id, other))
        };
        own.iter().filter_map(pair).collect()
    }

    /// A line whose id is the same on both sides.
    pub fn ordered(order: usize, n: usize, quantity: Decimal, price: i64, charge_type: ChargeType) -> OrderLine {
        let metered = charge_type == ChargeType::Metered;
        OrderLine {
            id: LineId(Uuid::from_u128((order * 1_000 + n + 1) as u128)),
            item: if metered {
                "calls".to_owned()
            } else {
                format!("ITEM-{n}")
            },
            name: None,
            quantity,
            price: Decimal::new(price, 2),
            charge_type,
            tax: None,
        }
    }

    pub async fn compare(&self, months: u32, supposed: &Supposed) -> Comparison {
        let compared = self
            .app
            .preview_terms(&self.tenant, Scope::default(), months, supposed)
            .await;
        compared.expect("compared")
    }

    /// The invoices of each customer, but for ids and numbers; without what is left to pay where credit may
    /// have paid others of them.
    pub fn told(&self, comparison: &Comparison, was: bool, with_credit: bool) -> BTreeMap<usize, Vec<String>> {
        let mut told: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for compared in &comparison.customers {
            let customer = self.customers.iter().position(|id| *id == compared.customer);
            let pairs = compared.invoices.iter();
            let issued = pairs.filter_map(|pair| if was { pair.was.as_ref() } else { pair.would_be.as_ref() });
            let mut invoices: Vec<String> = issued.map(|issued| invoice(issued, with_credit)).collect();
            invoices.sort();
            if !invoices.is_empty() {
                told.insert(customer.expect("a customer"), invoices);
            }
        }
        told
    }
}

fn invoice(issued: &Issued, with_credit: bool) -> String {
    let line = |line: &aggregates::invoice::Line| {
        format!(
            "{} {}..{:?} {} due {} tax {:?}",
            line.name, line.period.start, line.period.end, line.amount, line.due_date, line.tax
        )
    };
    let mut lines: Vec<String> = issued.lines.iter().map(line).collect();
    lines.sort();
    let to_pay = Some(format!("to pay {}", issued.to_pay())).filter(|_| with_credit);
    let to_pay = to_pay.unwrap_or_default();
    format!(
        "{} due {} {} {to_pay} granted {:?} automatic {} {lines:#?}",
        issued.issue_date, issued.due_date, issued.total, issued.credit_granted, issued.automatic_payment
    )
}

/// Plans: a fee; a dearer one that is counted in units, and calls; one in arrears that is not divided.
fn plans() -> [Vec<NewLine>; 3] {
    let line = |name: &str, kind, timing, price: &str, prorate| NewLine {
        name: name.to_owned(),
        kind,
        timing,
        price: Price::PerUnit {
            amount: price.parse().expect("a price"),
            limits: Limits::default(),
        },
        quantity: 1.into(),
        flat_fee: true,
        prorate,
        tax_rate: Some(19.into()),
    };
    let metric = "calls".to_owned();
    let aggregation = Aggregation::Sum;
    let calls = Kind::Metered { metric, aggregation };
    [
        vec![line("Base fee", Kind::Recurring, Timing::Advance, "31.00", true)],
        vec![
            line("Base fee", Kind::Recurring, Timing::Advance, "62.00", true),
            line("Calls", calls, Timing::Arrears, "0.07", true),
        ],
        vec![
            line("Base fee", Kind::Recurring, Timing::Advance, "17.00", false),
            line("Support", Kind::Recurring, Timing::Arrears, "9.00", true),
        ],
    ]
}
