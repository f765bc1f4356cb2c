//! Tax on the lines of an invoice: once per rate on the summed base, or line by line.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::{self, Currency, Money, MoneyError};

/// Where tax is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxLevel {
    /// Once per rate, as EN 16931 wants it.
    #[default]
    Invoice,
    Line,
}

/// Whether the amounts of the lines contain their tax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxMode {
    #[default]
    Exclusive,
    Inclusive,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaxPolicy {
    pub level: TaxLevel,
    pub mode: TaxMode,
}

/// An amount, the percentage of tax that is on it or in it (none where tax does not apply), and how it is taxed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taxable {
    pub amount: Money,
    pub rate: Option<Decimal>,
    pub policy: TaxPolicy,
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

/// What tax does to a line: `net + tax` is what is paid for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taxed {
    pub net: Money,
    pub tax: Money,
}

impl TaxMode {
    /// The tax on an amount, or the tax that the amount contains, in minor units before rounding.
    fn exact(self, amount: Money, rate: Decimal) -> Result<Decimal, MoneyError> {
        let whole = match self {
            Self::Exclusive => Some(Decimal::ONE_HUNDRED),
            Self::Inclusive => Decimal::ONE_HUNDRED.checked_add(rate),
        };
        Decimal::from(amount.minor)
            .checked_mul(rate)
            .zip(whole)
            .and_then(|(parts, whole)| parts.checked_div(whole))
            .ok_or(MoneyError::Overflow)
    }

    /// The tax on an amount, or the tax that the amount contains.
    pub fn tax(self, amount: Money, rate: Decimal) -> Result<Money, MoneyError> {
        let minor = money::round_minor(self.exact(amount, rate)?)?;
        Ok(Money::new(minor, amount.currency))
    }

    fn taxed(self, amount: Money, tax: Money) -> Result<Taxed, MoneyError> {
        let net = match self {
            Self::Exclusive => amount,
            Self::Inclusive => amount.checked_sub(tax)?,
        };
        Ok(Taxed { net, tax })
    }
}

/// The tax of every line. Where tax is rounded once per rate on the summed base, each line gets its part of it, to the
/// last minor unit: the parts of what is taken back are those of what was charged.
pub fn by_line(currency: Currency, lines: &[Taxable]) -> Result<Vec<Taxed>, MoneyError> {
    let mut taxes = vec![Money::zero(currency); lines.len()];
    let mut summed: BTreeMap<(Decimal, TaxMode), Vec<usize>> = BTreeMap::new();
    for (n, line) in lines.iter().enumerate() {
        match (line.rate, line.policy.level) {
            (None, _) => {}
            (Some(rate), TaxLevel::Line) => taxes[n] = line.policy.mode.tax(line.amount, rate)?,
            (Some(rate), TaxLevel::Invoice) => summed.entry((rate, line.policy.mode)).or_default().push(n),
        }
    }
    for ((rate, mode), places) in summed {
        let amounts: Vec<Money> = places.iter().map(|place| lines[*place].amount).collect();
        for (place, tax) in places.into_iter().zip(shared(currency, mode, rate, &amounts)?) {
            taxes[place] = tax;
        }
    }
    let both = |(line, tax): (&Taxable, Money)| line.policy.mode.taxed(line.amount, tax);
    lines.iter().zip(taxes).map(both).collect()
}

/// What each amount has of the tax on their sum: its own tax without its part of a minor unit, and the minor units that
/// are left go to the largest such parts, the first among equals.
fn shared(currency: Currency, mode: TaxMode, rate: Decimal, amounts: &[Money]) -> Result<Vec<Money>, MoneyError> {
    let whole = mode.tax(Money::sum(currency, amounts.iter().copied())?, rate)?;
    let (mut parts, mut rests) = (Vec::with_capacity(amounts.len()), Vec::with_capacity(amounts.len()));
    for amount in amounts {
        let exact = mode.exact(*amount, rate)?;
        parts.push(money::round_minor(exact.trunc())?);
        rests.push(exact.fract());
    }
    let given = Money::sum(currency, parts.iter().map(|part| Money::new(*part, currency)))?;
    let left = whole.checked_sub(given)?.minor;
    let mut order: Vec<usize> = (0..amounts.len()).collect();
    let sign = Decimal::from(left.signum());
    order.sort_by_key(|place| std::cmp::Reverse(rests[*place] * sign));
    for (place, _) in order.into_iter().zip(0..left.unsigned_abs()) {
        parts[place] += left.signum();
    }
    Ok(parts.into_iter().map(|part| Money::new(part, currency)).collect())
}

/// The totals of all rates, lowest first.
pub fn by_rate(currency: Currency, lines: &[Taxable], taxed: &[Taxed]) -> Result<Vec<RateTotal>, MoneyError> {
    let mut totals: BTreeMap<Decimal, RateTotal> = BTreeMap::new();
    for (line, taxed) in lines.iter().zip(taxed) {
        let Some(rate) = line.rate else { continue };
        let zero = Money::zero(currency);
        let total = totals.entry(rate).or_insert(RateTotal {
            rate,
            base: zero,
            tax: zero,
        });
        total.base = total.base.checked_add(taxed.net)?;
        total.tax = total.tax.checked_add(taxed.tax)?;
    }
    Ok(totals.into_values().collect())
}
