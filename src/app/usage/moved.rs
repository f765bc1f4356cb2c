//! Usage of what has moved to another customer: it belongs to who had it when it was used, whichever of the two a record
//! names. An id that counted on one side of a move does not count on the other, and a total leaves what is known of the
//! days before.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    Refused,
    billing::{Aggregation, Kind, Phase, Span, UsageRecord},
    id::{SubscriptionId, TenantId},
    money::MoneyError,
    subscription::{self, Subscription},
    usage::{self, Meter, Theirs, Unmatched},
};
use chrono::NaiveDate;
use projections::usage::MeteredLine;
use rust_decimal::Decimal;

use super::{Group, Look, Sent, Taken, Whose};
use crate::{
    app::{App, contracts::followed::successor},
    journal::{CommandError, Request, Streams, Unit},
};

/// What subscriptions were before they became another customer's, and what they go on as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::app) struct Moves {
    before: BTreeMap<SubscriptionId, SubscriptionId>,
    after: BTreeMap<SubscriptionId, SubscriptionId>,
}

impl Moves {
    /// Those next to what meters.
    pub fn of<'a>(tenant: &TenantId, lines: impl Iterator<Item = &'a MeteredLine>) -> Self {
        let mut moves = Self::default();
        for line in lines {
            moves.extend(tenant, line.moved_from.map(|before| (before, line.subscription)));
            moves.extend(tenant, line.moved_to.map(|after| (line.subscription, after)));
        }
        moves
    }

    /// Takes moves in, each as what was before and what goes on; answers with what is new of them.
    fn extend(
        &mut self,
        tenant: &TenantId,
        moves: impl IntoIterator<Item = (SubscriptionId, SubscriptionId)>,
    ) -> Vec<SubscriptionId> {
        let mut new = Vec::new();
        for (before, after) in moves {
            // What was to follow under another plan and never began is not what it goes on as.
            let known = self.after.get(&before);
            if known.is_none_or(|known| *known != after && *known == successor(tenant, before)) {
                self.after.insert(before, after);
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

    /// What it goes on as in the end, as far as that is known.
    pub fn last(&self, id: SubscriptionId) -> SubscriptionId {
        self.afters(id).pop().unwrap_or(id)
    }

    /// Adds what is asked when usage of these is recorded: the meters of what they were, and what they go on as.
    pub fn around(&self, mut streams: Streams, ids: &[SubscriptionId]) -> Streams {
        let (mut meters, mut next) = (BTreeSet::new(), BTreeSet::new());
        for id in ids {
            meters.extend(self.befores(*id));
            next.extend(self.afters(*id));
        }
        meters.extend(&next);
        for id in meters.iter().filter(|id| !ids.contains(id)) {
            streams = streams.with::<Meter>(id);
        }
        for id in next.iter().filter(|id| !ids.contains(id)) {
            streams = streams.with::<Subscription>(id);
        }
        streams
    }

    /// Refused where one of these has moved, or goes on under another plan, and it is not known here.
    pub fn are_known(&self, unit: &Unit<'_>, ids: &[SubscriptionId]) -> Result<(), CommandError> {
        let after = ids.iter().flat_map(|id| self.afters(*id));
        for id in ids.iter().copied().chain(after) {
            let progress = unit.state::<Subscription>(&id.to_string()).progress();
            if let Some(to) = progress.and_then(|progress| progress.moved_to)
                && self.after.get(&id) != Some(&to)
            {
                return Err(subscription::Refused::Moved { to }.into());
            }
            let to = successor(unit.tenant(), id);
            let next = to.to_string();
            if !self.after.contains_key(&id)
                && unit.holds::<Subscription>(&next)
                && unit.state::<Subscription>(&next).agreement().is_some()
            {
                return Err(subscription::Refused::Upgraded { to }.into());
            }
        }
        Ok(())
    }
}

/// Whether it was refused because one of those it is about goes on as another one since the views were read.
pub(super) fn is_moved_since<T>(done: &Result<T, CommandError>) -> bool {
    matches!(
        done,
        Err(CommandError::Refused(Refused::Subscription(
            subscription::Refused::Moved { .. } | subscription::Refused::Upgraded { .. }
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
            Unmatched::UnknownCustomer
            | Unmatched::UnknownSubscription
            | Unmatched::NothingMeters
            | Unmatched::InTrial { .. }
            | Unmatched::NoTotals => None,
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
        let mut moves = self.moves_of(&request.tenant, &named).await?;
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
                look: Look::Once,
            };
            let part = self.record_group(request, &name, &group, sent).await?;
            let places = group.places;
            let mut why = BTreeMap::new();
            for place in &places {
                let index = sent[*place].index;
                why.extend(taken.unmatched.remove(&index).map(|why| (index, why)));
            }
            taken = taken.with(part);
            // It may have moved more than once.
            let is_left = |place: &usize| way(&taken, *place) == Some(to);
            let left: Vec<usize> = places.iter().copied().filter(is_left).collect();
            if to == Way::Back {
                // What was not metered there either is of before what was named.
                for (index, known) in &mut taken.unmatched {
                    *known = why.get(index).copied().unwrap_or(*known);
                }
            }
            if !left.is_empty() {
                // And once more since.
                moves = self.moves(&request.tenant, moves).await?;
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
    pub(in crate::app) async fn moves(&self, tenant: &TenantId, moves: Moves) -> Result<Moves, CommandError> {
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
            ends = moves.extend(tenant, next);
        }
        Ok(moves)
    }
}

/// How much of a total is theirs who had the contract before, in whose time the period began that it counts.
pub(super) fn with_theirs(
    mut record: UsageRecord,
    phase: &Phase,
    began: NaiveDate,
    before: &[&Meter],
) -> Result<UsageRecord, MoneyError> {
    let is_sum = matches!(
        &phase.kind,
        Kind::Metered {
            aggregation: Aggregation::Sum,
            ..
        }
    );
    if let (true, Some(start), Some(end)) = (is_sum, record.period_from, record.total_from)
        && start < began
        && !before.is_empty()
    {
        record.theirs = Some(known(before.iter().copied(), &record.metric, Span { start, end })?);
    }
    Ok(record)
}

fn known<'a>(meters: impl Iterator<Item = &'a Meter>, metric: &str, span: Span) -> Result<Decimal, MoneyError> {
    let mut known = Decimal::ZERO;
    for meter in meters {
        let of_one = meter.usage().measure(metric, Aggregation::Sum, span)?;
        known = known.checked_add(of_one).ok_or(MoneyError::Overflow)?;
    }
    Ok(known)
}

/// What was heard of a contract is taken out of the totals that were stated of what it goes on as.
pub(super) fn tell_next(
    unit: &mut Unit<'_>,
    moves: &Moves,
    id: SubscriptionId,
    metrics: &BTreeSet<String>,
) -> Result<(), CommandError> {
    for after in moves.afters(id) {
        let (at, stream) = (unit.at(), after.to_string());
        let before = moves.befores(after);
        let (mut theirs, mut days) = (Vec::new(), Vec::new());
        for metric in metrics {
            for total in unit.state::<Meter>(&stream).shared_totals(metric) {
                let meters = before.iter().map(|id| unit.state::<Meter>(&id.to_string()));
                let quantity = known(meters, metric, total.before).map_err(subscription::Refused::from)?;
                let (metric, total_from) = (metric.clone(), total.before.end);
                days.push((metric.clone(), total.day));
                theirs.push(Theirs {
                    metric,
                    total_from,
                    quantity,
                });
            }
        }
        let know = usage::Command::KnowTheirs {
            at,
            subscription: after,
            theirs,
        };
        if !unit.send::<Meter>(&stream, &know)?.is_empty() {
            unit.send::<Subscription>(&stream, &subscription::Command::NoteUsage { at, days })?;
        }
    }
    Ok(())
}
