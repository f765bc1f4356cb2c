//! What a quantity costs.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

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
    Stairstep { tiers: Vec<Tier> },
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

/// What one tier, or one block, contributed to a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub quantity: Decimal,
    pub unit: Decimal,
    pub flat: Decimal,
    pub amount: Decimal,
}
