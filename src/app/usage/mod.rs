//! Usage: what was sent is matched with what meters it, and recorded subscription by subscription, many at a time.

pub mod lines;
mod matched;
mod moved;
pub mod statements;
mod unmatched;
pub(super) mod used_days;

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    billing::{Phase, UsageRecord},
    id::{CustomerId, SubscriptionId, TenantId},
    subscription::{self, Subscription},
    usage::{self, Meter, Unmatched, UnmatchedRecord},
};
use chrono::{DateTime, NaiveDate, Utc};
use futures::{StreamExt, stream};
use projections::usage::{MeteredLine, UnmatchedView};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{App, contracts::followed::successor};
use crate::journal::{CommandError, Request, Streams};
use matched::{candidates, record};
use moved::{Moves, is_moved_since};

/// How many records one call may bring.
pub const MAX_RECORDS: usize = 150_000;
/// How many groups are recorded at the same time: enough to fill the writer's batches.
const PARALLEL_GROUPS: usize = 32;
/// How many unmatched records one event holds.
const KEPT_TOGETHER: usize = 500;

/// Whose usage it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    Customer(CustomerId),
    Subscription(SubscriptionId),
}

/// A record as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its place in the call.
    pub index: usize,
    pub whose: Whose,
    pub id: Option<String>,
    pub metric: String,
    pub quantity: Decimal,
    pub at: DateTime<Utc>,
    pub key: Option<String>,
    /// The quantity is the total of the period so far.
    pub absolute: bool,
}

impl Sent {
    /// As what meters it on its day takes it.
    fn metered_by(&self, phase: &Phase, day: NaiveDate) -> UsageRecord {
        let total_from = self.absolute.then(|| phase.period_start(day));
        let period = phase.schedule.and_then(|schedule| schedule.containing(day));
        let began = period.map(|period| period.start);
        UsageRecord {
            total_from,
            period_from: began.filter(|began| total_from.is_some_and(|from| *began < from)),
            ..self.record()
        }
    }

    fn record(&self) -> UsageRecord {
        UsageRecord {
            id: self.id.clone(),
            metric: self.metric.clone(),
            at: self.at,
            quantity: self.quantity,
            key: self.key.clone(),
            total_from: None,
            period_from: None,
            theirs: None,
        }
    }
}

/// Reads many records, each by itself: those that can be sent, and what is wrong with the others, by their places.
pub fn each<T, E>(entries: &[T], read: impl Fn(usize, &T) -> Result<Sent, E>) -> (Vec<Sent>, Vec<(usize, E)>) {
    let (mut records, mut faults) = (Vec::with_capacity(entries.len()), Vec::new());
    for (index, entry) in entries.iter().enumerate() {
        match read(index, entry) {
            Ok(record) => records.push(record),
            Err(error) => faults.push((index, error)),
        }
    }
    (records, faults)
}

/// What has become of the records of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub recorded: usize,
    /// Had come before under the same id.
    pub duplicates: usize,
    /// By place in the call: kept where they can be looked at.
    pub unmatched: BTreeMap<usize, Unmatched>,
    /// By place in the call: not kept at all.
    pub refused: BTreeMap<usize, usage::Refused>,
}

impl Taken {
    pub(super) fn with(mut self, part: Part) -> Self {
        self.recorded += part.recorded;
        self.duplicates += part.duplicates;
        self.unmatched.extend(part.unmatched);
        self
    }
}

/// Records that one append is made of.
pub(super) struct Group<'a> {
    pub whose: Whose,
    /// What may meter them.
    pub candidates: Vec<SubscriptionId>,
    /// What the candidates were before they moved, and what they go on as.
    pub moves: &'a Moves,
    /// Where they are among all that were sent.
    pub places: Vec<usize>,
    pub look: Look,
}

/// How it is found out what follows the candidates since the views were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// By what is in memory, and more closely only where something is left that nothing meters.
    Once,
    /// In the log.
    Closely,
}

impl Group<'_> {
    fn streams(&self, tenant: &TenantId) -> Streams {
        let candidates = self.candidates.iter().fold(Streams::new(), |streams, id| {
            streams.with::<Subscription>(id).with::<Meter>(id)
        });
        let streams = self.moves.around(candidates, &self.candidates);
        let next = self.candidates.iter().map(|id| successor(tenant, self.moves.last(*id)));
        next.fold(streams, |streams, next| match self.look {
            Look::Once => streams.with_spare::<Subscription>(next),
            Look::Closely => streams.with::<Subscription>(next),
        })
    }
}

/// What has become of one group, or of a whole call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Part {
    recorded: usize,
    duplicates: usize,
    unmatched: Vec<(usize, Unmatched)>,
}

impl App {
    /// Takes what is good. A call that was cut off and is sent again under its key does what is left to do.
    pub async fn record_usage(&self, request: &Request, sent: &[Sent]) -> Result<Taken, CommandError> {
        let mut taken = Taken::default();
        let mut groups: BTreeMap<Whose, Vec<usize>> = BTreeMap::new();
        for (place, one) in sent.iter().enumerate() {
            match usage::check(&one.record()) {
                Ok(()) => groups.entry(one.whose).or_default().push(place),
                Err(refused) => {
                    taken.refused.insert(one.index, refused);
                }
            }
        }
        if request.keyed
            && let Some(done) = self.journal.reply::<Part>(request).await?
        {
            return Ok(taken.with(done));
        }
        let lines = self.metered(&request.tenant, groups.keys().copied()).await?;
        let mut strangers: BTreeMap<Whose, Vec<usize>> = BTreeMap::new();
        let mut known = Vec::with_capacity(groups.len());
        for (whose, places) in groups {
            let metrics: BTreeSet<&str> = places.iter().map(|place| sent[*place].metric.as_str()).collect();
            match candidates(&lines, whose, &metrics) {
                found if found.is_empty() => drop(strangers.insert(whose, places)),
                found => known.push((whose, found, places)),
            }
        }
        let moves = self
            .moves(&request.tenant, Moves::of(&request.tenant, lines.values().flatten()))
            .await?;
        let moves = &moves;
        let rounds = stream::iter(known).map(|(whose, candidates, places)| async move {
            let of = Group {
                whose,
                candidates,
                moves,
                places,
                look: Look::Once,
            };
            self.record_group(request, "usage", &of, sent).await
        });
        // Every group is taken to its end, also where another one failed: nothing is committed that nobody waits for.
        let mut failure = None;
        for result in rounds.buffer_unordered(PARALLEL_GROUPS).collect::<Vec<_>>().await {
            match result {
                Ok(part) => taken = taken.with(part),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        taken = self.pass_on(request, sent, taken).await?;
        for (whose, why) in self.explain(&request.tenant, strangers.keys().copied()).await? {
            let places = strangers.get(&whose).into_iter().flatten();
            taken.unmatched.extend(places.map(|place| (sent[*place].index, why)));
        }
        self.keep(request, sent, taken).await
    }

    /// Usage of days before `through` is complete, and can be billed.
    pub async fn close_usage(
        &self,
        request: &Request,
        subscription: SubscriptionId,
        through: NaiveDate,
    ) -> Result<(), CommandError> {
        let stream = subscription.to_string();
        self.journal
            .execute(request, Streams::new().with::<Subscription>(&stream), |unit| {
                let at = unit.at();
                unit.send::<Subscription>(&stream, &subscription::Command::CloseUsage { at, through })?;
                Ok(())
            })
            .await
    }

    pub async fn unmatched_usage(
        &self,
        tenant: &TenantId,
        after: i64,
        limit: usize,
    ) -> Result<Vec<UnmatchedView>, CommandError> {
        Ok(projections::usage::unmatched(self.journal.views(), tenant, after, limit).await?)
    }

    async fn metered(
        &self,
        tenant: &TenantId,
        whose: impl Iterator<Item = Whose>,
    ) -> Result<BTreeMap<Whose, Vec<MeteredLine>>, CommandError> {
        let views = self.journal.views();
        let (customers, subscriptions) = split(whose);
        let mut lines: BTreeMap<Whose, Vec<MeteredLine>> = BTreeMap::new();
        for line in projections::usage::metered_of_customers(views, tenant, &customers).await? {
            lines.entry(Whose::Customer(line.customer)).or_default().push(line);
        }
        for line in projections::usage::metered_of_subscriptions(views, tenant, &subscriptions).await? {
            let whose = Whose::Subscription(line.subscription);
            lines.entry(whose).or_default().push(line);
        }
        Ok(lines)
    }

    /// One event for each subscription that meters something of it, in one append.
    pub(super) async fn record_group(
        &self,
        request: &Request,
        name: &str,
        group: &Group<'_>,
        sent: &[Sent],
    ) -> Result<Part, CommandError> {
        let name = match group.whose {
            Whose::Customer(id) => format!("{name}/customer/{id}"),
            Whose::Subscription(id) => format!("{name}/subscription/{id}"),
        };
        let part = request.part(&name);
        let recorded = self
            .journal
            .execute(&part, group.streams(&request.tenant), |unit| record(unit, group, sent))
            .await;
        if !is_moved_since(&recorded) {
            return recorded;
        }
        let mut known = None;
        loop {
            // One of them goes on as another one since the views were read.
            let candidates = self.candidates_now(&request.tenant, group, sent).await?;
            let moves = self.moves_of(&request.tenant, &candidates).await?;
            let now = Group {
                moves: &moves,
                candidates: candidates.clone(),
                places: group.places.clone(),
                look: Look::Closely,
                ..*group
            };
            let recorded = self
                .journal
                .execute(&part, now.streams(&request.tenant), |unit| record(unit, &now, sent))
                .await;
            let seen = Some((candidates, moves));
            if seen == known || !is_moved_since(&recorded) {
                return recorded;
            }
            known = seen;
        }
    }

    /// What may meter a group by now: what a customer has follows what they had.
    async fn candidates_now(
        &self,
        tenant: &TenantId,
        group: &Group<'_>,
        sent: &[Sent],
    ) -> Result<Vec<SubscriptionId>, CommandError> {
        let Whose::Customer(_) = group.whose else {
            return Ok(group.candidates.clone());
        };
        let lines = self.metered(tenant, std::iter::once(group.whose)).await?;
        let metrics = group.places.iter().map(|place| sent[*place].metric.as_str());
        Ok(candidates(&lines, group.whose, &metrics.collect()))
    }

    /// Keeps what nothing meters, and under a key what has become of the call: what was unmatched then stays so, whatever
    /// is known when it is sent again.
    async fn keep(&self, request: &Request, sent: &[Sent], taken: Taken) -> Result<Taken, CommandError> {
        let mut records = Vec::with_capacity(taken.unmatched.len());
        for one in sent {
            if let Some(why) = taken.unmatched.get(&one.index) {
                let (customer, subscription) = match one.whose {
                    Whose::Customer(id) => (Some(id), None),
                    Whose::Subscription(id) => (None, Some(id)),
                };
                records.push(UnmatchedRecord {
                    customer,
                    subscription,
                    absolute: one.absolute,
                    why: *why,
                    record: one.record(),
                });
            }
        }
        if records.is_empty() && !request.keyed {
            return Ok(taken);
        }
        let Taken {
            recorded,
            duplicates,
            unmatched,
            refused,
        } = taken;
        let part = Part {
            recorded,
            duplicates,
            unmatched: unmatched.into_iter().collect(),
        };
        let stream = request.tenant.derive("usage/unmatched").to_string();
        let streams = if records.is_empty() {
            Streams::new()
        } else {
            Streams::new().with::<Meter>(&stream)
        };
        let done = self
            .journal
            .execute(request, streams, |unit| {
                for records in records.chunks(KEPT_TOGETHER) {
                    let (at, records) = (unit.at(), records.to_vec());
                    unit.send::<Meter>(&stream, &usage::Command::KeepUnmatched { at, records })?;
                }
                Ok(part.clone())
            })
            .await?;
        let refused = Taken {
            refused,
            ..Taken::default()
        };
        Ok(refused.with(done))
    }
}

pub(super) fn split(whose: impl Iterator<Item = Whose>) -> (Vec<CustomerId>, Vec<SubscriptionId>) {
    let (mut customers, mut subscriptions) = (Vec::new(), Vec::new());
    for one in whose {
        match one {
            Whose::Customer(id) => customers.push(id),
            Whose::Subscription(id) => subscriptions.push(id),
        }
    }
    (customers, subscriptions)
}
