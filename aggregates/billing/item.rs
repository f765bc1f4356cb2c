//! From what is to be charged to the amount, with every step on the way.

use rust_decimal::Decimal;

use super::{
    Phase, Reason,
    accrual::{Accrued, Explanation},
    price::Cost,
    progress::When,
    proration::Share,
    schedule::Span,
};
use crate::{
    calendar::Period,
    money::{Currency, Money, MoneyError},
    policy::BillingPolicy,
};

/// What an amount is for.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub when: When,
    pub reason: Reason,
    pub period: Period,
    pub notional: Option<Span>,
    pub quantity: Decimal,
    pub share: Share,
}

impl Item {
    /// Price, discount, share, and the one rounding.
    pub fn accrue(self, phase: &Phase, policy: BillingPolicy, currency: Currency) -> Result<Accrued, MoneyError> {
        let (cost, price) = match self.reason {
            Reason::Trial => (Cost::default(), Decimal::ZERO),
            Reason::OneOff | Reason::Period | Reason::Unused | Reason::Usage | Reason::UsageCorrection => {
                discounted(phase, self.quantity)?
            }
        };
        let exact = price
            .checked_mul(self.share.numerator.into())
            .and_then(|parts| parts.checked_div(self.share.denominator.into()))
            .ok_or(MoneyError::Overflow)?;
        let discount = match &phase.discount {
            Some(_) => Some(cost.amount.checked_sub(price).ok_or(MoneyError::Overflow)?),
            None => None,
        };
        Ok(Accrued {
            phase: phase.number,
            given_back: phase.given_back,
            line: phase.line,
            name: phase.name.clone(),
            period: self.period,
            amount: Money::rounded(exact, currency)?,
            flat_fee: phase.flat_fee,
            tax_rate: phase.tax_rate,
            accrues_at: self.when.at,
            billing_start: self.when.billing_start,
            explanation: Explanation {
                reason: self.reason,
                policy: policy.proration,
                policy_version: Some(policy.version),
                tax: phase.tax_rate.map(|_| policy.tax),
                notional: self.notional.map(Period::from),
                quantity: self.quantity,
                full_price: cost.amount,
                steps: cost.steps,
                discount,
                numerator: self.share.numerator,
                denominator: self.share.denominator,
                correction: None,
                exact,
            },
        })
    }
}

/// What a quantity costs in a full period, before and after the discount.
pub(super) fn discounted(phase: &Phase, quantity: Decimal) -> Result<(Cost, Decimal), MoneyError> {
    let cost = phase.price.cost(quantity)?;
    let price = match &phase.discount {
        Some(discount) => discount.apply(cost.amount)?,
        None => cost.amount,
    };
    Ok((cost, price))
}
