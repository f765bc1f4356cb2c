//! Usage of one phase: when a period of it closes, what it costs, and what is corrected afterwards.
//!
//! A period of the schedule has one price for what was used in it, with its tiers, free units, minimum and maximum, also
//! where it is billed in several parts because the line stood still: each part costs what the period has come to with it
//! over what it had come to before. Parts under another price are periods of their own.

use chrono::{NaiveDate, TimeDelta};
use rust_decimal::Decimal;

use super::{
    Phase, Schedule,
    accrual::{Accrued, Reason},
    item::Item,
    parts::take_off,
    phase::{BilledUsage, Kind},
    progress::{Due, Part, Progress, Result, When, Work},
    proration::Share,
    schedule::Span,
};
use crate::terms::UsagePeriodClosing;

impl Progress<'_> {
    /// Usage that is billed for days that are not of this phase any more.
    pub(super) fn lost(&self) -> Result<Option<Due>> {
        match (self.end, self.phase.billed_through) {
            (Some(end), Some(billed)) if billed > end => self.invoiced(self.ended(end), Work::Correct),
            _ => Ok(None),
        }
    }

    /// The next period of usage to close; by hand, only as far as was told. A period with no end is closed by hand in parts.
    pub(super) fn next_closing(&self, schedule: Option<&Schedule>) -> Result<Option<Due>> {
        let policy = self.run.policy;
        let by_hand = policy.usage_closing == UsagePeriodClosing::Manual;
        let told = policy.closed_through.filter(|_| by_hand);
        let (notional, span) = if let Some(schedule) = schedule {
            match self.next_part(schedule)? {
                Some(Part { notional, span }) => (Some(notional), span),
                None => return Ok(None),
            }
        } else {
            let start = self.start();
            match [self.end, told].into_iter().flatten().min() {
                Some(end) if start < end => (None, Span { start, end }),
                Some(_) | None => return Ok(None),
            }
        };
        let delay = match policy.usage_closing {
            UsagePeriodClosing::Automatic => TimeDelta::zero(),
            UsagePeriodClosing::After15Minutes => TimeDelta::minutes(15),
            UsagePeriodClosing::After1Hour => TimeDelta::hours(1),
            UsagePeriodClosing::After1Day => TimeDelta::days(1),
            UsagePeriodClosing::Manual if policy.closed_through.is_some_and(|closed| closed >= span.end) => {
                TimeDelta::zero()
            }
            UsagePeriodClosing::Manual => return Ok(None),
        };
        let closed = self.midnight(span.end)?.checked_add_signed(delay);
        let closed = closed.ok_or_else(|| self.off_calendar())?;
        let invoiced = self.midnight(self.days_after(span.end, policy.invoice_days)?)?;
        Ok(Some(Due {
            at: closed.max(invoiced),
            billing_start: span.end,
            work: Work::Close { notional, span },
        }))
    }

    pub(super) fn close(&mut self, when: When, notional: Option<Span>, span: Span) -> Result<Accrued> {
        let earlier = self.earlier(span.start)?;
        let before = match earlier.as_slice() {
            [] => None,
            earlier => Some(self.measure(earlier)?),
        };
        let item = Item {
            when,
            reason: Reason::Usage,
            period: span.into(),
            notional,
            quantity: self.measure(&with(&earlier, span))?,
            share: Share::WHOLE,
        };
        let charge = self.over(item, before, 0)?;
        self.phase.billed_through = Some(span.end);
        self.phase.billed_usage.insert(
            span.start,
            BilledUsage {
                through: span.end,
                quantity: charge.explanation.quantity,
                before,
                amount: charge.amount,
                corrections: 0,
            },
        );
        Ok(charge)
    }

    /// Charges what earlier periods come to now over what they were billed at.
    pub(super) fn correct(&mut self, when: When, charges: &mut Vec<Accrued>) -> Result<()> {
        let billed: Vec<_> = self.phase.billed_usage.iter().map(|(s, b)| (*s, *b)).collect();
        for (start, known) in billed {
            let Some((charge, now)) = self.correction(when, start, known)? else {
                continue;
            };
            self.phase.billed_usage.insert(start, now);
            charges.push(charge);
        }
        Ok(())
    }

    /// Lost days are not billed any more.
    pub(super) fn lose(&mut self) {
        let Some(end) = self.end else { return };
        for (start, billed) in &mut self.phase.billed_usage {
            billed.through = billed.through.min(end).max(*start);
        }
        self.phase.billed_through = self.phase.billed_through.map(|billed| billed.min(end));
    }

    /// Days that the phase has lost since it was billed owe nothing any more.
    fn correction(&self, when: When, start: NaiveDate, known: BilledUsage) -> Result<Option<(Accrued, BilledUsage)>> {
        let end = self.end.map_or(known.through, |end| end.min(known.through));
        let is_lost = start >= end;
        // What was billed by itself stays so.
        let earlier = match known.before {
            Some(_) if !is_lost => self.earlier(start)?,
            Some(_) | None => Vec::new(),
        };
        let before = match known.before {
            Some(_) if !is_lost => Some(self.measure(&earlier)?),
            Some(_) | None => None,
        };
        let (quantity, share) = if is_lost {
            (Decimal::ZERO, Share::NOTHING)
        } else {
            (self.measure(&with(&earlier, Span { start, end }))?, Share::WHOLE)
        };
        if !is_lost && (quantity, before) == (known.quantity, known.before) {
            return Ok(None);
        }
        let billed = Span {
            start,
            end: known.through,
        };
        let number = known.corrections.saturating_add(1);
        let item = Item {
            when,
            reason: Reason::UsageCorrection,
            period: billed.into(),
            notional: None,
            quantity,
            share,
        };
        let mut charge = self.over(item, before, number)?;
        if charge.amount == known.amount {
            return Ok(None);
        }
        let now = BilledUsage {
            quantity,
            before,
            amount: charge.amount,
            corrections: number,
            ..known
        };
        take_off(&mut charge, known.amount, number)?;
        Ok(Some((charge, now)))
    }

    /// What an item costs over what the parts of its period before it have come to.
    fn over(&self, item: Item, before: Option<Decimal>, number: u32) -> Result<Accrued> {
        let mut charge = self.charge(item)?;
        if let Some(quantity) = before {
            let billed = self.charge(Item { quantity, ..item })?.amount;
            take_off(&mut charge, billed, number)?;
        }
        Ok(charge)
    }

    /// The days before this one, of the same period, on which the line was metered at the same price.
    fn earlier(&self, start: NaiveDate) -> Result<Vec<Span>> {
        let first = match &self.phase.schedule {
            Some(schedule) => Some(self.notional(schedule, start)?.start),
            None => None,
        };
        let mut earlier = Vec::new();
        for phase in self
            .run
            .phases
            .iter()
            .filter(|phase| costs_the_same(phase, &self.phase))
        {
            let end = match phase.until {
                _ if phase.number == self.phase.number => None,
                Some(until) => phase.end(self.run.policy.of(phase.number, until).proration)?,
                None => None,
            };
            let span = Span {
                start: first.map_or(phase.from, |first| first.max(phase.from)),
                end: end.map_or(start, |end| end.min(start)),
            };
            if span.start < span.end {
                earlier.push(span);
            }
        }
        Ok(earlier)
    }

    fn measure(&self, spans: &[Span]) -> Result<Decimal> {
        match &self.phase.kind {
            Kind::Metered { metric, aggregation } => Ok(self.run.usage.measure_all(metric, *aggregation, spans)?),
            Kind::Trial | Kind::OneOff | Kind::Recurring => Ok(Decimal::ZERO),
        }
    }
}

fn with(earlier: &[Span], span: Span) -> Vec<Span> {
    earlier.iter().copied().chain([span]).collect()
}

/// Whether usage under the two is priced together.
fn costs_the_same(one: &Phase, other: &Phase) -> bool {
    let terms = |phase: &Phase| (phase.line, phase.schedule, phase.tax_rate);
    let price = |phase: &Phase| (phase.kind.clone(), phase.price.clone(), phase.discount.clone());
    terms(one) == terms(other) && price(one) == price(other)
}
