//! What can be asked of a subscription.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Agreement, Cycle, NewCharge};
use crate::{
    billing::Usage,
    catalog::PlanLine,
    id::{ChargeId, InvoiceId, LineId, PlanId, SubscriptionId},
    order_terms::OrderBillingPreferences,
    policy::PolicyChanges,
};

#[derive(Clone, Debug)]
pub enum Command {
    Sign {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        agreement: Box<Agreement>,
    },
    AddCharge {
        at: DateTime<Utc>,
        charge: NewCharge,
    },
    /// Put these pending charges on an invoice. They must be of one payment mode.
    InvoiceCharges {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        charges: Vec<ChargeId>,
    },
    /// From now on the order is billed so; what is billed already stays as it is.
    UpdateBillingPreferences {
        at: DateTime<Utc>,
        preferences: Box<OrderBillingPreferences>,
    },
    /// From the next charge on the subscription is billed by another policy; what is charged stays as it is.
    UpdatePolicy {
        at: DateTime<Utc>,
        changes: PolicyChanges,
    },
    /// Ends on a day, which may lie in the future.
    Cancel {
        at: DateTime<Utc>,
        effective: NaiveDate,
    },
    /// Begin a pending agreement.
    Activate {
        at: DateTime<Utc>,
        activation: NaiveDate,
    },
    /// Charge what is due at `until`.
    Accrue {
        at: DateTime<Utc>,
        until: DateTime<Utc>,
        usage: Box<Usage>,
    },
    Change {
        at: DateTime<Utc>,
        change: Box<Change>,
    },
    /// Usage of these metrics and days has come: where it concerns what is billed and over, there is something to bill.
    NoteUsage {
        at: DateTime<Utc>,
        days: Vec<(String, NaiveDate)>,
    },
    /// All usage of days before `through` was sent.
    CloseUsage {
        at: DateTime<Utc>,
        through: NaiveDate,
    },
    Pause {
        at: DateTime<Utc>,
        from: NaiveDate,
    },
    Resume {
        at: DateTime<Utc>,
        from: NaiveDate,
    },
    /// A cancelled agreement goes on, or one that was to end does not.
    Reactivate {
        at: DateTime<Utc>,
        from: NaiveDate,
    },
}

/// What is billed from a day on: another plan, price, quantity or period. It holds for everything after that day, also
/// where something else had been planned.
#[derive(Clone, Debug)]
pub struct Change {
    pub effective: NaiveDate,
    /// The lines that stop; all of them when empty.
    pub replaced: Vec<LineId>,
    pub lines: Vec<PlanLine>,
    pub plan: Option<PlanId>,
    /// New lengths of periods, counted from `anchor` (the effective day when absent).
    pub cycle: Option<Cycle>,
    pub anchor: Option<NaiveDate>,
}
