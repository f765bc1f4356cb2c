//! Which subscription meters a record: matched, counted once, and told to whoever has to know.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    billing::UsageRecord,
    id::SubscriptionId,
    subscription::{self, Agreement, Status, Subscription},
    usage::{self, Meter, Unmatched},
};
use chrono::NaiveDate;
use projections::usage::MeteredLine;

use super::{
    Group, Look, Part, Sent, Whose,
    moved::{tell_next, with_theirs},
    unmatched::reason,
};
use crate::{
    app::contracts::followed::successor,
    journal::{CommandError, Unit},
};

/// How many subscriptions of a customer a record is tried on. Beyond them the record must name its subscription.
const MAX_CANDIDATES: usize = 64;

/// The subscriptions that meter, or once metered, one of the metrics.
pub(super) fn candidates(
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
pub(super) fn record(unit: &mut Unit<'_>, group: &Group<'_>, sent: &[Sent]) -> Result<Part, CommandError> {
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
    // What follows under another plan may meter it, and need not be in memory.
    if group.look == Look::Once
        && let Whose::Customer(_) = group.whose
        && part.unmatched.iter().any(|(_, why)| *why == Unmatched::NotMeteredThen)
        && let Some(ended) = last_that_ended(unit, group)
    {
        let to = successor(unit.tenant(), ended);
        return Err(subscription::Refused::Upgraded { to }.into());
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

/// One that has an end, of what the candidates go on as in the end.
fn last_that_ended(unit: &Unit<'_>, group: &Group<'_>) -> Option<SubscriptionId> {
    let mut last = group.candidates.iter().map(|id| group.moves.last(*id));
    last.find(|id| has_ended(unit.state(&id.to_string())))
}

/// Whether it has an end: of all that is followed by another contract this is so.
fn has_ended(state: &Subscription) -> bool {
    let cancelled = state
        .agreement()
        .is_some_and(|agreement| agreement.status == Status::Cancelled);
    cancelled || state.progress().is_some_and(|progress| progress.ends.is_some())
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
