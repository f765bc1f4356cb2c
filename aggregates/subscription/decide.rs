//! Subscriptions: the decisions.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Agreement, BilledUsageOf, Charge, Command, Event, NewCharge, PhaseEnd, Refused, Status, Terms, change, order_total,
    phases, policy, run,
};
use crate::{
    Decider,
    billing::Phase,
    catalog::PlanLine,
    id::{ChargeId, InvoiceId, LineId, SubscriptionId},
    money::Money,
    policy::PolicyBefore,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subscription {
    #[default]
    Absent,
    Signed {
        id: SubscriptionId,
        /// Its phases say how far they are billed.
        agreement: Box<Agreement>,
        /// Charges that are on no invoice yet, in order of their ids.
        pending: BTreeMap<ChargeId, Charge>,
        progress: Box<Progress>,
    },
}

/// How far the billing has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How often the subscription was billed.
    pub run: u32,
    /// When there is something to do.
    pub next_billing: Option<DateTime<Utc>>,
    /// The local day up to which everything is charged.
    pub accrued_until: Option<NaiveDate>,
    /// The day of a cancellation that is still to come.
    pub ends: Option<NaiveDate>,
    /// The first day of a pause, or of the end.
    pub paused_from: Option<NaiveDate>,
    /// The phases as they were before the pause, or the cancellation, ended them.
    pub paused: Vec<Phase>,
    /// With closing by hand: usage of days before this one is closed.
    #[serde(default)]
    pub usage_closed: Option<NaiveDate>,
    /// Since when a correction is due for usage that came late.
    #[serde(default)]
    pub usage_arrived: Option<DateTime<Utc>>,
    /// The policies of before, oldest first.
    #[serde(default)]
    pub policies: Vec<PolicyBefore>,
    /// Of an order: the first day of the latest period that something is delivered for.
    #[serde(default)]
    pub fulfilled: Option<NaiveDate>,
}

impl Subscription {
    pub fn agreement(&self) -> Option<&Agreement> {
        match self {
            Self::Absent => None,
            Self::Signed { agreement, .. } => Some(agreement),
        }
    }

    pub fn progress(&self) -> Option<&Progress> {
        match self {
            Self::Absent => None,
            Self::Signed { progress, .. } => Some(progress),
        }
    }

    /// The charges that can be put on an invoice now.
    pub fn pending(&self) -> impl Iterator<Item = &Charge> {
        match self {
            Self::Absent => None,
            Self::Signed { pending, .. } => Some(pending.values()),
        }
        .into_iter()
        .flatten()
    }

    /// A line as it is billed under the latest of its phases.
    pub fn line(&self, id: LineId) -> Option<PlanLine> {
        let phases = &self.agreement()?.phases;
        let phase = phases.iter().rev().find(|phase| phase.line == id)?;
        Some(PlanLine {
            id,
            name: phase.name.clone(),
            kind: phase.kind.clone(),
            timing: phase.timing,
            price: phase.price.clone(),
            quantity: phase.quantity,
            flat_fee: phase.flat_fee,
            prorate: phase.prorate,
            tax_rate: phase.tax_rate,
        })
    }
}

impl Decider for Subscription {
    const TYPE: &'static str = "subscription";
    const STATE_VERSION: u32 = 5;
    const SNAPSHOT_EVERY: i64 = 256;
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match self {
            Self::Absent => match command {
                Command::Sign {
                    at,
                    subscription,
                    agreement,
                } => sign(*at, *subscription, agreement),
                Command::AddCharge { .. }
                | Command::InvoiceCharges { .. }
                | Command::UpdateBillingPreferences { .. }
                | Command::UpdatePolicy { .. }
                | Command::Cancel { .. }
                | Command::Activate { .. }
                | Command::Accrue { .. }
                | Command::Change { .. }
                | Command::NoteUsage { .. }
                | Command::CloseUsage { .. }
                | Command::Pause { .. }
                | Command::Resume { .. }
                | Command::Reactivate { .. } => Err(Refused::Unknown),
            },
            Self::Signed {
                id,
                agreement,
                pending,
                progress,
            } => {
                let waiting = !pending.is_empty();
                match command {
                    Command::Sign { .. } => Err(Refused::AlreadyExists),
                    Command::AddCharge { at, charge } => add_charge(agreement, pending, progress, *at, charge),
                    Command::InvoiceCharges { at, invoice, charges } => {
                        invoice_charges(pending, *at, *invoice, charges)
                    }
                    Command::UpdateBillingPreferences { at, preferences } => {
                        change::update_billing_preferences(agreement, progress, waiting, *at, preferences)
                    }
                    Command::UpdatePolicy { at, changes } => policy::update(agreement, progress, waiting, *at, changes),
                    Command::Cancel { at, effective } => change::cancel(agreement, progress, waiting, *at, *effective),
                    Command::Activate { at, activation } => {
                        change::activate(agreement, progress, waiting, *at, *activation)
                    }
                    Command::Accrue { at, until, usage } => {
                        run::accrue(*id, agreement, pending, progress, (*at, *until), usage)
                    }
                    Command::Change { at, change } => change::change(agreement, progress, waiting, *at, change),
                    Command::NoteUsage { at, days } => Ok(run::note_usage(agreement, progress, *at, days)),
                    Command::CloseUsage { at, through } => {
                        run::close_usage(agreement, progress, waiting, *at, *through)
                    }
                    Command::Pause { at, from } => change::pause(agreement, progress, waiting, *at, *from),
                    Command::Resume { at, from } => change::resume(agreement, progress, waiting, *at, *from),
                    Command::Reactivate { at, from } => change::reactivate(agreement, progress, waiting, *at, *from),
                }
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        if let Event::Signed {
            subscription,
            agreement,
            next_billing,
            ..
        } = event
        {
            *self = Self::Signed {
                id: *subscription,
                agreement: agreement.clone(),
                pending: BTreeMap::new(),
                progress: Box::new(Progress {
                    next_billing: *next_billing,
                    ..Progress::default()
                }),
            };
            return;
        }
        if let Self::Signed {
            agreement,
            pending,
            progress,
            ..
        } = self
        {
            move_on(agreement, pending, progress, event);
        }
    }
}

fn move_on(
    agreement: &mut Agreement,
    pending: &mut BTreeMap<ChargeId, Charge>,
    progress: &mut Progress,
    event: &Event,
) {
    match event {
        Event::Signed { .. } => {}
        Event::Activated {
            activation,
            phases,
            trial_end,
            next_billing,
            ..
        } => {
            agreement.status = Status::Active;
            agreement.activation = *activation;
            agreement.offer = None;
            agreement.phases.clone_from(phases);
            agreement.trial_end = *trial_end;
            progress.next_billing = *next_billing;
        }
        Event::ChargeAdded {
            charge, next_billing, ..
        } => {
            pending.insert(charge.id, charge.clone());
            progress.next_billing = next_billing.or(progress.next_billing);
        }
        Event::Accrued { .. } => accrued(agreement, pending, progress, event),
        Event::ChargesInvoiced { charges, .. } => {
            for charge in charges {
                pending.remove(charge);
            }
        }
        Event::PolicyUpdated {
            policy, next_billing, ..
        } => {
            policy::updated(agreement, progress, *policy);
            progress.next_billing = *next_billing;
        }
        Event::BillingPreferencesUpdated { .. }
        | Event::Changed { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Cancelled { .. }
        | Event::UsageArrived { .. }
        | Event::UsageClosed { .. }
        | Event::Ended { .. } => changed(agreement, progress, event),
    }
}

fn changed(agreement: &mut Agreement, progress: &mut Progress, event: &Event) {
    match event {
        Event::Signed { .. }
        | Event::Activated { .. }
        | Event::ChargeAdded { .. }
        | Event::Accrued { .. }
        | Event::PolicyUpdated { .. }
        | Event::ChargesInvoiced { .. } => {}
        Event::BillingPreferencesUpdated {
            billing,
            ended,
            begun,
            next_billing,
            ..
        } => {
            agreement.cycle = billing.billing_period.cycle();
            agreement.terms = Terms::Order {
                billing: billing.clone(),
            };
            agreement.phases = phases::after(&agreement.phases, ended, begun);
            progress.next_billing = *next_billing;
        }
        Event::Changed {
            plan,
            cycle,
            ended,
            begun,
            next_billing,
            ..
        } => {
            agreement.plan = plan.or(agreement.plan);
            agreement.cycle = cycle.unwrap_or(agreement.cycle);
            agreement.phases = phases::after(&agreement.phases, ended, begun);
            progress.next_billing = *next_billing;
        }
        Event::Paused {
            from,
            ended,
            next_billing,
            ..
        } => {
            let stops = |phase: &&Phase| ended.iter().any(|end| end.phase == phase.number);
            progress.paused = agreement.phases.iter().filter(stops).cloned().collect();
            progress.paused_from = Some(*from);
            progress.next_billing = *next_billing;
            agreement.status = Status::Paused;
            phases::end(&mut agreement.phases, ended);
        }
        Event::Resumed {
            begun, next_billing, ..
        } => {
            progress.paused.clear();
            progress.paused_from = None;
            progress.ends = None;
            progress.next_billing = *next_billing;
            agreement.status = Status::Active;
            agreement.phases.extend_from_slice(begun);
        }
        Event::Cancelled {
            effective,
            scheduled,
            ended,
            next_billing,
            ..
        } => {
            if *scheduled {
                progress.ends = Some(*effective);
            } else {
                agreement.status = Status::Cancelled;
                progress.ends = None;
            }
            stopped(&agreement.phases, progress, ended, *effective);
            progress.next_billing = *next_billing;
            phases::end(&mut agreement.phases, ended);
        }
        Event::UsageArrived { next_billing, .. } => {
            progress.usage_arrived = Some(*next_billing);
            progress.next_billing = Some(*next_billing);
        }
        Event::UsageClosed {
            through, next_billing, ..
        } => {
            progress.usage_closed = Some(*through);
            progress.next_billing = *next_billing;
        }
        Event::Ended { .. } => {
            agreement.status = Status::Cancelled;
            progress.ends = None;
        }
    }
}

/// Keeps what a cancellation ends, so that it can go on again. What an earlier one was to end stopped then.
fn stopped(phases: &[Phase], progress: &mut Progress, ended: &[PhaseEnd], effective: NaiveDate) {
    for phase in phases {
        let ends = ended.iter().any(|end| end.phase == phase.number);
        if ends && progress.paused.iter().all(|known| known.number != phase.number) {
            progress.paused.push(phase.clone());
        }
    }
    let since = progress.paused_from.map_or(effective, |from| from.min(effective));
    progress.paused_from = Some(since);
}

fn accrued(
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
        let mut phases = agreement.phases.iter_mut();
        if let Some(phase) = phases.find(|phase| phase.number == billed.phase) {
            phase.billed_through = Some(billed.through);
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
    let fulfilled = fulfilments.iter().map(|planned| planned.period.start).max();
    progress.fulfilled = progress.fulfilled.max(fulfilled);
    progress.accrued_until = Some(crate::calendar::local_date(*until, agreement.zone()));
    progress.next_billing = *next_billing;
}

/// What was agreed is frozen into phases: later changes of the plan or of preferences do not reach it.
fn sign(at: DateTime<Utc>, subscription: SubscriptionId, agreed: &Agreement) -> Result<Vec<Event>, Refused> {
    let mut agreement = agreed.clone();
    if agreement.status != Status::Pending {
        change::recent(at, agreement.activation)?;
    }
    if let Some(order) = &agreement.order {
        order_total(&order.lines, agreement.currency).map_err(|(_, error)| error)?;
    }
    if agreement.status != Status::Pending {
        if let Some(offer) = agreement.offer.take() {
            (agreement.phases, agreement.trial_end) = phases::of_offer(&offer, agreement.cycle, agreement.activation)?;
        }
        if let (Some(order), Terms::Order { billing }) = (&agreement.order, &agreement.terms) {
            agreement.phases = phases::of_order(&order.lines, billing, agreement.activation);
        }
    }
    let next_billing = run::next_billing(&agreement, &Progress::default(), false, &agreement.phases, at)?;
    Ok(vec![Event::Signed {
        at,
        subscription,
        agreement: Box::new(agreement),
        next_billing,
    }])
}

fn add_charge(
    agreement: &Agreement,
    pending: &BTreeMap<ChargeId, Charge>,
    progress: &Progress,
    at: DateTime<Utc>,
    new: &NewCharge,
) -> Result<Vec<Event>, Refused> {
    if agreement.status == Status::Cancelled {
        return Err(Refused::Cancelled);
    }
    if new.name.trim().is_empty() {
        return Err(Refused::ChargeNameMissing);
    }
    if new.amount.currency != agreement.currency {
        return Err(Refused::WrongCurrency {
            expected: agreement.currency,
            got: new.amount.currency,
        });
    }
    if new.period.end.is_some_and(|end| end < new.period.start) {
        return Err(Refused::PeriodReversed);
    }
    if pending.contains_key(&new.id) {
        return Err(Refused::ChargeExists);
    }
    // What is pending must fit on one invoice, or one charge would keep all others from being billed.
    let pending_amounts = pending.values().map(|charge| charge.amount);
    Money::sum(new.amount.currency, pending_amounts.chain([new.amount]))?;
    let charge = Charge {
        id: new.id,
        name: new.name.clone(),
        amount: new.amount,
        period: new.period,
        flat_fee: new.flat_fee,
        automatic_payment: new
            .automatic_payment
            .unwrap_or_else(|| agreement.terms.automatic_payment()),
        due_date: agreement.terms.due_date(new.flat_fee, new.period),
        line: None,
        tax_rate: None,
        explanation: None,
    };
    Ok(vec![Event::ChargeAdded {
        at,
        charge,
        next_billing: run::next_with_charge(agreement, progress, at),
    }])
}

fn invoice_charges(
    pending: &BTreeMap<ChargeId, Charge>,
    at: DateTime<Utc>,
    invoice: InvoiceId,
    charges: &[ChargeId],
) -> Result<Vec<Event>, Refused> {
    let mut automatic = None;
    for id in charges {
        let charge = pending.get(id).ok_or(Refused::ChargeNotPending { charge: *id })?;
        if *automatic.get_or_insert(charge.automatic_payment) != charge.automatic_payment {
            return Err(Refused::MixedPayment);
        }
    }
    if automatic.is_none() {
        return Err(Refused::NothingToInvoice);
    }
    Ok(vec![Event::ChargesInvoiced {
        at,
        invoice,
        charges: charges.to_vec(),
    }])
}
