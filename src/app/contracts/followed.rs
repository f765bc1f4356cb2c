//! Contracts that follow one another under another plan: neither leaves days unpaid, or paid twice, that the other relies
//! on.

use std::collections::BTreeMap;

use aggregates::{
    id::{LineId, SubscriptionId, TenantId},
    subscription::{self, Command, Subscription},
};
use chrono::NaiveDate;

use crate::{
    app::{App, desk::Desk},
    journal::{CommandError, Streams},
};

/// The contract that a contract becomes, if it ever does: there is one for ever.
pub fn successor(tenant: &TenantId, contract: SubscriptionId) -> SubscriptionId {
    SubscriptionId(tenant.derive(&format!("upgrade/{contract}")))
}

/// The streams that a command to a contract looks at: its own, and that of what follows it.
pub(in crate::app) fn with_successor(tenant: &TenantId, id: SubscriptionId) -> Streams {
    Streams::new()
        .with::<Subscription>(id)
        .with::<Subscription>(successor(tenant, id))
}

/// The contract that one follows under another plan, if it does: that never changes.
pub(in crate::app) fn followed_by(state: &Subscription) -> Option<SubscriptionId> {
    state.agreement()?.upgraded_from
}

impl App {
    /// The streams, and those of the contracts that left the rest of a period to this one, each to the one behind it.
    pub(in crate::app) async fn with_rests_before(
        &self,
        mut streams: Streams,
        tenant: &TenantId,
        state: &Subscription,
    ) -> Result<Streams, CommandError> {
        let left = |state: &Subscription| {
            let agreement = state.agreement().filter(|agreement| !agreement.rest_before.is_empty());
            agreement.and_then(|agreement| agreement.upgraded_from)
        };
        let mut before = left(state);
        while let Some(id) = before {
            streams = streams.with::<Subscription>(id);
            before = left(&self.subscription_state(tenant, id).await?);
        }
        Ok(streams)
    }
}

/// Where nothing takes over any more what was left to a contract of a period, who began the period pays for it.
pub(in crate::app) fn leave_rest<D: Desk>(desk: &mut D, mut id: SubscriptionId) -> Result<(), CommandError> {
    let at = desk.at();
    while let Some((before, effective)) = desk.state::<Subscription>(&id.to_string()).leaves_rest_to() {
        if !desk.holds::<Subscription>(&before.to_string()) {
            break;
        }
        desk.send::<Subscription>(&before.to_string(), &Command::NotFollowed { at, effective })?;
        id = before;
    }
    Ok(())
}

/// What a contract that is to follow was told of the one before it.
pub(in crate::app) struct Followed {
    to: SubscriptionId,
    day: NaiveDate,
    paid_beyond: BTreeMap<LineId, NaiveDate>,
    leaves_rest_to: Option<(SubscriptionId, NaiveDate)>,
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
        let leaves_rest_to = state.leaves_rest_to();
        Ok(Some(Self {
            to,
            day,
            paid_beyond,
            leaves_rest_to,
        }))
    }

    /// Whatever came since, the one before pays as far as it did, and so do those before that one.
    pub fn still<D: Desk>(&self, desk: &D, id: SubscriptionId) -> Result<(), CommandError> {
        let state = desk.state::<Subscription>(&id.to_string());
        if state.paid_beyond(self.day)? == self.paid_beyond && state.leaves_rest_to() == self.leaves_rest_to {
            return Ok(());
        }
        Err(subscription::Refused::Upgraded { to: self.to }.into())
    }
}

/// Where a contract that was to follow another one never begins, that one pays for the periods it had left to it.
pub(in crate::app) fn not_followed<D: Desk>(desk: &mut D, id: SubscriptionId) -> Result<(), CommandError> {
    let state = desk.state::<Subscription>(&id.to_string());
    let Some(agreement) = state.agreement().filter(|_| state.never_begins()) else {
        return Ok(());
    };
    // It goes on as another one from its first day on, which takes over what was left to it.
    if agreement.passes_on() {
        return Ok(());
    }
    let (at, effective) = (desk.at(), agreement.activation);
    let old = agreement.upgraded_from.map(|old| old.to_string());
    if let Some(old) = old.filter(|old| desk.holds::<Subscription>(old)) {
        desk.send::<Subscription>(&old, &Command::NotFollowed { at, effective })?;
    }
    Ok(())
}
