//! Contracts that follow one another under another plan: neither leaves days unpaid, or paid twice, that the other relies
//! on.

use std::collections::BTreeMap;

use aggregates::{
    id::{LineId, SubscriptionId, TenantId},
    subscription::{self, Command, Subscription},
};
use chrono::NaiveDate;

use super::{desk::Desk, upgrades::successor};
use crate::journal::{CommandError, Streams};

/// The streams that a command to a contract looks at: its own, and that of what follows it.
pub(super) fn with_successor(tenant: &TenantId, id: SubscriptionId) -> Streams {
    Streams::new()
        .with::<Subscription>(id)
        .with::<Subscription>(successor(tenant, id))
}

/// What a contract that is to follow was told of the one before it.
pub(super) struct Followed {
    to: SubscriptionId,
    day: NaiveDate,
    paid_beyond: BTreeMap<LineId, NaiveDate>,
}

impl Followed {
    /// Of a contract that is still to be followed.
    pub fn of<D: Desk>(desk: &D, id: SubscriptionId) -> Result<Option<Self>, CommandError> {
        let to = successor(desk.tenant(), id);
        let stream = to.to_string();
        if !desk.holds::<Subscription>(&stream) {
            return Ok(None);
        }
        let next = desk.state::<Subscription>(&stream);
        if next.agreement().is_none() || next.never_begins() {
            return Ok(None);
        }
        let state = desk.state::<Subscription>(&id.to_string());
        let Some(day) = state.progress().and_then(|progress| progress.ends) else {
            return Ok(None);
        };
        let paid_beyond = state.paid_beyond(day)?;
        Ok(Some(Self { to, day, paid_beyond }))
    }

    /// Whatever came since, the one before pays as far as it did.
    pub fn still<D: Desk>(&self, desk: &D, id: SubscriptionId) -> Result<(), CommandError> {
        let state = desk.state::<Subscription>(&id.to_string());
        if state.paid_beyond(self.day)? == self.paid_beyond {
            return Ok(());
        }
        Err(subscription::Refused::Upgraded { to: self.to }.into())
    }
}

/// Where a contract that was to follow another one never begins, that one pays for the periods it had left to it.
pub(super) fn not_followed<D: Desk>(desk: &mut D, id: SubscriptionId) -> Result<(), CommandError> {
    let state = desk.state::<Subscription>(&id.to_string());
    let Some(agreement) = state.agreement().filter(|_| state.never_begins()) else {
        return Ok(());
    };
    let (at, effective) = (desk.at(), agreement.activation);
    let old = agreement.upgraded_from.map(|old| old.to_string());
    if let Some(old) = old.filter(|old| desk.holds::<Subscription>(old)) {
        desk.send::<Subscription>(&old, &Command::NotFollowed { at, effective })?;
    }
    Ok(())
}
