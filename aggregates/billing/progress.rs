//! How far one phase is billed, and what falls due in it next.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{
    Phase, Policy, Proration, Schedule, Usage,
    accrual::{Accrued, BillingError, Reason},
    item::{self, Item},
    phase::{Ending, Kind, Timing},
    proration::Share,
    schedule::Span,
};
use crate::{
    calendar::{self, Period},
    money::Currency,
};

/// What is the same for all phases of a run.
pub(super) struct Run<'a> {
    pub currency: Currency,
    pub phases: &'a [Phase],
    pub usage: &'a Usage,
    pub policy: &'a Policy,
}

/// A phase on its way.
pub(super) struct Progress<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) phase: Phase,
    /// The first day that is no longer billed to this phase.
    pub(super) end: Option<NaiveDate>,
    due: Option<Due>,
}

/// The next thing to do, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub at: DateTime<Utc>,
    /// As [`When::billing_start`].
    pub billing_start: NaiveDate,
    pub work: Work,
}

/// When something is charged.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    pub at: DateTime<Utc>,
    /// The day that its invoice and its payment count from: on which its period starts, or ends where it is charged in
    /// arrears, whenever that was decided.
    pub billing_start: NaiveDate,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Charge what is not counted in periods.
    Whole(Reason, Period),
    Charge(Part),
    TakeBack(Part),
    /// Correct what was billed for days that the phase has lost.
    Correct,
    /// Close a period of usage; `notional` where the phase has a schedule.
    Close {
        notional: Option<Span>,
        span: Span,
    },
}

/// A full period of the schedule, and the days of it that this is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub notional: Span,
    pub span: Span,
}

impl Due {
    pub fn when(&self) -> When {
        When {
            at: self.at,
            billing_start: self.billing_start,
        }
    }

    pub fn takes_back(&self) -> bool {
        matches!(
            self.work,
            Work::TakeBack(_) | Work::Correct | Work::Whole(Reason::Unused, _)
        )
    }
}

pub(super) type Result<T> = std::result::Result<T, BillingError>;

impl<'a> Progress<'a> {
    pub fn of(run: &'a Run<'a>, phase: &Phase) -> Result<Self> {
        let mut progress = Self {
            run,
            phase: phase.clone(),
            end: None,
            due: None,
        };
        progress.end = {
            let proration = progress
                .phase
                .until
                .map_or(run.policy.rules.proration, |until| progress.proration(until));
            progress.phase.end(proration)?
        };
        progress.due = progress.find_due()?;
        Ok(progress)
    }

    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    pub fn due(&self) -> Option<Due> {
        self.due
    }

    /// Does what is due, and finds what comes after it.
    pub fn advance(&mut self, charges: &mut Vec<Accrued>) -> Result<()> {
        let Some(due) = self.due else {
            return Ok(());
        };
        let when = due.when();
        match due.work {
            Work::Whole(reason, period) => charges.push(self.whole(when, reason, period)?),
            Work::Charge(part) => charges.push(self.part(when, Reason::Period, part)?),
            Work::TakeBack(part) => charges.push(self.part(when, Reason::Unused, part)?),
            Work::Correct => {
                self.correct(when, charges)?;
                self.lose();
            }
            Work::Close { notional, span } => {
                self.correct(when, charges)?;
                charges.push(self.close(when, notional, span)?);
            }
        }
        self.due = self.find_due()?;
        Ok(())
    }

    /// Corrections go with the next period; where there is none any more, they are due at once.
    pub fn correct_when_over(&mut self, now: DateTime<Utc>, charges: &mut Vec<Accrued>) -> Result<()> {
        if self.end.is_some_and(|end| self.start() >= end) {
            let billing_start = calendar::local_date(now, self.run.policy.zone);
            let when = When { at: now, billing_start };
            self.correct(when, charges)?;
        }
        Ok(())
    }

    /// The first day that is not billed yet.
    pub(super) fn start(&self) -> NaiveDate {
        self.phase.billed_through.unwrap_or(self.phase.from)
    }

    /// What is due next, not before the day on which it was decided.
    fn find_due(&self) -> Result<Option<Due>> {
        let Some(due) = self.next_due()? else {
            return Ok(None);
        };
        let decided = if due.takes_back() {
            self.phase.ended_on
        } else {
            self.phase.agreed_on
        };
        let at = match decided {
            Some(day) => due.at.max(self.midnight(day)?),
            None => due.at,
        };
        Ok(Some(Due { at, ..due }))
    }

    fn next_due(&self) -> Result<Option<Due>> {
        match (&self.phase.kind, &self.phase.schedule) {
            (Kind::Trial, _) => self.trial(),
            (Kind::OneOff, _) => self.once(Reason::OneOff, Timing::Advance),
            (Kind::Recurring, None) => self.once(Reason::Period, self.phase.timing),
            (Kind::Recurring, Some(schedule)) => match self.unused(schedule)? {
                Some(due) => Ok(Some(due)),
                None => self.next_period(schedule),
            },
            (Kind::Metered { .. }, schedule) => match self.lost()? {
                Some(due) => Ok(Some(due)),
                None => self.next_closing(schedule.as_ref()),
            },
        }
    }

    /// A trial that has no end yet waits for it.
    fn trial(&self) -> Result<Option<Due>> {
        let (start, Some(end)) = (self.start(), self.end) else {
            return Ok(None);
        };
        if start >= end {
            return Ok(None);
        }
        let period = Span { start, end };
        self.invoiced(self.timed(period), Work::Whole(Reason::Trial, period.into()))
    }

    /// A single charge for a period that no schedule divides. It is taken back only where it was withdrawn before its day.
    fn once(&self, reason: Reason, timing: Timing) -> Result<Option<Due>> {
        let start = self.phase.from;
        if self.phase.is_bought() {
            let withdrawn = self.phase.ending == Ending::Withdrawn && self.end == Some(start);
            if !withdrawn || item::discounted(&self.phase, self.phase.quantity)?.1.is_zero() {
                return Ok(None);
            }
            let period = Period { start, end: None };
            return self.invoiced(start, Work::Whole(Reason::Unused, period));
        }
        if self.end == Some(start) {
            return Ok(None);
        }
        let end = self.end.filter(|_| reason == Reason::Period);
        let day = match timing {
            Timing::Advance => Some(start),
            Timing::Arrears => end,
        };
        match day {
            Some(day) => self.invoiced(day, Work::Whole(reason, Period { start, end })),
            None => Ok(None),
        }
    }

    fn next_period(&self, schedule: &Schedule) -> Result<Option<Due>> {
        let Some(part) = self.next_part(schedule)? else {
            return Ok(None);
        };
        self.invoiced(self.timed(part.span), Work::Charge(part))
    }

    /// The days that come next: to the end of their full period, or of the phase.
    pub(super) fn next_part(&self, schedule: &Schedule) -> Result<Option<Part>> {
        let start = self.start();
        if self.end.is_some_and(|end| start >= end) {
            return Ok(None);
        }
        let notional = self.notional(schedule, start)?;
        let end = self.end.map_or(notional.end, |end| end.min(notional.end));
        Ok(Some(Part {
            notional,
            span: Span { start, end },
        }))
    }

    /// Days that are billed but not of this phase any more, the last full period first. What cost nothing stays.
    fn unused(&self, schedule: &Schedule) -> Result<Option<Due>> {
        let (Some(end), Some(billed)) = (self.end, self.phase.billed_through) else {
            return Ok(None);
        };
        if billed <= end {
            return Ok(None);
        }
        let notional = self.notional(schedule, self.days_after(billed, -1)?)?;
        let start = end.max(notional.start);
        let part = Part {
            notional,
            span: Span { start, end: billed },
        };
        // Divided, a day can be free (the 30th of a month of 31 days where months have 30): given back like any other, it
        // can be charged again.
        let divided = self.phase.is_divided(self.proration(part.span.start));
        let is_free = self.share(part)?.numerator == 0 && !divided;
        if is_free || item::discounted(&self.phase, self.phase.quantity)?.1.is_zero() {
            return Ok(None);
        }
        self.invoiced(self.ended(end), Work::TakeBack(part))
    }

    /// From when on it is known that days are lost.
    pub(super) fn ended(&self, end: NaiveDate) -> NaiveDate {
        self.phase.until.map_or(end, |until| until.max(self.phase.from))
    }

    fn whole(&mut self, when: When, reason: Reason, period: Period) -> Result<Accrued> {
        let mut share = Share::WHOLE;
        self.phase.billed_through = Some(period.end.unwrap_or(period.start));
        if reason == Reason::Unused {
            share.numerator = -share.numerator;
            // A day that was never billed: it can be bought again.
            self.phase.billed_through = Some(self.days_after(period.start, -1)?);
        }
        self.charge(Item {
            when,
            reason,
            period,
            notional: None,
            quantity: self.phase.quantity,
            share,
        })
    }

    fn part(&mut self, when: When, reason: Reason, part: Part) -> Result<Accrued> {
        let mut share = self.share(part)?;
        let mut reached = part.span.end;
        if reason == Reason::Unused {
            share.numerator = -share.numerator;
            reached = part.span.start;
        }
        let item = Item {
            when,
            reason,
            period: part.span.into(),
            notional: Some(part.notional),
            quantity: self.phase.quantity,
            share,
        };
        let charge = self.in_parts(item, part)?;
        self.phase.reach(reached);
        Ok(charge)
    }

    /// What the days cost of the price of their full period. Undivided, the first days of the phase in it cost all, and
    /// whatever comes after them nothing.
    fn share(&self, Part { notional, span }: Part) -> Result<Share> {
        let proration = self.proration(span.start);
        match &self.phase.schedule {
            Some(schedule) if self.phase.is_divided(proration) => proration
                .share(schedule, self.run.policy.zone, notional, span)
                .ok_or_else(|| self.off_calendar()),
            _ if span.start == notional.start.max(self.phase.from) => Ok(Share::WHOLE),
            _ => Ok(Share::NOTHING),
        }
    }

    pub(super) fn charge(&self, item: Item) -> Result<Accrued> {
        let policy = self.run.policy.of(self.phase.number, item.period.start);
        Ok(item.accrue(&self.phase, policy, self.run.currency)?)
    }

    /// How a part of a period is counted that begins on that day.
    pub(super) fn proration(&self, day: NaiveDate) -> Proration {
        self.run.policy.of(self.phase.number, day).proration
    }

    /// The day that the phase's timing looks at.
    fn timed(&self, span: Span) -> NaiveDate {
        match self.phase.timing {
            Timing::Advance => span.start,
            Timing::Arrears => span.end,
        }
    }

    pub(super) fn invoiced(&self, day: NaiveDate, work: Work) -> Result<Option<Due>> {
        let at = self.midnight(self.days_after(day, self.run.policy.invoice_days)?)?;
        Ok(Some(Due {
            at,
            billing_start: day,
            work,
        }))
    }

    pub(super) fn notional(&self, schedule: &Schedule, date: NaiveDate) -> Result<Span> {
        self.phase.period_of(schedule, date)
    }

    pub(super) fn midnight(&self, date: NaiveDate) -> Result<DateTime<Utc>> {
        calendar::midnight(date, self.run.policy.zone).ok_or_else(|| self.off_calendar())
    }

    pub(super) fn days_after(&self, date: NaiveDate, days: i64) -> Result<NaiveDate> {
        TimeDelta::try_days(days)
            .and_then(|days| date.checked_add_signed(days))
            .ok_or_else(|| self.off_calendar())
    }

    pub(super) fn off_calendar(&self) -> BillingError {
        self.phase.off_calendar()
    }
}
