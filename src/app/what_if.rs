//! What the last months would have been billed under other terms: the history of customers once more, with the same
//! decisions as the bill, on copies that nobody keeps.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent, Decider,
    calendar::{self, PeriodUnit, local_date},
    credit::{self, Credit},
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId, TenantId},
    invoice::{self, Invoice, Issued},
    money::{Currency, Money, MoneyError},
    subscription::{self, Agreement, Charge, Subscription, Supposed, WhatIf},
    usage::Meter,
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use projections::subscription::{Payer, Scope, SubscriptionView};

use super::{
    App,
    bundles::Share,
    desk::{Desk, Rehearsal},
    invoicing::{self, InvoicingError},
    preview::{Preview, PreviewError, payer, rehearse_one},
};
use crate::journal::CommandError;

/// How many subscriptions one call takes through their history again.
pub const MAX_REPLAYED: usize = 1_000;
/// How far it looks back.
pub const MAX_MONTHS: u32 = 60;

/// What would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The first day that is looked at.
    pub from: NaiveDate,
    pub customers: Vec<Compared>,
    /// What could not be billed, and why.
    pub unbillable: Vec<(SubscriptionId, String)>,
}

/// A customer's invoices in one currency, as they were and as they would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub customer: CustomerId,
    pub currency: Currency,
    pub was: Totals,
    pub would_be: Totals,
    pub invoices: Vec<Pair>,
}

/// An invoice and what would be in its place: one that has a charge in common with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub was: Option<Issued>,
    pub would_be: Option<Issued>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub invoices: i64,
    pub net: Money,
    pub tax: Money,
    pub total: Money,
    pub to_pay: Money,
}

impl Totals {
    pub fn of<'a>(currency: Currency, invoices: impl Iterator<Item = &'a Issued>) -> Result<Self, MoneyError> {
        let zero = Money::zero(currency);
        let mut totals = Self {
            invoices: 0,
            net: zero,
            tax: zero,
            total: zero,
            to_pay: zero,
        };
        for issued in invoices {
            totals.invoices += 1;
            totals.net = totals.net.checked_add(issued.net())?;
            totals.tax = totals.tax.checked_add(issued.tax())?;
            totals.total = totals.total.checked_add(issued.total)?;
            totals.to_pay = totals.to_pay.checked_add(issued.to_pay())?;
        }
        Ok(totals)
    }

    /// How much more it is than the other.
    pub fn less(&self, other: &Self) -> Result<Self, MoneyError> {
        Ok(Self {
            invoices: self.invoices - other.invoices,
            net: self.net.checked_sub(other.net)?,
            tax: self.tax.checked_sub(other.tax)?,
            total: self.total.checked_sub(other.total)?,
            to_pay: self.to_pay.checked_sub(other.to_pay)?,
        })
    }
}

/// One event of a customer's history.
struct Past {
    position: i64,
    at: DateTime<Utc>,
    stream: String,
    event: AnyEvent,
}

/// A subscription on its way through its history.
struct Case {
    id: SubscriptionId,
    payer: Payer,
    what_if: WhatIf,
    /// Whether the terms of this one are replaced.
    wanted: bool,
    /// Whether a billing run has just put what was pending on invoices.
    run_invoices: bool,
    was: Vec<InvoiceId>,
    preview: Preview,
    stuck: Option<String>,
}

/// The history of one customer on a desk of its own: the subscriptions share the customer's credit.
struct Replay {
    desk: Rehearsal,
    cases: BTreeMap<String, Case>,
    /// The invoice that was issued last: what it used of the credit it used then.
    issuing: Option<InvoiceId>,
}

impl App {
    /// What the last months would have been billed, had these terms been in force then.
    pub async fn preview_terms(
        &self,
        tenant: &TenantId,
        scope: Scope,
        months: u32,
        supposed: &Supposed,
    ) -> Result<Comparison, PreviewError> {
        self.check(tenant, scope).await.map_err(|error| match error {
            InvoicingError::UnknownCustomer(id) => PreviewError::UnknownCustomer(id),
            InvoicingError::UnknownSubscription(id) => PreviewError::UnknownSubscription(id),
            InvoicingError::Command(error) => error.into(),
            error => CommandError::Corrupt(Box::new(error)).into(),
        })?;
        let now = self.now_of(tenant).await?;
        let today = now.date_naive();
        let from = calendar::shift(today, PeriodUnit::Month, -i64::from(months)).unwrap_or(NaiveDate::MIN);
        let mut comparison = Comparison {
            from,
            customers: Vec::new(),
            unbillable: Vec::new(),
        };
        for (customer, subscriptions) in self.replayed(tenant, scope).await? {
            let mut replay = Replay {
                desk: Rehearsal::new(tenant.clone(), now),
                cases: BTreeMap::new(),
                issuing: None,
            };
            for view in subscriptions {
                let wanted = scope.subscription.is_none_or(|only| only == view.id);
                let supposed = if wanted { supposed.clone() } else { Supposed::default() };
                replay.take(view.id, payer_of(&view), wanted, supposed);
            }
            let past = self.past_of(tenant, &replay).await?;
            // Years of many subscriptions are computed beside the threads that answer everybody else.
            let replayed = tokio::task::spawn_blocking(move || replay.run(past, from, now).map(|()| replay));
            let replay = replayed
                .await
                .map_err(|error| CommandError::Corrupt(Box::new(error)))??;
            self.compare(tenant, customer, replay, &mut comparison).await?;
        }
        Ok(comparison)
    }

    /// The subscriptions to look at by customer; all of each, because they share credit.
    async fn replayed(
        &self,
        tenant: &TenantId,
        scope: Scope,
    ) -> Result<BTreeMap<CustomerId, Vec<SubscriptionView>>, PreviewError> {
        let views = self.journal.views();
        let mut customer = scope.customer;
        if let Some(id) = scope.subscription {
            let found = projections::subscription::subscription(views, tenant, id).await;
            let found = found.map_err(CommandError::from)?;
            let found = found.filter(|view| customer.is_none_or(|customer| customer == view.customer));
            customer = Some(found.ok_or(PreviewError::UnknownSubscription(id))?.customer);
        }
        let found = match customer {
            Some(customer) => projections::subscription::subscriptions_of(views, tenant, customer).await,
            None => projections::subscription::subscriptions(views, tenant, MAX_REPLAYED + 1).await,
        };
        let found = found.map_err(CommandError::from)?;
        if found.len() > MAX_REPLAYED {
            return Err(PreviewError::TooManyToReplay);
        }
        let mut by_customer: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for view in found {
            by_customer.entry(view.customer).or_default().push(view);
        }
        Ok(by_customer)
    }

    /// What has happened to the customer's subscriptions, their usage and credit, in the order in which it did.
    async fn past_of(&self, tenant: &TenantId, replay: &Replay) -> Result<Vec<Past>, CommandError> {
        let mut streams: BTreeSet<(&str, String)> = BTreeSet::new();
        for (stream, case) in &replay.cases {
            streams.insert((Subscription::TYPE, stream.clone()));
            streams.insert((Meter::TYPE, stream.clone()));
            streams.insert((Credit::TYPE, invoicing::credit(tenant, case.payer)));
        }
        let mut past = Vec::new();
        for (aggregate_type, stream) in streams {
            for recording in self.journal.stream_after(tenant, aggregate_type, &stream, 0).await? {
                let at = DateTime::from_timestamp_micros(recording.stored.recorded_at);
                let at = at.ok_or_else(|| CommandError::Corrupt("an event of no time".into()))?;
                past.extend(recording.events.into_iter().map(|event| Past {
                    position: recording.stored.pos,
                    at,
                    stream: stream.clone(),
                    event,
                }));
            }
        }
        past.sort_by_key(|past| past.position);
        Ok(past)
    }

    async fn compare(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        replay: Replay,
        comparison: &mut Comparison,
    ) -> Result<(), CommandError> {
        let mut by_currency: BTreeMap<&'static str, (Currency, Vec<Issued>, Vec<Issued>)> = BTreeMap::new();
        for case in replay.cases.into_values().filter(|case| case.wanted) {
            if let Some(reason) = case.stuck {
                comparison.unbillable.push((case.id, reason));
                continue;
            }
            let currency = case.payer.currency;
            let of = by_currency.entry(currency.code());
            let (_, was, would_be) = of.or_insert_with(|| (currency, Vec::new(), Vec::new()));
            for id in case.was {
                let first = self.journal.first_event::<Invoice>(tenant, &id.to_string()).await?;
                if let Some(invoice::Event::Issued { issued, .. }) = first {
                    was.push(*issued);
                }
            }
            would_be.extend(case.preview.invoices);
        }
        for (currency, was, would_be) in by_currency.into_values() {
            let totals = |invoices: &[Issued]| {
                Totals::of(currency, invoices.iter())
                    .map_err(|error| CommandError::from(invoice::Refused::Money(error)))
            };
            comparison.customers.push(Compared {
                customer,
                currency,
                was: totals(&was)?,
                would_be: totals(&would_be)?,
                invoices: paired(was, would_be),
            });
        }
        Ok(())
    }
}

fn payer_of(view: &SubscriptionView) -> Payer {
    Payer {
        customer: view.customer,
        currency: view.currency,
    }
}

impl Replay {
    fn take(&mut self, id: SubscriptionId, payer: Payer, wanted: bool, supposed: Supposed) {
        let case = Case {
            id,
            payer,
            what_if: WhatIf::new(supposed),
            wanted,
            run_invoices: false,
            was: Vec::new(),
            preview: Preview::default(),
            stuck: None,
        };
        let account = invoicing::credit(self.desk.tenant(), payer);
        self.desk.lay(&account, Credit::default());
        self.desk.lay(&id.to_string(), Meter::default());
        self.cases.insert(id.to_string(), case);
    }

    fn run(&mut self, past: Vec<Past>, from: NaiveDate, now: DateTime<Utc>) -> Result<(), CommandError> {
        let mut begun = false;
        for Past { at, stream, event, .. } in past {
            if !begun && self.day_of(at) >= from {
                self.begin(at);
                begun = true;
            }
            if begun {
                self.live_through(at, &stream, &event)?;
            } else {
                self.happened(&stream, &event);
            }
        }
        if !begun {
            self.begin(now);
        }
        self.bill_up_to(now);
        Ok(())
    }

    /// The day that it was where the customer is.
    fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        let mut agreements = self.cases.values().filter_map(|case| case.what_if.actual().agreement());
        let zone = agreements.next().map_or(calendar::Tz::UTC, Agreement::zone);
        local_date(at, zone)
    }

    fn happened(&mut self, stream: &str, event: &AnyEvent) {
        match event {
            AnyEvent::Subscription(event) => {
                if let Some(case) = self.cases.get_mut(stream) {
                    case.what_if.happened(event);
                }
            }
            AnyEvent::Usage(event) => self.desk.happen::<Meter>(stream, event),
            AnyEvent::Credit(event) => self.desk.happen::<Credit>(stream, event),
            _ => {}
        }
    }

    fn begin(&mut self, at: DateTime<Utc>) {
        for (stream, case) in &mut self.cases {
            let agreement = case.what_if.actual().agreement();
            if agreement.is_some_and(|agreement| agreement.consolidation().is_some()) {
                case.stuck = Some("it shares its invoices with other orders, which are not compared".to_owned());
            }
            match case.what_if.begin(at) {
                Ok(supposed) => self.desk.lay(stream, supposed),
                Err(refused) => {
                    self.desk.lay(stream, case.what_if.actual().clone());
                    case.stuck = Some(refused.to_string());
                }
            }
        }
    }

    fn live_through(&mut self, at: DateTime<Utc>, stream: &str, event: &AnyEvent) -> Result<(), CommandError> {
        self.bill_up_to(at);
        match event {
            AnyEvent::Subscription(event) => {
                self.live_through_of(stream, event);
                Ok(())
            }
            AnyEvent::Usage(event) => {
                self.desk.happen::<Meter>(stream, event);
                Ok(())
            }
            AnyEvent::Credit(event) => self.credited(stream, event),
            _ => Ok(()),
        }
    }

    /// Invoices grant and use credit when they are issued, by themselves; what else was given or used is so again.
    fn credited(&mut self, account: &str, event: &credit::Event) -> Result<(), CommandError> {
        match event {
            credit::Event::Granted {
                source: credit::Source::Invoice { .. },
                ..
            }
            // The subscriptions of a voided invoice are not compared.
            | credit::Event::TakenBack { .. } => Ok(()),
            credit::Event::Granted {
                at,
                customer,
                amount,
                source:
                    source @ (credit::Source::Gift { .. }
                    | credit::Source::Overpayment { .. }
                    | credit::Source::VoidedInvoice { .. }),
                ..
            } => {
                self.issuing = None;
                let grant = credit::Command::Grant {
                    at: *at,
                    customer: *customer,
                    amount: *amount,
                    source: source.clone(),
                };
                self.desk.send::<Credit>(account, &grant).map(drop)
            }
            credit::Event::Used { invoice, .. } if self.issuing == Some(*invoice) => {
                self.issuing = None;
                Ok(())
            }
            credit::Event::Used {
                at,
                customer,
                invoice,
                amount,
                ..
            } => {
                let there = self.desk.state::<Credit>(account).balance(amount.currency)?;
                let amount = Money::new(amount.minor.min(there.minor), amount.currency);
                if amount.minor <= 0 {
                    return Ok(());
                }
                let use_up = credit::Command::Use {
                    at: *at,
                    customer: *customer,
                    amount,
                    invoice: *invoice,
                };
                self.desk.send::<Credit>(account, &use_up).map(drop)
            }
        }
    }

    fn live_through_of(&mut self, stream: &str, event: &subscription::Event) {
        let Some(case) = self.cases.get_mut(stream) else {
            return;
        };
        let by_hand = match event {
            subscription::Event::ChargesInvoiced { charges, .. } if !case.run_invoices => {
                Some(selected(case.what_if.actual(), charges))
            }
            _ => None,
        };
        self.issuing = match event {
            subscription::Event::ChargesInvoiced { invoice, .. } => Some(*invoice),
            _ => None,
        };
        let mut supposed = self.desk.state::<Subscription>(stream).clone();
        if let Err(refused) = case.what_if.live_through(&mut supposed, event) {
            case.stuck.get_or_insert(refused.to_string());
        }
        self.desk.lay(stream, supposed);
        match event {
            subscription::Event::Accrued { until, invoicing, .. } => {
                case.run_invoices = *invoicing;
                bill(&mut self.desk, case, *until);
            }
            subscription::Event::ChargesInvoiced { invoice, .. } => {
                case.was.push(*invoice);
                if let Some(selected) = by_hand
                    && let Err(error) = invoice_by_hand(&mut self.desk, case, *invoice, &selected)
                {
                    case.stuck.get_or_insert(error.to_string());
                }
            }
            subscription::Event::ChargesReleased { .. } => {
                let reason = "an invoice of it was voided: what stands for it cannot be told";
                case.stuck.get_or_insert(reason.to_owned());
            }
            _ => case.run_invoices = false,
        }
    }

    /// Bills what the supposed terms make due by then, as far as the real billing had come by then.
    fn bill_up_to(&mut self, at: DateTime<Utc>) {
        self.desk.move_to(at);
        for case in self.cases.values_mut() {
            let progress = case.what_if.actual().progress();
            let behind = progress.and_then(|progress| progress.next_billing);
            let until = match behind.filter(|next| *next <= at) {
                Some(next) => next - Duration::microseconds(1),
                None => at,
            };
            bill(&mut self.desk, case, until);
        }
    }
}

fn bill(desk: &mut Rehearsal, case: &mut Case, until: DateTime<Utc>) {
    let signed = desk.holds::<Subscription>(&case.id.to_string());
    let known = signed && payer(desk.state::<Subscription>(&case.id.to_string())).is_some();
    if case.stuck.is_some() || !known {
        return;
    }
    if let Err(error) = rehearse_one(desk, case.id, case.payer, until, &mut case.preview) {
        case.stuck = Some(error.to_string());
    }
}

/// Which charges somebody put on an invoice.
enum Selected {
    /// All that were paid so.
    All {
        automatic: bool,
        by_terms: bool,
    },
    These(BTreeSet<ChargeId>),
}

fn selected(actual: &Subscription, charges: &[ChargeId]) -> Selected {
    let named: BTreeSet<ChargeId> = charges.iter().copied().collect();
    let automatic = actual.pending().find(|charge| named.contains(&charge.id));
    let automatic = automatic.is_some_and(|charge| charge.automatic_payment);
    let of_kind = actual.pending().filter(|charge| charge.automatic_payment == automatic);
    if of_kind.count() == named.len() {
        let terms = actual.agreement().map(|agreement| agreement.terms.automatic_payment());
        let by_terms = terms == Some(automatic);
        return Selected::All { automatic, by_terms };
    }
    Selected::These(named)
}

fn invoice_by_hand(
    desk: &mut Rehearsal,
    case: &mut Case,
    invoice: InvoiceId,
    selected: &Selected,
) -> Result<(), CommandError> {
    let stream = case.id.to_string();
    let today = invoicing::today(desk, case.id);
    for automatic in [false, true] {
        let state = desk.state::<Subscription>(&stream);
        let terms = state
            .agreement()
            .is_some_and(|agreement| agreement.terms.automatic_payment());
        let chosen = |charge: &Charge| match selected {
            Selected::All { by_terms: true, .. } => charge.automatic_payment == terms,
            Selected::All { automatic, .. } => charge.automatic_payment == *automatic,
            Selected::These(ids) => ids.contains(&charge.id),
        };
        let charges = state.pending().filter(|charge| charge.automatic_payment == automatic);
        let charges: Vec<Charge> = charges.filter(|charge| chosen(charge)).cloned().collect();
        if charges.is_empty() {
            continue;
        }
        let taken = case.preview.invoices.iter().any(|issued| issued.invoice == invoice);
        let id = if taken {
            InvoiceId(desk.tenant().derive(&format!("what-if/{invoice}")))
        } else {
            invoice
        };
        let share = Share {
            subscription: case.id,
            charges,
        };
        let issued = invoicing::issue(desk, case.payer, id, today, vec![share])?;
        case.preview.invoices.push(issued);
    }
    Ok(())
}

/// Each invoice with what would be in its place, by the days of their issue.
fn paired(was: Vec<Issued>, would_be: Vec<Issued>) -> Vec<Pair> {
    let mut left: Vec<Option<Issued>> = would_be.into_iter().map(Some).collect();
    let mut by_charge: BTreeMap<ChargeId, usize> = BTreeMap::new();
    for (n, issued) in left.iter().enumerate() {
        let charges = issued.iter().flat_map(|issued| &issued.lines);
        by_charge.extend(charges.map(|line| (line.charge, n)));
    }
    let mut pairs = Vec::with_capacity(was.len());
    for issued in was {
        let places = issued.lines.iter().filter_map(|line| by_charge.get(&line.charge));
        let place = places.copied().find(|place| left[*place].is_some());
        pairs.push(Pair {
            would_be: place.and_then(|place| left[place].take()),
            was: Some(issued),
        });
    }
    let new = |would_be| Pair { was: None, would_be };
    pairs.extend(left.into_iter().filter(Option::is_some).map(new));
    pairs.sort_by_key(|pair| {
        let either = pair.was.as_ref().or(pair.would_be.as_ref());
        either.map(|issued| (issued.issue_date, issued.invoice.0))
    });
    pairs
}
