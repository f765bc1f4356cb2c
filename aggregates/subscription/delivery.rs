//! What an order delivers: once for each of its periods, and for a line that comes to it later.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Agreement, BilledThrough, Event, Now, PlannedFulfilment, Progress, Refused, Terms, phases, run};
use crate::{
    billing::{self, Accrual, Accrued, Ending, Kind, Phase, Policy, Reason, Usage},
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

/// Whether the line is delivered for that day or a later one, or, as it is now, for another day of the same full period;
/// what is bought once, for any day.
fn has_it(agreement: &Agreement, progress: &Progress, charge: &Accrued) -> bool {
    let line = charge.line;
    let Some(last) = progress.delivered.get(&line).copied() else {
        return false;
    };
    let start = charge.period.start;
    // What was called off before anything of it was charged or delivered never was the line's.
    let was_there = |phase: &Phase| {
        let known = phase.billed_through.is_some() || progress.delivered_through.contains_key(&phase.number);
        known || phase.until.is_none_or(|until| phase.from < until)
    };
    let on = |day: NaiveDate| {
        let phases = agreement
            .phases
            .iter()
            .filter(|phase| phase.line == line && phase.from <= day && was_there(phase));
        phases.max_by_key(|phase| (phase.from, phase.number))
    };
    let whole = |phase: &Phase, day| Some(phase.schedule?.containing(day)?.start);
    let goes_on = on(last).zip(on(start)).is_some_and(|(then, now)| {
        // What lost all its days by an end is not said to be terminated.
        let has_no_day = then.until.is_some_and(|until| until <= then.from);
        let stood_still = has_no_day || matches!(then.ending, Ending::Termination | Ending::Withdrawn);
        let same = (&then.kind, &then.price, then.quantity) == (&now.kind, &now.price, now.quantity);
        // The same phase has an earlier day where its end was to come, or had come, and did not stay.
        let went_on = then.number == now.number || stood_still && same;
        went_on && whole(then, last).is_some() && whole(then, last) == whole(now, start)
    });
    let is_bought =
        charge.explanation.reason == Reason::OneOff && on(last).is_some_and(|then| then.kind == Kind::OneOff);
    last >= start || goes_on || is_bought
}

/// What was planned for these lines of days from one on is planned once more, where anything was; for the whole order,
/// where no line of it has anything of those days.
pub(super) fn planned_again(progress: &mut Progress, again: u32, from: NaiveDate, undelivered: &[LineId]) {
    if again == 0 {
        return;
    }
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
    planned_again(progress, *again, *from, undelivered);
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

/// What a run leads to of what an order delivers.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub fulfilments: Vec<PlannedFulfilment>,
    /// How far phases are delivered now, where that is neither known nor as far as they are charged.
    pub through: Vec<BilledThrough>,
    /// When there is something to deliver again. Not later than `until` where the run stopped at what one run takes.
    pub next: Option<DateTime<Utc>>,
}

/// Notes how far phases are delivered that are not charged so far, or further.
pub(super) fn reached(agreement: &Agreement, progress: &mut Progress, through: &[BilledThrough]) {
    let through = through.iter().map(|reached| (reached.phase, reached.through));
    progress.delivered_through.extend(through);
    let charged = |number: u32| agreement.phases.iter().find(|phase| phase.number == number);
    let is_apart = |number: u32, through| charged(number).is_some_and(|phase| phase.billed_through != Some(through));
    progress
        .delivered_through
        .retain(|number, through| is_apart(*number, *through));
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
        let as_delivered = self.as_delivered(phases);
        let phases = as_delivered.as_ref().map_or(phases, |(phases, _)| phases.as_slice());
        let has_day = |phase: &&Phase| phase.from <= from && phase.until.is_none_or(|until| from < until);
        // What was bought once has no end.
        let paid_until = |phase: &Phase| match phase.kind {
            Kind::OneOff => Some(None).filter(|_| phase.is_bought()),
            Kind::Trial | Kind::Recurring | Kind::Metered { .. } => {
                phase.billed_through.filter(|until| from < *until).map(Some)
            }
        };
        let deliverable = |phase: &&Phase| !matches!(phase.kind, Kind::Metered { .. });
        let later = phases.iter().filter(deliverable);
        let later = later
            .filter(|phase| from < phase.from)
            .any(|phase| phases::goes_on(phase, from));
        let phases: Vec<&Phase> = phases.iter().filter(has_day).filter(deliverable).collect();
        let is_later = self.progress.fulfilled.is_none_or(|done| done < from);
        let is_bought = |phase: &Phase| phase.kind == Kind::OneOff && phase.is_bought();
        // Of days that are charged again more is planned then, for the whole order or for each line; what was bought is
        // not charged again.
        let comes = is_later && !phases.iter().all(|phase| is_bought(phase));
        // Where all lines of the day are without, they are delivered together, and what was bought with them.
        let all_without = phases.iter().all(|phase| undelivered.contains(&phase.line));
        let misses = |phase: &Phase| {
            let last = self.progress.delivered.get(&phase.line);
            // What is left of the period that was withdrawn may begin sooner this time.
            let of_period = |last: NaiveDate| phase.schedule?.containing(last).map(|period| period.start);
            let is_same = |last| of_period(last).is_some_and(|start| start <= from);
            let before =
                |last: &NaiveDate| *last < from || is_same(*last) || is_bought(phase) && (!comes || all_without);
            undelivered.contains(&phase.line) && last.is_some_and(before)
        };
        let missing = phases.iter().filter(|phase| misses(phase));
        let paid: BTreeMap<LineId, Option<NaiveDate>> = missing
            .filter_map(|phase| Some((phase.line, paid_until(phase)?)))
            .collect();
        // What was bought stands for no line that is to go on later.
        let stands_for_all = comes || !later;
        let whole = is_later && stands_for_all && phases.iter().all(|phase| misses(phase));
        let lines: Vec<(Option<LineId>, Option<NaiveDate>)> = if whole {
            let ends = paid.values().flatten().min().copied();
            // A period that is to be charged will be planned for the whole order.
            let waits = ends.is_none() && phases.iter().any(|phase| !paid.contains_key(&phase.line));
            Some((None, ends))
                .filter(|_| !paid.is_empty() && !waits)
                .into_iter()
                .collect()
        } else {
            paid.into_iter().map(|(line, end)| (Some(line), end)).collect()
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

    /// The phases as they would be billed were each period invoiced on its first day: as far as they are delivered. None
    /// where that is as far as they are charged.
    fn as_delivered(&self, phases: &[Phase]) -> Option<(Vec<Phase>, Policy)> {
        let policy = self.policy();
        let through = &self.progress.delivered_through;
        if policy.invoice_days <= 0 && through.is_empty() {
            return None;
        }
        let delivered = |phase: &&Phase| !matches!(phase.kind, Kind::Metered { .. });
        let reached = |phase: &Phase| {
            let mut phase = phase.clone();
            if let Some(through) = through.get(&phase.number) {
                phase.bill_through(*through);
            }
            phase
        };
        let policy = Policy {
            invoice_days: policy.invoice_days.min(0),
            ..policy
        };
        Some((phases.iter().filter(delivered).map(reached).collect(), policy))
    }

    /// When something of these phases is to be delivered first, where that is sooner than it is charged.
    pub(super) fn next_delivery(&self, phases: &[Phase]) -> Result<Option<DateTime<Utc>>, Refused> {
        match self.as_delivered(phases) {
            Some((phases, policy)) => run::first_due(self.agreement, &phases, &policy),
            None => Ok(None),
        }
    }

    /// What an order has to deliver for what is charged now. Where a period is invoiced some days after its first one, it
    /// is delivered from that day on all the same, and taken back on the day on which it is: whatever becomes of the order,
    /// it is delivered as if it were invoiced at once.
    pub(super) fn deliveries(&self, accrual: &Accrual, until: DateTime<Utc>) -> Result<Delivery, Refused> {
        let Some((phases, policy)) = self.as_delivered(&self.agreement.phases) else {
            return Ok(Delivery {
                fulfilments: fulfilments(self.agreement, self.progress, &accrual.charges),
                ..Delivery::default()
            });
        };
        let begun = billing::accrue(self.agreement.currency, &phases, &Usage::default(), &policy, until)?;
        let charged = |phase: &Phase| {
            let mut phases = self.agreement.phases.iter();
            let before = || phases.find(|charged| charged.number == phase.number)?.billed_through;
            let charged = accrual.billed_through.get(&phase.number).copied();
            charged.or_else(before)
        };
        let through = phases.iter().filter_map(|phase| {
            let reached = begun.billed_through.get(&phase.number).copied();
            let through = reached.or(phase.billed_through)?;
            let known = self.progress.delivered_through.get(&phase.number).copied();
            let is_known = known.or_else(|| charged(phase)) == Some(through);
            let phase = phase.number;
            (!is_known).then_some(BilledThrough { phase, through })
        });
        Ok(Delivery {
            fulfilments: fulfilments(self.agreement, self.progress, &begun.charges),
            through: through.collect(),
            next: begun.next,
        })
    }
}
