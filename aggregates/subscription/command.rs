//! What can be asked of a subscription.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Agreement, Charge, Cycle, NewCharge, OrderChange};
use crate::{
    billing::{Schedule, Usage},
    catalog::PlanLine,
    id::{ChargeId, CustomerId, InvoiceId, LineId, PlanId, SubscriptionId},
    order_terms::{BillingPeriod, LineBilling, OrderBillingPreferences},
    policy::PolicyChanges,
};

/// By metric: the last day, none that is still to come, of which usage is recorded.
pub type Used = BTreeMap<String, NaiveDate>;

/// Where nothing is known to have been used.
pub(super) static NOTHING_USED: Used = BTreeMap::new();

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
    /// The invoice is voided: these charges, which were on it, are on none.
    ReleaseCharges {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        charges: Vec<Charge>,
    },
    /// From now on the order is billed so; what is billed already stays as it is.
    UpdateBillingPreferences {
        at: DateTime<Utc>,
        preferences: Box<OrderBillingPreferences>,
    },
    /// From its next charge on the line of an order is billed so, whatever the order's preferences say.
    UpdateLineBilling {
        at: DateTime<Utc>,
        line: LineId,
        billing: Box<LineBilling>,
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
    /// It goes on as another customer's from the day on which it ends.
    HandOver {
        at: DateTime<Utc>,
        effective: NaiveDate,
        to: SubscriptionId,
        customer: CustomerId,
    },
    /// What was to follow it under another plan from the day on never begins.
    NotFollowed {
        at: DateTime<Utc>,
        effective: NaiveDate,
    },
    /// A cancelled agreement goes on, or one that was to end does not.
    Reactivate {
        at: DateTime<Utc>,
        from: NaiveDate,
        /// Of an order: the lines whose latest fulfilment was withdrawn.
        undelivered: Vec<LineId>,
    },
    /// The command, where usage is recorded: what stops by it is metered as far as that reaches.
    Knowing {
        used: Used,
        command: Box<Command>,
    },
}

/// What is billed from a day on: another plan, price, quantity or period. It holds for everything after that day, also
/// where something else had been planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub effective: NaiveDate,
    /// The lines that stop; all of them when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<LineId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<PlanLine>,
    /// The lines by which another agreement goes on in the place of all that stops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<PlanLine>,
    /// The periods over which it does: what has others is not taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere_over: Option<Schedule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// New lengths of periods, counted from the effective day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<Cycle>,
    /// The same of an order, whose preferences take it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_period: Option<BillingPeriod>,
    /// Of the lines that were made of what was billed: how. It decides nothing; under other terms they are made anew of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub said: BTreeMap<LineId, Said>,
    /// The call by which an order was to change, where it was one. It decides nothing; under other terms the change is made
    /// anew of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered: Option<Box<OrderChange>>,
    /// It comes of another change that is asked for beside it, and comes of that again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub implied: bool,
}

/// What was said of a line that changes. The rest of it stays as it is billed on the day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    /// What programs of before wrote of an order's lines, in the place of the call. It is kept, and not asked again.
    #[serde(flatten)]
    pub before: BTreeMap<String, serde_json::Value>,
}

impl Change {
    /// A change of nothing yet.
    pub fn on(effective: NaiveDate) -> Self {
        Self {
            effective,
            replaced: Vec::new(),
            lines: Vec::new(),
            elsewhere: Vec::new(),
            elsewhere_over: None,
            plan: None,
            cycle: None,
            billing_period: None,
            said: BTreeMap::new(),
            ordered: None,
            implied: false,
        }
    }

    /// Whether it says all that it was made of: programs of before kept only what the calls that change orders came to.
    pub(super) fn is_told(&self) -> bool {
        let of_before = |said: &Said| said.quantity.is_none() || !said.before.is_empty();
        self.ordered.is_some() || !self.said.values().any(of_before)
    }

    pub(super) fn new_cycle(&self) -> Option<Cycle> {
        let period = self.billing_period.as_ref().map(BillingPeriod::cycle);
        period.or(self.cycle)
    }

    /// Whether periods are of another length from now on.
    pub(super) fn reshapes(&self) -> bool {
        self.billing_period.is_some() || self.cycle.is_some()
    }

    /// Periods of the new length that are counted from that day; none where there is one without an end.
    pub(super) fn schedule(&self, anchor: NaiveDate) -> Option<Schedule> {
        let (unit, count) = match (&self.billing_period, self.cycle) {
            (Some(period), _) => (period.unit, period.count),
            (None, cycle) => (cycle?.unit()?, 1),
        };
        Some(Schedule {
            unit,
            count,
            anchor,
            offset: None,
        })
    }
}
