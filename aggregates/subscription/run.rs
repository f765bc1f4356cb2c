//! Billing a subscription: what is due becomes charges, and when there is something to do again.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use super::{
    Agreement, BilledThrough, BilledUsageOf, Charge, Event, Now, Progress, Refused, Status, Subscription, delivery,
    policy,
};
use crate::{
    billing::{self, Phase, Policy, Usage},
    calendar::{self, local_date},
    id::{ChargeId, SubscriptionId},
    money::Money,
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
    let delivery = now.deliveries(&accrual, until)?;
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
    let due = accrual.next.into_iter().chain(delivery.next);
    let next_billing = then.wake(due.map(|next| next.max(until)).min());
    let mut events = Vec::new();
    if let Some(effective) = ended {
        events.push(Event::Ended { at, effective });
    }
    let undelivered = delivery.fulfilments.is_empty() && delivery.through.is_empty();
    let unchanged = charges.is_empty() && billed_through.is_empty() && undelivered && !invoicing;
    if !unchanged || next_billing != progress.next_billing {
        events.push(Event::Accrued {
            at,
            until,
            run,
            charges,
            billed_through,
            billed_usage,
            invoicing,
            fulfilments: delivery.fulfilments,
            delivered_through: delivery.through,
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
        delivered_through,
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
    delivery::planned(agreement, progress, fulfilments);
    delivery::reached(agreement, progress, delivered_through);
    progress.accrued_until = Some(local_date(*until, agreement.zone()));
    progress.next_billing = *next_billing;
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
pub(super) fn first_due(
    agreement: &Agreement,
    phases: &[Phase],
    policy: &Policy,
) -> Result<Option<DateTime<Utc>>, Refused> {
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
        let due = first.into_iter().chain(self.next_delivery(phases)?).min();
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
