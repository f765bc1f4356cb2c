//! An invoice as it would be made of charges: lines, tax, credit, and what is left to pay.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    accrual::{Accrued, charge_id},
    tax::{self, RateTotal, TaxMode, TaxPolicy, Taxable},
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
    #[serde(default)]
    pub tax_policy: TaxPolicy,
    /// The line's part of the tax, where it is taxed.
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
            tax_policy: charge.explanation.tax.unwrap_or_default(),
            tax: None,
        }
    }

    /// Without its tax.
    pub fn net(&self) -> Result<Money, MoneyError> {
        match (self.tax, self.tax_policy.mode) {
            (Some(tax), TaxMode::Inclusive) => self.amount.checked_sub(tax),
            (Some(_), TaxMode::Exclusive) | (None, _) => Ok(self.amount),
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

/// The invoice that the lines make, each under the policy it was charged by, for a customer who has so much credit.
pub fn draft(currency: Currency, mut lines: Vec<DraftLine>, credit: Money) -> Result<Draft, MoneyError> {
    let taxable: Vec<Taxable> = lines
        .iter()
        .map(|line| Taxable {
            amount: line.amount,
            rate: line.tax_rate,
            policy: line.tax_policy,
        })
        .collect();
    let taxed = tax::by_line(currency, &taxable)?;
    for (line, taxed) in lines.iter_mut().zip(&taxed) {
        line.tax = line.tax_rate.map(|_| taxed.tax);
    }
    let net = Money::sum(currency, taxed.iter().map(|line| line.net))?;
    let tax = Money::sum(currency, taxed.iter().map(|line| line.tax))?;
    let total = net.checked_add(tax)?;
    Ok(Draft {
        taxes: tax::by_rate(currency, &taxable, &taxed)?,
        lines,
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
