//! Where the billing periods of an order begin: by which rule, and on which day of the month.

use serde::{Deserialize, Serialize};

/// The rules that an account or an order can name. An order has one start here, so that all of them but the day of the
/// month mean that day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartRule {
    #[default]
    OrderStart,
    OrderActivation,
    /// Periods begin on a fixed day of the month; the first one is as long as it takes to get there.
    DayOfMonth,
    RatingStart,
    SubscriptionStart,
    SubscriptionActivation,
    SubscriptionAcceptance,
}

/// What an account says of its new orders, and an order keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingStart {
    pub rule: StartRule,
    /// 1 to 31; short months end earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<u32>,
    /// Whether lines with a beginning of their own keep to the order's periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aligned: Option<bool>,
    /// The order named a day and no rule: its start is shown as that day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dated: bool,
}

impl BillingStart {
    /// The day of the month that periods begin on, where the rule asks for one.
    pub fn anchor_day(self) -> Option<u32> {
        self.day.filter(|_| self.rule == StartRule::DayOfMonth)
    }
}
