//! Tax on the lines of an invoice: once per rate on the summed base, or line by line.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::{Currency, Money, MoneyError};

/// Where tax is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxLevel {
    /// Once per rate, as EN 16931 wants it.
    #[default]
    Invoice,
    Line,
}

/// Whether the amounts of the lines contain their tax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxMode {
    #[default]
    Exclusive,
    Inclusive,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxPolicy {
    pub level: TaxLevel,
    pub mode: TaxMode,
}

/// An amount and the percentage of tax that is on it or in it; none where tax does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taxable {
    pub amount: Money,
    pub rate: Option<Decimal>,
}

/// What one rate comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateTotal {
    /// In percent.
    pub rate: Decimal,
    /// Without the tax.
    pub base: Money,
    pub tax: Money,
}

impl TaxMode {
    /// The tax on an amount, or the tax that the amount contains.
    pub fn tax(self, amount: Money, rate: Decimal) -> Result<Money, MoneyError> {
        let whole = match self {
            Self::Exclusive => Some(Decimal::ONE_HUNDRED),
            Self::Inclusive => Decimal::ONE_HUNDRED.checked_add(rate),
        };
        let exact = amount
            .to_decimal()
            .checked_mul(rate)
            .zip(whole)
            .and_then(|(parts, whole)| parts.checked_div(whole))
            .ok_or(MoneyError::Overflow)?;
        Money::rounded(exact, amount.currency)
    }
}

impl TaxPolicy {
    /// The totals of all rates, lowest first.
    pub fn totals(self, currency: Currency, lines: &[Taxable]) -> Result<Vec<RateTotal>, MoneyError> {
        let mut rates: BTreeMap<Decimal, Vec<Money>> = BTreeMap::new();
        for line in lines {
            if let Some(rate) = line.rate {
                rates.entry(rate).or_default().push(line.amount);
            }
        }
        rates
            .into_iter()
            .map(|(rate, amounts)| self.total(currency, rate, &amounts))
            .collect()
    }

    fn total(self, currency: Currency, rate: Decimal, amounts: &[Money]) -> Result<RateTotal, MoneyError> {
        let sum = Money::sum(currency, amounts.iter().copied())?;
        let tax = match self.level {
            TaxLevel::Invoice => self.mode.tax(sum, rate)?,
            TaxLevel::Line => amounts.iter().try_fold(Money::zero(currency), |tax, amount| {
                tax.checked_add(self.mode.tax(*amount, rate)?)
            })?,
        };
        let base = match self.mode {
            TaxMode::Exclusive => sum,
            TaxMode::Inclusive => sum.checked_sub(tax)?,
        };
        Ok(RateTotal { rate, base, tax })
    }
}
