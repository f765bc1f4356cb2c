//! Billing a subscription: what is due becomes charges, and when there is something to do again.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use super::{
    Agreement, BilledThrough, BilledUsageOf, Charge, Event, Now, PlannedFulfilment, Progress, Refused, Status,
    Subscription, Terms, policy,
};
use crate::{
    billing::{self, Accrued, Ending, Kind, Phase, Policy, Reason, Usage},
    calendar::{self, Period, local_date},
    id::{ChargeId, LineId, SubscriptionId},
    money::Money,
    order_terms::{Mode, OrderBillingPreferences},
    terms::{InvoiceTrigger, UsagePeriodClosing},
};

/// What is charged now, and what the billing of the subscription has come to.
pub(super) fn accrue(
    subscription: SubscriptionId,
    now: Now<'_>,
    pending: &BTreeMap<ChargeId, Charge>,
    until: DateTime<Utc>,
    usage: &Usage,
) -> Result<Vec<Event>, Refused> {
    let Now {
        agreement,
        progress,
        at,
        ..
    } = now;
    let policy = now.policy();
    let accrual = billing::accrue(agreement.currency, &agreement.phases, usage, &policy, until)?;
    let today = local_date(until, policy.zone);
    let run = progress.run.saturating_add(1);
    let (fulfilments, next_delivery) = now.deliveries(&agreement.phases, &accrual.charges, until)?;
    let charges: Vec<_> = accrual
        .charges
        .into_iter()
        .map(|accrued| Charge::accrued(subscription, &agreement.terms, accrued))
        .collect();
    let owed = pending.values().chain(&charges).map(|charge| charge.amount);
    Money::sum(agreement.currency, owed)?;
    let billed_through: Vec<_> = accrual
        .billed_through
        .into_iter()
        .map(|(phase, through)| BilledThrough { phase, through })
        .collect();
    let billed_usage: Vec<_> = accrual
        .billed_usage
        .into_iter()
        .flat_map(|(phase, periods)| {
            let of = move |(start, billed)| BilledUsageOf { phase, start, billed };
            periods.into_iter().map(of)
        })
        .collect();
    let waiting = !pending.is_empty() || !charges.is_empty();
    let ended = progress.ends.filter(|end| *end <= today);
    // What waited for a beginning that never comes does so no more.
    let never_begins = (ended.is_some() && agreement.status == Status::Pending).then(|| Agreement {
        status: Status::Cancelled,
        ..agreement.clone()
    });
    let agreement = never_begins.as_ref().unwrap_or(agreement);
    let invoicing = waiting && agreement.status != Status::Pending && agreement.invoices_on(today);
    let after = Progress {
        accrued_until: progress.accrued_until.max(Some(today)),
        ends: progress.ends.filter(|_| ended.is_none()),
        usage_arrived: None,
        ..progress.clone()
    };
    let then = Now {
        agreement,
        progress: &after,
        waiting: waiting && !invoicing,
        used: now.used,
        at: until,
    };
    // What a decision made due at once may be more than one run takes: the rest is of the same day.
    let due = accrual
        .next
        .map(|next| next.max(until))
        .into_iter()
        .chain(next_delivery);
    let next_billing = then.wake(due.min());
    let mut events = Vec::new();
    if let Some(effective) = ended {
        events.push(Event::Ended { at, effective });
    }
    let unchanged = charges.is_empty() && billed_through.is_empty() && fulfilments.is_empty() && !invoicing;
    if !unchanged || next_billing != progress.next_billing {
        events.push(Event::Accrued {
            at,
            until,
            run,
            charges,
            billed_through,
            billed_usage,
            invoicing,
            fulfilments,
            next_billing,
        });
    }
    Ok(events)
}

/// Notes what was charged, and how far that goes.
pub(super) fn accrued(
    agreement: &mut Agreement,
    pending: &mut BTreeMap<ChargeId, Charge>,
    progress: &mut Progress,
    event: &Event,
) {
    let Event::Accrued {
        until,
        run,
        charges,
        billed_through,
        billed_usage,
        fulfilments,
        next_billing,
        ..
    } = event
    else {
        return;
    };
    for billed in billed_through {
        policy::as_charged(agreement, progress, charges, *billed);
        let mut phases = agreement.phases.iter_mut();
        if let Some(phase) = phases.find(|phase| phase.number == billed.phase) {
            phase.bill_through(billed.through);
        }
    }
    for BilledUsageOf { phase, start, billed } in billed_usage {
        let mut phases = agreement.phases.iter_mut();
        if let Some(phase) = phases.find(|known| known.number == *phase) {
            phase.billed_usage.insert(*start, *billed);
        }
    }
    pending.extend(charges.iter().map(|charge| (charge.id, charge.clone())));
    progress.run = *run;
    progress.usage_arrived = None;
    planned(agreement, progress, fulfilments);
    progress.accrued_until = Some(local_date(*until, agreement.zone()));
    progress.next_billing = *next_billing;
}

/// What is to be delivered for the periods of an order that have begun: once for each that starts later than those before it, and once for a line that came to the order behind that. A period that is charged again, at another price or
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
fn planned(agreement: &Agreement, progress: &mut Progress, fulfilments: &[PlannedFulfilment]) {
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

impl Subscription {
    /// The first day that is not billed yet, whatever day that is invoiced on; of what is billed afterwards, the first day
    /// behind it. `None` where nothing is to come.
    pub fn bills_from(&self) -> Result<Option<NaiveDate>, Refused> {
        let (agreement, policy) = self.billed_by()?;
        let policy = Policy {
            invoice_days: 0,
            ..policy
        };
        let next = first_due(agreement, &agreement.phases, &policy)?;
        Ok(next.map(|next| local_date(next, agreement.zone())))
    }
}

/// When something is due first, with these phases.
fn first_due(agreement: &Agreement, phases: &[Phase], policy: &Policy) -> Result<Option<DateTime<Utc>>, Refused> {
    let Some(first) = phases.iter().map(|phase| phase.from).min() else {
        return Ok(None);
    };
    // Nothing is due then: what is asked for is when something is.
    let lead = Days::new(policy.invoice_days.unsigned_abs().saturating_add(2));
    let early = first.checked_sub_days(lead).unwrap_or(NaiveDate::MIN);
    let early = early.and_time(NaiveTime::MIN).and_utc();
    Ok(billing::accrue(agreement.currency, phases, &Usage::default(), policy, early)?.next)
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
    fn deliveries(
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
        let phases: Vec<Phase> = phases.iter().filter(delivered).cloned().collect();
        let begun = billing::accrue(self.agreement.currency, &phases, &Usage::default(), &policy, until)?;
        let planned = fulfilments(self.agreement, self.progress, &begun.charges);
        Ok((planned, begun.next.filter(|next| *next > until)))
    }

    pub(super) fn policy(&self) -> Policy {
        Policy {
            before: self.progress.policies.clone(),
            closed_through: self.progress.usage_closed,
            ..self.agreement.policy()
        }
    }

    /// Corrections of a phase that goes on come with its next period. Where it is over no period comes: they are due now.
    pub fn note_usage(&self, days: &[(String, NaiveDate)]) -> Vec<Event> {
        let at = self.at;
        let closed = |(metric, day): &(String, NaiveDate)| {
            let mut phases = self.agreement.phases.iter().filter(|phase| phase.meters(metric));
            phases.any(|phase| phase.has_closed(*day))
        };
        if self.progress.next_billing.is_some_and(|next| next <= at) || !days.iter().any(closed) {
            return Vec::new();
        }
        vec![Event::UsageArrived { at, next_billing: at }]
    }

    /// Closes usage by hand; what was closed stays closed.
    pub fn close_usage(&self, through: NaiveDate) -> Result<Vec<Event>, Refused> {
        if self.agreement.status == Status::Pending {
            return Err(Refused::Pending);
        }
        if self.agreement.policy().usage_closing != UsagePeriodClosing::Manual {
            return Err(Refused::ClosesByItself);
        }
        // Today's may be known to be complete; that of days to come is not.
        let latest = self.today().succ_opt().ok_or(Refused::BeyondCalendar)?;
        if through > latest {
            return Err(Refused::UsageToCome { latest });
        }
        if self.progress.usage_closed.is_some_and(|closed| through <= closed) {
            return Ok(Vec::new());
        }
        let closed = Progress {
            usage_closed: Some(through),
            ..self.progress.clone()
        };
        let then = Now {
            progress: &closed,
            ..*self
        };
        Ok(vec![Event::UsageClosed {
            at: self.at,
            through,
            next_billing: then.next_billing(&self.agreement.phases)?,
        }])
    }

    /// When there is something to do next: to bill, to put on an invoice, or to end.
    fn wake(&self, billing: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let zone = self.agreement.zone();
        let ending = self.progress.ends.and_then(|day| calendar::midnight(day, zone));
        [billing, ending, self.next_invoices(), self.progress.usage_arrived]
            .into_iter()
            .flatten()
            .min()
    }

    /// When what waits is put on invoices by itself; `at` where that is at once.
    fn next_invoices(&self) -> Option<DateTime<Utc>> {
        // What waits for an agreement to begin is looked at when it does.
        if !self.waiting || self.agreement.status == Status::Pending {
            return None;
        }
        match self.agreement.terms.trigger() {
            InvoiceTrigger::Immediate => Some(self.at),
            InvoiceTrigger::Periodic(rule) => {
                let activation = self.agreement.activation;
                let done = self.progress.accrued_until.or_else(|| activation.pred_opt())?;
                calendar::midnight(self.agreement.next_invoicing(rule, done)?, self.agreement.zone())
            }
            InvoiceTrigger::Manual => None,
        }
    }

    /// As if everything before today was charged: an invoice that is made from now on is of no day that is over.
    fn as_of_today(&self) -> Progress {
        let yesterday = local_date(self.at, self.agreement.zone()).pred_opt();
        Progress {
            accrued_until: self.progress.accrued_until.max(yesterday),
            ..self.progress.clone()
        }
    }

    /// When something is due first, with these phases.
    pub fn next_billing(&self, phases: &[Phase]) -> Result<Option<DateTime<Utc>>, Refused> {
        let first = first_due(self.agreement, phases, &self.policy())?;
        let due = match self.deliveries(phases, &[], self.at)? {
            (planned, next) if planned.is_empty() => first.into_iter().chain(next).min(),
            (_, _) => Some(first.map_or(self.at, |next| next.min(self.at))),
        };
        // Invoices that are overdue are not put off by a change.
        let overdue = self
            .next_invoices()
            .filter(|due| Some(*due) == self.progress.next_billing);
        let now = Now {
            progress: &self.as_of_today(),
            ..*self
        };
        let next = now.wake(due);
        Ok(overdue
            .into_iter()
            .chain(next)
            .min()
            .map(|next| self.not_dated_back(next, phases)))
    }

    /// What is due because of what is decided now is due from today on: no invoice is older than what caused it. What was
    /// due before anyway keeps its moment, and what begins in the past is history that is brought over.
    fn not_dated_back(&self, next: DateTime<Utc>, phases: &[Phase]) -> DateTime<Utc> {
        let (agreement, known) = (self.agreement, self.progress.next_billing);
        let today = local_date(self.at, agreement.zone());
        let fresh = Progress {
            policies: self.progress.policies.clone(),
            ..Progress::default()
        };
        let signed = *self.progress == fresh && phases == agreement.phases;
        let begins = signed || agreement.offer.is_some();
        let history = begins && agreement.activation < today;
        match calendar::midnight(today, agreement.zone()) {
            Some(earliest) if !history && next < earliest => {
                known.map_or(earliest, |known| known.min(earliest)).max(next)
            }
            Some(_) | None => next,
        }
    }

    /// When the invoice of a charge that is put on the subscription now is made by itself, where that is earlier than
    /// everything else there is to do.
    pub fn next_with_charge(&self) -> Option<DateTime<Utc>> {
        let now = Now {
            progress: &self.as_of_today(),
            waiting: true,
            ..*self
        };
        let next = now.next_invoices()?;
        Some(next).filter(|next| self.progress.next_billing.is_none_or(|now| *next < now))
    }
}
