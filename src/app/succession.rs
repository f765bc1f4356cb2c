//! A contract that goes on as another one under another plan: how the one ends, and the other one begins.

use aggregates::{
    Decider,
    billing::Kind,
    calendar::{self, PeriodUnit, local_date},
    catalog::PlanLine,
    id::{PlanId, SubscriptionId},
    money::Currency,
    subscription::{self, Agreement, Change, Command, Cycle, Offer, Status, Subscription},
    usage::{Meter, Since},
};
use chrono::{DateTime, NaiveDate, Utc};

use super::{desk::Desk, followed::leave_rest, used_days};
use crate::journal::CommandError;

/// What an upgrade is made of.
pub(super) struct Prepared {
    /// Which contract goes on.
    pub contract: SubscriptionId,
    pub effective: NaiveDate,
    pub is_downgrade: bool,
    pub on_old: Vec<Command>,
    pub on_new: Vec<Command>,
    /// From when on the contract that goes on meters.
    pub since: Since,
}

impl Prepared {
    /// What the old contract ends with, and the new one begins with.
    pub fn hand_over(
        &mut self,
        at: DateTime<Utc>,
        (state, meter): (&Subscription, Option<&Meter>),
        mut agreed: Agreement,
    ) -> Result<(), subscription::Refused> {
        let (old, effective) = (state.agreement().ok_or(subscription::Refused::Unknown)?, self.effective);
        let today = local_date(at, old.zone());
        self.since = metered_since(&agreed);
        // What the one that follows meters is its own; all else that was used is billed here.
        let through = |metric: &str| {
            let next = self.since.get(metric).and_then(NaiveDate::pred_opt);
            next.map_or(today, |before| before.min(today))
        };
        let used = meter.map(|meter| used_days::used(old, meter, through));
        let knowing = |command| used_days::knowing(used.clone().unwrap_or_default(), command);
        let ended = knowing(end_of_all(at, effective, &agreed));
        if let Some(offer) = &mut agreed.offer {
            let then = after(state, &ended)?;
            agreed.rest_before = then.rest_for(&offer.lines, effective);
            let paid = then.paid_until(effective)?;
            offer.paid_until = Some(paid.until).filter(|until| *until > effective);
            offer.divided_paid_until = paid.divided_until.filter(|until| *until < paid.until);
            // Over other periods nothing goes on in the middle of one.
            if offer.schedule.is_some() {
                let lines = offer.lines.iter().map(|line| line.id);
                let counted = state.counted(effective).into_iter();
                agreed.counted = counted.map(|before| before.of_lines(lines.clone())).collect();
            }
        }
        self.on_old = vec![ended, knowing(Command::Cancel { at, effective })];
        self.on_new.push(Command::Sign {
            at,
            subscription: self.contract,
            agreement: Box::new(agreed),
        });
        // What was to end still does.
        let ends = state.progress().and_then(|progress| progress.ends);
        self.on_new
            .extend(ends.map(|effective| Command::Cancel { at, effective }));
        Ok(())
    }
}

/// The same upgrade as the one that was signed so, of a contract as it would have been under other terms.
pub(super) fn upgraded_again<D: Desk>(
    desk: &mut D,
    id: SubscriptionId,
    contract: SubscriptionId,
    signed: &Agreement,
) -> Result<(), CommandError> {
    let (at, old) = (desk.at(), id.to_string());
    let state = desk.state::<Subscription>(&old);
    let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
    if agreement.status == Status::Cancelled {
        return Err(subscription::Refused::Cancelled.into());
    }
    let mut prepared = Prepared {
        contract,
        effective: signed.activation,
        is_downgrade: false,
        on_old: Vec::new(),
        on_new: Vec::new(),
        since: Since::new(),
    };
    let plan = (signed.plan, signed.currency);
    let agreed = continued((id, agreement), plan, lines_of(signed), signed.cycle, signed.activation);
    let meter = desk.holds::<Meter>(&old).then(|| desk.state(&old));
    prepared.hand_over(at, (state, meter), agreed)?;
    perform(desk, id, &prepared)
}

/// The lines that were offered to whoever signed this.
fn lines_of(signed: &Agreement) -> Vec<PlanLine> {
    let phases = signed.phases.iter().filter(|phase| phase.kind != Kind::Trial);
    let lines = phases.map(|phase| PlanLine {
        id: phase.line,
        name: phase.name.clone(),
        kind: phase.kind.clone(),
        timing: phase.timing,
        price: phase.price.clone(),
        quantity: phase.quantity,
        flat_fee: phase.flat_fee,
        prorate: phase.prorate,
        tax_rate: phase.tax_rate,
    });
    lines.collect()
}

/// All lines end for the agreement that follows; where its periods are the same, for its lines.
fn end_of_all(at: DateTime<Utc>, effective: NaiveDate, next: &Agreement) -> Command {
    let same = next.offer.as_ref().filter(|offer| offer.schedule.is_some());
    let change = Change {
        elsewhere: same.map(|offer| offer.lines.clone()).unwrap_or_default(),
        ..Change::on(effective)
    };
    Command::Change {
        at,
        change: Box::new(change),
    }
}

/// The contract as it would be then.
fn after(state: &Subscription, command: &Command) -> Result<Subscription, subscription::Refused> {
    let mut state = state.clone();
    for event in state.decide(command)? {
        state.apply(&event);
    }
    Ok(state)
}

/// The agreement that follows: its periods begin on the same days while their length stays, and what is left of a trial
/// is free.
pub(super) fn continued(
    (id, old): (SubscriptionId, &Agreement),
    (plan, currency): (Option<PlanId>, Currency),
    lines: Vec<PlanLine>,
    cycle: Cycle,
    activation: NaiveDate,
) -> Agreement {
    let schedule = old.phases.iter().rev().find_map(|phase| phase.schedule);
    let kept = schedule.filter(|schedule| cycle.unit() == Some(schedule.unit));
    let trial = old.trial_end.map(|end| (end - activation).num_days());
    Agreement {
        customer: old.customer,
        plan,
        currency,
        cycle,
        activation,
        status: Status::Active,
        terms: old.terms.clone(),
        order: None,
        proration: None,
        policy: Some(old.rules()),
        offer: Some(Box::new(Offer {
            lines,
            trial_days: trial.and_then(|days| u32::try_from(days).ok()),
            cycle_start_offset: None,
            schedule: kept,
            paid_until: None,
            divided_paid_until: None,
            discount: old.discount().cloned(),
        }))
        .filter(|offer| !offer.lines.is_empty()),
        phases: Vec::new(),
        trial_end: None,
        time_zone: old.time_zone.clone(),
        moved_from: None,
        upgraded_from: Some(id),
        // Where the one it follows has no day of its own.
        usage_from: old.usage_from.filter(|_| activation <= old.activation),
        under_way: std::collections::BTreeSet::new(),
        goes_on_from: None,
        counted: Vec::new(),
        paid_before: std::collections::BTreeMap::new(),
        rest_before: std::collections::BTreeMap::new(),
        invoice_calendar: old.kept_calendar(),
    }
}

pub(super) fn perform<D: Desk>(desk: &mut D, id: SubscriptionId, prepared: &Prepared) -> Result<(), CommandError> {
    let metered = used_days::metered(desk, id);
    for command in &prepared.on_old {
        desk.send::<Subscription>(&id.to_string(), command)?;
    }
    for command in &prepared.on_new {
        desk.send::<Subscription>(&prepared.contract.to_string(), command)?;
    }
    if prepared.contract != id {
        used_days::hand_over(desk, id, prepared.contract, &prepared.since)?;
    }
    leave_rest(desk, id)?;
    used_days::keep_lost(desk, id, &metered)
}

/// By metric: the first day on which the agreement meters it, behind a trial.
fn metered_since(agreed: &Agreement) -> Since {
    let lines = agreed.offer.iter().flat_map(|offer| &offer.lines);
    let trial = agreed.offer.as_ref().and_then(|offer| offer.trial_days);
    let first = calendar::after(agreed.activation, PeriodUnit::Day, trial.unwrap_or_default());
    let since = lines.filter_map(|line| match &line.kind {
        Kind::Metered { metric, .. } => Some((metric.clone(), first?)),
        Kind::Trial | Kind::OneOff | Kind::Recurring => None,
    });
    since.collect()
}
