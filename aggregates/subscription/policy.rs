//! Another policy for a running subscription: it reaches what is not charged yet, and nothing else.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Agreement, Event, Progress, Refused, Status, run::next_billing};
use crate::policy::{BillingPolicy, PolicyBefore, PolicyChanges, PolicyOwner};

pub(super) fn update(
    agreement: &Agreement,
    progress: &Progress,
    waiting: bool,
    at: DateTime<Utc>,
    changes: &PolicyChanges,
) -> Result<Vec<Event>, Refused> {
    match agreement.status {
        Status::Pending | Status::Active | Status::Paused => {}
        Status::Cancelled => return Err(Refused::Cancelled),
    }
    let Some(policy) = agreement.rules().changed(changes, PolicyOwner::Subscription) else {
        return Ok(Vec::new());
    };
    let (mut new, mut after) = (agreement.clone(), progress.clone());
    updated(&mut new, &mut after, policy);
    let next_billing = next_billing(&new, &after, waiting, &new.phases, at)?;
    Ok(vec![Event::PolicyUpdated {
        at,
        policy,
        next_billing,
    }])
}

/// What is charged up to here was charged by the policy of before: it is taken back and corrected by that one.
pub(super) fn updated(agreement: &mut Agreement, progress: &mut Progress, policy: BillingPolicy) {
    let billed = |phase: &crate::billing::Phase| Some((phase.number, phase.billed_through?));
    let billed_through: BTreeMap<_, _> = agreement.phases.iter().filter_map(billed).collect();
    if !billed_through.is_empty() {
        progress.policies.push(PolicyBefore {
            policy: agreement.rules(),
            billed_through,
        });
    }
    agreement.policy = Some(policy);
}
