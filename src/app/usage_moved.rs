//! Usage of what has moved to another customer: it belongs to whose day it is of. What a record's id counted as before a
//! move it does not count as again behind it, and a total leaves what is known of the days before.

use std::collections::BTreeMap;

use aggregates::{
    billing::{Aggregation, Kind, Phase, Span, UsageRecord},
    id::{SubscriptionId, TenantId},
    money::MoneyError,
    usage::{Meter, Unmatched},
};

use super::{
    App,
    usage::{Group, Sent, Taken, Whose},
};
use crate::journal::{CommandError, Request};

/// What subscriptions were before they became another customer's.
pub(super) type Moved = BTreeMap<SubscriptionId, SubscriptionId>;

impl App {
    /// What was used of a contract behind the day on which it moved belongs to the one it goes on as.
    pub(super) async fn forward(
        &self,
        request: &Request,
        sent: &[Sent],
        mut taken: Taken,
    ) -> Result<Taken, CommandError> {
        let is_behind =
            |taken: &Taken, place: usize| taken.unmatched.get(&sent[place].index) == Some(&Unmatched::NotMeteredThen);
        let mut behind: BTreeMap<SubscriptionId, Vec<usize>> = BTreeMap::new();
        for (place, one) in sent.iter().enumerate() {
            if let Whose::Subscription(id) = one.whose
                && is_behind(&taken, place)
            {
                behind.entry(id).or_default().push(place);
            }
        }
        let named: Vec<SubscriptionId> = behind.keys().copied().collect();
        let mut moved = self.before_moves(&request.tenant, Moved::new(), &named).await?;
        let mut behind: Vec<_> = behind.into_iter().map(|(id, places)| (id, id, places)).collect();
        while let Some((named, id, places)) = behind.pop() {
            let state = self.subscription_state(&request.tenant, id).await?;
            let Some(next) = state.progress().and_then(|progress| progress.moved_to) else {
                continue;
            };
            moved.insert(next, id);
            // Several that were named may go on as the same one: each is a part of its own.
            let name = format!("usage/moved/{named}");
            let group = Group {
                whose: Whose::Subscription(next),
                candidates: vec![next],
                moved: &moved,
                places,
            };
            let part = self.record_group(request, &name, &group, sent).await?;
            for place in &group.places {
                taken.unmatched.remove(&sent[*place].index);
            }
            taken = taken.with(part);
            // It may have moved once more.
            let left: Vec<usize> = group
                .places
                .into_iter()
                .filter(|place| is_behind(&taken, *place))
                .collect();
            if !left.is_empty() {
                behind.push((named, next, left));
            }
        }
        Ok(taken)
    }

    /// What subscriptions were before they moved, as often as they did: of some that is known, of others asked.
    pub(super) async fn before_moves(
        &self,
        tenant: &TenantId,
        mut moved: Moved,
        asked: &[SubscriptionId],
    ) -> Result<Moved, CommandError> {
        let mut last: Vec<SubscriptionId> = moved.values().chain(asked).copied().collect();
        while !last.is_empty() {
            let before = projections::usage::moved_from(self.journal.views(), tenant, &last).await?;
            moved.extend(before.iter().copied());
            last = before.into_iter().map(|(_, before)| before).collect();
        }
        Ok(moved)
    }
}

/// What a subscription was before, the latest first.
pub(super) fn befores(moved: &Moved, id: SubscriptionId) -> Vec<SubscriptionId> {
    std::iter::successors(moved.get(&id), |id| moved.get(id))
        .copied()
        .collect()
}

/// What a total of usage leaves for whom the contract became in the middle of the period that it counts: what is known of
/// the days before is the earlier customers'. It is known when the total comes; what is heard of those days later on
/// changes nothing.
pub(super) fn left_of_total(
    mut record: UsageRecord,
    phase: &Phase,
    before: &[&Meter],
) -> Result<UsageRecord, MoneyError> {
    let is_sum = matches!(
        &phase.kind,
        Kind::Metered {
            aggregation: Aggregation::Sum,
            ..
        }
    );
    if let (true, Some(start), Some(end)) = (is_sum, record.period_from, record.total_from) {
        for meter in before {
            let usage = meter.usage();
            record.quantity = usage.rest_of_total(&record.metric, record.quantity, Span { start, end })?;
        }
    }
    Ok(record)
}
