//! Usage of what has moved to another customer: it belongs to who had it when it was used, whichever of the two a record
//! names. An id that counted on one side of a move does not count on the other, and a total leaves what is known of the
//! days before.

use std::collections::BTreeMap;

use aggregates::{
    Refused,
    billing::{Aggregation, Kind, Phase, Span, UsageRecord},
    id::{SubscriptionId, TenantId},
    money::MoneyError,
    subscription::{self, Subscription},
    usage::{Meter, Unmatched},
};
use projections::usage::MeteredLine;

use super::{
    App,
    usage::{Group, Sent, Taken, Whose},
};
use crate::journal::{CommandError, Request, Unit};

/// What subscriptions were before they became another customer's, and what they go on as.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves {
    before: BTreeMap<SubscriptionId, SubscriptionId>,
    after: BTreeMap<SubscriptionId, SubscriptionId>,
}

impl Moves {
    /// Those next to what meters.
    pub fn of<'a>(lines: impl Iterator<Item = &'a MeteredLine>) -> Self {
        let mut moves = Self::default();
        for line in lines {
            moves.extend(line.moved_from.map(|before| (before, line.subscription)));
            moves.extend(line.moved_to.map(|after| (line.subscription, after)));
        }
        moves
    }

    /// Takes moves in, each as what was before and what goes on; answers with what is new of them.
    fn extend(&mut self, moves: impl IntoIterator<Item = (SubscriptionId, SubscriptionId)>) -> Vec<SubscriptionId> {
        let mut new = Vec::new();
        for (before, after) in moves {
            if self.after.insert(before, after).is_none() {
                self.before.insert(after, before);
                new.extend([before, after]);
            }
        }
        new
    }

    fn next(&self, id: SubscriptionId, way: Way) -> Option<SubscriptionId> {
        let next = match way {
            Way::Back => self.before.get(&id),
            Way::On => self.after.get(&id),
        };
        next.copied()
    }

    fn all(&self, id: SubscriptionId, way: Way) -> Vec<SubscriptionId> {
        std::iter::successors(self.next(id, way), |id| self.next(*id, way)).collect()
    }

    /// What it was, the latest first.
    pub fn befores(&self, id: SubscriptionId) -> Vec<SubscriptionId> {
        self.all(id, Way::Back)
    }

    /// What it goes on as, the first first.
    pub fn afters(&self, id: SubscriptionId) -> Vec<SubscriptionId> {
        self.all(id, Way::On)
    }

    pub fn others(&self, id: SubscriptionId) -> Vec<SubscriptionId> {
        [self.befores(id), self.afters(id)].concat()
    }

    /// Refused where one of these has moved and it is not known here.
    pub fn are_known(&self, unit: &Unit<'_>, ids: &[SubscriptionId]) -> Result<(), CommandError> {
        for id in ids {
            let progress = unit.state::<Subscription>(&id.to_string()).progress();
            if let Some(to) = progress.and_then(|progress| progress.moved_to)
                && self.after.get(id) != Some(&to)
            {
                return Err(subscription::Refused::Moved { to }.into());
            }
        }
        Ok(())
    }
}

/// Whether it was refused because one of those it is about has moved since the views were read.
pub(super) fn is_moved_since<T>(done: &Result<T, CommandError>) -> bool {
    matches!(
        done,
        Err(CommandError::Refused(Refused::Subscription(
            subscription::Refused::Moved { .. }
        )))
    )
}

/// Where a record goes that what it names does not meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// To what that was, because it is of before.
    Back,
    /// To what that goes on as.
    On,
}

impl Way {
    fn of(why: Unmatched) -> Option<Self> {
        match why {
            Unmatched::BeforeStart { .. } => Some(Self::Back),
            Unmatched::NotMeteredThen => Some(Self::On),
            Unmatched::UnknownCustomer | Unmatched::UnknownSubscription | Unmatched::NothingMeters => None,
        }
    }
}

impl App {
    /// What was used of a contract behind the moment at which it moved belongs to the one it goes on as; what was used
    /// before, to the one it was.
    pub(super) async fn pass_on(
        &self,
        request: &Request,
        sent: &[Sent],
        mut taken: Taken,
    ) -> Result<Taken, CommandError> {
        let way = |taken: &Taken, place: usize| taken.unmatched.get(&sent[place].index).copied().and_then(Way::of);
        let mut passed: BTreeMap<(SubscriptionId, Way), Vec<usize>> = BTreeMap::new();
        for (place, one) in sent.iter().enumerate() {
            if let Whose::Subscription(id) = one.whose
                && let Some(way) = way(&taken, place)
            {
                passed.entry((id, way)).or_default().push(place);
            }
        }
        if passed.is_empty() {
            return Ok(taken);
        }
        let named: Vec<SubscriptionId> = passed.keys().map(|(id, _)| *id).collect();
        let moves = self.moves_of(&request.tenant, &named).await?;
        let mut passed: Vec<_> = passed
            .into_iter()
            .map(|((id, to), places)| (id, id, to, places))
            .collect();
        while let Some((named, id, to, places)) = passed.pop() {
            let Some(next) = moves.next(id, to) else { continue };
            // Several that were named may go on as the same one: each is a part of its own.
            let name = format!("usage/moved/{named}");
            let group = Group {
                whose: Whose::Subscription(next),
                candidates: vec![next],
                moves: &moves,
                places,
            };
            let part = self.record_group(request, &name, &group, sent).await?;
            let mut why = BTreeMap::new();
            for place in &group.places {
                let index = sent[*place].index;
                why.extend(taken.unmatched.remove(&index).map(|why| (index, why)));
            }
            taken = taken.with(part);
            // It may have moved more than once.
            let is_left = |place: &usize| way(&taken, *place) == Some(to);
            let left: Vec<usize> = group.places.iter().copied().filter(is_left).collect();
            if to == Way::Back {
                // What was not metered there either is of before what was named.
                for (index, known) in &mut taken.unmatched {
                    *known = why.get(index).copied().unwrap_or(*known);
                }
            }
            if !left.is_empty() {
                passed.push((named, next, to, left));
            }
        }
        Ok(taken)
    }

    /// The moves that these have made, as often as they did.
    pub(super) async fn moves_of(&self, tenant: &TenantId, ids: &[SubscriptionId]) -> Result<Moves, CommandError> {
        self.walk(tenant, Moves::default(), ids.to_vec()).await
    }

    /// With those that were made before and behind them.
    pub(super) async fn moves(&self, tenant: &TenantId, moves: Moves) -> Result<Moves, CommandError> {
        let ends = moves.before.keys().chain(moves.after.keys()).copied().collect();
        self.walk(tenant, moves, ends).await
    }

    async fn walk(
        &self,
        tenant: &TenantId,
        mut moves: Moves,
        mut ends: Vec<SubscriptionId>,
    ) -> Result<Moves, CommandError> {
        while !ends.is_empty() {
            ends.sort_unstable();
            ends.dedup();
            let next = projections::usage::moves(self.journal.views(), tenant, &ends).await?;
            ends = moves.extend(next);
        }
        Ok(moves)
    }
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
