//! What was asked of a subscription, told from what came of it: under other terms it is asked again.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{Change, Command, Event, NewCharge, Said, Subscription, Terms, what_if::WhatIf};
use crate::{
    billing::Kind,
    catalog::PlanLine,
    id::LineId,
    order_terms::{LineBilling, OrderBillingPreferences},
};

impl Event {
    /// Whether it is known what was asked for.
    pub fn is_asked(&self) -> bool {
        match self {
            Self::Changed { asked, implied, .. } => asked.is_some() || *implied,
            _ => true,
        }
    }
}

impl Subscription {
    /// The lines of an order that begin anew where its periods come to be of another length: those that run on the day, but
    /// for what has a length of its own, and for what is replaced.
    pub fn begins_anew(&self, day: NaiveDate, replaced: &[LineId]) -> Vec<PlanLine> {
        let Some(agreement) = self.agreement() else {
            return Vec::new();
        };
        let own = |line: LineId| agreement.line_billing(line).is_some_and(LineBilling::has_own_length);
        let mut lines: Vec<PlanLine> = Vec::new();
        for phase in agreement.phases.iter().filter(|phase| phase.kind != Kind::OneOff) {
            let running = phase.until.is_none_or(|until| until > day.max(phase.from));
            let known = replaced.contains(&phase.line) || lines.iter().any(|line| line.id == phase.line);
            if running && !known && !own(phase.line) {
                lines.extend(self.line(phase.line, day));
            }
        }
        lines
    }
}

impl WhatIf {
    /// The same command, as it is for who has the supposed terms; none where the event came of another one, or of billing.
    pub(super) fn asked(&self, then: &Subscription, event: &Event) -> Option<Command> {
        Some(match event {
            Event::Activated { at, activation, .. } => Command::Activate {
                at: *at,
                activation: *activation,
            },
            Event::Changed { at, asked, .. } => {
                let asked = asked.as_deref()?;
                let change = Box::new(self.changed(then, asked));
                if change.replaced.is_empty() && !asked.replaced.is_empty() {
                    // Nothing is left of it; without a line that it is about it would be about all of them.
                    return None;
                }
                Command::Change { at: *at, change }
            }
            Event::LineBillingUpdated { at, line, billing, .. } => Command::UpdateLineBilling {
                at: *at,
                line: *line,
                billing: billing.clone(),
            },
            Event::BillingPreferencesUpdated { at, billing, .. } => {
                let preferences = if self.came_of_a_change(event) {
                    self.of_period(then, billing)?
                } else {
                    self.supposed.order.clone().over(billing)
                };
                Command::UpdateBillingPreferences {
                    at: *at,
                    preferences: Box::new(preferences),
                }
            }
            Event::PolicyUpdated { at, policy, .. } => Command::UpdatePolicy {
                at: *at,
                changes: self.policy_over(policy),
            },
            Event::Paused { at, from, .. } => Command::Pause { at: *at, from: *from },
            Event::Resumed {
                at, from, undelivered, ..
            } => {
                if self.actual.is_paused(*at) {
                    Command::Resume { at: *at, from: *from }
                } else {
                    Command::Reactivate {
                        at: *at,
                        from: *from,
                        undelivered: undelivered.clone(),
                    }
                }
            }
            Event::Cancelled { at, effective, .. } => Command::Cancel {
                at: *at,
                effective: *effective,
            },
            Event::Moved {
                at,
                effective,
                to,
                customer,
                ..
            } => Command::HandOver {
                at: *at,
                effective: *effective,
                to: *to,
                customer: *customer,
            },
            Event::UsageClosed { at, through, .. } => Command::CloseUsage {
                at: *at,
                through: *through,
            },
            Event::ChargeAdded { at, charge, .. } => {
                let terms = self.actual.agreement().map(|agreement| &agreement.terms);
                let by_terms = terms.is_some_and(|terms| charge.automatic_payment == terms.automatic_payment());
                Command::AddCharge {
                    at: *at,
                    charge: NewCharge {
                        id: charge.id,
                        name: charge.name.clone(),
                        amount: charge.amount,
                        period: charge.period,
                        flat_fee: charge.flat_fee,
                        automatic_payment: Some(charge.automatic_payment).filter(|_| !by_terms),
                    },
                }
            }
            // Late usage is noted when it comes, or by what ends.
            Event::UsageArrived { .. }
            | Event::Signed { .. }
            | Event::Accrued { .. }
            | Event::ChargesInvoiced { .. }
            | Event::ChargesReleased { .. }
            | Event::Ended { .. } => return None,
        })
    }

    /// Whether these are preferences of which nothing but the length of the periods is another one, which a change has
    /// brought beside it.
    pub(super) fn came_of_a_change(&self, event: &Event) -> bool {
        let Event::BillingPreferencesUpdated {
            billing, ended, begun, ..
        } = event
        else {
            return false;
        };
        let Some(Terms::Order { billing: now }) = self.actual.agreement().map(|agreement| &agreement.terms) else {
            return false;
        };
        let then = OrderBillingPreferences {
            billing_period: billing.billing_period.clone(),
            ..(**now).clone()
        };
        ended.is_empty() && begun.is_empty() && **now != then && then == **billing
    }

    /// The preferences that there are, with that period; none where another one is supposed.
    fn of_period(&self, then: &Subscription, billing: &OrderBillingPreferences) -> Option<OrderBillingPreferences> {
        let Terms::Order { billing: now } = &then.agreement()?.terms else {
            return None;
        };
        let supposed = &self.supposed.order;
        supposed.billing_period.is_none().then(|| OrderBillingPreferences {
            billing_period: billing.billing_period.clone(),
            ..(**now).clone()
        })
    }

    /// What was made of the lines as they were billed, or as the order's preferences said, is made so again.
    fn changed(&self, then: &Subscription, asked: &Change) -> Change {
        let mut change = asked.clone();
        if change.billing_period.is_some() {
            // Lines that began anew with their periods: others may run then.
            let goes_on = |line: LineId| asked.said.get(&line).is_some_and(|said| *said == Said::default());
            change.lines.retain(|line| !goes_on(line.id));
            change.replaced.retain(|line| !goes_on(*line));
            if self.supposed.order.billing_period.is_some() {
                // Periods stay as long as they are supposed to be.
                change.billing_period = None;
            } else {
                let anew = then.begins_anew(asked.effective, &change.replaced);
                change.replaced.extend(anew.iter().map(|line| line.id));
                change.lines.extend(anew);
            }
        }
        for line in &mut change.lines {
            if let Some(said) = asked.said.get(&line.id) {
                *line = self.as_said(then, line, said, asked.effective);
            }
        }
        change
    }

    fn as_said(&self, then: &Subscription, line: &PlanLine, said: &Said, day: NaiveDate) -> PlanLine {
        let base = then.line(line.id, day).unwrap_or_else(|| line.clone());
        let (supposed, own) = (&self.supposed.order, said.own.as_deref().cloned().unwrap_or_default());
        let order = match then.agreement().map(|agreement| &agreement.terms) {
            Some(Terms::Order { billing }) => Some(supposed.clone().over(billing)),
            Some(Terms::Contract { .. }) | None => None,
        };
        let counted = |units: Decimal| match (&order, supposed.pro_rata_partial_unit) {
            (Some(order), Some(_)) if own.partial_units(order) => units,
            (Some(_), Some(_)) => units.ceil(),
            (Some(_), None) | (None, _) => line.quantity,
        };
        let flags = [
            supposed.pro_rata_partial_charging_period,
            supposed.pro_rata_partial_pricing_period,
        ];
        let prorate = match &order {
            _ if !said.divided => base.prorate,
            Some(order) if flags.iter().any(Option::is_some) => own.prorates(order),
            Some(_) | None => line.prorate,
        };
        PlanLine {
            quantity: said.quantity.map_or(base.quantity, counted),
            price: said.price.clone().unwrap_or(base.price),
            tax_rate: if said.taxed { line.tax_rate } else { base.tax_rate },
            prorate,
            ..base
        }
    }
}
