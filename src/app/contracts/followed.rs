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
    /// The contracts that left the rest of a period to this one, each to the one behind it: the latest one first. Which ones
    /// these are never changes.
    pub(in crate::app) async fn rests_before(
        &self,
        tenant: &TenantId,
        state: &Subscription,
    ) -> Result<Vec<SubscriptionId>, CommandError> {
        let left = |state: &Subscription| {
            let agreement = state.agreement().filter(|agreement| !agreement.rest_before.is_empty());
            agreement.and_then(|agreement| agreement.upgraded_from)
        };
        let (mut all, mut before) = (Vec::new(), left(state));
        while let Some(id) = before {
            all.push(id);
            before = left(&self.subscription_state(tenant, id).await?);
        }
        Ok(all)
    }

    /// The streams, and those of the contracts that left the rest of a period to this one.
    pub(in crate::app) async fn with_rests_before(
        &self,
        streams: Streams,
        tenant: &TenantId,
        state: &Subscription,
    ) -> Result<Streams, CommandError> {
        let before = self.rests_before(tenant, state).await?;
        Ok(before.into_iter().fold(streams, Streams::with::<Subscription>))
    }
}

/// Where nothing takes over any more what was left to a contract of a period, who began the period pays for it. Answers with
/// those who do, the latest one first.
pub(in crate::app) fn leave_rest<D: Desk>(
    desk: &mut D,
    mut id: SubscriptionId,
) -> Result<Vec<SubscriptionId>, CommandError> {
    let (at, mut told) = (desk.at(), Vec::new());
    while let Some((before, effective)) = desk.state::<Subscription>(&id.to_string()).leaves_rest_to() {
        let stream = at_hand(desk, before, id)?;
        if !desk
            .send::<Subscription>(&stream, &Command::NotFollowed { at, effective })?
            .is_empty()
        {
            told.push(before);
        }
        id = before;
    }
    Ok(told)
}

/// The stream of the contract before one: whoever decides something of that one has it at hand, or a period would be paid by
/// nobody.
fn at_hand<D: Desk>(desk: &D, before: SubscriptionId, id: SubscriptionId) -> Result<String, CommandError> {
    let stream = before.to_string();
    if desk.holds::<Subscription>(&stream) {
        Ok(stream)
    } else {
        Err(CommandError::Corrupt(
            format!("{before}, which {id} followed, is not at hand").into(),
        ))
    }
}

/// What a contract that is to follow was told of the one before it.
pub(in crate::app) struct Followed {
    to: SubscriptionId,
    day: NaiveDate,
    paid_beyond: BTreeMap<LineId, NaiveDate>,
    /// By phase that leaves its period to the one that follows.
    leaves: BTreeMap<u32, Option<NaiveDate>>,
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
        let leaves = state.leaves_on(day)?;
        let leaves_rest_to = state.leaves_rest_to();
        Ok(Some(Self {
            to,
            day,
            paid_beyond,
            leaves,
            leaves_rest_to,
        }))
    }

    /// Whatever came since, the one before pays as far as it did, and so do those before that one.
    pub fn still<D: Desk>(&self, desk: &D, id: SubscriptionId) -> Result<(), CommandError> {
        let state = desk.state::<Subscription>(&id.to_string());
        // What does not even come to the day leaves nothing.
        let leaves = state.leaves_on(self.day)?;
        let mut leaves = leaves.iter();
        let still_leaves = leaves.all(|(phase, end)| self.leaves.get(phase).is_none_or(|known| known == end));
        let still_pays = state.paid_beyond(self.day)? == self.paid_beyond && still_leaves;
        if still_pays && state.leaves_rest_to() == self.leaves_rest_to {
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
    if let Some(old) = agreement.upgraded_from {
        let old = at_hand(desk, old, id)?;
        desk.send::<Subscription>(&old, &Command::NotFollowed { at, effective })?;
    }
    Ok(())
}
