//! Changes of what a running subscription is billed for: another plan, price, quantity or period.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{
    Agreement, Change, Event, Now, PhaseEnd, Refused, Status, Terms,
    line::{Shape, next_start},
    phases::{self, after, goes_on, next_number, restored},
    policy,
    rest::{Left, Rest},
    settled::Settled,
};
use crate::{
    billing::{Ending, Kind, Phase, Policy, Proration, Schedule},
    catalog::PlanLine,
    id::LineId,
    order_terms::{LineBilling, OrderBillingPreferences},
};

/// A change on its way: what is replaced by what, and when.
struct Changing<'a> {
    wanted: &'a Change,
    /// As they would be had nothing stopped them.
    phases: Vec<Phase>,
    policy: Policy,
    /// Where no line is billed by periods yet.
    agreed: Option<Schedule>,
    /// The lines with periods of their own.
    apart: BTreeSet<LineId>,
    agreement: &'a Agreement,
    /// The first day of what comes.
    from: NaiveDate,
    /// What it leaves to who began a period whose rest was to be taken over.
    left: Left,
    today: NaiveDate,
}

impl Now<'_> {
    pub fn change(&self, wanted: &Change) -> Result<Vec<Event>, Refused> {
        self.running()?;
        self.not_moved()?;
        let (agreement, progress) = (self.agreement, self.progress);
        if wanted.effective < agreement.activation {
            let start = agreement.activation;
            return Err(Refused::BeforeStart { start });
        }
        if let Some(end) = progress.ends.filter(|end| *end <= wanted.effective) {
            return Err(Refused::EndsAlready { end });
        }
        if let Some(from) = progress.went_on_from.filter(|from| wanted.effective < *from) {
            return Err(Refused::BeforeGoingOn { from });
        }
        self.changed(wanted)
    }

    /// What the change comes to, whatever stands still.
    pub(super) fn changed(&self, wanted: &Change) -> Result<Vec<Event>, Refused> {
        let (agreement, progress) = (self.agreement, self.progress);
        let preferences = self.preferences(wanted)?;
        let mut changing = Changing {
            wanted,
            phases: restored(&agreement.phases),
            policy: self.policy(),
            agreed: agreement.schedule(),
            apart: agreement.lines_apart(),
            agreement,
            // Nothing is charged in a trial, whatever is changed in it.
            from: wanted.effective.max(agreement.trial_end.unwrap_or(wanted.effective)),
            left: Left::default(),
            today: self.today(),
        };
        changing.check()?;
        changing.leave_rest()?;
        let ended = self.but_bought(changing.ended()?, &agreement.phases);
        let ended = self.withdrawn(ended, &agreement.phases);
        let begun = changing.begun()?;
        let ended = self.as_used(&ended, &agreement.phases, &begun);
        let changed = after(&agreement.phases, &ended, &begun);
        let mut inheriting = progress.clone();
        policy::inherit(&mut inheriting.policies, &changed);
        let then = Now {
            progress: &inheriting,
            ..*self
        };
        let (mut changed, stopped) = then.stopped(&changed);
        phases::Decided::on(self.today(), &begun, &ended).note(&mut changed);
        let next_billing = then.next_billing(&changed)?;
        let corrected = then.corrected(&ended, &changed, next_billing);
        let mut events = vec![Event::Changed {
            at: self.at,
            effective: wanted.effective,
            plan: wanted.plan,
            cycle: wanted.new_cycle(),
            next_billing,
            ended,
            begun,
            stopped,
            asked: Some(Box::new(wanted.clone())),
            implied: wanted.implied,
        }];
        if let Some(billing) = preferences {
            events.push(Event::BillingPreferencesUpdated {
                at: self.at,
                billing: Box::new(billing),
                ended: Vec::new(),
                begun: Vec::new(),
                stopped: Vec::new(),
                implied: true,
                next_billing,
            });
        }
        events.extend(corrected);
        Ok(events)
    }

    /// An order's preferences with the period that the change brings, where that is another one.
    fn preferences(&self, wanted: &Change) -> Result<Option<OrderBillingPreferences>, Refused> {
        let Some(period) = &wanted.billing_period else {
            return Ok(None);
        };
        let Terms::Order { billing } = &self.agreement.terms else {
            return Err(Refused::NotAnOrder);
        };
        let changed = billing.billing_period != *period;
        Ok(changed.then(|| OrderBillingPreferences {
            billing_period: period.clone(),
            ..(**billing).clone()
        }))
    }

    pub fn update_billing_preferences(&self, new: &OrderBillingPreferences) -> Result<Vec<Event>, Refused> {
        let now = match &self.agreement.terms {
            Terms::Contract { .. } => return Err(Refused::NotAnOrder),
            Terms::Order { billing } => billing,
        };
        if self.agreement.status == Status::Cancelled {
            return Err(Refused::Cancelled);
        }
        if **now == *new {
            return Ok(Vec::new());
        }
        self.not_moved()?;
        let (ended, begun) = reshaped(self.agreement, now, new)?;
        let phases = after(&self.agreement.phases, &ended, &begun);
        let progress = policy::inheriting(self.progress, &phases, &begun);
        let (phases, stopped) = self.stopped(&phases);
        let updated = Agreement {
            terms: Terms::Order {
                billing: Box::new(new.clone()),
            },
            ..self.agreement.clone()
        };
        let then = Now {
            agreement: &updated,
            progress: &progress,
            ..*self
        };
        Ok(vec![Event::BillingPreferencesUpdated {
            at: self.at,
            billing: Box::new(new.clone()),
            next_billing: then.next_billing(&phases)?,
            ended,
            begun,
            stopped,
            implied: false,
        }])
    }
}

impl Changing<'_> {
    fn check(&self) -> Result<(), Refused> {
        let (mut replaced, mut begun) = (BTreeSet::new(), BTreeSet::new());
        let twice = self.wanted.replaced.iter().find(|line| !replaced.insert(**line));
        let lines = self.wanted.lines.iter().map(|line| line.id);
        if let Some(line) = twice
            .copied()
            .or_else(|| lines.into_iter().find(|line| !begun.insert(*line)))
        {
            return Err(Refused::LineTwice { line });
        }
        // A new line replaces itself, so that it can come alone and leave all others as they are.
        let known = |line: &LineId| self.phases.iter().any(|phase| phase.line == *line) || begun.contains(line);
        if let Some(line) = replaced.iter().find(|line| !known(line)) {
            return Err(Refused::UnknownLine { line: *line });
        }
        let bought = self.wanted.lines.iter().find(|line| self.is_bought(line));
        let bought = bought.filter(|_| !replaced.is_empty()).map(|line| line.id);
        let once = |phase: &&Phase| phase.kind == Kind::OneOff && replaced.contains(&phase.line);
        let taken_away = |phase: &&Phase| once(phase) && !begun.contains(&phase.line) && self.was_bought(phase);
        let bought = bought.or_else(|| self.phases.iter().find(taken_away).map(|phase| phase.line));
        bought.map_or(Ok(()), |line| Err(Refused::Bought { line }))
    }

    /// Whether the line is charged once, and was. So is what recurs in a period without an end, as long as it has none.
    fn is_bought(&self, line: &PlanLine) -> bool {
        let once = match line.kind {
            Kind::OneOff => true,
            Kind::Recurring => self.wanted.schedule(self.from).is_none(),
            Kind::Trial | Kind::Metered { .. } => false,
        };
        let mut same = self.phases.iter().filter(|phase| phase.line == line.id);
        once && same.any(|phase| phase.kind == line.kind && self.was_bought(phase))
    }

    /// Whether what has no periods was charged, or will be whatever comes.
    fn was_bought(&self, phase: &Phase) -> bool {
        let before = phase.from < self.from && phase.until.is_none_or(|until| until > phase.from);
        phase.schedule.is_none() && (before || phase.is_bought() || phases::is_bought_by(phase, self.today))
    }

    /// Who began a period pays for it, where what took its rest over never begins because of the change.
    fn leave_rest(&mut self) -> Result<(), Refused> {
        let after = after(&self.phases, &self.ended()?, &self.begun()?);
        let rest = Rest {
            agreement: self.agreement,
            policy: &self.policy,
            day: self.from,
            before: &self.phases,
            after: &after,
            elsewhere: self.goes_on_elsewhere(),
        };
        let left = rest.left()?;
        self.phases = phases::after(&self.phases, &left.ended, &[]);
        self.left = left;
        Ok(())
    }

    fn goes_on_elsewhere(&self) -> bool {
        let is_left = |phase: &Phase| {
            let mut lines = self.elsewhere(phase).iter();
            goes_on(phase, self.from) && lines.any(|line| self.takes_over(line, phase))
        };
        self.phases.iter().any(is_left)
    }

    /// The lines by which another agreement goes on over the same periods.
    fn elsewhere(&self, phase: &Phase) -> &[PlanLine] {
        let is_same = phase.schedule == self.wanted.elsewhere_over;
        if is_same { &self.wanted.elsewhere } else { &[] }
    }

    fn ended(&self) -> Result<Vec<PhaseEnd>, Refused> {
        let mut ended = self.left.ended.clone();
        for phase in &self.phases {
            let replaced = &self.wanted.replaced;
            if phase.kind == Kind::Trial || !(replaced.is_empty() || replaced.contains(&phase.line)) {
                continue;
            }
            let successor = self.wanted.lines.iter().find(|line| line.id == phase.line);
            if successor.is_some_and(|line| self.is_bought(line)) {
                continue;
            }
            let (day, ending) = match successor {
                None if replaced.is_empty() => self.leaves(phase)?,
                None => (self.from, Ending::Termination),
                Some(line) if self.takes_over(line, phase) => (self.from, Ending::Replaced),
                Some(_) => (self.paid_until(phase.line)?, Ending::Change),
            };
            // What is planned never begins, whenever that which comes does; and its coming ends nothing.
            if phase.from < self.from && (goes_on(phase, self.from) || self.leaves_behind(phase)) {
                let open = Phase {
                    until: None,
                    ..phase.clone()
                };
                ended.extend(phases::ends([&open], day, ending));
            } else {
                ended.extend(phases::ends([phase], self.from, ending));
            }
        }
        Ok(ended)
    }

    /// Whether what was to take the rest of the period over on this day never comes, nor anything else.
    fn leaves_behind(&self, phase: &Phase) -> bool {
        let wanted = self.wanted;
        let nothing = wanted.replaced.is_empty() && wanted.lines.is_empty() && wanted.elsewhere.is_empty();
        nothing && phase.is_replaced_on(self.from)
    }

    /// When, and for what, a line ends that the lines which come know nothing of: with all others of its plan.
    fn leaves(&self, phase: &Phase) -> Result<(NaiveDate, Ending), Refused> {
        if self.is_replaced(phase) {
            return Ok((self.from, Ending::Replaced));
        }
        let runs_on = phase.kind == Kind::Recurring && phase.schedule.is_some() && !self.wanted.lines.is_empty();
        let day = if runs_on { self.left_paid_until()? } else { self.from };
        Ok((day, Ending::Change))
    }

    /// Whether the plan that comes has a line that takes over what this one costs over the same periods.
    fn is_replaced(&self, phase: &Phase) -> bool {
        let same = phase.schedule.is_some() && phase.schedule == self.schedule();
        let mut comes = self.wanted.lines.iter().chain(self.elsewhere(phase));
        same && comes.any(|line| self.takes_over(line, phase))
    }

    /// From when on the lines of another plan can be charged so that no day is paid twice.
    fn left_paid_until(&self) -> Result<NaiveDate, Refused> {
        let mut paid = self.from;
        if !self.wanted.replaced.is_empty() {
            return Ok(paid);
        }
        let left = |phase: &&Phase| self.wanted.lines.iter().all(|line| line.id != phase.line);
        let running = |phase: &Phase| phase.from < self.from && goes_on(phase, self.from);
        let replaces = |phase: &Phase| running(phase) && self.is_replaced(phase);
        let begins_now = self.phases.iter().filter(left).any(replaces);
        for phase in self.phases.iter().filter(left) {
            let counts = if running(phase) {
                !self.is_replaced(phase)
            } else {
                // What was taken away before the plan goes is not of the plan any more.
                !begins_now && phase.ending == Ending::Change
            };
            if counts {
                paid = paid.max(self.phase_paid_until(phase)?);
            }
        }
        Ok(paid)
    }

    /// Whether the periods go on as they were and, undivided, cost all that they cost under the line that comes.
    fn takes_over(&self, line: &PlanLine, phase: &Phase) -> bool {
        // In what is left of the period the line is counted by the policy that counts the phase.
        let whole = !((phase.prorate || line.prorate) && self.proration(phase).divides());
        whole && phase.kind == Kind::Recurring && line.kind == Kind::Recurring && !self.wanted.reshapes()
    }

    /// From when on the line can be charged anew so that no day is paid twice: undivided, what is paid runs to its end.
    fn paid_until(&self, line: LineId) -> Result<NaiveDate, Refused> {
        let mut paid = self.agreement.unpaid_from(line, self.from);
        for phase in self.phases.iter().filter(|phase| phase.line == line) {
            paid = paid.max(self.phase_paid_until(phase)?);
        }
        Ok(paid)
    }

    fn phase_paid_until(&self, phase: &Phase) -> Result<NaiveDate, Refused> {
        let recurring = phase.kind == Kind::Recurring && phase.schedule.is_some();
        if !recurring {
            return Ok(self.from);
        }
        if phase.from >= self.from {
            return Ok(self.agreement.unpaid_from(phase.line, self.from));
        }
        let mut ended = phase.clone();
        if goes_on(phase, self.from) {
            ended.end_on(self.from, Ending::Change);
        }
        if ended.ending == Ending::Replaced {
            return Ok(self.from);
        }
        let paid = ended.pays_until(self.proration(&ended))?;
        Ok(paid.map_or(self.from, |until| until.max(self.from)))
    }

    fn begun(&self) -> Result<Vec<Phase>, Refused> {
        let lines = self.wanted.lines.iter().filter(|line| !self.is_bought(line));
        let mut begun = Vec::with_capacity(self.wanted.lines.len());
        for (number, line) in (next_number(&self.phases)..).zip(lines) {
            let before = in_force(&self.phases, line.id, self.from);
            let from = match before {
                Some(phase) if phase.from <= self.from && self.takes_over(line, phase) => self.from,
                // What is only planned pays for no day yet.
                Some(phase) if phase.from <= self.from => self.paid_until(line.id)?,
                Some(_) | None if line.kind == Kind::Recurring => {
                    self.paid_until(line.id)?.max(self.left_paid_until()?)
                }
                Some(_) | None => self.paid_until(line.id)?,
            };
            let is_new = self.wanted.replaced.is_empty() && self.phases.iter().all(|phase| phase.line != line.id);
            let left = if is_new {
                self.left.until_of_all()
            } else {
                self.left.until(line.id)
            };
            let recurs = line.kind == Kind::Recurring;
            let from = left.filter(|_| recurs).map_or(from, |left| from.max(left));
            let from = from.max(self.begins_on(line.id).unwrap_or(from));
            let own_length = self
                .agreement
                .line_billing(line.id)
                .is_some_and(LineBilling::has_own_length);
            let schedule = if self.wanted.reshapes() && !own_length {
                self.wanted.schedule(from)
            } else {
                before.and_then(|phase| phase.schedule).or_else(|| self.schedule())
            };
            begun.push(Phase {
                discount: phases::discount_of(&self.phases, line),
                ..phases::of_line(number, line, schedule, from)
            });
        }
        Ok(begun)
    }

    /// The day on which a line is to begin that has a beginning of its own: a change of it makes that no sooner.
    fn begins_on(&self, line: LineId) -> Option<NaiveDate> {
        self.agreement.line_billing(line)?.fixed_start
    }

    /// How the phase's parts of the period are counted in which the change comes.
    fn proration(&self, phase: &Phase) -> Proration {
        self.policy.of(phase.number, self.from).proration
    }

    /// The schedule by which the other lines are billed on the day; where none is, the latest there was, or what was
    /// agreed.
    fn schedule(&self) -> Option<Schedule> {
        let running = |phase: &&Phase| phase.from <= self.from && goes_on(phase, self.from);
        let phases = self
            .phases
            .iter()
            .rev()
            .filter(|phase| !self.apart.contains(&phase.line));
        let now = phases.clone().filter(running).find_map(|phase| phase.schedule);
        now.or_else(|| phases.clone().find_map(|phase| phase.schedule))
            .or(self.agreed)
    }
}

/// The phase by which a line is billed on a day, or the first one after it.
pub(super) fn in_force(phases: &[Phase], line: LineId, day: NaiveDate) -> Option<&Phase> {
    let same = phases
        .iter()
        .filter(|phase| phase.line == line && phase.kind != Kind::Trial);
    same.filter(|phase| goes_on(phase, day)).min_by_key(|phase| phase.from)
}

/// Where the length of periods or their proration changes, every phase goes on under the new rule from its next billing
/// date on.
fn reshaped(
    agreement: &Agreement,
    now: &OrderBillingPreferences,
    new: &OrderBillingPreferences,
) -> Result<(Vec<PhaseEnd>, Vec<Phase>), Refused> {
    let (mut ended, mut begun) = (Vec::new(), Vec::new());
    let mut number = next_number(&agreement.phases);
    let shapes = |line| {
        let own = agreement.line_billing(line);
        (Shape::of(own, now), Shape::of(own, new))
    };
    let phases = restored(&agreement.phases);
    let settled = Settled {
        agreement,
        phases: &phases,
        stays: |line| {
            let (from, to) = shapes(line);
            from == to
        },
    };
    for phase in &phases {
        let Some(schedule) = &phase.schedule else { continue };
        let (from, to) = shapes(phase.line);
        let next = settled.reached(phase, next_start(phase, schedule)?, !from.divides_as(to));
        if let Some((end, next)) = from.reshape_from(next, to, phase, number) {
            ended.push(end);
            begun.push(next);
            number = number.saturating_add(1);
        }
    }
    policy::taken_over(&agreement.phases, &mut ended, &mut begun);
    Ok((ended, begun))
}
