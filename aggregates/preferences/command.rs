//! What can be asked of a tenant's preferences.

use chrono::{DateTime, Utc};

use crate::{
    policy::PolicyChanges,
    terms::{DueDatePolicy, InvoiceTrigger, UsagePeriodClosing},
};

#[derive(Clone, Debug)]
pub enum Command {
    UpdateInvoicingPreferences {
        at: DateTime<Utc>,
        changes: InvoicingChanges,
    },
    UpdatePolicy {
        at: DateTime<Utc>,
        changes: PolicyChanges,
    },
    SetTimeZone {
        at: DateTime<Utc>,
        time_zone: String,
    },
}

/// A merge: what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvoicingChanges {
    pub automatic_payment: Option<bool>,
    pub due_date_policy: Option<DueDatePolicy>,
    pub flat_fee_due_date_policy: Option<DueDatePolicy>,
    pub invoice_trigger: Option<InvoiceTrigger>,
    pub usage_period_closing: Option<UsagePeriodClosing>,
}
