//! Changes of a running subscription: another plan, price, quantity or period, pause, resumption, end.

use std::collections::BTreeMap;

use chrono::{DateTime, Months, NaiveDate, Utc};

use super::{
    Agreement, Change, Event, PhaseEnd, Progress, Refused, Status, Terms,
    phases::{self, after, ends, goes_on, next_number},
    run::next_billing,
};
use crate::{
    billing::{Ending, Kind, Phase, Schedule, Timing},
    calendar::local_date,
    id::LineId,
    order_terms::OrderBillingPreferences,
};

/// How long ago an agreement may begin.
const YEARS_BACK: u32 = 20;

/// A pending agreement begins on `activation`.
pub(super) fn activate(
    agreement: &Agreement,
    progress: &Progress,
    waiting: bool,
    at: DateTime<Utc>,
    activation: NaiveDate,
) -> Result<Vec<Event>, Refused> {
    match agreement.status {
        Status::Pending => {}
        Status::Active | Status::Paused => return Ok(Vec::new()), // already so: a retry is not an error
        Status::Cancelled => return Err(Refused::Cancelled),
    }
    recent(at, activation)?;
    let (phases, trial_end) = match &agreement.offer {
        Some(offer) => phases::of_offer(offer, agreement.cycle, activation)?,
        None => (Vec::new(), None),
    };
    let active = Agreement {
        activation,
        status: Status::Active,
        ..agreement.clone()
    };
    let next_billing = next_billing(&active, progress, waiting, &phases, at)?;
    Ok(vec![Event::Activated {
        at,
        activation,
        phases,
        trial_end,
        next_billing,
    }])
}

/// What begins is billed from its beginning on, period by period: so many years at most.
pub(super) fn recent(at: DateTime<Utc>, activation: NaiveDate) -> Result<(), Refused> {
    let earliest = at.date_naive().checked_sub_months(Months::new(12 * YEARS_BACK));
    match earliest {
        Some(earliest) if activation < earliest => Err(Refused::TooLongAgo { earliest }),
        Some(_) | None => Ok(()),
    }
}

fn running(agreement: &Agreement) -> Result<(), Refused> {
    match agreement.status {
        Status::Active => Ok(()),
        Status::Pending => Err(Refused::Pending),
        Status::Paused => Err(Refused::Paused),
        Status::Cancelled => Err(Refused::Cancelled),
    }
}

pub(super) fn change(
    agreement: &Agreement,
    progress: &Progress,
    waiting: bool,
    at: DateTime<Utc>,
    change: &Change,
) -> Result<Vec<Event>, Refused> {
    running(agreement)?;
    if change.effective < agreement.activation {
        let start = agreement.activation;
        return Err(Refused::BeforeStart { start });
    }
    if let Some(end) = progress.ends.filter(|end| *end <= change.effective) {
        return Err(Refused::EndsAlready { end });
    }
    let begins = |id: LineId| change.lines.iter().any(|line| line.id == id);
    // A new line replaces itself, so that it can come alone and leave all others as they are.
    if let Some(line) = change
        .replaced
        .iter()
        .find(|id| !has_line(agreement, **id) && !begins(**id))
    {
        return Err(Refused::UnknownLine { line: *line });
    }
    // Nothing is charged in a trial, whatever is changed in it.
    let from = change.effective.max(agreement.trial_end.unwrap_or(change.effective));
    let touched = |phase: &&Phase| {
        phase.kind != Kind::Trial && (change.replaced.is_empty() || change.replaced.contains(&phase.line))
    };
    let ended = ends(agreement.phases.iter().filter(touched), from, Ending::Change);
    let schedule = match change.cycle {
        Some(cycle) => cycle
            .unit()
            .map(|unit| phases::counted_from(unit, change.anchor.unwrap_or(from))),
        None => present_schedule(agreement),
    };
    let first = next_number(&agreement.phases);
    let begun: Vec<_> = (first..)
        .zip(&change.lines)
        .map(|(number, line)| Phase {
            discount: phases::discount_of(&agreement.phases, line),
            until: progress.ends,
            ..phases::of_line(number, line, schedule, from)
        })
        .collect();
    let changed = after(&agreement.phases, &ended, &begun);
    Ok(vec![Event::Changed {
        at,
        effective: change.effective,
        plan: change.plan,
        cycle: change.cycle,
        next_billing: next_billing(agreement, progress, waiting, &changed, at)?,
        ended,
        begun,
    }])
}

fn has_line(agreement: &Agreement, line: LineId) -> bool {
    agreement.phases.iter().any(|phase| phase.line == line)
}

/// The schedule by which the agreement is billed, of the phase that began last.
fn present_schedule(agreement: &Agreement) -> Option<Schedule> {
    agreement.phases.iter().rev().find_map(|phase| phase.schedule)
}

pub(super) fn pause(
    agreement: &Agreement,
    progress: &Progress,
    waiting: bool,
    at: DateTime<Utc>,
    from: NaiveDate,
) -> Result<Vec<Event>, Refused> {
    if agreement.status == Status::Paused {
        return Ok(Vec::new()); // already so: a retry is not an error
    }
    running(agreement)?;
    if from < agreement.activation {
        let start = agreement.activation;
        return Err(Refused::BeforeStart { start });
    }
    let ended = ends(agreement.phases.iter(), from, Ending::Termination);
    let paused = after(&agreement.phases, &ended, &[]);
    let next_billing = next_billing(agreement, progress, waiting, &paused, at)?;
    Ok(vec![Event::Paused {
        at,
        from,
        ended,
        next_billing,
    }])
}

pub(super) fn resume(
    agreement: &Agreement,
    progress: &Progress,
    waiting: bool,
    at: DateTime<Utc>,
    from: NaiveDate,
) -> Result<Vec<Event>, Refused> {
    match agreement.status {
        Status::Paused => {}
        Status::Active => return Ok(Vec::new()), // already so: a retry is not an error
        Status::Pending => return Err(Refused::Pending),
        Status::Cancelled => return Err(Refused::Cancelled),
    }
    if let Some(since) = progress.paused_from.filter(|since| from < *since) {
        return Err(Refused::BeforePause { from: since });
    }
    // An end that was still to come does not come any more.
    let unended = Progress {
        ends: None,
        ..progress.clone()
    };
    go_on(agreement, &unended, waiting, at, from)
}

/// A cancelled agreement goes on from `from`; one whose end is still to come goes on from there, as if it had never been
/// cancelled.
pub(super) fn reactivate(
    agreement: &Agreement,
    progress: &Progress,
    waiting: bool,
    at: DateTime<Utc>,
    from: NaiveDate,
) -> Result<Vec<Event>, Refused> {
    let from = match (agreement.status, progress.ends) {
        (Status::Cancelled, _) => from,
        (Status::Active, Some(end)) => from.max(end),
        (Status::Active, None) => return Ok(Vec::new()), // already so: a retry is not an error
        (Status::Pending, _) => return Err(Refused::Pending),
        (Status::Paused, _) => return Err(Refused::Paused),
    };
    if let Some(since) = progress.paused_from.filter(|since| from < *since) {
        return Err(Refused::BeforePause { from: since });
    }
    let mut unended = Progress {
        ends: None,
        ..progress.clone()
    };
    if let Some(end) = progress.ends {
        // They may have changed since the cancellation: what goes on is what they are now.
        let stops = |phase: &&Phase| phase.until == Some(end) && phase.kind != Kind::Trial;
        let endless = |phase: &Phase| Phase {
            until: None,
            ..phase.clone()
        };
        unended.paused = agreement.phases.iter().filter(stops).map(endless).collect();
    }
    go_on(agreement, &unended, waiting, at, from)
}

/// What had stopped begins again.
fn go_on(
    agreement: &Agreement,
    progress: &Progress,
    waiting: bool,
    at: DateTime<Utc>,
    from: NaiveDate,
) -> Result<Vec<Event>, Refused> {
    let first = next_number(&agreement.phases);
    let begun: Vec<_> = (first..)
        .zip(progress.paused.iter().filter(|phase| goes_on(phase, from)))
        .map(|(number, phase)| Phase {
            number,
            from: phase.from.max(from),
            billed_through: None,
            billed_usage: BTreeMap::new(),
            ending: Ending::Change,
            ..phase.clone()
        })
        .collect();
    let resumed = after(&agreement.phases, &[], &begun);
    let next_billing = next_billing(agreement, progress, waiting, &resumed, at)?;
    Ok(vec![Event::Resumed {
        at,
        from,
        begun,
        next_billing,
    }])
}

/// Ends on `effective`, the first day that is not paid for, unless the policy counts it as used.
pub(super) fn cancel(
    agreement: &Agreement,
    progress: &Progress,
    waiting: bool,
    at: DateTime<Utc>,
    effective: NaiveDate,
) -> Result<Vec<Event>, Refused> {
    if agreement.status == Status::Cancelled || progress.ends == Some(effective) {
        return Ok(Vec::new()); // already so: a retry is not an error
    }
    if effective < agreement.activation {
        let start = agreement.activation;
        return Err(Refused::BeforeStart { start });
    }
    if let Some(end) = progress.ends.filter(|end| *end < effective) {
        return Err(Refused::EndsAlready { end });
    }
    let scheduled = effective > local_date(at, agreement.zone());
    let ended = ends(agreement.phases.iter(), effective, Ending::Termination);
    let cancelled = after(&agreement.phases, &ended, &[]);
    let after = Progress {
        ends: Some(effective).filter(|_| scheduled),
        ..progress.clone()
    };
    let next_billing = next_billing(agreement, &after, waiting, &cancelled, at)?;
    Ok(vec![Event::Cancelled {
        at,
        effective,
        scheduled,
        ended,
        next_billing,
    }])
}

pub(super) fn update_billing_preferences(
    agreement: &Agreement,
    progress: &Progress,
    waiting: bool,
    at: DateTime<Utc>,
    new: &OrderBillingPreferences,
) -> Result<Vec<Event>, Refused> {
    let now = match &agreement.terms {
        Terms::Contract { .. } => return Err(Refused::NotAnOrder),
        Terms::Order { billing } => billing,
    };
    if agreement.status == Status::Cancelled {
        return Err(Refused::Cancelled);
    }
    if **now == *new {
        return Ok(Vec::new());
    }
    let (ended, begun) = reshaped(agreement, now, new)?;
    let phases = after(&agreement.phases, &ended, &begun);
    let updated = Agreement {
        terms: Terms::Order {
            billing: Box::new(new.clone()),
        },
        ..agreement.clone()
    };
    Ok(vec![Event::BillingPreferencesUpdated {
        at,
        billing: Box::new(new.clone()),
        next_billing: next_billing(&updated, progress, waiting, &phases, at)?,
        ended,
        begun,
    }])
}

/// Where the length of periods or their proration changes, every phase goes on under the new rule from its next billing
/// date on.
fn reshaped(
    agreement: &Agreement,
    now: &OrderBillingPreferences,
    new: &OrderBillingPreferences,
) -> Result<(Vec<PhaseEnd>, Vec<Phase>), Refused> {
    let (mut ended, mut begun) = (Vec::new(), Vec::new());
    let same_length =
        (now.billing_period.unit, now.billing_period.count) == (new.billing_period.unit, new.billing_period.count);
    if same_length && phases::prorates(now) == phases::prorates(new) {
        return Ok((ended, begun));
    }
    let mut number = next_number(&agreement.phases);
    for phase in &agreement.phases {
        let Some(schedule) = phase.schedule else { continue };
        let unbilled = phase.billed_through.unwrap_or(phase.from);
        let next = match phase.timing {
            Timing::Advance => unbilled,
            Timing::Arrears => schedule.containing(unbilled).ok_or(Refused::BeyondCalendar)?.end,
        };
        if !goes_on(phase, next) {
            continue;
        }
        ended.push(PhaseEnd {
            phase: phase.number,
            until: next,
            ending: Ending::Change,
        });
        let anchored = Schedule {
            unit: new.billing_period.unit,
            count: new.billing_period.count,
            anchor: next,
        };
        begun.push(Phase {
            number,
            from: next,
            billed_through: None,
            billed_usage: BTreeMap::new(),
            ending: Ending::Change,
            prorate: phases::prorates(new),
            schedule: Some(if same_length { schedule } else { anchored }),
            ..phase.clone()
        });
        number = number.saturating_add(1);
    }
    Ok((ended, begun))
}
