//! What a contract costs in a full cycle, as its summary estimates it.

use aggregates::{
    billing::{Kind, Phase, Timing},
    money::{Currency, Money},
    subscription::Agreement,
};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Serialize;

/// Decimal text.
#[derive(Debug, Default, Serialize)]
pub struct Price {
    pub cycle_start_charges: String,
    pub minimum_usage: String,
    pub extra_cycle_end_charges: String,
}

/// Features have no cycles of their own here: nothing falls on them.
#[derive(Debug, Serialize)]
pub struct CustomCycles {
    #[serde(rename = "periodic_daily")]
    pub daily: Price,
    #[serde(rename = "periodic_weekly")]
    pub weekly: Price,
    #[serde(rename = "periodic_monthly")]
    pub monthly: Price,
    #[serde(rename = "periodic_quarterly")]
    pub quarterly: Price,
    #[serde(rename = "periodic_yearly")]
    pub yearly: Price,
}

#[derive(Debug, Serialize)]
pub struct Estimates {
    pub recurring_price: Price,
    pub one_time_price: Price,
    pub on_demand_price: Price,
    pub custom_cycle_charges: CustomCycles,
}

/// Exact sums, before they are written in the currency.
#[derive(Default)]
struct Sums {
    start: Decimal,
    minimum: Decimal,
    end: Decimal,
}

impl Sums {
    fn written(&self, currency: Currency) -> Option<Price> {
        let text = |exact: Decimal| Money::rounded(exact, currency).ok().map(|amount| amount.to_string());
        Some(Price {
            cycle_start_charges: text(self.start)?,
            minimum_usage: text(self.minimum)?,
            extra_cycle_end_charges: text(self.end)?,
        })
    }
}

/// What a full cycle costs from `today` on, and what of it is certain. `None` where it is too much to be written.
pub fn estimates(agreement: &Agreement, today: NaiveDate) -> Option<(String, Estimates)> {
    let goes_on = |phase: &&Phase| phase.until.is_none_or(|until| until > today.max(phase.from));
    let (mut recurring, mut once) = (Sums::default(), Sums::default());
    let mut seen = Vec::new();
    for phase in agreement.phases.iter().filter(goes_on) {
        if phase.kind == Kind::Trial || seen.contains(&phase.line) {
            continue;
        }
        seen.push(phase.line);
        let quantity = match phase.kind {
            Kind::Metered { .. } => Decimal::ZERO,
            Kind::Trial | Kind::OneOff | Kind::Recurring => phase.quantity,
        };
        let full = phase.price.cost(quantity).ok()?.amount;
        let cost = match &phase.discount {
            Some(discount) => discount.apply(full).ok()?,
            None => full,
        };
        let sum = match (&phase.kind, phase.timing) {
            (Kind::Trial, _) => continue,
            (Kind::Metered { .. }, _) => &mut recurring.minimum,
            (Kind::OneOff, _) => &mut once.start,
            (Kind::Recurring, Timing::Advance) => &mut recurring.start,
            (Kind::Recurring, Timing::Arrears) => &mut recurring.end,
        };
        *sum = sum.checked_add(cost)?;
    }
    let currency = agreement.currency;
    let nothing = || Sums::default().written(currency);
    let amount = recurring.start.checked_add(recurring.end)?;
    let amount = Money::rounded(amount, currency).ok()?.to_string();
    Some((
        amount,
        Estimates {
            recurring_price: recurring.written(currency)?,
            one_time_price: once.written(currency)?,
            on_demand_price: nothing()?,
            custom_cycle_charges: CustomCycles {
                daily: nothing()?,
                weekly: nothing()?,
                monthly: nothing()?,
                quarterly: nothing()?,
                yearly: nothing()?,
            },
        },
    ))
}
