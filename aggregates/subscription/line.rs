//! Preferences of one line of an order: they come before the order's own, from the line's next charge on.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    Agreement, Event, Now, OrderDetails, PhaseEnd, Progress, Refused, Status, Terms,
    phases::{self, after, again, goes_on, next_number, restored, stop},
    policy,
    settled::Settled,
};
use crate::{
    billing::{Ending, Kind, Phase, Schedule, Timing},
    calendar::{PeriodUnit, local_date},
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
        let nothing = LineBilling::default();
        Self {
            unit: period.unit,
            count: period.count,
            prorate: line.unwrap_or(&nothing).prorates(order),
            timing: line.and_then(|line| line.timing),
        }
    }

    /// Whether parts of periods cost the same in the other shape.
    pub fn divides_as(self, to: Self) -> bool {
        self.prorate == to.prorate
    }

    /// The phase as it goes on from that day in another shape; `None` where that day never comes.
    pub fn reshape_from(self, next: NaiveDate, to: Self, phase: &Phase, number: u32) -> Option<(PhaseEnd, Phase)> {
        let schedule = phase.schedule?;
        if self == to || !goes_on(phase, next) {
            return None;
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
        Some((changes(phase, next), begun))
    }

    fn counted_from(self, anchor: NaiveDate) -> Schedule {
        let Self { unit, count, .. } = self;
        Schedule {
            unit,
            count,
            anchor,
            offset: None,
        }
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
pub(super) fn next_start(phase: &Phase, schedule: &Schedule) -> Result<NaiveDate, Refused> {
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
        let today = local_date(self.at, agreement.zone());
        let phases = restored(&agreement.phases);
        // What is over is not billed any more, however anybody would like it.
        let mut running = phases
            .iter()
            .filter(|phase| phase.line == line && goes_on(phase, today));
        let first = running.next().ok_or(Refused::UnknownLine { line })?;
        if matches!(first.kind, Kind::Metered { .. }) && new.timing == Some(Timing::Advance) {
            return Err(Refused::UsageInAdvance { line });
        }
        let now = order.line_billing.get(&line).cloned().unwrap_or_default();
        if now == *new {
            return Ok(Vec::new());
        }
        self.not_moved()?;
        let changing = Line {
            agreement,
            order,
            billing,
            id: line,
            now: &now,
            new,
            today,
        };
        let (ended, begun) = changing.goes_on()?;
        let phases = after(&agreement.phases, &ended, &begun);
        let progress = policy::inheriting(self.progress, &phases, &begun);
        let then = Now {
            progress: &progress,
            ..*self
        };
        let (phases, stopped) = then.stopped(&phases);
        Ok(vec![Event::LineBillingUpdated {
            at: self.at,
            line,
            billing: Box::new(new.clone()),
            next_billing: then.next_billing(&phases)?,
            ended,
            begun,
            stopped,
        }])
    }
}

/// What ends, and what begins.
type Replaced = (Vec<PhaseEnd>, Vec<Phase>);

/// A line whose preferences change.
struct Line<'a> {
    agreement: &'a Agreement,
    order: &'a OrderDetails,
    billing: &'a OrderBillingPreferences,
    id: LineId,
    now: &'a LineBilling,
    new: &'a LineBilling,
    today: NaiveDate,
}

impl Line<'_> {
    /// Where the line's beginning changes, or whether it keeps to the order's periods, a line of which nothing is charged
    /// yet begins anew. One that was charged goes on from its next charge, over other periods where they are others.
    fn goes_on(&self) -> Result<Replaced, Refused> {
        let anchor = |own: &LineBilling| own.own_anchor(self.order.aligned());
        let (before, anchor) = (anchor(self.now), anchor(self.new));
        if (self.now.fixed_start, before) == (self.new.fixed_start, anchor) {
            return self.reshaped(None);
        }
        let mut phases = self.agreement.phases.iter().filter(|phase| phase.line == self.id);
        if phases.all(|phase| phase.billed_through.is_none()) {
            return self.restarted(self.new.fixed_start.unwrap_or_else(|| self.origin()));
        }
        if self
            .new
            .fixed_start
            .is_some_and(|start| Some(start) != self.now.fixed_start)
        {
            return Err(Refused::LineBilled { line: self.id });
        }
        if before == anchor || self.new.has_own_length() {
            return self.reshaped(None);
        }
        let to = Shape::of(Some(self.new), self.billing);
        let schedule = anchor.map(|start| to.counted_from(start));
        self.reshaped(schedule.or_else(|| self.common_schedule(to)))
    }

    /// The day the line begins on where nobody says otherwise.
    fn origin(&self) -> NaiveDate {
        let activation = self.agreement.activation;
        if self.order.lines.iter().any(|line| line.id == self.id) {
            return self.agreement.unpaid_from(self.id, activation);
        }
        let of_line = self.agreement.phases.iter().filter(|phase| phase.line == self.id);
        let first = of_line.min_by_key(|phase| phase.number);
        first.map_or(activation, |first| first.from)
    }

    /// The periods of the lines that have none of their own, where this one's are of the same length.
    fn common_schedule(&self, shape: Shape) -> Option<Schedule> {
        let apart = self.agreement.lines_apart();
        let latest = |same: bool| {
            let phases = self.agreement.phases.iter().rev();
            let mut phases = phases.filter(move |phase| (phase.line == self.id) == same);
            phases.find_map(|phase| phase.schedule.filter(|_| !apart.contains(&phase.line)))
        };
        let agreed = || phases::schedule_of_order(self.order, self.billing, self.agreement.activation);
        let common = latest(false).or_else(|| latest(true)).unwrap_or_else(agreed);
        Some(common).filter(|common| (common.unit, common.count) == (shape.unit, shape.count))
    }

    /// From its next charge on the line goes on in another shape, over periods of that schedule where there is one.
    fn reshaped(&self, schedule: Option<Schedule>) -> Result<Replaced, Refused> {
        let shape = |own: &LineBilling| Shape::of(Some(own), self.billing);
        let (from, to) = (shape(self.now), shape(self.new));
        let partial_before = self.now.partial_units(self.billing);
        let partial = self.new.partial_units(self.billing);
        let (mut ended, mut begun) = (Vec::new(), Vec::new());
        let mut number = next_number(&self.agreement.phases);
        let phases = restored(&self.agreement.phases);
        let settled = Settled {
            agreement: self.agreement,
            phases: &phases,
            stays: |line| line != self.id,
        };
        for phase in phases.iter().filter(|phase| phase.line == self.id) {
            let quantity = if partial == partial_before {
                phase.quantity
            } else {
                counted(self.agreement, phase, partial)
            };
            let schedule = schedule.filter(|other| phase.schedule.is_some_and(|own| own != *other));
            let change = self.next_start(phase)?.and_then(|next| {
                let reached = settled.reached(phase, next, !from.divides_as(to));
                from.reshape_from(reached, to, phase, number).or_else(|| {
                    let otherwise = quantity != phase.quantity || schedule.is_some();
                    let is_moved = schedule.is_some() || phase.ending == Ending::Replaced;
                    let next = if is_moved { reached } else { next };
                    otherwise.then(|| in_place(next, phase, number)).flatten()
                })
            });
            if let Some((end, next)) = change {
                ended.push(end);
                begun.push(Phase {
                    quantity,
                    schedule: schedule.or(next.schedule),
                    ..next
                });
                number = number.saturating_add(1);
            }
        }
        policy::taken_over(&self.agreement.phases, &mut ended, &mut begun);
        Ok((ended, begun))
    }

    /// From when on the phase can have another shape. A line that is only just ordered has it from its first day on.
    fn next_start(&self, phase: &Phase) -> Result<Option<NaiveDate>, Refused> {
        let Some(schedule) = phase.schedule else {
            return Ok(None);
        };
        let was_there = |other: &Phase| other.line == phase.line && other.from < phase.from;
        let just_ordered = self.today <= phase.from || phase.agreed_on == Some(self.today);
        let is_new = phase.billed_through.is_none() && !self.agreement.phases.iter().any(was_there);
        if is_new && just_ordered {
            return Ok(Some(phase.from));
        }
        next_start(phase, &schedule).map(Some)
    }

    /// The line, of which nothing is charged yet, begins on that day.
    fn restarted(&self, start: NaiveDate) -> Result<Replaced, Refused> {
        let (agreement, line, origin) = (self.agreement, self.id, self.origin());
        if start < origin {
            return Err(Refused::LineTooEarly { line, start: origin });
        }
        let phases = restored(&agreement.phases);
        let of_line = || phases.iter().filter(move |phase| phase.line == line);
        let ended: Vec<_> = of_line()
            .filter(|phase| goes_on(phase, phase.from))
            .map(|phase| changes(phase, phase.from))
            .collect();
        let Some(last) = of_line().rev().find(|phase| goes_on(phase, start)) else {
            return Err(Refused::LineBilled { line });
        };
        let shape = Shape::of(Some(self.new), self.billing);
        // Aligned, the line's periods end with the order's; otherwise they are counted from the line's own first day.
        let common = match self.new.own_anchor(self.order.aligned()) {
            Some(_) => None,
            None => self.common_schedule(shape),
        };
        let schedule = common.unwrap_or_else(|| shape.counted_from(start));
        let phase = Phase {
            schedule: last.schedule.map(|_| schedule),
            prorate: shape.prorate,
            timing: shape.timing_of(last),
            quantity: counted(agreement, last, self.new.partial_units(self.billing)),
            ..again(last, next_number(&agreement.phases), start)
        };
        Ok((ended, vec![phase]))
    }
}

/// The phase as it goes on from that day, in the shape it has.
fn in_place(next: NaiveDate, phase: &Phase, number: u32) -> Option<(PhaseEnd, Phase)> {
    goes_on(phase, next).then(|| (changes(phase, next), again(phase, number, next)))
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
    *progress = policy::inheriting(progress, &agreement.phases, begun);
    stop(&mut agreement.phases, stopped);
    progress.next_billing = *next;
}
