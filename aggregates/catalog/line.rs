//! A line of a plan: what is billed, how, and at what price.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    billing::{Kind, Price, Timing},
    id::LineId,
};

/// Copied into the phases of every contract that is signed for the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    pub id: LineId,
    pub name: String,
    #[serde(flatten)]
    pub kind: Kind,
    pub timing: Timing,
    pub price: Price,
    pub quantity: Decimal,
    pub flat_fee: bool,
    /// Whether a part of a period costs a part of the price.
    pub prorate: bool,
    /// In percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<Decimal>,
}
