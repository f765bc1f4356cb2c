//! Bringing the phases of a subscription to where they should be at a moment.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Phase, Proration, TaxPolicy, Usage,
    phase::BilledUsage,
    price::Step,
    progress::{Progress, Run},
};
use crate::{
    calendar::{Period, Tz},
    id::{ChargeId, LineId, SubscriptionId, beside},
    money::{Currency, Money, MoneyError},
    policy::{BillingPolicy, PolicyBefore, PolicyVersion},
    terms::UsagePeriodClosing,
};

/// After so many charges a run ends at the next instant at which something is due; [`Accrual::next`] then lies in the
/// past, and the caller runs again. What fell due together is never torn apart.
pub const MOST_CHARGES: usize = 250;

/// The rules a run bills by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub rules: BillingPolicy,
    /// Oldest first. What was charged by one of them is taken back and corrected by it.
    pub before: Vec<PolicyBefore>,
    /// Local dates begin at midnight in this zone.
    pub zone: Tz,
    pub usage_closing: UsagePeriodClosing,
    /// With manual closing: usage of days before this one is closed. Nothing else looks at it.
    pub closed_through: Option<NaiveDate>,
    /// A charge falls due for billing so many days after its period's start (or end, in arrears), what is taken back so
    /// many days after the end of its phase; may be negative. Usage is never billed before its period is over.
    pub invoice_days: i64,
}

impl Policy {
    /// What a day of a phase is, or was, billed by.
    pub fn of(&self, phase: u32, day: NaiveDate) -> BillingPolicy {
        let billed = |before: &&PolicyBefore| before.billed_through.get(&phase).is_some_and(|through| day < *through);
        let before = self.before.iter().find(billed);
        before.map_or(self.rules, |before| before.policy)
    }
}

/// Why an amount was accrued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Trial,
    OneOff,
    Period,
    /// Taken back: charged in advance for time that the phase no longer has.
    Unused,
    Usage,
    /// Usage that came, or was corrected, after its period had been billed.
    UsageCorrection,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::OneOff => "one_off",
            Self::Period => "period",
            Self::Unused => "unused",
            Self::Usage => "usage",
            Self::UsageCorrection => "usage_correction",
        }
    }
}

/// How an amount came to be: `exact = (full_price - discount) * numerator / denominator - correction.billed_before`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub reason: Reason,
    pub policy: Proration,
    /// Which policy says so; not told of what was charged before policies had versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<PolicyVersion>,
    /// Where the amount is taxed: how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<TaxPolicy>,
    /// The full period that the amount is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notional: Option<Period>,
    pub quantity: Decimal,
    /// What each tier contributed to the full price: they add up to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The full price, before discount and factor.
    pub full_price: Decimal,
    /// What the discount took off the full price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Decimal>,
    /// The factor: used parts over parts of the full period; below zero where they are taken back. With a correction they
    /// are those of all that is counted together.
    pub numerator: i64,
    pub denominator: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<Correction>,
    /// Before the one rounding, which is of what the factor gives.
    pub exact: Decimal,
}

/// What a correction corrects, or the further part of a period adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The first correction of a period is 1; a further part that is charged for the first time is none.
    pub number: u32,
    /// What the period had come to before.
    pub billed_before: Money,
}

/// One amount that a subscription owes, or gets back where it is negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accrued {
    pub phase: u32,
    /// How often days of the phase had been given back before.
    pub given_back: u32,
    pub line: LineId,
    pub name: String,
    /// The days it is for.
    pub period: Period,
    pub amount: Money,
    pub flat_fee: bool,
    pub tax_rate: Option<Decimal>,
    /// When it fell due for billing: what has one instant belongs on one invoice.
    pub accrues_at: DateTime<Utc>,
    /// The day that the terms of its invoice and its payment count from.
    pub billing_start: NaiveDate,
    pub explanation: Explanation,
}

/// What a run leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accrual {
    /// In the order in which they fell due.
    pub charges: Vec<Accrued>,
    /// By number of each phase that has moved: how far it is billed now.
    pub billed_through: BTreeMap<u32, NaiveDate>,
    /// By phase number and first day of the period: what usage is billed now, where that has changed.
    pub billed_usage: BTreeMap<u32, BTreeMap<NaiveDate, BilledUsage>>,
    /// When there is something to do again, if ever. Not later than `until` where the run stopped at [`MOST_CHARGES`].
    /// Late usage of a phase that is over, and closing usage by hand, make work that nobody can foresee: they ask for a
    /// run themselves.
    pub next: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillingError {
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error("phase {phase} has a schedule that leaves the calendar")]
    Calendar { phase: u32 },
}

#[cfg(test)]
thread_local! {
    /// How often a phase was brought one step further: what a test counts in the place of time.
    pub(crate) static ADVANCED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What the phases owe at `until`. Running it again on its own result gives nothing; running it daily gives what running
/// it once at the end gives.
pub fn accrue(
    currency: Currency,
    phases: &[Phase],
    usage: &Usage,
    policy: &Policy,
    until: DateTime<Utc>,
) -> Result<Accrual, BillingError> {
    let run = Run {
        currency,
        phases,
        usage,
        policy,
    };
    let mut all = phases
        .iter()
        .map(|phase| Progress::of(&run, phase))
        .collect::<Result<Vec<_>, _>>()?;
    let mut charges: Vec<Accrued> = Vec::new();
    let next = loop {
        let Some((at, phase)) = earliest(&mut all) else {
            break None;
        };
        let full = charges.len() >= MOST_CHARGES && charges.last().is_some_and(|last| last.accrues_at < at);
        if at > until || full {
            break Some(at);
        }
        #[cfg(test)]
        ADVANCED.set(ADVANCED.get() + 1);
        phase.advance(&mut charges)?;
    };
    if next.is_none_or(|next| next > until) {
        for phase in &mut all {
            phase.correct_when_over(until, &mut charges)?;
        }
    }
    let mut accrual = Accrual {
        charges,
        next,
        ..Accrual::default()
    };
    for (before, after) in phases.iter().zip(&all) {
        accrual.note(before, after.phase());
    }
    Ok(accrual)
}

/// The phase whose turn it is. What is charged comes before what is taken back at the same instant.
fn earliest<'a, 'b>(all: &'b mut [Progress<'a>]) -> Option<(DateTime<Utc>, &'b mut Progress<'a>)> {
    let turn = |progress: &Progress<'a>| {
        let due = progress.due()?;
        Some((due.at, due.takes_back(), progress.phase().number))
    };
    let (first, (at, _, _)) = all
        .iter()
        .enumerate()
        .filter_map(|(index, progress)| Some((index, turn(progress)?)))
        .min_by_key(|(_, turn)| *turn)?;
    Some((at, &mut all[first]))
}

impl Accrual {
    fn note(&mut self, before: &Phase, after: &Phase) {
        if let Some(through) = after
            .billed_through
            .filter(|_| after.billed_through != before.billed_through)
        {
            self.billed_through.insert(after.number, through);
        }
        let changed: BTreeMap<_, _> = after
            .billed_usage
            .iter()
            .filter(|(start, billed)| before.billed_usage.get(start) != Some(billed))
            .map(|(start, billed)| (*start, *billed))
            .collect();
        if !changed.is_empty() {
            self.billed_usage.insert(after.number, changed);
        }
    }

    /// Notes on the phases how far they are billed now.
    pub fn book(&self, phases: &mut [Phase]) {
        for phase in phases {
            if let Some(through) = self.billed_through.get(&phase.number) {
                phase.bill_through(*through);
            }
            if let Some(billed) = self.billed_usage.get(&phase.number) {
                phase.billed_usage.extend(billed);
            }
        }
    }
}

/// The id of a charge: the same for the same days of the same phase for the same reason, so that nothing can be charged
/// twice, but for what was given back in between. What takes back has a reason of its own, and so has each correction its
/// number.
pub fn charge_id(subscription: SubscriptionId, charge: &Accrued) -> ChargeId {
    let correction = charge.explanation.correction.map_or(0, |correction| correction.number);
    let key = ChargeKey {
        phase: charge.phase,
        reason: charge.explanation.reason,
        period: charge.period,
        correction,
        given_back: charge.given_back,
    };
    key.id(subscription)
}

/// What makes a charge the one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeKey {
    pub phase: u32,
    pub reason: Reason,
    pub period: Period,
    pub correction: u32,
    pub given_back: u32,
}

impl ChargeKey {
    pub fn id(&self, subscription: SubscriptionId) -> ChargeId {
        let through = self.period.end.map_or("open".to_owned(), |end| end.to_string());
        let again = match self.given_back {
            0 => String::new(),
            times => format!("/{times}"),
        };
        let name = format!(
            "{}/{}/{}/{through}/{}{again}",
            self.phase,
            self.reason.as_str(),
            self.period.start,
            self.correction,
        );
        ChargeId(beside(subscription.0, Uuid::new_v5(&subscription.0, name.as_bytes())))
    }
}
