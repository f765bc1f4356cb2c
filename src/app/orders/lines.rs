//! The lines of orders as they are billed now: their prices, their taxes, and what they come to.

use std::collections::BTreeMap;

use aggregates::{
    billing::{Kind, Phase, Price},
    calendar::local_date,
    id::{LineId, SubscriptionId, TenantId},
    order_terms::LineBilling,
    subscription::{self, Agreement, Change, ChargeType, LineTax, OrderDetails, OrderLine, Subscription},
};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use crate::{app::App, journal::CommandError};

impl App {
    /// The lines of an order as they are billed from `day` on; those that were agreed where none are.
    pub async fn order_lines(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
        at: DateTime<Utc>,
    ) -> Result<OrderLines, CommandError> {
        let state = self.subscription_state(tenant, id).await?;
        Ok(order_lines(&state, at)?)
    }

    /// All lines that an order ever had: as they were ordered, or as they were when they came to it.
    pub async fn order_lines_ever(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
    ) -> Result<Vec<OrderLine>, CommandError> {
        let state = self.subscription_state(tenant, id).await?;
        let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
        let mut lines = agreement.order.as_ref().map_or(Vec::new(), |order| order.lines.clone());
        for phase in &agreement.phases {
            if lines.iter().all(|line| line.id != phase.line) {
                lines.push(as_billed(agreement, phase));
            }
        }
        Ok(lines)
    }
}

fn order_lines(state: &Subscription, at: DateTime<Utc>) -> Result<OrderLines, subscription::Refused> {
    let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
    let order = agreement.order.as_ref();
    // What a program of before let in may lie beyond what can be counted: the order is read all the same, and so is the
    // page it is on.
    let bills_from = state.bills_from().unwrap_or_else(|error| {
        tracing::warn!(%error, "an order is shown without the day from which it is billed");
        None
    });
    Ok(OrderLines {
        lines: lines_now(agreement, local_date(at, agreement.zone())),
        billing: order.map(|order| order.line_billing.clone()).unwrap_or_default(),
        bills_from,
    })
}

/// Lines, and what was said of the billing of single ones.
#[derive(Clone, Debug)]
pub struct OrderLines {
    pub lines: Vec<OrderLine>,
    pub billing: BTreeMap<LineId, LineBilling>,
    /// The first day that is not billed yet, where that can be told.
    pub bills_from: Option<NaiveDate>,
}

/// Lines that have an end today or before are gone; of a cancelled order all stay.
fn lines_now(agreement: &Agreement, today: NaiveDate) -> Vec<OrderLine> {
    let agreed = agreement.order.as_ref().map_or(&[][..], |order| order.lines.as_slice());
    let billed = |phase: &&Phase| phase.until.is_none_or(|until| until > today.max(phase.from));
    let mut lines: Vec<OrderLine> = Vec::new();
    for phase in agreement.phases.iter().filter(billed) {
        if lines.iter().any(|line| line.id == phase.line) {
            continue;
        }
        lines.push(as_billed(agreement, phase));
    }
    if lines.is_empty() { agreed.to_vec() } else { lines }
}

/// The line of a phase. The order keeps no item of a line that was not in it from the start: its name stands for it.
fn as_billed(agreement: &Agreement, phase: &Phase) -> OrderLine {
    let agreed = agreement.order.as_ref().map_or(&[][..], |order| order.lines.as_slice());
    let first = agreed.iter().find(|line| line.id == phase.line);
    OrderLine {
        id: phase.line,
        item: first.map_or_else(|| phase.name.clone(), |first| first.item.clone()),
        name: first.map_or_else(|| Some(phase.name.clone()), |first| first.name.clone()),
        quantity: phase.quantity,
        price: unit_price(&phase.price),
        charge_type: charge_type(&phase.kind),
        tax: phase.tax_rate.map(|rate| {
            let since = agreement.line_billing(phase.line).map_or(&[][..], |own| &own.taxes);
            let agreed = first.and_then(|first| first.tax.as_ref());
            let mut named = since.iter().chain(agreed);
            let same = named.find(|tax| tax.rate == rate);
            same.cloned().unwrap_or(LineTax { rate, name: None })
        }),
    }
}

fn unit_price(price: &Price) -> Decimal {
    match price {
        Price::PerUnit { amount, .. } | Price::Flat { amount } | Price::Package { amount, .. } => *amount,
        Price::Graduated { .. } | Price::Volume { .. } | Price::Stairstep { .. } => Decimal::ZERO,
    }
}

fn charge_type(kind: &Kind) -> ChargeType {
    match kind {
        Kind::OneOff => ChargeType::OneOff,
        Kind::Metered { .. } => ChargeType::Metered,
        Kind::Recurring | Kind::Trial => ChargeType::Recurring,
    }
}

/// What the order's lines come to from the day of the change on, with their taxes, must be an amount: as when it was placed.
pub(super) fn check_totals(agreement: &Agreement, change: &Change) -> Result<(), subscription::Refused> {
    let Some(order) = &agreement.order else {
        return Ok(());
    };
    let mut lines = lines_now(agreement, change.effective);
    lines.retain(|line| !change.replaced.contains(&line.id));
    lines.extend(change.lines.iter().map(|line| OrderLine {
        id: line.id,
        item: line.name.clone(),
        name: None,
        quantity: line.quantity,
        price: unit_price(&line.price),
        charge_type: charge_type(&line.kind),
        tax: line.tax_rate.map(|rate| LineTax { rate, name: None }),
    }));
    let then = OrderDetails {
        lines,
        ..(**order).clone()
    };
    then.totals(agreement.currency).map_err(|(_, error)| error)?;
    Ok(())
}

/// The tax with its name, where it has one: its own, or that of the line's latest tax.
pub(in crate::app) fn named(agreement: &Agreement, line: LineId, tax: &LineTax) -> Option<LineTax> {
    let since = agreement.line_billing(line).map_or(&[][..], |own| &own.taxes);
    let ordered = agreement.order.as_ref().map_or(&[][..], |order| &order.lines);
    let agreed = ordered.iter().find(|agreed| agreed.id == line);
    let latest = || since.last().or(agreed.and_then(|agreed| agreed.tax.as_ref()));
    let name = tax
        .name
        .clone()
        .or_else(|| latest().and_then(|latest| latest.name.clone()))?;
    Some(LineTax {
        rate: tax.rate,
        name: Some(name),
    })
}

#[cfg(test)]
mod tests {
    use aggregates::Decider;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_order_that_cannot_be_billed_is_read_without_the_day_from_which_it_is() {
        let golden = include_str!("../../../aggregates/golden/subscription.signed.v1.phases.json");
        let mut signed: Value = serde_json::from_str(golden).unwrap();
        let phases = signed["agreement"]["phases"].as_array_mut().unwrap();
        phases.retain(|phase| phase["kind"]["kind"] == "recurring");
        for phase in phases {
            // No period that begins there ends in the calendar.
            phase["from"] = json!("+262142-12-31");
            phase["until"] = Value::Null;
            phase["billed_through"] = Value::Null;
        }
        let mut state = Subscription::default();
        state.apply(&serde_json::from_value(signed).unwrap());
        assert!(state.bills_from().is_err());
        let read = order_lines(&state, "2026-10-05T12:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(read.bills_from, None);
        assert!(!read.lines.is_empty());
    }
}
