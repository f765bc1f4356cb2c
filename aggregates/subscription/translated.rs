//! A history of which it is not known what was asked for: what happened happens again, to what stands for what it happened to
//! under other terms.

use super::{
    Agreement, Command, Event, Refused, Subscription, Terms, phases,
    standing::Both,
    what_if::{WhatIf, happen, noted, reckon, send},
};
use crate::{
    Decider,
    billing::{Phase, Schedule},
    order_terms::{LineBilling, OrderBillingPreferences},
};

impl WhatIf {
    pub(super) fn replay(&mut self, subscription: &mut Subscription, event: &Event) -> Result<(), Refused> {
        match event {
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
            Event::PolicyUpdated { at, policy, .. } => Self::policy(subscription, *at, self.policy_over(policy)),
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
            Event::Moved { .. } => {
                happen(subscription, event);
                Ok(())
            }
            Event::Signed { .. }
            | Event::Accrued { .. }
            | Event::ChargesInvoiced { .. }
            | Event::ChargesReleased { .. }
            | Event::Ended { .. } => Ok(()),
        }
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
