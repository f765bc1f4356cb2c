//! What a quantity costs.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::MoneyError;

/// A price model, in units of the currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Price {
    /// The same whatever the quantity.
    Flat { amount: Decimal },
    PerUnit {
        amount: Decimal,
        #[serde(default, skip_serializing_if = "Limits::is_default")]
        limits: Limits,
    },
    /// Each tier's units at its own price.
    Graduated {
        tiers: Vec<Tier>,
        #[serde(default, skip_serializing_if = "Limits::is_default")]
        limits: Limits,
    },
    /// All units at the price of the tier that the quantity reaches.
    Volume {
        tiers: Vec<Tier>,
        #[serde(default, skip_serializing_if = "Limits::is_default")]
        limits: Limits,
    },
    /// Per started block of `size` units.
    Package {
        amount: Decimal,
        size: Decimal,
        #[serde(default, skip_serializing_if = "Limits::is_default")]
        limits: Limits,
    },
    /// The flat fee of the tier that the quantity reaches.
    Stairstep {
        tiers: Vec<Tier>,
        #[serde(default, skip_serializing_if = "Limits::is_default")]
        limits: Limits,
    },
}

/// `up_to` is included in the tier; the last tier has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Decimal>,
    pub unit: Decimal,
    #[serde(default)]
    pub flat: Decimal,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Units that cost nothing, taken off first.
    #[serde(skip_serializing_if = "Decimal::is_zero")]
    pub free_units: Decimal,
    /// What it costs at least, also where nothing is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Decimal>,
    /// Whether zero usage costs the first tier's flat fee.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flat_fee_at_zero: bool,
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What one tier, one block or a limit contributed to a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub quantity: Decimal,
    pub unit: Decimal,
    pub flat: Decimal,
    pub amount: Decimal,
}

/// A price and how it came to be: the steps add up to the amount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub amount: Decimal,
    pub steps: Vec<Step>,
}

/// Why a price cannot be agreed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceRefused {
    #[error("the price has no tiers")]
    NoTiers,
    #[error("tier {tier} does not end above the one before it")]
    TierNotAscending { tier: usize },
    #[error("tier {tier} has no end, but is not the last")]
    OpenTierNotLast { tier: usize },
    #[error("the last tier must have no end")]
    LastTierClosed,
    #[error("tier {tier} of a stairstep price has a price per unit")]
    UnitPriceInStairstep { tier: usize },
    #[error("a package must hold more than nothing")]
    EmptyPackage,
    #[error("{what} cannot be below zero")]
    Negative { what: &'static str },
    #[error("the minimum is above the maximum")]
    MinimumAboveMaximum,
    #[error("a discount cannot be more than all of the price")]
    DiscountAboveAll,
}

impl PriceRefused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoTiers => "price_without_tiers",
            Self::TierNotAscending { .. } => "tier_not_ascending",
            Self::OpenTierNotLast { .. } => "open_tier_not_last",
            Self::LastTierClosed => "last_tier_closed",
            Self::UnitPriceInStairstep { .. } => "unit_price_in_stairstep",
            Self::EmptyPackage => "package_empty",
            Self::Negative { .. } => "price_negative",
            Self::MinimumAboveMaximum => "minimum_above_maximum",
            Self::DiscountAboveAll => "discount_above_all",
        }
    }
}

impl Price {
    /// Whether it can be agreed.
    pub fn validate(&self) -> Result<(), PriceRefused> {
        match self {
            Self::Flat { amount } => not_negative("the price", *amount),
            Self::PerUnit { amount, limits } => {
                not_negative("the price", *amount)?;
                limits.validate()
            }
            Self::Package { amount, size, limits } => {
                not_negative("the price", *amount)?;
                if *size <= Decimal::ZERO {
                    return Err(PriceRefused::EmptyPackage);
                }
                limits.validate()
            }
            Self::Graduated { tiers, limits } | Self::Volume { tiers, limits } => {
                validate_tiers(tiers)?;
                limits.validate()
            }
            Self::Stairstep { tiers, limits } => {
                validate_tiers(tiers)?;
                if let Some(tier) = tiers.iter().position(|tier| !tier.unit.is_zero()) {
                    return Err(PriceRefused::UnitPriceInStairstep { tier });
                }
                limits.validate()
            }
        }
    }

    /// What a quantity costs under a price that is valid. Less than nothing costs what nothing does.
    pub fn cost(&self, quantity: Decimal) -> Result<Cost, MoneyError> {
        let (mut cost, limits) = match self {
            Self::Flat { amount } => return Cost::default().with(quantity, Decimal::ZERO, *amount),
            Self::PerUnit { amount, limits } => {
                let billable = limits.billable(quantity)?;
                (Cost::default().with(billable, *amount, Decimal::ZERO)?, limits)
            }
            Self::Graduated { tiers, limits } => (graduated(tiers, limits, limits.billable(quantity)?)?, limits),
            Self::Volume { tiers, limits } | Self::Stairstep { tiers, limits } => {
                (reached(tiers, limits, limits.billable(quantity)?)?, limits)
            }
            Self::Package { amount, size, limits } => {
                let billable = limits.billable(quantity)?;
                let blocks = billable.checked_div(*size).ok_or(MoneyError::Overflow)?.ceil();
                (Cost::default().with(blocks, *amount, Decimal::ZERO)?, limits)
            }
        };
        let within = cost.amount.max(limits.minimum.unwrap_or(cost.amount));
        let within = within.min(limits.maximum.unwrap_or(within));
        if within != cost.amount {
            let adjustment = within.checked_sub(cost.amount).ok_or(MoneyError::Overflow)?;
            cost = cost.with(Decimal::ZERO, Decimal::ZERO, adjustment)?;
        }
        Ok(cost)
    }
}

impl Cost {
    /// One step more.
    fn with(mut self, quantity: Decimal, unit: Decimal, flat: Decimal) -> Result<Self, MoneyError> {
        let amount = quantity
            .checked_mul(unit)
            .and_then(|units| units.checked_add(flat))
            .ok_or(MoneyError::Overflow)?;
        self.amount = self.amount.checked_add(amount).ok_or(MoneyError::Overflow)?;
        self.steps.push(Step {
            quantity,
            unit,
            flat,
            amount,
        });
        Ok(self)
    }
}

impl Limits {
    fn validate(&self) -> Result<(), PriceRefused> {
        not_negative("the number of free units", self.free_units)?;
        not_negative("the minimum", self.minimum.unwrap_or_default())?;
        not_negative("the maximum", self.maximum.unwrap_or_default())?;
        match (self.minimum, self.maximum) {
            (Some(minimum), Some(maximum)) if minimum > maximum => Err(PriceRefused::MinimumAboveMaximum),
            _ => Ok(()),
        }
    }

    /// What is left when the free units are taken off.
    fn billable(&self, quantity: Decimal) -> Result<Decimal, MoneyError> {
        let billable = quantity.checked_sub(self.free_units).ok_or(MoneyError::Overflow)?;
        Ok(billable.max(Decimal::ZERO))
    }
}

/// Every tier that the quantity fills costs its units and its flat fee.
fn graduated(tiers: &[Tier], limits: &Limits, billable: Decimal) -> Result<Cost, MoneyError> {
    if billable.is_zero() {
        return reached(tiers, limits, billable);
    }
    let (mut cost, mut below) = (Cost::default(), Decimal::ZERO);
    for tier in tiers {
        let end = tier.up_to.map_or(billable, |up_to| up_to.min(billable));
        let units = end.checked_sub(below).ok_or(MoneyError::Overflow)?;
        cost = cost.with(units, tier.unit, tier.flat)?;
        below = end;
        if end == billable {
            break;
        }
    }
    Ok(cost)
}

/// All of the quantity at the tier in which it ends.
fn reached(tiers: &[Tier], limits: &Limits, billable: Decimal) -> Result<Cost, MoneyError> {
    let ends_here = |tier: &&Tier| tier.up_to.is_none_or(|up_to| billable <= up_to);
    let Some(tier) = tiers.iter().find(ends_here) else {
        return Ok(Cost::default());
    };
    if billable.is_zero() && !limits.flat_fee_at_zero {
        return Ok(Cost::default());
    }
    Cost::default().with(billable, tier.unit, tier.flat)
}

pub(super) fn not_negative(what: &'static str, amount: Decimal) -> Result<(), PriceRefused> {
    if amount < Decimal::ZERO {
        return Err(PriceRefused::Negative { what });
    }
    Ok(())
}

fn validate_tiers(tiers: &[Tier]) -> Result<(), PriceRefused> {
    let last = tiers.len().checked_sub(1).ok_or(PriceRefused::NoTiers)?;
    let mut below = Decimal::ZERO;
    for (tier, Tier { up_to, unit, flat }) in tiers.iter().enumerate() {
        not_negative("the price of a tier", *unit)?;
        not_negative("the flat fee of a tier", *flat)?;
        match up_to {
            None if tier != last => return Err(PriceRefused::OpenTierNotLast { tier }),
            None => {}
            Some(_) if tier == last => return Err(PriceRefused::LastTierClosed),
            Some(up_to) if *up_to <= below => return Err(PriceRefused::TierNotAscending { tier }),
            Some(up_to) => below = *up_to,
        }
    }
    Ok(())
}
