//! What was agreed with a customer, and under which terms.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{InvoiceCalendar, OrderDetails};
use crate::{
    billing::{Discount, Kind, Phase, Policy, Proration, Schedule},
    calendar::{self, Period, PeriodUnit, Tz, local_date},
    catalog::PlanLine,
    id::{CustomerId, LineId, PlanId, SubscriptionId},
    message::{Notice, Occasion},
    money::Currency,
    order_terms::{LineBilling, Mode, OrderBillingPreferences, catalogue},
    policy::BillingPolicy,
    terms::{DueDatePolicy, InvoiceTrigger, InvoicingPreferences, UsagePeriodClosing},
};

/// How long one cycle of the agreement lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cycle {
    Once,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Constant,
}

impl Cycle {
    /// `once` and `constant` are one period without an end. Periods are whole local days: what was agreed by the hour,
    /// which is refused now, goes on as it was billed, a day at a time.
    pub fn unit(self) -> Option<PeriodUnit> {
        match self {
            Self::Once | Self::Constant => None,
            Self::Hour | Self::Day => Some(PeriodUnit::Day),
            Self::Week => Some(PeriodUnit::Week),
            Self::Month => Some(PeriodUnit::Month),
            Self::Quarter => Some(PeriodUnit::Quarter),
            Self::Year => Some(PeriodUnit::Year),
        }
    }
}

/// Whether the agreement runs from its activation date, or waits to be activated by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Active,
    /// Not billed until it is resumed.
    Paused,
    Cancelled,
}

/// The rules of the agreement, fixed when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Terms {
    /// A copy of the tenant's invoicing preferences, with the customer's and the contract's own choices laid over it.
    Contract { invoicing: InvoicingPreferences },
    /// The order's own billing preferences, which began as a copy of its account's.
    Order { billing: Box<OrderBillingPreferences> },
}

impl Terms {
    pub fn automatic_payment(&self) -> bool {
        match self {
            Self::Contract { invoicing } => invoicing.automatic_payment,
            Self::Order { billing } => billing.payment_mode == Mode::Automatic,
        }
    }

    /// Who collects what is paid automatically, where somebody is named.
    pub fn processor(&self) -> Option<&str> {
        match self {
            Self::Contract { .. } => None,
            Self::Order { billing } => Some(&billing.payment_processor),
        }
    }

    /// How an invoice is told of, where it is.
    pub fn notice(&self) -> Option<Notice> {
        match self {
            Self::Contract { .. } => None,
            Self::Order { billing } => catalogue::notice(&billing.communication_profile, Occasion::Invoice),
        }
    }

    /// The terms in the words of invoicing preferences. Of an order's, only what has a word there is said; its due
    /// dates follow its payment terms, which come nearest to the start of the period.
    pub fn as_invoicing(&self) -> InvoicingPreferences {
        match self {
            Self::Contract { invoicing } => *invoicing,
            Self::Order { billing } => InvoicingPreferences {
                automatic_payment: self.automatic_payment(),
                due_date_policy: DueDatePolicy::StartOfPeriod,
                flat_fee_due_date_policy: DueDatePolicy::StartOfPeriod,
                invoice_trigger: match billing.invoice_mode {
                    Mode::Automatic => InvoiceTrigger::Immediate,
                    Mode::Manual => InvoiceTrigger::Manual,
                },
                usage_period_closing: UsagePeriodClosing::Automatic,
            },
        }
    }

    /// Those of the account of which this is the same share their invoices, where they share any.
    pub fn consolidation(&self) -> Option<String> {
        match self {
            Self::Contract { .. } => None,
            Self::Order { billing } => billing.consolidation(),
        }
    }

    /// When charges are put on invoices.
    pub fn trigger(&self) -> InvoiceTrigger {
        self.as_invoicing().invoice_trigger
    }

    /// When a charge is due that is billed from `billing_start` on: the period's start, or its end in arrears.
    pub fn due_date(&self, flat_fee: bool, period: Period, billing_start: NaiveDate) -> NaiveDate {
        match self {
            Self::Contract { invoicing } => invoicing.due_date(flat_fee, period),
            Self::Order { billing } => billing.due_date(billing_start),
        }
    }

    /// The day on which everything on an invoice must be paid, where that counts from the day it is really issued on.
    pub fn due_date_from_issue(&self, issue_date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Contract { .. } => None,
            Self::Order { billing } => billing.due_date_from_issue(issue_date),
        }
    }
}

/// What was agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    pub customer: CustomerId,
    pub plan: Option<PlanId>,
    pub currency: Currency,
    pub cycle: Cycle,
    pub activation: NaiveDate,
    pub status: Status,
    pub terms: Terms,
    /// What an order has beyond other agreements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Box<OrderDetails>>,
    /// What was offered, until it is frozen into phases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Box<Offer>>,
    /// What is billed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// The first day that is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<NaiveDate>,
    /// IANA name, the customer's at the signing; UTC when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How parts of periods are counted, as it was written before subscriptions had a policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proration: Option<Proration>,
    /// A copy of the tenant's policy at the signing, or its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<BillingPolicy>,
    /// The subscription of another customer that this one goes on from: its phases were handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<SubscriptionId>,
    /// The contract of the same customer under another plan that this one goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgraded_from: Option<SubscriptionId>,
    /// The moment of the move, which is one for both, whatever their zones: what was used before is the other one's, what
    /// was used from then on counts here, on the first day where it was not that day here yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_from: Option<DateTime<Utc>>,
    /// The lines of which it goes on in the middle of a period: that was delivered there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub under_way: BTreeSet<LineId>,
    /// The day on which it goes on, as was planned before it was handed over while it stood still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_on_from: Option<NaiveDate>,
    /// Where it goes on in the middle of periods that another agreement charged by policies of before: those, oldest
    /// first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<CountedBefore>,
    /// Where another agreement that it goes on from has paid days of it: until when, line by line. No change makes a line
    /// begin sooner.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paid_before: BTreeMap<LineId, NaiveDate>,
    /// The lines that take over from another agreement what is left of a period that is not divided, and its end. Where none
    /// of them ever does, that agreement pays for the period.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rest_before: BTreeMap<LineId, NaiveDate>,
    /// Where it is invoiced periodically: on which days. What was agreed before that was told counts as was usual then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_calendar: Option<InvoiceCalendar>,
}

/// A policy by which periods under way were charged, and to which day what comes is counted by it, line by line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedBefore {
    pub policy: BillingPolicy,
    /// The periods that were charged so; what comes over other ones is not counted by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    pub through: BTreeMap<LineId, NaiveDate>,
}

impl CountedBefore {
    /// The same for other lines, that come in the place of all of those.
    #[must_use]
    pub fn of_lines(self, lines: impl IntoIterator<Item = LineId>) -> Self {
        let through = self.through.values().max().copied();
        let through = lines.into_iter().filter_map(|line| Some((line, through?)));
        Self {
            through: through.collect(),
            ..self
        }
    }

    /// The same for the same lines under other ids.
    #[must_use]
    pub fn renamed(self, id: impl Fn(LineId) -> LineId) -> Self {
        let through = self.through.into_iter().map(|(line, day)| (id(line), day));
        Self {
            through: through.collect(),
            ..self
        }
    }
}

impl Agreement {
    pub fn zone(&self) -> Tz {
        let named = self.time_zone.as_deref().and_then(calendar::time_zone);
        named.unwrap_or(Tz::UTC)
    }

    /// Agreements of one customer and currency of which this is the same share their invoices: it is made of the key, of
    /// who collects, and of the zone in whose days they are issued.
    pub fn consolidation(&self) -> Option<String> {
        let key = self.terms.consolidation()?;
        Some(format!("{}/{key}", self.zone().name()))
    }

    /// The periods that lines have which say nothing else, counted from the first day that is paid for.
    pub fn schedule(&self) -> Option<Schedule> {
        let (unit, count) = match &self.terms {
            Terms::Contract { .. } => (self.cycle.unit()?, 1),
            Terms::Order { billing } => (billing.billing_period.unit, billing.billing_period.count),
        };
        let anchor = self.trial_end.unwrap_or(self.activation);
        Some(Schedule {
            unit,
            count,
            anchor,
            offset: None,
        })
    }

    /// The day on which what was used at a moment counts; `None` where that is of who had this before.
    pub fn usage_day(&self, at: DateTime<Utc>) -> Option<NaiveDate> {
        let day = local_date(at, self.zone());
        match self.usage_from {
            Some(from) if at < from => None,
            Some(_) => Some(day.max(self.activation)),
            None => Some(day),
        }
    }

    /// No usage counts on an earlier day.
    pub fn first_usage_day(&self) -> Option<NaiveDate> {
        self.usage_from.map(|_| self.activation)
    }

    /// From when on usage is of whoever this becomes on that day: what comes before is of who had it until then.
    pub fn usage_until(&self, moved_on: NaiveDate) -> Option<DateTime<Utc>> {
        let midnight = calendar::midnight(moved_on, self.zone())?;
        match self.usage_from {
            // It has no day of its own.
            Some(from) if moved_on <= self.activation => Some(from),
            Some(from) => Some(midnight.max(from)),
            None => Some(midnight),
        }
    }

    /// What is taken off its recurring lines: what was offered, or what the latest of them has.
    pub fn discount(&self) -> Option<&Discount> {
        let mut recurring = self.phases.iter().rev().filter(|phase| phase.kind == Kind::Recurring);
        match &self.offer {
            Some(offer) => offer.discount.as_ref(),
            None => recurring.next().and_then(|phase| phase.discount.as_ref()),
        }
    }

    /// The first day on which the metric is metered; `None` where it never is.
    pub fn metered_from(&self, metric: &str) -> Option<NaiveDate> {
        let phases = self.phases.iter().filter(|phase| phase.meters(metric));
        phases.map(|phase| phase.from).min()
    }

    /// The lines of an order that have periods of their own.
    pub fn lines_apart(&self) -> BTreeSet<LineId> {
        let Some(order) = &self.order else {
            return BTreeSet::new();
        };
        let lines = order.line_billing.iter();
        let apart = lines.filter(|(_, billing)| billing.has_own_periods(order.aligned()));
        apart.map(|(line, _)| *line).collect()
    }

    /// What was said of the billing of one line of an order.
    pub fn line_billing(&self, line: LineId) -> Option<&LineBilling> {
        self.order.as_ref()?.line_billing.get(&line)
    }

    /// Whether anything is billed by usage.
    pub fn is_metered(&self) -> bool {
        let metered = |phase: &Phase| matches!(phase.kind, Kind::Metered { .. });
        self.phases.iter().any(metered)
    }

    /// How parts of periods, taxes and prices are dealt with.
    pub fn rules(&self) -> BillingPolicy {
        self.policy.unwrap_or(BillingPolicy {
            proration: self.proration.unwrap_or_default(),
            ..BillingPolicy::default()
        })
    }

    /// The rules the agreement is billed by; what was closed by hand, and which rules it had before, is not known here.
    pub fn policy(&self) -> Policy {
        Policy {
            rules: self.rules(),
            before: Vec::new(),
            zone: self.zone(),
            usage_closing: self.terms.as_invoicing().usage_period_closing,
            closed_through: None,
            invoice_days: match &self.terms {
                Terms::Contract { .. } => 0,
                Terms::Order { billing } => billing.invoice_term.days,
            },
        }
    }
}

/// The lines of a plan, and what a contract says about them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub lines: Vec<PlanLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_days: Option<u32>,
    /// Full days between the natural start of a cycle and the day a period starts on: 13 for the 14th of the month.
    /// Without it periods start on the day of the month that the first paid one starts on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle_start_offset: Option<u32>,
    /// Periods that go on from another agreement; the offset says nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Recurring lines begin here at the earliest: until then the agreement is paid that this one goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_until: Option<NaiveDate>,
    /// Those of them that are divided begin here, where what they come in the place of is paid no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divided_paid_until: Option<NaiveDate>,
    /// Taken off recurring lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
}
