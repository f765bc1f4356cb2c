//! What an order delivers: once for each of its periods, and for a line that comes to it later.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Agreement, Event, Now, PlannedFulfilment, Progress, Refused, Terms};
use crate::{
    billing::{self, Accrued, Ending, Kind, Phase, Policy, Reason, Usage},
    calendar::{self, Period},
    id::LineId,
    order_terms::{Mode, OrderBillingPreferences},
};

/// What is to be delivered for the periods of an order that have begun: once for each that starts later than those before
/// it, and once for a line that came to the order behind that. A period that is charged again, at another price or
/// in another quantity, or what is left of it after a pause or an end, is not delivered again.
fn fulfilments(agreement: &Agreement, progress: &Progress, charges: &[Accrued]) -> Vec<PlannedFulfilment> {
    let Terms::Order { billing } = &agreement.terms else {
        return Vec::new();
    };
    let mut starts: BTreeMap<(NaiveDate, Option<LineId>), Period> = BTreeMap::new();
    for charge in charges {
        let start = charge.period.start;
        let is_later = progress.fulfilled.is_none_or(|done| done < start);
        if has_it(agreement, progress, charge) {
            continue;
        }
        let key = (start, Some(charge.line).filter(|_| !is_later));
        if is_delivered(charge.explanation.reason) {
            let period = starts.entry(key).or_insert(charge.period);
            // What is charged once has no end of its own.
            period.end = period.end.or(charge.period.end);
        }
    }
    let planned = |((_, line), period)| planned_for(agreement, progress, billing, line, period);
    starts.into_iter().filter_map(planned).collect()
}

fn planned_for(
    agreement: &Agreement,
    progress: &Progress,
    billing: &OrderBillingPreferences,
    line: Option<LineId>,
    period: Period,
) -> Option<PlannedFulfilment> {
    Some(PlannedFulfilment {
        period,
        at: calendar::midnight(billing.fulfilment_date(period), agreement.zone())?,
        automatic: billing.fulfillment_mode == Mode::Automatic,
        line,
        again: match progress.again_until {
            Some(until) if period.start <= until => progress.again,
            Some(_) | None => 0,
        },
    })
}

/// Whether the line is delivered for that day or a later one, or, as it is now, for another day of the same full period.
fn has_it(agreement: &Agreement, progress: &Progress, charge: &Accrued) -> bool {
    let line = charge.line;
    let Some(last) = progress.delivered.get(&line).copied() else {
        return false;
    };
    let start = charge.period.start;
    let on = |day: NaiveDate| {
        let phases = agreement
            .phases
            .iter()
            .filter(|phase| phase.line == line && phase.from <= day);
        phases.max_by_key(|phase| (phase.from, phase.number))
    };
    let whole = |phase: &Phase, day| Some(phase.schedule?.containing(day)?.start);
    let goes_on = on(last).zip(on(start)).is_some_and(|(then, now)| {
        let stood_still = matches!(then.ending, Ending::Termination | Ending::Withdrawn);
        let same = (&then.kind, &then.price, then.quantity) == (&now.kind, &now.price, now.quantity);
        stood_still && same && whole(then, last).is_some() && whole(then, last) == whole(now, start)
    });
    last >= start || goes_on
}

/// What was planned for these lines of days from one on is planned once more; for the whole order, where no line of it has
/// anything of those days.
fn planned_again(progress: &mut Progress, again: u32, from: NaiveDate, undelivered: &[LineId]) {
    let last = progress.delivered.values().copied().max();
    progress.again = again;
    progress.again_until = progress.again_until.max(last).max(progress.fulfilled);
    let mut kept = progress.delivered.iter();
    if !kept.any(|(line, last)| from <= *last && !undelivered.contains(line)) {
        let before = from.pred_opt();
        progress.fulfilled = progress
            .fulfilled
            .map(|done| before.map_or(done, |before| done.min(before)));
    }
}

/// Lines that go on have nothing of what was planned for them last, but this in its place.
pub(super) fn missed(agreement: &Agreement, progress: &mut Progress, event: &Event) {
    let Event::Resumed {
        from,
        undelivered,
        again,
        fulfilments,
        ..
    } = event
    else {
        return;
    };
    if *again > 0 {
        planned_again(progress, *again, *from, undelivered);
    }
    progress.delivered.retain(|line, _| !undelivered.contains(line));
    progress.renewed.retain(|line, _| !undelivered.contains(line));
    planned(agreement, progress, fulfilments);
}

/// What is planned for a period is for all lines that the order has on its first day.
pub(super) fn planned(agreement: &Agreement, progress: &mut Progress, fulfilments: &[PlannedFulfilment]) {
    for planned in fulfilments {
        let start = planned.period.start;
        let has_day = |phase: &Phase| phase.from <= start && phase.until.is_none_or(|until| start < until);
        let lines: Vec<LineId> = if let Some(line) = planned.line {
            vec![line]
        } else {
            progress.fulfilled = progress.fulfilled.max(Some(start));
            let phases = agreement.phases.iter().filter(|phase| has_day(phase));
            phases.map(|phase| phase.line).collect()
        };
        for line in lines {
            let last = progress.delivered.entry(line).or_insert(start);
            if *last <= start {
                *last = start;
                match planned.again {
                    0 => progress.renewed.remove(&line),
                    again => progress.renewed.insert(line, again),
                };
            }
        }
    }
}

/// What was used is delivered already.
fn is_delivered(reason: Reason) -> bool {
    match reason {
        Reason::Trial | Reason::OneOff | Reason::Period => true,
        Reason::Unused | Reason::Usage | Reason::UsageCorrection => false,
    }
}

impl Now<'_> {
    /// What is delivered for lines that go on from a day in periods that are paid beyond it, when what was planned for them
    /// was withdrawn: no charge comes that it could be planned for. It is for the whole order where all of its lines are
    /// without.
    pub(super) fn delivered_again(
        &self,
        from: NaiveDate,
        undelivered: &[LineId],
        phases: &[Phase],
    ) -> Vec<PlannedFulfilment> {
        let Terms::Order { billing } = &self.agreement.terms else {
            return Vec::new();
        };
        let has_day = |phase: &&Phase| phase.from <= from && phase.until.is_none_or(|until| from < until);
        let misses = |phase: &Phase| {
            let last = self.progress.delivered.get(&phase.line);
            undelivered.contains(&phase.line) && last.is_some_and(|last| *last < from)
        };
        let mut paid: BTreeMap<LineId, NaiveDate> = BTreeMap::new();
        let deliverable = |phase: &&Phase| !matches!(phase.kind, Kind::Metered { .. });
        let phases: Vec<&Phase> = phases.iter().filter(has_day).filter(deliverable).collect();
        for phase in phases.iter().filter(|phase| misses(phase)) {
            if let Some(until) = phase.billed_through.filter(|until| from < *until) {
                paid.insert(phase.line, until);
            }
        }
        let is_later = self.progress.fulfilled.is_none_or(|done| done < from);
        let whole = is_later && phases.iter().all(|phase| misses(phase));
        let lines: Vec<(Option<LineId>, Option<NaiveDate>)> = if whole {
            let end = paid.into_values().min();
            end.map(|end| (None, Some(end))).into_iter().collect()
        } else {
            let of = |(line, end)| (Some(line), Some(end));
            paid.into_iter().map(of).collect()
        };
        let planned = |(line, end)| {
            planned_for(
                self.agreement,
                self.progress,
                billing,
                line,
                Period { start: from, end },
            )
        };
        lines.into_iter().filter_map(planned).collect()
    }

    /// What an order has to deliver for what is charged now, and when it is to be looked at next to deliver more. Where a
    /// period is invoiced some days after its first one, it is delivered from that day on all the same.
    pub(super) fn deliveries(
        &self,
        phases: &[Phase],
        charges: &[Accrued],
        until: DateTime<Utc>,
    ) -> Result<(Vec<PlannedFulfilment>, Option<DateTime<Utc>>), Refused> {
        let policy = self.policy();
        if policy.invoice_days <= 0 {
            return Ok((fulfilments(self.agreement, self.progress, charges), None));
        }
        let policy = Policy {
            invoice_days: 0,
            ..policy
        };
        let delivered = |phase: &&Phase| !matches!(phase.kind, Kind::Metered { .. });
        let mut phases: Vec<Phase> = phases.iter().filter(delivered).cloned().collect();
        let (currency, unused, mut begun) = (self.agreement.currency, Usage::default(), Vec::new());
        let next = loop {
            let some = billing::accrue(currency, &phases, &unused, &policy, until)?;
            begun.extend(some.charges);
            for phase in &mut phases {
                if let Some(through) = some.billed_through.get(&phase.number) {
                    phase.bill_through(*through);
                }
            }
            // There are more than one run takes.
            let more = some.next.is_some_and(|next| next <= until) && !some.billed_through.is_empty();
            if !more {
                break some.next.filter(|next| *next > until);
            }
        };
        Ok((fulfilments(self.agreement, self.progress, &begun), next))
    }
}
