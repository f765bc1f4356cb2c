//! What the last months would have been billed under other terms: the history of customers once more, with the same
//! decisions as the bill, on copies that nobody keeps.

mod replayed;
mod replayed_bills;
mod replayed_decisions;
mod replayed_invoices;
mod replayed_standing;

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent, Decider,
    calendar::{self, PeriodUnit},
    credit::Credit,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId, TenantId},
    invoice::{self, Invoice, Issued},
    money::{Currency, Money, MoneyError},
    payment::{Payment, payment_id},
    subscription::{self, Subscription, Supposed},
    usage::Meter,
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::subscription::{Payer, Scope, SubscriptionView};

use super::{
    App,
    invoicing::{self, InvoicingError},
    previews::{MAX_REPLAYED, PreviewError},
};
use crate::journal::{CommandError, Recording};
use replayed::{Past, Replay};

/// How many histories of invoices are read at a time.
const HISTORIES: usize = 64;
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
    /// What happened and would have been refused: it is left out of what would be.
    pub refused: Vec<(SubscriptionId, Refusal)>,
    /// Of these it is not known what was asked for in that time: what happened happens as it was decided, though under
    /// other terms it may have been decided otherwise.
    pub replayed: Vec<SubscriptionId>,
}

/// What happened, and would not have under the supposed terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub at: DateTime<Utc>,
    /// What came of it: the name of the event.
    pub event: &'static str,
    pub reason: String,
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
            refused: Vec::new(),
            replayed: Vec::new(),
        };
        for subscriptions in self.replayed(tenant, scope).await? {
            let mut replay = Replay::of(tenant, now);
            for view in subscriptions {
                let wanted = scope.subscription.is_none_or(|only| only == view.id);
                let supposed = if wanted { supposed.clone() } else { Supposed::default() };
                replay.take(view.id, payer_of(&view), wanted, supposed);
            }
            let past = self.past_of(tenant, &replay).await?;
            // Years of many subscriptions are computed beside the threads that answer everybody else.
            let replayed = tokio::task::spawn_blocking(move || replay.run(&past, from, now).map(|()| replay));
            let replay = replayed
                .await
                .map_err(|error| CommandError::Corrupt(Box::new(error)))??;
            self.compare(tenant, replay, &mut comparison).await?;
        }
        comparison.customers.sort_by_key(|compared| compared.customer);
        Ok(comparison)
    }

    /// The subscriptions to look at, together with those that they depend on: all of a customer, because they share credit,
    /// and all of whose they were before, where that is looked at too.
    async fn replayed(&self, tenant: &TenantId, scope: Scope) -> Result<Vec<Vec<SubscriptionView>>, PreviewError> {
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
        let ids: Vec<SubscriptionId> = found.iter().map(|view| view.id).collect();
        let moved = projections::usage::moves(views, tenant, &ids).await;
        Ok(together(found, &moved.map_err(CommandError::from)?))
    }

    /// What has happened to the customer's subscriptions, their usage, credit and invoices, in the order in which it did.
    async fn past_of(&self, tenant: &TenantId, replay: &Replay) -> Result<Vec<Past>, CommandError> {
        let mut streams: BTreeSet<(&str, String)> = BTreeSet::new();
        for (stream, payer) in replay.streams() {
            streams.insert((Subscription::TYPE, stream.to_owned()));
            streams.insert((Meter::TYPE, stream.to_owned()));
            streams.insert((Credit::TYPE, invoicing::credit(tenant, payer)));
        }
        let mut past = Vec::new();
        for (aggregate_type, stream) in streams {
            for recording in self.journal.stream_after(tenant, aggregate_type, &stream, 0).await? {
                past.extend(told(recording, &stream)?);
            }
        }
        let invoices: BTreeSet<InvoiceId> = past.iter().filter_map(|past| invoice_of(&past.event)).collect();
        let invoices: Vec<InvoiceId> = invoices.into_iter().collect();
        for page in invoices.chunks(HISTORIES) {
            let bills: Vec<String> = page.iter().map(ToString::to_string).collect();
            let payments: Vec<String> = page.iter().map(|id| payment_id(tenant, *id).to_string()).collect();
            for (aggregate_type, streams) in [(Invoice::TYPE, bills), (Payment::TYPE, payments)] {
                for (stream, history) in self.journal.histories(tenant, aggregate_type, &streams).await? {
                    for recording in history {
                        past.extend(told(recording, &stream)?);
                    }
                }
            }
        }
        past.sort_by_key(|past| past.position);
        Ok(past)
    }

    async fn compare(
        &self,
        tenant: &TenantId,
        replay: Replay,
        comparison: &mut Comparison,
    ) -> Result<(), CommandError> {
        let mut by_currency: BTreeMap<(CustomerId, &'static str), Both> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for case in replay.compared() {
            if let Some(reason) = case.stuck {
                comparison.unbillable.push((case.id, reason));
                continue;
            }
            let refused = case.refused.into_iter().map(|refusal| (case.id, refusal));
            comparison.refused.extend(refused);
            if case.replays {
                comparison.replayed.push(case.id);
            }
            let Payer { customer, currency } = case.payer;
            let of = by_currency.entry((customer, currency.code()));
            let (_, was, would_be) = of.or_insert_with(|| (currency, Vec::new(), Vec::new()));
            // What several share counts once.
            for id in case.was.into_iter().filter(|id| known.insert((false, *id))) {
                let first = self.journal.first_event::<Invoice>(tenant, &id.to_string()).await?;
                if let Some(invoice::Event::Issued { issued, .. }) = first {
                    was.push(*issued);
                }
            }
            let new = case.would_be.into_iter();
            would_be.extend(new.filter(|issued| known.insert((true, issued.invoice))));
        }
        for ((customer, _), (currency, was, would_be)) in by_currency {
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

fn told(recording: Recording, stream: &str) -> Result<impl Iterator<Item = Past>, CommandError> {
    let at = DateTime::from_timestamp_micros(recording.stored.recorded_at);
    let at = at.ok_or_else(|| CommandError::Corrupt("an event of no time".into()))?;
    let metadata: BTreeMap<String, String> =
        serde_json::from_str(&recording.stored.metadata).map_err(|error| CommandError::Corrupt(Box::new(error)))?;
    let (position, command) = (recording.stored.pos, recording.stored.command_id);
    let request = metadata.get("request_id").unwrap_or(&command).clone();
    let stream = stream.to_owned();
    Ok(recording.events.into_iter().map(move |event| Past {
        position,
        command: command.clone(),
        request: request.clone(),
        at,
        stream: stream.clone(),
        event,
    }))
}

/// The invoice that an event puts charges on.
fn invoice_of(event: &AnyEvent) -> Option<InvoiceId> {
    match event {
        AnyEvent::Subscription(subscription::Event::ChargesInvoiced { invoice, .. }) => Some(*invoice),
        _ => None,
    }
}

/// What was issued in a currency, and what would have been.
type Both = (Currency, Vec<Issued>, Vec<Issued>);

/// Those of one customer together, and those of customers of whom one has what was another's.
fn together(found: Vec<SubscriptionView>, moved: &[(SubscriptionId, SubscriptionId)]) -> Vec<Vec<SubscriptionView>> {
    let customers: BTreeMap<SubscriptionId, CustomerId> = found.iter().map(|view| (view.id, view.customer)).collect();
    // Each customer's group is named by one of those in it.
    let mut groups: BTreeMap<CustomerId, CustomerId> = customers.values().map(|id| (*id, *id)).collect();
    for (before, next) in moved {
        let both = customers.get(next).zip(customers.get(before));
        let both = both.and_then(|(next, before)| groups.get(next).copied().zip(groups.get(before).copied()));
        if let Some((next, before)) = both {
            groups
                .values_mut()
                .filter(|group| **group == next)
                .for_each(|group| *group = before);
        }
    }
    let mut by_group: BTreeMap<CustomerId, Vec<SubscriptionView>> = BTreeMap::new();
    for view in found {
        let group = groups.get(&view.customer).copied().unwrap_or(view.customer);
        by_group.entry(group).or_default().push(view);
    }
    by_group.into_values().collect()
}

fn payer_of(view: &SubscriptionView) -> Payer {
    Payer {
        customer: view.customer,
        currency: view.currency,
    }
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
