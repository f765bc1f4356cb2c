//! Another policy for a running subscription: it reaches what is not charged yet, and nothing else.

use std::collections::BTreeMap;

use super::{Agreement, Event, Now, Progress, Refused, Status};
use crate::policy::{BillingPolicy, PolicyBefore, PolicyChanges, PolicyOwner};

impl Now<'_> {
    pub fn update_policy(&self, changes: PolicyChanges) -> Result<Vec<Event>, Refused> {
        match self.agreement.status {
            Status::Pending | Status::Active | Status::Paused => {}
            Status::Cancelled => return Err(Refused::Cancelled),
        }
        let Some(policy) = self.agreement.rules().changed(&changes, PolicyOwner::Subscription) else {
            return Ok(Vec::new());
        };
        let (mut agreement, mut progress) = (self.agreement.clone(), self.progress.clone());
        updated(&mut agreement, &mut progress, policy);
        let then = Now {
            agreement: &agreement,
            progress: &progress,
            ..*self
        };
        Ok(vec![Event::PolicyUpdated {
            at: self.at,
            policy,
            next_billing: then.next_billing(&agreement.phases)?,
        }])
    }
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
