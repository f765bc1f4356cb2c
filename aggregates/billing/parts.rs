//! Parts of one period that are charged or given back one after the other: together they are rounded once.

use chrono::NaiveDate;

use super::{
    Reason, Schedule,
    accrual::{Accrued, Correction},
    item::Item,
    progress::{Part, Progress, Result},
    proration::Share,
    schedule::Span,
};
use crate::money::{Money, MoneyError};

impl Progress<'_> {
    /// What a part of a period comes to. Where other parts of the same were charged or given back before, and the minor
    /// unit on which they are rounded makes a difference, it is what all of them together come to over what those have.
    pub(super) fn in_parts(&self, item: Item, part: Part) -> Result<Accrued> {
        let alone = self.charge(item)?;
        let Some(schedule) = self.phase.schedule.as_ref() else {
            return Ok(alone);
        };
        let Some((beside, billed)) = self.beside(schedule, item, part)? else {
            return Ok(alone);
        };
        let numerator = item.share.numerator.checked_add(beside);
        let share = Share {
            numerator: numerator.ok_or(MoneyError::Overflow)?,
            ..item.share
        };
        let mut together = self.charge(Item { share, ..item })?;
        take_off(&mut together, billed, 0)?;
        Ok(if together.amount == alone.amount {
            alone
        } else {
            together
        })
    }

    /// The parts that this one is rounded with, and what they have come to: what was given back behind it, and stays so;
    /// or, where it reaches further than ever before, what is charged in front of it.
    fn beside(&self, schedule: &Schedule, item: Item, part: Part) -> Result<Option<(i64, Money)>> {
        let Part { notional, span } = part;
        let first = notional.start.max(self.phase.from);
        let billed = self.start();
        let furthest = self
            .phase
            .charged_to
            .map_or(billed, |to| to.max(billed))
            .min(notional.end);
        let proration = self.proration(span.start);
        let last = furthest.max(span.end).pred_opt().unwrap_or(first);
        let is_one = [first, last].iter().all(|day| self.proration(*day) == proration);
        if !self.phase.is_divided(proration) || !is_one {
            return Ok(None);
        }
        let of = |start: NaiveDate, end: NaiveDate| -> Result<(i64, Money)> {
            let share = proration
                .share(schedule, self.run.policy.zone, notional, Span { start, end })
                .ok_or_else(|| self.off_calendar())?;
            let numerator = match item.reason {
                Reason::Unused => -share.numerator,
                Reason::Trial | Reason::OneOff | Reason::Period | Reason::Usage | Reason::UsageCorrection => {
                    share.numerator
                }
            };
            let share = Share { numerator, ..share };
            Ok((numerator, self.charge(Item { share, ..item })?.amount))
        };
        if span.end < furthest {
            return Ok(Some(of(span.end, furthest)?));
        }
        if item.reason == Reason::Unused || span.end == furthest || span.start <= first {
            return Ok(None);
        }
        let (numerator, _) = of(first, span.start)?;
        let (charged, given_back) = (of(first, furthest)?.1, of(span.start, furthest)?.1);
        Ok(Some((numerator, charged.checked_sub(given_back)?)))
    }
}

/// What was billed before comes off, and the charge says so.
pub(super) fn take_off(charge: &mut Accrued, billed: Money, number: u32) -> Result<()> {
    charge.amount = charge.amount.checked_sub(billed)?;
    let exact = charge.explanation.exact.checked_sub(billed.to_decimal());
    charge.explanation.exact = exact.ok_or(MoneyError::Overflow)?;
    let known = charge.explanation.correction.map(|known| known.billed_before);
    let billed_before = match known {
        Some(known) => known.checked_add(billed)?,
        None => billed,
    };
    charge.explanation.correction = Some(Correction { number, billed_before });
    Ok(())
}
