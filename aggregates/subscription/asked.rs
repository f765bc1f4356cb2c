//! What was asked of a subscription, told from what came of it: under other terms it is asked again.

use super::{Change, Command, Event, NewCharge, OrderChange, Refused, Subscription, Terms, what_if::WhatIf};
use crate::{
    catalog::PlanLine,
    id::LineId,
    order_terms::{LineBilling, LineBillingChanges, OrderBillingChanges, OrderBillingPreferences},
};

impl Event {
    /// Whether it is known what was asked for.
    pub fn is_asked(&self) -> bool {
        match self {
            Self::Changed { asked, implied, .. } => *implied || asked.as_ref().is_some_and(|asked| asked.is_told()),
            _ => true,
        }
    }
}

impl WhatIf {
    /// What was asked for with the event, as it is for who has the supposed terms; nothing where the event came of another
    /// one, or of billing.
    pub(super) fn asked(&self, then: &Subscription, event: &Event) -> Result<Vec<Command>, Refused> {
        let Event::Changed {
            at,
            asked: Some(asked),
            implied: false,
            ..
        } = event
        else {
            return Ok(self.asked_alone(then, event).into_iter().collect());
        };
        let changes = match &asked.ordered {
            Some(ordered) => then.ordered(&self.ordered(ordered), asked.effective)?,
            None => vec![changed(then, asked)],
        };
        let command = |change| Command::Change {
            at: *at,
            change: Box::new(change),
        };
        Ok(changes.into_iter().map(command).collect())
    }

    /// The call as who has the supposed terms makes it.
    pub(super) fn ordered(&self, ordered: &OrderChange) -> OrderChange {
        OrderChange {
            billing: ordered.billing.clone().where_supposed(&self.supposed.order),
            ..ordered.clone()
        }
    }

    fn asked_alone(&self, then: &Subscription, event: &Event) -> Option<Command> {
        Some(match event {
            Event::Activated { at, activation, .. } => Command::Activate {
                at: *at,
                activation: *activation,
            },
            Event::LineBillingUpdated { at, line, billing, .. } => Command::UpdateLineBilling {
                at: *at,
                line: *line,
                billing: Box::new(self.of_line(then, *line, billing)),
            },
            Event::BillingPreferencesUpdated { at, billing, .. } => Command::UpdateBillingPreferences {
                at: *at,
                preferences: Box::new(self.preferences(then, billing)?),
            },
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
            Event::Changed { .. }
            | Event::UsageArrived { .. }
            | Event::Signed { .. }
            | Event::Accrued { .. }
            | Event::ChargesInvoiced { .. }
            | Event::ChargesReleased { .. }
            | Event::Ended { .. } => return None,
        })
    }

    /// The preferences that there are, with what the event has otherwise than they were; none where there are none.
    fn preferences(&self, then: &Subscription, billing: &OrderBillingPreferences) -> Option<OrderBillingPreferences> {
        let Terms::Order { billing: now } = &then.agreement()?.terms else {
            return None;
        };
        Some(self.preferred(billing)?.where_supposed(&self.supposed.order).over(now))
    }

    /// What the event has otherwise than the order's preferences were.
    pub(super) fn preferred(&self, billing: &OrderBillingPreferences) -> Option<OrderBillingChanges> {
        match &self.actual.agreement()?.terms {
            Terms::Order { billing: before } => Some(OrderBillingChanges::between(before, billing)),
            Terms::Contract { .. } => None,
        }
    }

    /// How the line is billed, with what the event has otherwise than it was.
    fn of_line(&self, then: &Subscription, line: LineId, billing: &LineBilling) -> LineBilling {
        let own = |of: &Subscription| {
            let own = of.agreement().and_then(|agreement| agreement.line_billing(line));
            own.cloned().unwrap_or_default()
        };
        let before = own(&self.actual);
        let mut now = LineBillingChanges::between(&before, billing).over(&own(then));
        let named = billing.taxes.iter().filter(|tax| !before.taxes.contains(tax));
        named.cloned().for_each(|tax| now.name_tax(tax));
        now
    }
}

/// What was made of the lines as they were billed is made so again.
fn changed(then: &Subscription, asked: &Change) -> Change {
    let mut change = asked.clone();
    for line in &mut change.lines {
        let quantity = asked.said.get(&line.id).and_then(|said| said.quantity);
        let now = quantity.zip(then.line(line.id, asked.effective));
        if let Some((quantity, now)) = now {
            *line = PlanLine { quantity, ..now };
        }
    }
    change
}
