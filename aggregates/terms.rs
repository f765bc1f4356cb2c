//! Terms of an agreement: the rules that differ between agreements, chosen when it is created and kept with it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::calendar::{Period, PeriodUnit};

/// Which end of the charge's billing period `[start, end)` is the due date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DueDatePolicy {
    StartOfPeriod,
    EndOfPeriod,
}

impl DueDatePolicy {
    /// A period without an end is due at its start.
    pub fn due_date(self, period: Period) -> NaiveDate {
        match (self, period.end) {
            (Self::EndOfPeriod, Some(end)) => end,
            (Self::EndOfPeriod | Self::StartOfPeriod, _) => period.start,
        }
    }
}

/// When charges are put on invoices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceTrigger {
    Immediate,
    Manual,
    Periodic(PeriodRule),
}

/// Every `count` units, `offset_days` full days after the natural start of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodRule {
    pub unit: PeriodUnit,
    pub count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_days: Option<u32>,
}

/// When a usage period stops taking usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsagePeriodClosing {
    Automatic,
    Manual,
    After15Minutes,
    After1Hour,
    After1Day,
}

/// How a tenant invoices; a contract keeps a copy from the day it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoicingPreferences {
    pub automatic_payment: bool,
    pub due_date_policy: DueDatePolicy,
    pub flat_fee_due_date_policy: DueDatePolicy,
    pub invoice_trigger: InvoiceTrigger,
    pub usage_period_closing: UsagePeriodClosing,
}

impl Default for InvoicingPreferences {
    fn default() -> Self {
        Self {
            automatic_payment: false,
            due_date_policy: DueDatePolicy::EndOfPeriod,
            flat_fee_due_date_policy: DueDatePolicy::StartOfPeriod,
            invoice_trigger: InvoiceTrigger::Immediate,
            usage_period_closing: UsagePeriodClosing::Automatic,
        }
    }
}

impl InvoicingPreferences {
    pub fn due_date(&self, flat_fee: bool, period: Period) -> NaiveDate {
        if flat_fee {
            self.flat_fee_due_date_policy
        } else {
            self.due_date_policy
        }
        .due_date(period)
    }
}
