//! What happened to a subscription.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{Agreement, Change, Charge, Cycle};
use crate::{
    Recordable,
    billing::{BilledUsage, Ending, Phase},
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, LineId, PlanId, SubscriptionId},
    order_terms::{LineBilling, OrderBillingPreferences},
    policy::BillingPolicy,
};

/// A phase that stops before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseEnd {
    pub phase: u32,
    pub until: NaiveDate,
    #[serde(default, skip_serializing_if = "is_change")]
    pub ending: Ending,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_change(ending: &Ending) -> bool {
    *ending == Ending::Change
}

/// How far a phase is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledThrough {
    pub phase: u32,
    pub through: NaiveDate,
}

/// What the usage of a period is billed at, by its first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledUsageOf {
    pub phase: u32,
    pub start: NaiveDate,
    #[serde(flatten)]
    pub billed: BilledUsage,
}

/// What is to be delivered for a billed period of an order, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFulfilment {
    pub period: Period,
    pub at: DateTime<Utc>,
    /// Completes itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub automatic: bool,
    /// The line that came to the order when what else is charged for the period was planned already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineId>,
    /// Where what was planned for the same was withdrawn: for the how manieth time it is planned once more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub again: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// `next_billing` is when there is something to bill; `None` where there never is. Events of the time before billing
/// ran by itself have none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Signed {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        agreement: Box<Agreement>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    /// A pending agreement begins.
    Activated {
        at: DateTime<Utc>,
        activation: NaiveDate,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        phases: Vec<Phase>,
        /// What a scheduled end takes from them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stopped: Vec<PhaseEnd>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trial_end: Option<NaiveDate>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    ChargeAdded {
        at: DateTime<Utc>,
        charge: Charge,
        /// Where the charge makes it earlier than it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    /// Everything that was due at `until` is charged.
    Accrued {
        at: DateTime<Utc>,
        until: DateTime<Utc>,
        /// How often the subscription was billed, with this time.
        run: u32,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        charges: Vec<Charge>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        billed_through: Vec<BilledThrough>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        billed_usage: Vec<BilledUsageOf>,
        /// Whether what is pending belongs on invoices now.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        invoicing: bool,
        /// What is to be delivered for the periods that are charged, or will be.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fulfilments: Vec<PlannedFulfilment>,
        /// How far phases are delivered now, where that is neither known nor as far as they are charged.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        delivered_through: Vec<BilledThrough>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    ChargesInvoiced {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        charges: Vec<ChargeId>,
    },
    /// The invoice they were on was voided: they wait for another one.
    ChargesReleased {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        charges: Vec<Charge>,
        /// Where they make it earlier than it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    BillingPreferencesUpdated {
        at: DateTime<Utc>,
        billing: Box<OrderBillingPreferences>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ended: Vec<PhaseEnd>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        begun: Vec<Phase>,
        /// What a pause or a scheduled end takes from what begins.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stopped: Vec<PhaseEnd>,
        /// A change has brought them, and brings them again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        implied: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    /// One line of an order has preferences of its own.
    LineBillingUpdated {
        at: DateTime<Utc>,
        line: LineId,
        billing: Box<LineBilling>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ended: Vec<PhaseEnd>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        begun: Vec<Phase>,
        /// What a pause or a scheduled end takes from what begins.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stopped: Vec<PhaseEnd>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    /// What is not charged yet is billed by this policy.
    PolicyUpdated {
        at: DateTime<Utc>,
        policy: BillingPolicy,
        /// How far phases are counted by the policy of before that have charged nothing so far.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kept: Vec<BilledThrough>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    /// From `effective` on something else is billed. What had been planned for later is taken back.
    Changed {
        at: DateTime<Utc>,
        effective: NaiveDate,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<PlanId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<Cycle>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ended: Vec<PhaseEnd>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        begun: Vec<Phase>,
        /// What a pause or a scheduled end takes from what begins.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stopped: Vec<PhaseEnd>,
        /// What was asked for: under other terms it is decided again. Changes of before were written without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Box<Change>>,
        /// It came of something else that was asked for, and comes of that again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        implied: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    Paused {
        at: DateTime<Utc>,
        from: NaiveDate,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ended: Vec<PhaseEnd>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    Resumed {
        at: DateTime<Utc>,
        from: NaiveDate,
        /// The phases that go on as if they had never stood still.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reopened: Vec<u32>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        begun: Vec<Phase>,
        /// What the end that is still to come takes from what goes on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stopped: Vec<PhaseEnd>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends: Option<NaiveDate>,
        /// The lines of an order whose latest fulfilment was withdrawn while it was over: the rest of that period is
        /// delivered.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        undelivered: Vec<LineId>,
        /// Where what was withdrawn was planned for days from then on: it is planned once more, for the how manieth time.
        #[serde(default, skip_serializing_if = "is_zero")]
        again: u32,
        /// Of those what is paid and not charged again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fulfilments: Vec<PlannedFulfilment>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    /// Usage came for a phase that is over and billed: the correction is due.
    UsageArrived {
        at: DateTime<Utc>,
        next_billing: DateTime<Utc>,
    },
    /// Usage of days before `through` can be billed.
    UsageClosed {
        at: DateTime<Utc>,
        through: NaiveDate,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    /// Of a `scheduled` one the end comes later, with `Ended`.
    Cancelled {
        at: DateTime<Utc>,
        effective: NaiveDate,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        scheduled: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ended: Vec<PhaseEnd>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_billing: Option<DateTime<Utc>>,
    },
    /// From `effective` on it is another customer's, under another id.
    Moved {
        at: DateTime<Utc>,
        effective: NaiveDate,
        to: SubscriptionId,
        customer: CustomerId,
        /// Whose it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<CustomerId>,
    },
    /// The day of a scheduled cancellation has come.
    Ended { at: DateTime<Utc>, effective: NaiveDate },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Signed { .. } => "subscription.signed",
            Self::Activated { .. } => "subscription.activated",
            Self::ChargeAdded { .. } => "subscription.charge_added",
            Self::Accrued { .. } => "subscription.accrued",
            Self::ChargesInvoiced { .. } => "subscription.charges_invoiced",
            Self::ChargesReleased { .. } => "subscription.charges_released",
            Self::BillingPreferencesUpdated { .. } => "subscription.billing_preferences_updated",
            Self::LineBillingUpdated { .. } => "subscription.line_billing_updated",
            Self::PolicyUpdated { .. } => "subscription.policy_updated",
            Self::Changed { .. } => "subscription.changed",
            Self::Paused { .. } => "subscription.paused",
            Self::Resumed { .. } => "subscription.resumed",
            Self::UsageArrived { .. } => "subscription.usage_arrived",
            Self::UsageClosed { .. } => "subscription.usage_closed",
            Self::Cancelled { .. } => "subscription.cancelled",
            Self::Moved { .. } => "subscription.moved",
            Self::Ended { .. } => "subscription.ended",
        }
    }
}
