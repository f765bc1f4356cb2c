//! Usage: what was sent is matched with what meters it, and recorded subscription by subscription, many at a time.

pub mod lines;
mod moved;
mod unmatched;
pub(super) mod used_days;

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    billing::{Phase, UsageRecord},
    id::{CustomerId, SubscriptionId, TenantId},
    subscription::{self, Agreement, Subscription},
    usage::{self, Meter, Unmatched, UnmatchedRecord},
};
use chrono::{DateTime, NaiveDate, Utc};
use futures::{StreamExt, stream};
use projections::usage::{MeteredLine, UnmatchedView};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::App;
use crate::journal::{CommandError, Request, Streams, Unit};
use moved::{Moves, is_moved_since, tell_next, with_theirs};
use unmatched::reason;

/// How many records one call may bring.
pub const MAX_RECORDS: usize = 150_000;
/// How many groups are recorded at the same time: enough to fill the writer's batches.
const PARALLEL_GROUPS: usize = 32;
/// How many subscriptions of a customer a record is tried on. Beyond them the record must name its subscription.
const MAX_CANDIDATES: usize = 64;
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
}

impl Group<'_> {
    fn streams(&self) -> Streams {
        let candidates = self.candidates.iter().fold(Streams::new(), |streams, id| {
            streams.with::<Subscription>(id).with::<Meter>(id)
        });
        self.moves.around(candidates, &self.candidates)
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
        let moves = self.moves(&request.tenant, Moves::of(lines.values().flatten())).await?;
        let moves = &moves;
        let rounds = stream::iter(known).map(|(whose, candidates, places)| async move {
            let of = Group {
                whose,
                candidates,
                moves,
                places,
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
            .execute(&part, group.streams(), |unit| record(unit, group, sent))
            .await;
        if !is_moved_since(&recorded) {
            return recorded;
        }
        // One of them has moved since the views were read.
        let group = Group {
            moves: &self.moves_of(&request.tenant, &group.candidates).await?,
            candidates: group.candidates.clone(),
            places: group.places.clone(),
            ..*group
        };
        self.journal
            .execute(&part, group.streams(), |unit| record(unit, &group, sent))
            .await
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

/// The subscriptions that meter, or once metered, one of the metrics.
fn candidates(
    lines: &BTreeMap<Whose, Vec<MeteredLine>>,
    whose: Whose,
    metrics: &BTreeSet<&str>,
) -> Vec<SubscriptionId> {
    let mut seen = BTreeSet::new();
    let lines = lines.get(&whose).into_iter().flatten();
    lines
        .filter(|line| metrics.contains(line.metric.as_str()))
        .map(|line| line.subscription)
        .filter(|id| seen.insert(*id))
        .take(MAX_CANDIDATES)
        .collect()
}

/// Gives each record to the first subscription that meters it on its day.
fn record(unit: &mut Unit<'_>, group: &Group<'_>, sent: &[Sent]) -> Result<Part, CommandError> {
    let candidates = &group.candidates;
    group.moves.are_known(unit, candidates)?;
    let mut part = Part::default();
    let mut shares: Vec<Vec<(UsageRecord, NaiveDate)>> = vec![Vec::new(); candidates.len()];
    let states = candidates.iter().map(|id| unit.state::<Subscription>(&id.to_string()));
    let states: Vec<&Subscription> = states.collect();
    let agreements: Vec<&Agreement> = states
        .iter()
        .map(|state| state.agreement().ok_or_else(|| subscription::Refused::Unknown.into()))
        .collect::<Result<_, CommandError>>()?;
    let mut ids = SeenIds::of(unit, group);
    for one in group.places.iter().map(|place| &sent[*place]) {
        let found = states.iter().enumerate().find_map(|(n, state)| {
            let day = state.usage_day(one.at)?;
            let phase = state.meter(&one.metric, day)?;
            Some((n, phase, day)).filter(|_| !(one.absolute && phase.has_no_totals()))
        });
        if ids.have_seen(one, found.map(|(n, ..)| n)) {
            part.duplicates += 1;
        } else if let Some((n, phase, day)) = found {
            let (record, began) = (one.metered_by(phase, day), agreements[n].activation);
            let record = with_theirs(record, phase, began, &ids.before[n]);
            shares[n].push((record.map_err(subscription::Refused::from)?, day));
            ids.now.extend(one.id.clone().filter(|_| candidates.len() > 1));
        } else {
            part.unmatched.push((one.index, reason(&states, one)));
        }
    }
    let mut told = Vec::new();
    let days = agreements
        .iter()
        .map(|agreement| (agreement.time_zone.clone(), agreement.first_usage_day()));
    for ((id, share), (time_zone, first_day)) in candidates.iter().zip(shares).zip(days.collect::<Vec<_>>()) {
        if share.is_empty() {
            continue;
        }
        let (at, stream, sent) = (unit.at(), id.to_string(), share.len());
        let days: BTreeSet<(&str, NaiveDate)> = share
            .iter()
            .map(|(record, day)| (record.metric.as_str(), *day))
            .collect();
        let days = days.into_iter().map(|(metric, day)| (metric.to_owned(), day)).collect();
        let record = usage::Command::Record {
            at,
            subscription: *id,
            time_zone,
            first_day,
            records: share.into_iter().map(|(record, _)| record).collect(),
        };
        let (mut new, mut metrics) = (0, BTreeSet::new());
        for event in unit.send::<Meter>(&stream, &record)? {
            if let usage::Event::Recorded { records, .. } = event {
                new += records.len();
                metrics.extend(records.into_iter().map(|record| record.metric));
            }
        }
        if new > 0 {
            unit.send::<Subscription>(&stream, &subscription::Command::NoteUsage { at, days })?;
            told.push((*id, metrics));
        }
        part.recorded += new;
        part.duplicates += sent - new;
    }
    for (id, metrics) in told {
        tell_next(unit, group.moves, id, &metrics)?;
    }
    Ok(part)
}

/// The ids that have come before: an id counts once, also where another subscription of the customer metered it then, or
/// what was before a move what meters it now, or goes on from it. What other contracts of who has that have counted is not
/// theirs.
struct SeenIds<'a> {
    meters: Vec<&'a Meter>,
    /// By candidate: the meters of what it was before it moved.
    before: Vec<Vec<&'a Meter>>,
    /// By candidate: the meters of what it goes on as.
    after: Vec<Vec<&'a Meter>>,
    now: BTreeSet<String>,
}

impl<'a> SeenIds<'a> {
    fn of(unit: &'a Unit<'_>, group: &Group<'_>) -> Self {
        let meter = |id: &SubscriptionId| unit.state::<Meter>(&id.to_string());
        let before = |id: &SubscriptionId| group.moves.befores(*id).iter().map(meter).collect();
        let after = |id: &SubscriptionId| group.moves.afters(*id).iter().map(meter).collect();
        Self {
            meters: group.candidates.iter().map(meter).collect(),
            before: group.candidates.iter().map(before).collect(),
            after: group.candidates.iter().map(after).collect(),
            now: BTreeSet::new(),
        }
    }

    /// Whether what one was sent under has come before. The meter of a single candidate looks by itself.
    fn have_seen(&self, one: &Sent, metered_by: Option<usize>) -> bool {
        let Some(id) = one.id.as_deref() else {
            return false;
        };
        let candidates = Some(&self.meters).filter(|all| all.len() > 1).into_iter().flatten();
        let moved = metered_by
            .into_iter()
            .flat_map(|n| self.before[n].iter().chain(&self.after[n]));
        self.now.contains(id) || candidates.chain(moved).any(|meter| meter.has_seen(id))
    }
}
