//! Preferences of one line of an order: they come before the order's own, from the line's next charge on.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    Agreement, Event, Now, PhaseEnd, Progress, Refused, Status, Terms,
    phases::{after, again, goes_on, next_number, restored, stop},
};
use crate::{
    billing::{Ending, Kind, Phase, Schedule, Timing},
    calendar::PeriodUnit,
    id::LineId,
    order_terms::{ChargingPeriod, LineBilling, OrderBillingPreferences},
};

/// What a line's preferences and its order's come to together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    unit: PeriodUnit,
    count: u32,
    prorate: bool,
    timing: Option<Timing>,
}

impl Shape {
    pub fn of(line: Option<&LineBilling>, order: &OrderBillingPreferences) -> Self {
        let period = match line.and_then(|line| line.period.as_ref()) {
            Some(ChargingPeriod::Own(period)) => period,
            Some(ChargingPeriod::SameAsBilling) | None => &order.billing_period,
        };
        let flag = |own: Option<bool>, order: bool| own.unwrap_or(order);
        let charging = line.and_then(|line| line.pro_rata_partial_charging_period);
        let pricing = line.and_then(|line| line.pro_rata_partial_pricing_period);
        Self {
            unit: period.unit,
            count: period.count,
            // Charging and pricing period are one period here: either word lets a part of it cost a part.
            prorate: flag(charging, order.pro_rata_partial_charging_period)
                || flag(pricing, order.pro_rata_partial_pricing_period),
            timing: line.and_then(|line| line.timing),
        }
    }

    /// The phase as it goes on from its next billing date in another shape; `None` where that date never comes.
    pub fn reshape(self, to: Self, phase: &Phase, number: u32) -> Result<Option<(PhaseEnd, Phase)>, Refused> {
        let Some(schedule) = phase.schedule else {
            return Ok(None);
        };
        let next = next_start(phase, &schedule)?;
        if self == to || !goes_on(phase, next) {
            return Ok(None);
        }
        let begun = Phase {
            schedule: Some(if (self.unit, self.count) == (to.unit, to.count) {
                schedule
            } else {
                to.counted_from(next)
            }),
            prorate: to.prorate,
            timing: to.timing_of(phase),
            ..again(phase, number, next)
        };
        Ok(Some((changes(phase, next), begun)))
    }

    fn counted_from(self, anchor: NaiveDate) -> Schedule {
        let Self { unit, count, .. } = self;
        Schedule { unit, count, anchor }
    }

    /// Usage is always charged in arrears.
    fn timing_of(self, phase: &Phase) -> Timing {
        match phase.kind {
            Kind::Metered { .. } => Timing::Arrears,
            Kind::Trial | Kind::OneOff | Kind::Recurring => self.timing.unwrap_or(Timing::Advance),
        }
    }
}

/// The first day that is not billed yet; in arrears the first that no period under way has.
fn next_start(phase: &Phase, schedule: &Schedule) -> Result<NaiveDate, Refused> {
    let unbilled = phase.billed_through.unwrap_or(phase.from);
    match phase.timing {
        Timing::Advance => Ok(unbilled),
        Timing::Arrears => Ok(schedule.containing(unbilled).ok_or(Refused::BeyondCalendar)?.end),
    }
}

fn changes(phase: &Phase, until: NaiveDate) -> PhaseEnd {
    PhaseEnd {
        phase: phase.number,
        until,
        ending: Ending::Change,
    }
}

impl Now<'_> {
    pub fn update_line_billing(&self, line: LineId, new: &LineBilling) -> Result<Vec<Event>, Refused> {
        let agreement = self.agreement;
        let (Terms::Order { billing }, Some(order)) = (&agreement.terms, &agreement.order) else {
            return Err(Refused::NotAnOrder);
        };
        if agreement.status == Status::Cancelled {
            return Err(Refused::Cancelled);
        }
        let mut phases = agreement.phases.iter().filter(|phase| phase.line == line);
        let first = phases.next().ok_or(Refused::UnknownLine { line })?;
        if matches!(first.kind, Kind::Metered { .. }) && new.timing == Some(Timing::Advance) {
            return Err(Refused::UsageInAdvance);
        }
        let now = order.line_billing.get(&line).cloned().unwrap_or_default();
        if now == *new {
            return Ok(Vec::new());
        }
        let moved = new.fixed_start.filter(|_| new.fixed_start != now.fixed_start);
        let to = Shape::of(Some(new), billing);
        let (ended, begun) = if let Some(start) = moved {
            restarted(agreement, line, to, new, start)?
        } else {
            let units = (now.partial_units(billing), new.partial_units(billing));
            reshaped(agreement, line, (Shape::of(Some(&now), billing), to), units)?
        };
        let (phases, stopped) = self.stopped(&after(&agreement.phases, &ended, &begun));
        Ok(vec![Event::LineBillingUpdated {
            at: self.at,
            line,
            billing: Box::new(new.clone()),
            next_billing: self.next_billing(&phases)?,
            ended,
            begun,
            stopped,
        }])
    }
}

fn reshaped(
    agreement: &Agreement,
    line: LineId,
    (from, to): (Shape, Shape),
    (partial_before, partial): (bool, bool),
) -> Result<(Vec<PhaseEnd>, Vec<Phase>), Refused> {
    let (mut ended, mut begun) = (Vec::new(), Vec::new());
    let mut number = next_number(&agreement.phases);
    for phase in restored(&agreement.phases) {
        if phase.line != line {
            continue;
        }
        let quantity = if partial == partial_before {
            phase.quantity
        } else {
            counted(agreement, &phase, partial)
        };
        let change = match from.reshape(to, &phase, number)? {
            Some(change) => Some(change),
            None if quantity != phase.quantity => in_place(&phase, number)?,
            None => None,
        };
        if let Some((end, next)) = change {
            ended.push(end);
            begun.push(Phase { quantity, ..next });
            number = number.saturating_add(1);
        }
    }
    Ok((ended, begun))
}

/// The phase as it goes on from its next billing date, in the shape it has.
fn in_place(phase: &Phase, number: u32) -> Result<Option<(PhaseEnd, Phase)>, Refused> {
    let Some(schedule) = phase.schedule else {
        return Ok(None);
    };
    let next = next_start(phase, &schedule)?;
    Ok(goes_on(phase, next).then(|| (changes(phase, next), again(phase, number, next))))
}

/// The units that are charged: those that were ordered, or whole ones.
fn counted(agreement: &Agreement, phase: &Phase, partial: bool) -> Decimal {
    let ordered = agreement.order.as_ref().map_or(&[][..], |order| &order.lines);
    let ordered = ordered
        .iter()
        .find(|line| line.id == phase.line)
        .map(|line| line.quantity);
    // Units that a change has set since stay what they are.
    let exact = ordered.filter(|ordered| ordered.ceil() == phase.quantity.ceil());
    let exact = exact.unwrap_or(phase.quantity);
    if partial { exact } else { exact.ceil() }
}

/// A line of which nothing is charged yet begins on another day.
fn restarted(
    agreement: &Agreement,
    line: LineId,
    shape: Shape,
    new: &LineBilling,
    start: NaiveDate,
) -> Result<(Vec<PhaseEnd>, Vec<Phase>), Refused> {
    if start < agreement.activation {
        let start = agreement.activation;
        return Err(Refused::BeforeStart { start });
    }
    let phases = restored(&agreement.phases);
    let of_line = || phases.iter().filter(move |phase| phase.line == line);
    if of_line().any(|phase| phase.billed_through.is_some()) {
        return Err(Refused::LineBilled { line });
    }
    let ended: Vec<_> = of_line()
        .filter(|phase| goes_on(phase, phase.from))
        .map(|phase| changes(phase, phase.from))
        .collect();
    let Some(last) = of_line().rev().find(|phase| goes_on(phase, start)) else {
        return Err(Refused::LineBilled { line });
    };
    let partial = match &agreement.terms {
        Terms::Order { billing } => new.partial_units(billing),
        Terms::Contract { .. } => true,
    };
    // Aligned, the line's periods end with the order's; otherwise they are counted from the line's own first day.
    let by_order = agreement.order.as_ref().is_none_or(|order| order.aligned());
    let aligned = new.aligned.unwrap_or(by_order);
    let same = last
        .schedule
        .filter(|own| (own.unit, own.count) == (shape.unit, shape.count));
    let schedule = same.filter(|_| aligned).unwrap_or_else(|| shape.counted_from(start));
    let phase = Phase {
        schedule: last.schedule.map(|_| schedule),
        prorate: shape.prorate,
        timing: shape.timing_of(last),
        quantity: counted(agreement, last, partial),
        ..again(last, next_number(&agreement.phases), start)
    };
    Ok((ended, vec![phase]))
}

/// The first phase of a line that was ordered with preferences of its own.
pub(super) fn as_ordered(
    phase: Phase,
    own: Option<&LineBilling>,
    order: &OrderBillingPreferences,
    aligned: bool,
) -> Phase {
    let Some(own) = own else { return phase };
    let shape = Shape::of(Some(own), order);
    let from = own.fixed_start.map_or(phase.from, |start| start.max(phase.from));
    let same = phase
        .schedule
        .filter(|now| (now.unit, now.count) == (shape.unit, shape.count));
    let aligned = own.aligned.unwrap_or(aligned);
    let schedule = same.filter(|_| aligned).unwrap_or_else(|| shape.counted_from(from));
    Phase {
        schedule: phase.schedule.map(|_| schedule),
        prorate: shape.prorate,
        timing: shape.timing_of(&phase),
        from,
        ..phase
    }
}

/// New preferences, of an order or of one line of it.
pub(super) fn preferred(agreement: &mut Agreement, progress: &mut Progress, event: &Event) {
    let (ended, begun, stopped, next) = match event {
        Event::BillingPreferencesUpdated {
            billing,
            ended,
            begun,
            stopped,
            next_billing,
            ..
        } => {
            agreement.cycle = billing.billing_period.cycle();
            agreement.terms = Terms::Order {
                billing: billing.clone(),
            };
            (ended, begun, stopped, next_billing)
        }
        Event::LineBillingUpdated {
            line,
            billing,
            ended,
            begun,
            stopped,
            next_billing,
            ..
        } => {
            if let Some(order) = &mut agreement.order {
                order.line_billing.insert(*line, (**billing).clone());
            }
            (ended, begun, stopped, next_billing)
        }
        _ => return,
    };
    agreement.phases = after(&agreement.phases, ended, begun);
    stop(&mut agreement.phases, stopped);
    progress.next_billing = *next;
}
