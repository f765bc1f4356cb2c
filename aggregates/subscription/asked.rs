//! What was asked of a subscription, told from what came of it: under other terms it is asked again.

use std::collections::BTreeMap;

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

    /// A period that keeps the division in which it was charged keeps it in a change of prices, too: behind it the lines go on
    /// as is preferred since. By the days on which they do.
    pub fn divided_behind(&self, change: &Change, prefers: impl Fn(LineId) -> Option<bool>) -> Vec<Change> {
        let mut behind: BTreeMap<NaiveDate, Change> = BTreeMap::new();
        for line in change.lines.iter().filter(|line| line.kind == Kind::Recurring) {
            let phase = self.phase_on(change.effective, |phase| phase.line == line.id);
            let period = phase.and_then(|phase| phase.schedule?.containing(change.effective));
            let other = prefers(line.id).is_some_and(|prefers| prefers != line.prorate);
            let Some(period) = period.filter(|_| other) else {
                continue;
            };
            let next = behind.entry(period.end).or_insert_with(|| Change {
                implied: true,
                ..Change::on(period.end)
            });
            next.replaced.push(line.id);
            next.lines.push(PlanLine {
                prorate: !line.prorate,
                ..line.clone()
            });
        }
        behind.into_values().collect()
    }
}

/// Whether the preferences of an order divide the line.
fn divided_as_preferred(then: &Subscription, line: LineId, own: Option<&LineBilling>) -> Option<bool> {
    let agreement = then.agreement()?;
    let Terms::Order { billing } = &agreement.terms else {
        return None;
    };
    let own = own.or(agreement.line_billing(line)).cloned().unwrap_or_default();
    Some(own.prorates(billing))
}

impl WhatIf {
    /// What was asked for with the event, as it is for who has the supposed terms.
    pub(super) fn asked(&self, then: &Subscription, event: &Event) -> Vec<Command> {
        let Event::Changed {
            at, asked: Some(asked), ..
        } = event
        else {
            return self.asked_alone(then, event).into_iter().collect();
        };
        let Some(first) = self.asked_alone(then, event) else {
            return Vec::new();
        };
        let behind = match &first {
            Command::Change { change, .. } => then.divided_behind(change, |line| self.prefers(then, asked, line)),
            _ => Vec::new(),
        };
        let mut all = vec![first];
        all.extend(behind.into_iter().map(|change| Command::Change {
            at: *at,
            change: Box::new(change),
        }));
        all
    }

    /// Whether the line is divided behind a period that keeps its division; none where nothing was said of that.
    fn prefers(&self, then: &Subscription, asked: &Change, line: LineId) -> Option<bool> {
        let said = asked.said.get(&line)?;
        let told = said.prefers?;
        Some(self.divides(then, line, said.own.as_deref()).unwrap_or(told))
    }

    /// Whether the line is divided by the preferences there are; none where those that are supposed say nothing of it.
    fn divides(&self, then: &Subscription, line: LineId, own: Option<&LineBilling>) -> Option<bool> {
        let supposed = &self.supposed.order;
        let flags = [
            supposed.pro_rata_partial_charging_period,
            supposed.pro_rata_partial_pricing_period,
        ];
        let is_supposed = flags.iter().any(Option::is_some);
        divided_as_preferred(then, line, own).filter(|_| is_supposed)
    }

    /// The same command, as it is for who has the supposed terms; none where the event came of another one, or of billing.
    fn asked_alone(&self, then: &Subscription, event: &Event) -> Option<Command> {
        Some(match event {
            Event::Activated { at, activation, .. } => Command::Activate {
                at: *at,
                activation: *activation,
            },
            Event::Changed { at, asked, implied, .. } => {
                let asked = asked.as_deref().filter(|_| !implied)?;
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
            Event::BillingPreferencesUpdated {
                at, billing, implied, ..
            } => {
                let preferences = if *implied {
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
        let is_reshaped = change.billing_period.is_some();
        if is_reshaped {
            // Lines that began anew with their periods: others may run then.
            let goes_on = |line: LineId| asked.said.get(&line).is_some_and(|said| *said == Said::default());
            change.lines.retain(|line| !goes_on(line.id));
            change.replaced.retain(|line| !goes_on(*line));
        }
        for line in &mut change.lines {
            if let Some(said) = asked.said.get(&line.id) {
                *line = self.as_said(then, line, said, asked.effective);
            }
        }
        if is_reshaped && self.supposed.order.billing_period.is_some() {
            // Periods stay as long as they are supposed to be.
            change.billing_period = None;
        } else if is_reshaped {
            for line in then.begins_anew(asked.effective, &change.replaced) {
                let was = asked.lines.iter().find(|was| was.id == line.id);
                let was = was.map(|was| was.prorate);
                let preferred = || divided_as_preferred(then, line.id, None);
                let prorate = self.divides(then, line.id, None).or(was).or_else(preferred);
                let prorate = prorate.unwrap_or(line.prorate);
                change.replaced.push(line.id);
                change.lines.push(PlanLine { prorate, ..line });
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
        let prorate = if said.divided {
            self.divides(then, line.id, Some(&own)).unwrap_or(line.prorate)
        } else {
            base.prorate
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
