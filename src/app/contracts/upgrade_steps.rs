//! What an upgrade is made of: which contract goes on, as what, and the commands that make it do so.

use aggregates::{
    Decider,
    billing::{Discount, Kind},
    calendar::{self, PeriodUnit, local_date},
    catalog::PlanLine,
    id::{PlanId, SubscriptionId, TenantId},
    money::{Currency, MoneyError},
    subscription::{self, Agreement, Change, Command, Cycle, Offer, Said, Status, Subscription},
    usage::{Meter, Since},
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::catalog::PlanView;
use rust_decimal::Decimal;

use super::{
    followed::{leave_rest, successor},
    upgrades::{Start, Target, Upgrade, UpgradeError},
    with_units,
};
use crate::{
    app::{desk::Desk, previews::far_enough, usage::used_days},
    journal::CommandError,
};

/// An upgrade as it is carried out.
pub(in crate::app) struct Prepared {
    /// Which contract goes on.
    pub contract: SubscriptionId,
    pub effective: NaiveDate,
    pub is_downgrade: bool,
    on_old: Vec<Command>,
    on_new: Vec<Command>,
    /// From when on the contract that goes on meters.
    since: Since,
}

/// What an upgrade comes to for a contract as it is, and for what is known to be used under it.
pub(super) fn prepare(
    tenant: &TenantId,
    at: DateTime<Utc>,
    (id, state, meter): (SubscriptionId, &Subscription, Option<&Meter>),
    plan: Option<&PlanView>,
    upgrade: &Upgrade,
) -> Result<Prepared, UpgradeError> {
    let agreement = state.agreement().filter(|agreement| agreement.order.is_none());
    let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
    match agreement.status {
        Status::Cancelled => return Err(subscription::Refused::Cancelled.into()),
        // It has no lines yet that could be looked at.
        Status::Pending => return Err(subscription::Refused::Pending.into()),
        Status::Active | Status::Paused => {}
    }
    let today = local_date(at, agreement.zone());
    let effective = first_day(agreement, today, upgrade.start)?;
    // Nothing is agreed on that nobody could estimate.
    let begins = calendar::midnight(effective, agreement.zone()).ok_or(subscription::Refused::BeyondCalendar)?;
    far_enough(at, begins)?;
    let now = lines_at(state, effective);
    let discount = agreement.discount();
    let cycle = cycle_then(agreement, plan, upgrade.target)?;
    let offered = plan.map_or(&now, |plan| &plan.lines);
    let lines = with_units(offered, &upgrade.units).map_err(UpgradeError::UnknownFeature)?;
    let is_downgrade = yearly(&lines, cycle, discount)? < yearly(&now, agreement.cycle, discount)?;
    if is_downgrade && !upgrade.downgrade_allowed && upgrade.start != Start::NextCycle {
        return Err(UpgradeError::Downgrade);
    }
    let prepared = Prepared {
        contract: id,
        effective,
        is_downgrade,
        on_old: Vec::new(),
        on_new: Vec::new(),
        since: Since::new(),
    };
    match plan {
        Some(plan) => {
            let plan = (Some(plan.id), plan.currency);
            let agreed = continued((id, agreement), plan, lines, cycle, effective);
            Ok(followed(tenant, at, (id, state, meter), agreed, prepared)?)
        }
        None => Ok(with_other_lines(at, &now, lines, prepared)),
    }
}

/// The first day of what comes.
fn first_day(agreement: &Agreement, today: NaiveDate, start: Start) -> Result<NaiveDate, UpgradeError> {
    match start {
        Start::Today => Ok(today.max(agreement.activation)),
        Start::On(day) => Ok(day),
        Start::NextCycle => cycle_end(agreement, today.max(agreement.activation)).ok_or(UpgradeError::NoNextCycle),
    }
}

/// The cycle of what comes; in its currency it must be payable, and the discount be taken off.
fn cycle_then(agreement: &Agreement, plan: Option<&PlanView>, target: Target) -> Result<Cycle, UpgradeError> {
    let (Some(plan), Target::Plan { currency, cycle, .. }) = (plan, target) else {
        return Ok(agreement.cycle);
    };
    if let Some(got) = currency.filter(|got| *got != plan.currency) {
        let expected = plan.currency;
        return Err(subscription::Refused::WrongCurrency { expected, got }.into());
    }
    let fixed = agreement.discount().and_then(|discount| discount.fixed);
    if fixed.is_some() && plan.currency != agreement.currency {
        let (expected, got) = (agreement.currency, plan.currency);
        return Err(UpgradeError::DiscountCurrency { expected, got });
    }
    Ok(cycle.unwrap_or(agreement.cycle))
}

/// The contract ends on the day, and another one is signed that goes on.
fn followed(
    tenant: &TenantId,
    at: DateTime<Utc>,
    (id, state, meter): (SubscriptionId, &Subscription, Option<&Meter>),
    mut agreed: Agreement,
    mut prepared: Prepared,
) -> Result<Prepared, subscription::Refused> {
    let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
    let effective = prepared.effective;
    prepared.contract = successor(tenant, id);
    prepared.since = metered_since(&agreed);
    // What the one that follows meters is its own; all else that was used is billed here.
    let today = local_date(at, agreement.zone());
    let through = |metric: &str| {
        let next = prepared.since.get(metric).and_then(NaiveDate::pred_opt);
        next.map_or(today, |before| before.min(today))
    };
    let used = meter.map(|meter| used_days::used(agreement, meter, through));
    let knowing = |command| used_days::knowing(used.clone().unwrap_or_default(), command);
    let ended = knowing(end_of_all(at, effective, &agreed));
    tell_of_the_one_before(&mut agreed, state, &after(state, &ended)?, effective)?;
    prepared.on_old = vec![ended, knowing(Command::Cancel { at, effective })];
    prepared.on_new.push(Command::Sign {
        at,
        subscription: prepared.contract,
        agreement: Box::new(agreed),
    });
    // What was to end still does.
    let ends = state.progress().and_then(|progress| progress.ends);
    prepared
        .on_new
        .extend(ends.map(|effective| Command::Cancel { at, effective }));
    Ok(prepared)
}

/// How far the contract that ends has paid, what it leaves to the one that goes on, and by which policies it has charged the
/// periods under way.
fn tell_of_the_one_before(
    agreed: &mut Agreement,
    state: &Subscription,
    then: &Subscription,
    effective: NaiveDate,
) -> Result<(), subscription::Refused> {
    let Some(offer) = &mut agreed.offer else {
        return Ok(());
    };
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
    Ok(())
}

/// The same contract goes on with those lines that are others.
fn with_other_lines(at: DateTime<Utc>, now: &[PlanLine], lines: Vec<PlanLine>, mut prepared: Prepared) -> Prepared {
    let lines: Vec<PlanLine> = lines.into_iter().filter(|line| !now.contains(line)).collect();
    if !lines.is_empty() {
        let said = |line: &PlanLine| Said {
            quantity: Some(line.quantity),
            ..Said::default()
        };
        let change = Change {
            said: lines.iter().map(|line| (line.id, said(line))).collect(),
            replaced: lines.iter().map(|line| line.id).collect(),
            lines,
            ..Change::on(prepared.effective)
        };
        let change = Box::new(change);
        prepared.on_old.push(Command::Change { at, change });
    }
    prepared
}

/// The same upgrade as the one that was signed so, of a contract as it would have been under other terms.
pub(in crate::app) fn upgraded_again<D: Desk>(
    desk: &mut D,
    id: SubscriptionId,
    signed: &Agreement,
) -> Result<(), CommandError> {
    let (at, old) = (desk.at(), id.to_string());
    let state = desk.state::<Subscription>(&old);
    let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
    if agreement.status == Status::Cancelled {
        return Err(subscription::Refused::Cancelled.into());
    }
    let prepared = Prepared {
        contract: id,
        effective: signed.activation,
        is_downgrade: false,
        on_old: Vec::new(),
        on_new: Vec::new(),
        since: Since::new(),
    };
    let plan = (signed.plan, signed.currency);
    let agreed = continued((id, agreement), plan, lines_of(signed), signed.cycle, signed.activation);
    let meter = desk.holds::<Meter>(&old).then(|| desk.state(&old));
    let prepared = followed(desk.tenant(), at, (id, state, meter), agreed, prepared)?;
    perform(desk, id, &prepared).map(drop)
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
        elsewhere_over: same.and_then(|offer| offer.schedule),
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
fn continued(
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

/// Does what was prepared. Answers with the contracts before the upgraded one that pay after all for what they had left to it.
pub(in crate::app) fn perform<D: Desk>(
    desk: &mut D,
    id: SubscriptionId,
    prepared: &Prepared,
) -> Result<Vec<SubscriptionId>, CommandError> {
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
    let pay_after_all = leave_rest(desk, id)?;
    used_days::keep_lost(desk, id, &metered)?;
    Ok(pay_after_all)
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

/// Where the cycle that a day lies in ends.
pub(super) fn cycle_end(agreement: &Agreement, day: NaiveDate) -> Option<NaiveDate> {
    if let Some(trial_end) = agreement.trial_end.filter(|end| *end > day) {
        return Some(trial_end);
    }
    let schedule = agreement.phases.iter().rev().find_map(|phase| phase.schedule)?;
    Some(schedule.containing(day)?.end)
}

/// The lines that are billed on a day.
fn lines_at(state: &Subscription, day: NaiveDate) -> Vec<PlanLine> {
    let phases = state
        .agreement()
        .map_or(&[][..], |agreement| agreement.phases.as_slice());
    let mut lines: Vec<PlanLine> = Vec::new();
    for phase in phases {
        let billed = phase.kind != Kind::Trial && phase.until.is_none_or(|until| until > day);
        if billed && lines.iter().all(|line| line.id != phase.line) {
            lines.extend(state.line(phase.line, day));
        }
    }
    lines
}

/// What the recurring lines cost in a year with the discount that the contract has, so that cycles can be compared.
fn yearly(lines: &[PlanLine], cycle: Cycle, discount: Option<&Discount>) -> Result<Decimal, MoneyError> {
    let times = Decimal::from(match cycle {
        Cycle::Once | Cycle::Constant | Cycle::Year => 1,
        Cycle::Hour | Cycle::Day => 365,
        Cycle::Week => 52,
        Cycle::Month => 12,
        Cycle::Quarter => 4,
    });
    let mut sum = Decimal::ZERO;
    for line in lines.iter().filter(|line| line.kind == Kind::Recurring) {
        let full = line.price.cost(line.quantity)?.amount;
        let cost = discount.map_or(Ok(full), |discount| discount.apply(full))?;
        let cost = cost.checked_mul(times);
        sum = cost
            .and_then(|cost| sum.checked_add(cost))
            .ok_or(MoneyError::Overflow)?;
    }
    Ok(sum)
}
