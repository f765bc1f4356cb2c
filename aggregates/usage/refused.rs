//! Why a record is refused.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{billing::UsageRecord, calendar};

/// Bytes of a metric's name, of a sender's id and of a key.
const MAX_TEXT: usize = 255;
const MAX_PLACES: u32 = 12;
/// 10^15: the sum of all records that a log can hold stays below what a decimal can.
const LIMIT: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refused {
    #[error("a metric has a name of 1 to {MAX_TEXT} bytes")]
    Metric,
    #[error("a quantity is a number from 0 to 10^15 with at most {MAX_PLACES} decimal places")]
    Quantity,
    #[error("an id has 1 to {MAX_TEXT} bytes")]
    Id,
    #[error("a key has 1 to {MAX_TEXT} bytes")]
    Key,
    #[error("the time is beyond the calendar")]
    Time,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Metric => "metric_invalid",
            Self::Quantity => "quantity_invalid",
            Self::Id => "id_invalid",
            Self::Key => "key_invalid",
            Self::Time => "time_invalid",
        }
    }
}

/// Whether a record can be counted. What was used cannot be less than nothing: less than was said before is said by
/// stating the total.
pub fn check(record: &UsageRecord) -> Result<(), Refused> {
    let fits = |text: &str| (1..=MAX_TEXT).contains(&text.len());
    if !fits(&record.metric) {
        return Err(Refused::Metric);
    }
    let quantity = record.quantity;
    if quantity.is_sign_negative() && !quantity.is_zero() || quantity > LIMIT || quantity.scale() > MAX_PLACES {
        return Err(Refused::Quantity);
    }
    if !record.id.as_deref().is_none_or(fits) {
        return Err(Refused::Id);
    }
    if !record.key.as_deref().is_none_or(fits) {
        return Err(Refused::Key);
    }
    // A day at either end is left for time zones.
    let day = record.at.date_naive();
    let around = [day.pred_opt(), day.succ_opt()];
    if !around.iter().all(|day| day.is_some_and(calendar::has_plain_year)) {
        return Err(Refused::Time);
    }
    Ok(())
}
