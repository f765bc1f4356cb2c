//! A line of a subscription for as long as nothing about it changes.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    BillingError, Price, Proration, Schedule,
    price::{PriceRefused, not_negative},
    schedule::Span,
    usage::Aggregation,
};
use crate::{
    id::{DiscountId, LineId},
    money::{Money, MoneyError},
};

/// What is billed, at what price, over `[from, until)`. What is agreed anew is a new phase; so is what goes on after days
/// that are not billed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Unique within the subscription, in the order in which phases were agreed; part of every charge's key.
    pub number: u32,
    pub line: LineId,
    pub name: String,
    pub kind: Kind,
    pub timing: Timing,
    pub price: Price,
    pub quantity: Decimal,
    pub flat_fee: bool,
    /// Whether a part of a period costs a part of the price; if not, it costs all of it, and nothing of it is given back
    /// but whole periods. Usage is never divided.
    pub prorate: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// In percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<Decimal>,
    /// Without one there is a single period with no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    pub from: NaiveDate,
    /// The first day that is no longer of this phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    /// Why `until` is what it is: the one rule that asks is `inclusive_days`.
    #[serde(default, skip_serializing_if = "Ending::is_default")]
    pub ending: Ending,
    /// The first day that is not billed yet; `None` before the first charge. A charge for a period with no end leaves the
    /// day it starts on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed_through: Option<NaiveDate>,
    /// How often days that were billed were given back: a charge of them can be made again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub given_back: u32,
    /// The first day that never was billed, where days before it were given back: the parts of a period are rounded
    /// together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged_to: Option<NaiveDate>,
    /// The day on which it was decided that it begins or goes on, where it was not there from the beginning: nothing is
    /// charged on an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_on: Option<NaiveDate>,
    /// The day on which its end was decided: nothing is taken back on an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<NaiveDate>,
    /// What a pause, or the end of the subscription, took from the phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// What usage was billed, by the first day of the period it was billed for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub billed_usage: BTreeMap<NaiveDate, BilledUsage>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A phase that stands still: what it was before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Ending::is_default")]
    pub ending: Ending,
}

impl Phase {
    /// Ends for good. What ends later than where the phase stands still is kept for when it goes on.
    pub fn end_on(&mut self, day: NaiveDate, ending: Ending) {
        // What never begins does not even have a last day that could count as used.
        let begins = self.from < day;
        match &mut self.stop {
            Some(stop) if begins && self.until.is_some_and(|until| until <= day) => {
                (stop.until, stop.ending) = (Some(day), ending);
            }
            Some(_) | None => (self.until, self.ending, self.stop) = (Some(day), ending, None),
        }
    }

    /// Ends until the subscription goes on, if ever.
    pub fn stop_on(&mut self, day: NaiveDate, ending: Ending) {
        let (until, ending_before) = (self.until, self.ending);
        self.stop.get_or_insert(Stop {
            until,
            ending: ending_before,
        });
        (self.until, self.ending) = (Some(day), ending);
    }

    /// The phase as it would be had it never stood still.
    #[must_use]
    pub fn restored(mut self) -> Self {
        if let Some(stop) = self.stop.take() {
            (self.until, self.ending) = (stop.until, stop.ending);
        }
        self
    }

    /// Notes how far the phase is billed now. What lies behind that was given back.
    pub fn bill_through(&mut self, day: NaiveDate) {
        if self.billed_through.is_some_and(|billed| day < billed) {
            self.given_back = self.given_back.saturating_add(1);
        }
        self.reach(day);
    }

    /// Is billed so far now; remembers how far it ever was.
    pub(super) fn reach(&mut self, day: NaiveDate) {
        let furthest = self.charged_to.max(self.billed_through);
        self.charged_to = furthest.filter(|furthest| day < *furthest);
        self.billed_through = Some(day);
    }

    /// Whether a part of a period costs a part of the price.
    pub fn is_divided(&self, proration: Proration) -> bool {
        self.prorate && proration.divides()
    }

    /// The first day that is no longer billed to the phase. Where `until` is the last day used, not the first unused, it
    /// is counted in, but never begins another period. Undivided, a period that was begun is billed to its end; or not at
    /// all, where another phase takes its rest over.
    pub fn end(&self, proration: Proration) -> Result<Option<NaiveDate>, BillingError> {
        let Some(until) = self.until.map(|until| until.max(self.from)) else {
            return Ok(None);
        };
        let Some(schedule) = &self.schedule else {
            return Ok(Some(until));
        };
        let period = self.period_of(schedule, until)?;
        let first = period.start.max(self.from);
        if self.is_divided(proration) {
            let inclusive = proration == Proration::InclusiveDays && self.ending == Ending::Termination;
            let last_is_used = inclusive && period.start < until;
            let after = until.succ_opt().filter(|_| last_is_used);
            return Ok(Some(after.unwrap_or(until)));
        }
        if self.kind != Kind::Recurring || first == until {
            return Ok(Some(until));
        }
        Ok(Some(match self.ending {
            Ending::Replaced => first,
            Ending::Change | Ending::Termination | Ending::Withdrawn => period.end,
        }))
    }

    /// The first day that the phase does not pay for; `None` where it pays for all days to come.
    pub fn pays_until(&self, proration: Proration) -> Result<Option<NaiveDate>, BillingError> {
        let end = self.end(proration)?;
        let once = match self.kind {
            Kind::OneOff | Kind::Trial => true,
            Kind::Recurring => self.schedule.is_none(),
            Kind::Metered { .. } => false,
        };
        let began = end.is_none_or(|end| end > self.from) || self.is_bought();
        Ok(end.filter(|_| !(once && began)))
    }

    /// Whether another phase, that begins on the day, was to take the rest of the period over.
    pub fn is_replaced_on(&self, day: NaiveDate) -> bool {
        self.ending == Ending::Replaced && self.until == Some(day)
    }

    /// Whether the period is over on the day whose rest another phase was to take over.
    pub fn is_replaced_before(&self, day: NaiveDate) -> bool {
        let period = self.schedule.zip(self.until);
        let period = period.and_then(|(schedule, until)| schedule.containing(until));
        self.ending == Ending::Replaced && period.is_some_and(|period| period.end <= day)
    }

    /// Of what is charged once: whether it was, and was not given back.
    pub fn is_bought(&self) -> bool {
        self.billed_through.is_some_and(|through| through >= self.from)
    }

    pub(super) fn period_of(&self, schedule: &Schedule, day: NaiveDate) -> Result<Span, BillingError> {
        schedule.containing(day).ok_or_else(|| self.off_calendar())
    }

    pub(super) fn off_calendar(&self) -> BillingError {
        BillingError::Calendar { phase: self.number }
    }

    pub fn meters(&self, metric: &str) -> bool {
        matches!(&self.kind, Kind::Metered { metric: own, .. } if own == metric)
    }

    /// Whether it counts records or their keys: a total of a period says neither.
    pub fn has_no_totals(&self) -> bool {
        match &self.kind {
            Kind::Metered { aggregation, .. } => matches!(aggregation, Aggregation::Count | Aggregation::Unique),
            Kind::Trial | Kind::OneOff | Kind::Recurring => true,
        }
    }

    /// The first day of the period that a day of the phase lies in.
    pub fn period_start(&self, day: NaiveDate) -> NaiveDate {
        let period = self.schedule.and_then(|schedule| schedule.containing(day));
        period.map_or(self.from, |period| period.start.max(self.from))
    }

    /// Whether the phase is over, and usage of that day is billed.
    pub fn has_closed(&self, day: NaiveDate) -> bool {
        let over = self.until.is_some_and(|until| self.billed_through >= Some(until));
        let mut periods = self.billed_usage.range(..=day);
        over && periods.next_back().is_some_and(|(_, billed)| day < billed.through)
    }
}

/// What a phase ends for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Another phase takes over on that day: a change of plan, price or quantity, the end of a trial.
    #[default]
    Change,
    /// Nothing comes after it: cancellation, pause, a line that is taken away.
    Termination,
    /// Another phase takes the rest of the period over. Undivided, that one costs all of it, and this one nothing.
    Replaced,
    /// What was to be bought on a day is not: that was decided before the day came.
    Withdrawn,
}

impl Ending {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What the usage of one period has been billed at so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledUsage {
    /// The first day after the period.
    pub through: NaiveDate,
    /// With that of the earlier parts of the period that it is priced with.
    pub quantity: Decimal,
    /// That of those earlier parts alone, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Decimal>,
    /// The sum of its charge and all corrections.
    pub amount: Money,
    /// How many corrections were made.
    #[serde(default)]
    pub corrections: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// Free of charge until the phase ends: one charge of zero over all of it.
    Trial,
    OneOff,
    Recurring,
    /// Billed by the usage of a metric within each period.
    Metered {
        metric: String,
        aggregation: Aggregation,
    },
}

/// Whether a period is charged when it begins or when it is over. Usage is always charged in arrears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    Advance,
    Arrears,
}

/// Percent first, then the fixed amount per period; never below zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// The discount that was named, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<DiscountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Decimal>,
    /// In units of the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Decimal>,
}

impl Discount {
    /// Whether it can be agreed.
    pub fn validate(&self) -> Result<(), PriceRefused> {
        let percent = self.percent.unwrap_or_default();
        not_negative("the discount", percent)?;
        not_negative("the discount", self.fixed.unwrap_or_default())?;
        if percent > Decimal::ONE_HUNDRED {
            return Err(PriceRefused::DiscountAboveAll);
        }
        Ok(())
    }

    /// What is left of a price.
    pub fn apply(&self, price: Decimal) -> Result<Decimal, MoneyError> {
        let percent = self.percent.unwrap_or_default();
        let off = price
            .checked_mul(percent)
            .and_then(|off| off.checked_div(Decimal::ONE_HUNDRED))
            .ok_or(MoneyError::Overflow)?;
        price
            .checked_sub(off)
            .and_then(|left| left.checked_sub(self.fixed.unwrap_or_default()))
            .map(|left| left.max(Decimal::ZERO))
            .ok_or(MoneyError::Overflow)
    }
}
