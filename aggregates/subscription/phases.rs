//! Phases: made of what was agreed, ended, begun again.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::{ChargeType, Cycle, Event, Offer, OrderDetails, OrderLine, PhaseEnd, Refused, line};
use crate::{
    billing::{Aggregation, Discount, Ending, Kind, Phase, Price, Schedule, Stop, Timing, price::Limits},
    billing_start::BillingStart,
    calendar::{self, PeriodUnit, Tz},
    catalog::PlanLine,
    order_terms::{LineBilling, OrderBillingPreferences},
};

/// The phases of a contract that begins on `activation`, and the first day that is paid for where it begins with a
/// trial. Nothing is charged in a trial: all lines begin behind it.
pub(super) fn of_offer(
    offer: &Offer,
    cycle: Cycle,
    activation: NaiveDate,
) -> Result<(Vec<Phase>, Option<NaiveDate>), Refused> {
    let trial = offer.trial_days.filter(|days| *days > 0);
    let trial_end = trial
        .map(|days| calendar::after(activation, PeriodUnit::Day, days).ok_or(Refused::BeyondCalendar))
        .transpose()?;
    let from = trial_end.unwrap_or(activation);
    let paid = offer.paid_until.map_or(from, |paid| paid.max(from));
    let schedule = cycle
        .unit()
        .map(|unit| match (offer.schedule, offer.cycle_start_offset) {
            (Some(schedule), _) => Ok(schedule),
            (None, Some(offset)) => Schedule::with_offset(unit, 1, paid, offset).ok_or(Refused::BeyondCalendar),
            (None, None) => Ok(counted_from(unit, paid)),
        })
        .transpose()?;
    let mut phases = Vec::with_capacity(offer.lines.len() + 1);
    if let (Some(end), Some(first)) = (trial_end, offer.lines.first()) {
        phases.push(trial_phase(first, activation, end));
    }
    for line in &offer.lines {
        let discount = offer.discount.clone().filter(|_| line.kind == Kind::Recurring);
        let number = u32::try_from(phases.len()).map_err(|_| Refused::BeyondCalendar)?;
        let from = match offer.divided_paid_until {
            Some(divided) if line.kind == Kind::Recurring && line.prorate => divided.max(from),
            Some(_) | None if line.kind == Kind::Recurring => paid,
            Some(_) | None => from,
        };
        phases.push(Phase {
            discount,
            ..of_line(number, line, schedule, from)
        });
    }
    Ok((phases, trial_end))
}

/// Periods of one unit that begin on the day.
pub(super) fn counted_from(unit: PeriodUnit, anchor: NaiveDate) -> Schedule {
    Schedule {
        unit,
        count: 1,
        anchor,
        offset: None,
    }
}

fn trial_phase(line: &PlanLine, from: NaiveDate, until: NaiveDate) -> Phase {
    Phase {
        number: 0,
        line: line.id,
        name: "Trial".to_owned(),
        kind: Kind::Trial,
        timing: Timing::Advance,
        price: Price::Flat { amount: Decimal::ZERO },
        quantity: Decimal::ONE,
        flat_fee: true,
        prorate: false,
        discount: None,
        tax_rate: line.tax_rate,
        schedule: None,
        from,
        until: Some(until),
        billed_through: None,
        ending: Ending::Change,
        given_back: 0,
        charged_to: None,
        agreed_on: None,
        ended_on: None,
        stop: None,
        billed_usage: BTreeMap::new(),
    }
}

/// The phase of a plan's line that begins on `from`.
pub(super) fn of_line(number: u32, line: &PlanLine, schedule: Option<Schedule>, from: NaiveDate) -> Phase {
    Phase {
        number,
        line: line.id,
        name: line.name.clone(),
        kind: line.kind.clone(),
        timing: line.timing,
        price: line.price.clone(),
        quantity: line.quantity,
        flat_fee: line.flat_fee,
        prorate: line.prorate,
        discount: None,
        tax_rate: line.tax_rate,
        schedule: schedule.filter(|_| line.kind != Kind::OneOff),
        from,
        until: None,
        billed_through: None,
        ending: Ending::Change,
        given_back: 0,
        charged_to: None,
        agreed_on: None,
        ended_on: None,
        stop: None,
        billed_usage: BTreeMap::new(),
    }
}

/// The periods of an order's lines from its start on.
pub(super) fn schedule_of_order(order: &OrderDetails, billing: &OrderBillingPreferences, start: NaiveDate) -> Schedule {
    let (unit, count) = (billing.billing_period.unit, billing.billing_period.count);
    // A day of the month says something of months only.
    let day = order.billing_start.and_then(BillingStart::anchor_day);
    let day = day.filter(|_| unit == PeriodUnit::Month);
    let on_day = day.and_then(|day| Schedule::with_offset(unit, count, start, day.saturating_sub(1)));
    on_day.unwrap_or(Schedule {
        unit,
        count,
        anchor: start,
        offset: None,
    })
}

/// The phases of an order. A part of a unit costs a whole one, and a part of a period all of it, unless the order's
/// preferences say that they are in proportion.
pub(super) fn of_order(order: &OrderDetails, billing: &OrderBillingPreferences, start: NaiveDate) -> Vec<Phase> {
    let lines = &order.lines;
    let schedule = schedule_of_order(order, billing, start);
    let phase = |(number, line): (u32, &OrderLine)| {
        let (kind, timing) = match line.charge_type {
            ChargeType::OneOff => (Kind::OneOff, Timing::Advance),
            ChargeType::Recurring => (Kind::Recurring, Timing::Advance),
            ChargeType::Metered => {
                let before = lines.iter().take(number as usize);
                let metric = metric_of(line, before.filter(|line| line.charge_type == ChargeType::Metered));
                let aggregation = Aggregation::Sum;
                (Kind::Metered { metric, aggregation }, Timing::Arrears)
            }
        };
        let own = order.line_billing.get(&line.id);
        let whole = !own.map_or(billing.pro_rata_partial_unit, |own| own.partial_units(billing));
        let phase = Phase {
            number,
            line: line.id,
            name: line.name.clone().unwrap_or_else(|| line.item.clone()),
            schedule: Some(schedule).filter(|_| kind != Kind::OneOff),
            kind,
            timing,
            price: Price::PerUnit {
                amount: line.price,
                limits: Limits::default(),
            },
            quantity: if whole { line.quantity.ceil() } else { line.quantity },
            flat_fee: line.charge_type != ChargeType::Metered,
            prorate: LineBilling::default().prorates(billing),
            discount: None,
            tax_rate: line.tax.as_ref().map(|tax| tax.rate),
            from: start,
            until: None,
            billed_through: None,
            ending: Ending::Change,
            given_back: 0,
            charged_to: None,
            agreed_on: None,
            ended_on: None,
            stop: None,
            billed_usage: BTreeMap::new(),
        };
        line::as_ordered(phase, own, billing, order.aligned())
    };
    (0..).zip(lines).map(phase).collect()
}

/// An item is metered by its own name. A further line of the same item is metered by the line's id, so that nothing that
/// was used counts for both.
fn metric_of<'a>(line: &OrderLine, mut before: impl Iterator<Item = &'a OrderLine>) -> String {
    if before.any(|other| other.item == line.item) {
        return line.id.to_string();
    }
    line.item.clone()
}

/// The number of the next phase.
pub(super) fn next_number(phases: &[Phase]) -> u32 {
    phases
        .iter()
        .map(|phase| phase.number)
        .max()
        .map_or(0, |number| number.saturating_add(1))
}

/// Whether the phase goes on at `day`, or begins later.
pub(super) fn goes_on(phase: &Phase, day: NaiveDate) -> bool {
    phase.until.is_none_or(|until| until > day.max(phase.from))
}

/// Whether it is bought once, and its day has come while nothing had stopped it, whenever that is invoiced.
pub(super) fn is_bought_by(phase: &Phase, today: NaiveDate) -> bool {
    phase.kind == Kind::OneOff && phase.from <= today && goes_on(phase, phase.from)
}

/// Ends what goes on at `day`; what would begin later never does. What was bought once is not given back.
pub(super) fn ends<'a>(phases: impl IntoIterator<Item = &'a Phase>, day: NaiveDate, ending: Ending) -> Vec<PhaseEnd> {
    // The day on which it began and was terminated may count as used, as long as nothing ends before it, or comes on it.
    let loses_its_day = |phase: &Phase| {
        let is_behind = phase.from > day || phase.from == day && ending != Ending::Termination;
        is_behind && phase.until == Some(phase.from) && phase.ending == Ending::Termination
    };
    phases
        .into_iter()
        .filter(|phase| {
            goes_on(phase, day) && !(phase.kind == Kind::OneOff && phase.from < day) || loses_its_day(phase)
        })
        .map(|phase| PhaseEnd {
            phase: phase.number,
            until: day.max(phase.from),
            // What never began has no last day that could count as used.
            ending: if phase.from > day || loses_its_day(phase) {
                Ending::Change
            } else {
                ending
            },
        })
        .collect()
}

fn each(phases: &mut [Phase], ended: &[PhaseEnd], end: impl Fn(&mut Phase, &PhaseEnd)) {
    for ended in ended {
        if let Some(phase) = phases.iter_mut().find(|phase| phase.number == ended.phase) {
            end(phase, ended);
        }
    }
}

/// They end, but may go on one day.
pub(super) fn stop(phases: &mut [Phase], stopped: &[PhaseEnd]) {
    each(phases, stopped, |phase, end| phase.stop_on(end.until, end.ending));
}

/// A change during notice once wrote the end into what it began: that stops there, and may go on one day.
pub(super) fn stop_as_once_written(phases: &mut [Phase], begun: &[Phase], ends: Option<NaiveDate>) {
    let Some(day) = ends else { return };
    let is_new = |phase: &Phase| begun.iter().any(|new| new.number == phase.number);
    for phase in phases.iter_mut().filter(|phase| is_new(phase)) {
        if phase.until == Some(day) && phase.stop.is_none() {
            (phase.stop, phase.ending) = (Some(Stop::default()), Ending::Termination);
        }
    }
}

/// The day on which it was decided that phases begin, go on or end: what is due by that is due from then on.
pub(super) struct Decided {
    today: Option<NaiveDate>,
    begun: Vec<u32>,
    ended: Vec<u32>,
}

impl Decided {
    pub fn on(today: NaiveDate, begun: &[Phase], ended: &[PhaseEnd]) -> Self {
        Self {
            today: Some(today),
            begun: begun.iter().map(|phase| phase.number).collect(),
            ended: ended.iter().map(|end| end.phase).collect(),
        }
    }

    /// These phases go on, too. What is billed no further than where it stood still was due before.
    pub fn reopening(mut self, reopened: &[u32], phases: &[Phase]) -> Self {
        let is_billed = |phase: &&Phase| phase.until.is_some_and(|until| phase.billed_through >= Some(until));
        let phases = phases.iter().filter(|phase| reopened.contains(&phase.number));
        self.begun.extend(phases.filter(is_billed).map(|phase| phase.number));
        self
    }

    /// What an event decides of these phases, and of those that it begins.
    pub fn by(event: &Event, phases: &[Phase], zone: Tz) -> Self {
        let today = |at: &DateTime<Utc>| calendar::local_date(*at, zone);
        match event {
            Event::Changed { at, begun, ended, .. } => Self::on(today(at), begun, ended),
            Event::Paused { at, ended, .. } | Event::Cancelled { at, ended, .. } => Self::on(today(at), &[], ended),
            Event::Resumed {
                at, begun, reopened, ..
            } => Self::on(today(at), begun, &[]).reopening(reopened, phases),
            // What an order's preferences begin goes on from what is billed.
            Event::BillingPreferencesUpdated { .. }
            | Event::LineBillingUpdated { .. }
            | Event::Signed { .. }
            | Event::Activated { .. }
            | Event::ChargeAdded { .. }
            | Event::Accrued { .. }
            | Event::ChargesInvoiced { .. }
            | Event::ChargesReleased { .. }
            | Event::Moved { .. }
            | Event::PolicyUpdated { .. }
            | Event::UsageArrived { .. }
            | Event::UsageClosed { .. }
            | Event::Ended { .. } => Self {
                today: None,
                begun: Vec::new(),
                ended: Vec::new(),
            },
        }
    }

    pub fn note(&self, phases: &mut [Phase]) {
        for phase in phases {
            if self.begun.contains(&phase.number) {
                phase.agreed_on = phase.agreed_on.max(self.today);
            }
            if self.ended.contains(&phase.number) {
                phase.ended_on = phase.ended_on.max(self.today);
            }
        }
    }
}

/// The phases as they would be had nothing stopped them.
pub(super) fn restored(phases: &[Phase]) -> Vec<Phase> {
    phases.iter().cloned().map(Phase::restored).collect()
}

/// The same from a day on, not billed yet; it was agreed when the phase was.
pub(super) fn again(phase: &Phase, number: u32, from: NaiveDate) -> Phase {
    Phase {
        number,
        from,
        billed_through: None,
        billed_usage: BTreeMap::new(),
        given_back: 0,
        charged_to: None,
        ended_on: None,
        ..phase.clone()
    }
}

/// The phases once what stood still goes on: some go on themselves, others in phases of their own.
pub(super) fn going_on(phases: &[Phase], reopened: &[u32], begun: &[Phase]) -> Vec<Phase> {
    let goes_on = |phase: &Phase| match phase.clone() {
        same if reopened.contains(&phase.number) => same.restored(),
        over => Phase { stop: None, ..over },
    };
    phases.iter().map(goes_on).chain(begun.iter().cloned()).collect()
}

/// The phases as they are once some have ended and others begun.
pub(super) fn after(phases: &[Phase], ended: &[PhaseEnd], begun: &[Phase]) -> Vec<Phase> {
    let mut phases = phases.to_vec();
    each(&mut phases, ended, |phase, end| phase.end_on(end.until, end.ending));
    phases.extend_from_slice(begun);
    phases
}

/// A discount stays with its line when the line's price changes.
pub(super) fn discount_of(phases: &[Phase], line: &PlanLine) -> Option<Discount> {
    let same = phases.iter().rev().find(|phase| phase.line == line.id);
    same.and_then(|phase| phase.discount.clone())
        .filter(|_| line.kind == Kind::Recurring)
}
