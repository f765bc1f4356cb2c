//! Where billing periods begin and end: counted from an anchor, never from the previous result.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::calendar::PeriodUnit;

/// Boundaries lie at `anchor + n * count units` for every whole n, also before the anchor. The anchor's day of the month
/// clamps to short months and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub unit: PeriodUnit,
    pub count: u32,
    pub anchor: NaiveDate,
}
