//! Subscriptions: what each event makes of them.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{Agreement, Charge, Event, PhaseEnd, Progress, Status, delivery, line, phases, policy, run};
use crate::id::{ChargeId, LineId};

/// What is signed as it is behind one event more.
pub(super) fn move_on(
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
            stopped,
            trial_end,
            next_billing,
            ..
        } => {
            agreement.status = Status::Active;
            agreement.activation = *activation;
            agreement.offer = None;
            agreement.phases.clone_from(phases);
            phases::stop(&mut agreement.phases, stopped);
            agreement.trial_end = *trial_end;
            progress.next_billing = *next_billing;
        }
        Event::ChargeAdded {
            charge, next_billing, ..
        } => {
            pending.insert(charge.id, charge.clone());
            progress.next_billing = next_billing.or(progress.next_billing);
        }
        Event::Accrued { .. } => run::accrued(agreement, pending, progress, event),
        Event::ChargesInvoiced { charges, .. } => {
            for charge in charges {
                pending.remove(charge);
            }
        }
        Event::ChargesReleased {
            charges, next_billing, ..
        } => {
            pending.extend(charges.iter().map(|charge| (charge.id, charge.clone())));
            progress.next_billing = next_billing.or(progress.next_billing);
        }
        Event::PolicyUpdated {
            policy,
            kept,
            next_billing,
            ..
        } => {
            policy::updated(agreement, progress, *policy, kept);
            progress.next_billing = *next_billing;
        }
        Event::BillingPreferencesUpdated { .. }
        | Event::LineBillingUpdated { .. }
        | Event::Changed { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Cancelled { .. }
        | Event::UsageArrived { .. }
        | Event::UsageClosed { .. }
        | Event::Moved { .. }
        | Event::Ended { .. } => {
            let decided = phases::Decided::by(event, &agreement.phases, agreement.zone());
            changed(agreement, progress, event);
            decided.note(&mut agreement.phases);
        }
    }
}

fn changed(agreement: &mut Agreement, progress: &mut Progress, event: &Event) {
    match event {
        Event::Signed { .. }
        | Event::Activated { .. }
        | Event::ChargeAdded { .. }
        | Event::Accrued { .. }
        | Event::PolicyUpdated { .. }
        | Event::ChargesReleased { .. }
        | Event::ChargesInvoiced { .. } => {}
        Event::BillingPreferencesUpdated { .. } | Event::LineBillingUpdated { .. } => {
            line::preferred(agreement, progress, event);
        }
        Event::Changed {
            plan,
            cycle,
            ended,
            begun,
            stopped,
            next_billing,
            ..
        } => {
            agreement.plan = plan.or(agreement.plan);
            agreement.cycle = cycle.unwrap_or(agreement.cycle);
            agreement.phases = phases::after(&agreement.phases, ended, begun);
            policy::inherit(&mut progress.policies, &agreement.phases);
            phases::stop(&mut agreement.phases, stopped);
            if stopped.is_empty() {
                phases::stop_as_once_written(&mut agreement.phases, begun, progress.ends);
            }
            progress.next_billing = *next_billing;
        }
        Event::Paused {
            from,
            ended,
            next_billing,
            ..
        } => {
            stand_still(agreement, progress, ended, *from);
            progress.next_billing = *next_billing;
            agreement.status = Status::Paused;
        }
        Event::Resumed {
            from,
            reopened,
            begun,
            stopped,
            ends,
            next_billing,
            ..
        } => {
            let missed = progress.stands_still_from.is_some_and(|since| since < *from);
            progress.went_on_from = progress.went_on_from.max(Some(*from).filter(|_| missed));
            progress.stands_still_from = *ends;
            progress.ends = *ends;
            progress.cancelled_from = None;
            progress.next_billing = *next_billing;
            agreement.status = Status::Active;
            agreement.phases = phases::going_on(&agreement.phases, reopened, begun);
            let rules = agreement.rules();
            policy::went_on(&mut agreement.phases, progress, &rules);
            phases::stop(&mut agreement.phases, stopped);
            delivery::missed(agreement, progress, event);
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
                progress.cancelled_from = Some(*effective);
            }
            stand_still(agreement, progress, ended, *effective);
            progress.next_billing = *next_billing;
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
        Event::Moved { to, effective, .. } => {
            progress.moved_to = Some(*to);
            progress.moved_on = Some(*effective);
        }
        Event::Ended { .. } => {
            agreement.status = Status::Cancelled;
            progress.cancelled_from = progress.ends.take().or(progress.stands_still_from);
        }
    }
}

/// The first day of a line that goes on from another agreement.
pub(super) fn goes_on(agreement: &Agreement, line: LineId) -> NaiveDate {
    let own = agreement.phases.iter().filter(|phase| phase.line == line);
    own.map(|phase| phase.from).min().unwrap_or(agreement.activation)
}

/// What was to stop later stops then.
fn stand_still(agreement: &mut Agreement, progress: &mut Progress, ended: &[PhaseEnd], from: NaiveDate) {
    phases::stop(&mut agreement.phases, ended);
    let known = progress.stands_still_from;
    progress.stands_still_from = Some(known.map_or(from, |known| known.min(from)));
}
