//! What a subscription would have come to under other terms: its history once more, with the terms replaced from a day on.
//!
//! Nobody agreed to other things: changes, pauses and ends happen when they happened, to what stands for what they
//! happened to. Charges and invoices are left out of the history: whoever takes it again bills again.

use chrono::{DateTime, Utc};

use super::{
    Agreement, Charge, Command, Event, InvoiceCalendar, NOTHING_USED, Now, Refused, Status, Subscription, Terms,
    phases,
    standing::{Both, Standing},
};
use crate::{
    Decider,
    billing::{Phase, Schedule},
    order_terms::{LineBilling, OrderBillingChanges, OrderBillingPreferences},
    policy::{PolicyChanges, PolicyOwner},
    preferences::InvoicingChanges,
};

/// What is supposed to have been otherwise. Each part concerns the subscriptions that have such terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supposed {
    pub invoicing: InvoicingChanges,
    pub order: OrderBillingChanges,
    pub policy: PolicyChanges,
}

/// A history on its way: what has become of the subscription, and how that is found in the supposed one, which the
/// caller holds and bills.
#[derive(Clone, Debug, Default)]
pub struct WhatIf {
    actual: Subscription,
    supposed: Supposed,
    standing: Standing,
}

impl WhatIf {
    pub fn new(supposed: Supposed) -> Self {
        Self {
            supposed,
            ..Self::default()
        }
    }

    /// What has really become of it so far.
    pub fn actual(&self) -> &Subscription {
        &self.actual
    }

    /// Takes what happened before the terms are replaced.
    pub fn happened(&mut self, event: &Event) {
        self.actual.apply(event);
    }

    /// Replaces the terms: from here on the answer bills by the supposed ones.
    pub fn begin(&mut self, at: DateTime<Utc>) -> Result<Subscription, Refused> {
        let mut subscription = self.actual.clone();
        let Some(agreement) = self.actual.agreement().cloned() else {
            return Ok(subscription);
        };
        self.standing.know(&agreement.phases);
        if agreement.status == Status::Cancelled {
            return Ok(subscription);
        }
        match &agreement.terms {
            Terms::Contract { invoicing } => {
                let invoicing_then = self.supposed.invoicing.over(*invoicing);
                if invoicing_then != *invoicing {
                    set_terms(&mut subscription, self.terms(&agreement.terms));
                    reckon(&mut subscription, at)?;
                }
            }
            Terms::Order { billing } => {
                let then = self.supposed.order.clone().over(billing);
                self.bill_by(&mut subscription, at, then)?;
            }
        }
        Self::policy(&mut subscription, at, self.supposed.policy)?;
        Ok(subscription)
    }

    /// Lets the supposed subscription live through what happened to the actual one. That charges and invoices were made
    /// is noted of the actual one only.
    pub fn live_through(&mut self, subscription: &mut Subscription, event: &Event) -> Result<(), Refused> {
        self.counterpart(subscription, event)?;
        self.actual.apply(event);
        Ok(())
    }

    fn counterpart(&mut self, subscription: &mut Subscription, event: &Event) -> Result<(), Refused> {
        match event {
            Event::Signed { at, agreement, .. } => self.signed(subscription, *at, agreement, event),
            Event::Activated { at, .. }
            | Event::LineBillingUpdated { at, .. }
            | Event::Changed { at, .. }
            | Event::Paused { at, .. }
            | Event::Resumed { at, .. }
            | Event::Cancelled { at, .. } => {
                let translated = self.translated(subscription, event);
                happen(subscription, &translated);
                reckon(subscription, *at)
            }
            Event::ChargeAdded { at, charge, .. } => {
                self.charge_added(subscription, *at, charge);
                Ok(())
            }
            Event::BillingPreferencesUpdated {
                at,
                billing,
                ended,
                begun,
                ..
            } => {
                let then = self.supposed.order.clone().over(billing);
                if ended.is_empty() && begun.is_empty() {
                    // No period begins anew by it; or a change has begun it already.
                    happen(subscription, &noted(*at, then));
                    return reckon(subscription, *at);
                }
                self.bill_by(subscription, *at, then)?;
                let actual = self.actual.agreement().map_or(&[][..], |actual| &actual.phases);
                self.standing.succeed(actual, ended, begun);
                Ok(())
            }
            Event::PolicyUpdated { at, policy, .. } => {
                let supposed = self.supposed.policy;
                let changes = PolicyChanges {
                    proration: supposed.proration.or(Some(policy.proration)),
                    tax_level: supposed.tax_level.or(Some(policy.tax.level)),
                    tax_mode: supposed.tax_mode.or(Some(policy.tax.mode)),
                };
                Self::policy(subscription, *at, changes)
            }
            Event::UsageArrived { next_billing, .. } => {
                let next = subscription.progress().and_then(|progress| progress.next_billing);
                if next.is_none_or(|next| next > *next_billing) {
                    subscription.apply(event);
                }
                Ok(())
            }
            Event::UsageClosed { at, through, .. } => {
                let (at, through) = (*at, *through);
                match send(subscription, &Command::CloseUsage { at, through }) {
                    // Under the supposed terms nobody would have had to.
                    Ok(_) | Err(Refused::ClosesByItself) => Ok(()),
                    // Once that could be told.
                    Err(Refused::UsageToCome { .. }) => {
                        happen(subscription, event);
                        reckon(subscription, at)
                    }
                    Err(refused) => Err(refused),
                }
            }
            Event::Accrued { .. }
            | Event::ChargesInvoiced { .. }
            | Event::ChargesReleased { .. }
            | Event::Moved { .. }
            | Event::Ended { .. } => Ok(()),
        }
    }

    fn signed(
        &mut self,
        subscription: &mut Subscription,
        at: DateTime<Utc>,
        agreed: &Agreement,
        event: &Event,
    ) -> Result<(), Refused> {
        let Event::Signed { subscription: id, .. } = event else {
            return Ok(());
        };
        let mut agreement = agreed.clone();
        agreement.terms = self.terms(&agreed.terms);
        if agreement.terms.trigger() != agreed.terms.trigger() {
            agreement.invoice_calendar = Some(InvoiceCalendar::FromActivation);
        }
        let policy = agreed.rules().changed(&self.supposed.policy, PolicyOwner::Subscription);
        if policy.is_some() {
            // What it goes on from is supposed to have been billed by the same policy.
            agreement.counted = Vec::new();
        }
        agreement.policy = policy.or(agreed.policy);
        if let (Some(order), Terms::Order { billing }) = (&agreed.order, &agreement.terms) {
            agreement.cycle = billing.billing_period.cycle();
            if agreed.status != Status::Pending && agreed.moved_from.is_none() {
                agreement.phases = phases::of_order(order, billing, agreed.activation);
            }
        }
        self.standing.know(&agreed.phases);
        subscription.apply(&Event::Signed {
            at,
            subscription: *id,
            agreement: Box::new(agreement),
            next_billing: None,
        });
        reckon(subscription, at)
    }

    fn terms(&self, terms: &Terms) -> Terms {
        match terms {
            Terms::Contract { invoicing } => Terms::Contract {
                invoicing: self.supposed.invoicing.over(*invoicing),
            },
            Terms::Order { billing } => Terms::Order {
                billing: Box::new(self.supposed.order.clone().over(billing)),
            },
        }
    }

    /// A charge by hand, due and paid as the supposed terms say where they are what said it.
    fn charge_added(&self, subscription: &mut Subscription, at: DateTime<Utc>, charge: &Charge) {
        let (Some(now), Some(then)) = (self.actual.agreement(), subscription.agreement()) else {
            return;
        };
        let mut charge = charge.clone();
        charge.due_date = then.terms.due_date(charge.flat_fee, charge.period, charge.period.start);
        if charge.automatic_payment == now.terms.automatic_payment() {
            charge.automatic_payment = then.terms.automatic_payment();
        }
        let waiting = subscription.pending().next().is_some();
        let next_billing = subscription.progress().and_then(|progress| {
            let now = Now {
                agreement: then,
                progress,
                waiting,
                used: &NOTHING_USED,
                at,
            };
            now.next_with_charge()
        });
        subscription.apply(&Event::ChargeAdded {
            at,
            charge,
            next_billing,
        });
    }

    fn policy(subscription: &mut Subscription, at: DateTime<Utc>, changes: PolicyChanges) -> Result<(), Refused> {
        send(subscription, &Command::UpdatePolicy { at, changes }).map(drop)
    }

    fn bill_by(
        &mut self,
        subscription: &mut Subscription,
        at: DateTime<Utc>,
        billing: OrderBillingPreferences,
    ) -> Result<(), Refused> {
        let before = subscription.agreement().map(|agreement| agreement.phases.clone());
        let preferences = Box::new(billing);
        for event in send(subscription, &Command::UpdateBillingPreferences { at, preferences })? {
            let Event::BillingPreferencesUpdated { ended, begun, .. } = event else {
                continue;
            };
            let line = |number: u32| before.iter().flatten().find(|phase| phase.number == number);
            for end in &ended {
                let line = line(end.phase).map(|phase| phase.line);
                let after = begun.iter().filter(|phase| Some(phase.line) == line);
                let after: Vec<u32> = after.map(|phase| phase.number).collect();
                self.standing.taken_over(end.phase, &after);
            }
        }
        Ok(())
    }

    /// What happened, to what stands for the phases it happened to.
    fn translated(&mut self, subscription: &Subscription, event: &Event) -> Event {
        let mut event = event.clone();
        let Some(then) = subscription.agreement() else {
            return event;
        };
        let now = self.actual.agreement().map(|actual| actual.phases.clone());
        let now = now.unwrap_or_default();
        match &mut event {
            Event::Activated { phases, .. } => {
                let adapted = phases.iter().map(|phase| self.adapted(phase, then)).collect();
                self.standing.know(phases);
                *phases = adapted;
            }
            // What stands still can end behind the day on which it does.
            Event::Changed {
                effective,
                ended,
                begun,
                stopped,
                ..
            } => {
                let actual = phases::after(&now, ended, begun);
                let (was, would_be) = (phases::restored(&now), phases::restored(&then.phases));
                *ended = self.standing.changed(Both::of(&was, &would_be), ended, *effective);
                *begun = self.begun(then, begun);
                let supposed = phases::after(&then.phases, ended, begun);
                *stopped = self.standing.ended(Both::of(&actual, &supposed), stopped);
            }
            Event::LineBillingUpdated {
                ended, begun, stopped, ..
            } => {
                let actual = phases::after(&now, ended, begun);
                let (was, would_be) = (phases::restored(&now), phases::restored(&then.phases));
                *ended = self.standing.ended(Both::of(&was, &would_be), ended);
                *begun = self.begun(then, begun);
                let supposed = phases::after(&then.phases, ended, begun);
                *stopped = self.standing.ended(Both::of(&actual, &supposed), stopped);
            }
            Event::Paused { ended, .. } | Event::Cancelled { ended, .. } => {
                *ended = self.standing.ended(Both::of(&now, &then.phases), ended);
            }
            Event::Resumed {
                reopened,
                begun,
                stopped,
                ..
            } => {
                let actual = phases::going_on(&now, reopened, begun);
                *reopened = self.standing.reopened(Both::of(&now, &then.phases), reopened);
                *begun = self.begun(then, begun);
                let supposed = phases::going_on(&then.phases, reopened, begun);
                *stopped = self.standing.ended(Both::of(&actual, &supposed), stopped);
            }
            Event::Signed { .. }
            | Event::ChargeAdded { .. }
            | Event::Accrued { .. }
            | Event::ChargesInvoiced { .. }
            | Event::ChargesReleased { .. }
            | Event::BillingPreferencesUpdated { .. }
            | Event::PolicyUpdated { .. }
            | Event::UsageArrived { .. }
            | Event::UsageClosed { .. }
            | Event::Moved { .. }
            | Event::Ended { .. } => {}
        }
        event
    }

    fn begun(&mut self, then: &Agreement, begun: &[Phase]) -> Vec<Phase> {
        let first = phases::next_number(&then.phases);
        let mut all = Vec::with_capacity(begun.len());
        for (number, phase) in (first..).zip(begun) {
            self.standing.set(phase.number, number);
            all.push(Phase {
                number,
                ..self.adapted(phase, then)
            });
        }
        all
    }

    /// What follows an order's preferences in a phase follows the supposed ones.
    fn adapted(&self, phase: &Phase, then: &Agreement) -> Phase {
        let mut phase = phase.clone();
        let now = self.actual.agreement().map(|agreement| &agreement.terms);
        let (Some(Terms::Order { billing: now }), Terms::Order { billing }) = (now, &then.terms) else {
            return phase;
        };
        if phase.prorate == LineBilling::default().prorates(now) {
            phase.prorate = LineBilling::default().prorates(billing);
        }
        let length = |billing: &OrderBillingPreferences| (billing.billing_period.unit, billing.billing_period.count);
        let (now, then_length) = (length(now), length(billing));
        let follows = phase.schedule.is_some_and(|own| (own.unit, own.count) == now);
        if follows && now != then_length {
            let present = then.phases.iter().rev().find_map(|phase| phase.schedule);
            let present = present.filter(|present| (present.unit, present.count) == then_length);
            phase.schedule = Some(present.unwrap_or(Schedule {
                unit: then_length.0,
                count: then_length.1,
                anchor: phase.from,
                offset: None,
            }));
        }
        phase
    }
}

fn send(subscription: &mut Subscription, command: &Command) -> Result<Vec<Event>, Refused> {
    let events = subscription.decide(command)?;
    for event in &events {
        subscription.apply(event);
    }
    Ok(events)
}

fn set_terms(subscription: &mut Subscription, terms: Terms) {
    if let Subscription::Signed { agreement, .. } = subscription {
        if agreement.terms.trigger() != terms.trigger() {
            agreement.invoice_calendar = Some(InvoiceCalendar::FromActivation);
        }
        agreement.terms = terms;
    }
}

/// Finds anew when there is something to do next.
fn reckon(subscription: &mut Subscription, at: DateTime<Utc>) -> Result<(), Refused> {
    if let Subscription::Signed {
        agreement,
        pending,
        progress,
        ..
    } = subscription
    {
        let now = Now {
            agreement,
            progress,
            waiting: !pending.is_empty(),
            used: &NOTHING_USED,
            at,
        };
        progress.next_billing = now.next_billing(&agreement.phases)?;
    }
    Ok(())
}

/// Something happens that leaves what is due as it was, until that is reckoned.
fn happen(subscription: &mut Subscription, event: &Event) {
    let due = subscription.progress().and_then(|progress| progress.next_billing);
    subscription.apply(event);
    if let Subscription::Signed { progress, .. } = subscription {
        progress.next_billing = due;
    }
}

/// Preferences that change no phase.
fn noted(at: DateTime<Utc>, billing: OrderBillingPreferences) -> Event {
    Event::BillingPreferencesUpdated {
        at,
        billing: Box::new(billing),
        ended: Vec::new(),
        begun: Vec::new(),
        stopped: Vec::new(),
        next_billing: None,
    }
}
