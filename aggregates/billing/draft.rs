//! An invoice as it would be made of charges: lines, tax, credit, and what is left to pay.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    accrual::{Accrued, charge_id},
    tax::{RateTotal, TaxLevel, TaxMode, TaxPolicy, Taxable},
};
use crate::{
    calendar::Period,
    id::{ChargeId, SubscriptionId},
    money::{Currency, Money, MoneyError},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftLine {
    pub charge: ChargeId,
    pub name: String,
    pub period: Period,
    /// With its tax where the prices contain it.
    pub amount: Money,
    /// In percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<Decimal>,
    /// The line's own tax, where tax is rounded line by line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
}

impl DraftLine {
    pub fn of(subscription: SubscriptionId, charge: &Accrued) -> Self {
        Self {
            charge: charge_id(subscription, charge),
            name: charge.name.clone(),
            period: charge.period,
            amount: charge.amount,
            tax_rate: charge.tax_rate,
            tax: None,
        }
    }
}

/// `net + tax = total`, and `total + credit_granted - credit_applied = to_pay`, which is never below zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub lines: Vec<DraftLine>,
    pub taxes: Vec<RateTotal>,
    pub net: Money,
    pub tax: Money,
    /// Below zero where more is taken back than charged.
    pub total: Money,
    #[serde(flatten)]
    pub settlement: Settlement,
}

/// What the customer's credit does to a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// Goes to the customer's credit, so that nobody is sent an invoice below zero.
    pub credit_granted: Money,
    /// Comes from the customer's credit.
    pub credit_applied: Money,
    pub to_pay: Money,
}

/// The invoice that the lines make, for a customer who has so much credit.
pub fn draft(
    currency: Currency,
    mut lines: Vec<DraftLine>,
    policy: TaxPolicy,
    credit: Money,
) -> Result<Draft, MoneyError> {
    if policy.level == TaxLevel::Line {
        for line in &mut lines {
            line.tax = match line.tax_rate {
                Some(rate) => Some(policy.mode.tax(line.amount, rate)?),
                None => None,
            };
        }
    }
    let taxable: Vec<Taxable> = lines
        .iter()
        .map(|line| Taxable {
            amount: line.amount,
            rate: line.tax_rate,
        })
        .collect();
    let taxes = policy.totals(currency, &taxable)?;
    let tax = Money::sum(currency, taxes.iter().map(|rate| rate.tax))?;
    let amounts = Money::sum(currency, lines.iter().map(|line| line.amount))?;
    let (net, total) = match policy.mode {
        TaxMode::Exclusive => (amounts, amounts.checked_add(tax)?),
        TaxMode::Inclusive => (amounts.checked_sub(tax)?, amounts),
    };
    Ok(Draft {
        lines,
        taxes,
        net,
        tax,
        total,
        settlement: settle(total, credit)?,
    })
}

/// A total below zero becomes credit; any other is paid from credit as far as that goes.
pub fn settle(total: Money, credit: Money) -> Result<Settlement, MoneyError> {
    let zero = Money::zero(total.currency);
    let credit = zero.checked_add(credit)?;
    let credit_granted = at_least_zero(zero.checked_sub(total)?);
    let credit_applied = at_least_zero(Money::new(total.minor.min(credit.minor), total.currency));
    Ok(Settlement {
        credit_granted,
        credit_applied,
        to_pay: total.checked_add(credit_granted)?.checked_sub(credit_applied)?,
    })
}

fn at_least_zero(amount: Money) -> Money {
    Money::new(amount.minor.max(0), amount.currency)
}
