//! A line of a subscription for as long as nothing about it changes.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Price, Schedule, usage::Aggregation};
use crate::id::LineId;

/// What is billed, at what price, over `[from, until)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Unique within the subscription, in the order in which phases were agreed; part of every charge's key.
    pub number: u32,
    pub line: LineId,
    pub name: String,
    pub kind: Kind,
    pub timing: Timing,
    pub price: Price,
    pub quantity: Decimal,
    pub flat_fee: bool,
    /// Whether a part of a period costs a part of the price; if not, it costs all of it.
    pub prorate: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// In percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<Decimal>,
    /// Without one there is a single period with no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    pub from: NaiveDate,
    /// The first day that is no longer of this phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    /// The first day that is not billed yet; `None` before the first charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed_through: Option<NaiveDate>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// Free of charge until the phase ends: one charge of zero over all of it.
    Trial,
    OneOff,
    Recurring,
    /// Billed by the usage of a metric within each period.
    Metered {
        metric: String,
        aggregation: Aggregation,
    },
}

/// Whether a period is charged when it begins or when it is over. Usage is always charged in arrears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    Advance,
    Arrears,
}

/// Percent first, then the fixed amount per period; never below zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Decimal>,
    /// In units of the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Decimal>,
}
