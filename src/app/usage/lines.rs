//! Usage said of lines of orders, one statement at a time: recorded, corrected, taken back.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    Refused,
    billing::{Kind, Phase, UsageRecord},
    calendar::{Period, local_date},
    id::{LineId, SubscriptionId, UsageEntryId},
    subscription::{self, Agreement, Subscription},
    usage::{self, Meter},
    usage_entry::{self, Command, Entry, UsageEntry},
};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::moved::{Moves, is_moved_since, tell_next};
use crate::{
    app::App,
    journal::{CommandError, Request, Streams, Unit},
};

/// How many statements one call may bring.
pub const MAX_STATEMENTS: usize = 1000;
/// How many of them one append holds.
const KEPT_TOGETHER: usize = 250;

/// A statement as it was sent.
#[derive(Clone, Debug)]
pub struct Said {
    pub line: LineId,
    /// The billing period it is for; that of its time when absent.
    pub period: Option<Period>,
    pub quantity: Decimal,
    pub start: Option<DateTime<Utc>>,
    pub end: Option<DateTime<Utc>>,
    pub attributes: BTreeMap<String, String>,
    pub note: Option<String>,
    pub reference: Option<String>,
}

/// What a statement says now; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Correction {
    pub line: Option<LineId>,
    pub period: Option<Period>,
    pub quantity: Option<Decimal>,
    pub start: Option<DateTime<Utc>>,
    pub end: Option<DateTime<Utc>>,
    pub attributes: Option<BTreeMap<String, String>>,
    pub note: Option<Remark>,
    pub reference: Option<Remark>,
    /// What is neither a quantity nor a time goes where it is not said again.
    pub replace: bool,
}

/// A text as a correction names it: another one, or none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    Text(String),
    Nothing,
}

impl Remark {
    /// What becomes of a text that was.
    fn over(named: Option<&Self>, before: Option<&String>, replace: bool) -> Option<String> {
        match named {
            Some(Self::Text(text)) => Some(text.clone()),
            Some(Self::Nothing) => None,
            None => before.filter(|_| !replace).cloned(),
        }
    }
}

/// Why a statement is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// No order has a metered line with this id.
    UnknownLine,
    TimeMissing,
    /// The line is not metered on that day: it begins later, stands still or is over.
    NotMeteredThen {
        day: NaiveDate,
    },
    /// The usage falls into this billing period.
    OtherPeriod {
        period: Period,
    },
    Refused(usage_entry::Refused),
}

pub type Outcome = Result<UsageEntryId, Fault>;

impl App {
    /// Takes what is good; what has become of each, in the order in which they were sent. A call that was cut off and
    /// is sent again under its key does what is left to do.
    pub async fn record_line_usage(&self, request: &Request, said: &[Said]) -> Result<Vec<Outcome>, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let outcomes = self.record_by_order(request, said).await?;
        // A call of which nothing was taken may find its lines when it is sent again.
        if !request.keyed || outcomes.iter().all(Result::is_err) {
            return Ok(outcomes);
        }
        let known = self
            .journal
            .execute(request, Streams::new(), |_| Ok(outcomes.clone()))
            .await?;
        Ok(known)
    }

    async fn record_by_order(&self, request: &Request, said: &[Said]) -> Result<Vec<Outcome>, CommandError> {
        let lines: BTreeSet<LineId> = said.iter().map(|one| one.line).collect();
        let lines: Vec<LineId> = lines.into_iter().collect();
        let views = self.journal.views();
        let orders = projections::usage_entry::orders_metering(views, &request.tenant, &lines).await?;
        let mut outcomes: Vec<Outcome> = vec![Err(Fault::UnknownLine); said.len()];
        let mut groups: BTreeMap<SubscriptionId, Vec<usize>> = BTreeMap::new();
        for (place, one) in said.iter().enumerate() {
            if let Some(order) = orders.get(&one.line) {
                groups.entry(*order).or_default().push(place);
            }
        }
        let named: Vec<SubscriptionId> = groups.keys().copied().collect();
        let moves = self.moves_of(&request.tenant, &named).await?;
        for (order, places) in groups {
            for (n, places) in places.chunks(KEPT_TOGETHER).enumerate() {
                let part = request.part(&format!("usage/{order}/{n}"));
                let ids: Vec<_> = places
                    .iter()
                    .map(|place| UsageEntryId(request.derive(&format!("usage/{place}"))))
                    .collect();
                let wanted: Vec<_> = ids
                    .iter()
                    .copied()
                    .zip(places.iter().map(|place| &said[*place]))
                    .collect();
                let streams = |moves: &Moves| {
                    let metering = metering(order, moves);
                    ids.iter().fold(metering, Streams::with_new::<UsageEntry>)
                };
                let done: Vec<Outcome> = self
                    .metered_by(&part, order, &moves, streams, |unit, of| {
                        record(unit, of, &request.actor, &wanted)
                    })
                    .await?;
                for (place, outcome) in places.iter().zip(done) {
                    outcomes[*place] = outcome;
                }
            }
        }
        Ok(outcomes)
    }

    pub async fn correct_line_usage(
        &self,
        request: &Request,
        id: UsageEntryId,
        correction: &Correction,
    ) -> Result<Outcome, CommandError> {
        self.amend_line_usage(request, id, |unit, of| {
            correct(unit, of, id, &request.actor, correction)
        })
        .await
    }

    pub async fn withdraw_line_usage(&self, request: &Request, id: UsageEntryId) -> Result<(), CommandError> {
        self.amend_line_usage(request, id, |unit, of| {
            let before = unit.state::<UsageEntry>(&id.to_string()).entry();
            let before = before.map(Entry::record).ok_or(usage_entry::Refused::Unknown)?;
            let (at, by) = (unit.at(), request.actor.clone());
            unit.send::<UsageEntry>(&id.to_string(), &Command::Withdraw { at, by })?;
            adjust(unit, of, vec![before], Vec::new())
        })
        .await
    }

    async fn amend_line_usage<R: Serialize + serde::de::DeserializeOwned + Send>(
        &self,
        request: &Request,
        id: UsageEntryId,
        decide: impl Fn(&mut Unit<'_>, Metering<'_>) -> Result<R, CommandError> + Send + Sync,
    ) -> Result<R, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let known = projections::usage_entry::usage_entries(self.journal.views(), &request.tenant, &[id]).await?;
        let known = known.first().filter(|view| !view.withdrawn);
        let order = known.ok_or(usage_entry::Refused::Unknown)?.entry.subscription;
        let moves = self.moves_of(&request.tenant, &[order]).await?;
        let streams = |moves: &Moves| metering(order, moves).with::<UsageEntry>(id);
        self.metered_by(request, order, &moves, streams, decide).await
    }

    /// Decides on what meters an order: once more where it has moved since the views were read.
    async fn metered_by<R: Serialize + serde::de::DeserializeOwned + Send>(
        &self,
        request: &Request,
        order: SubscriptionId,
        moves: &Moves,
        streams: impl Fn(&Moves) -> Streams,
        decide: impl Fn(&mut Unit<'_>, Metering<'_>) -> Result<R, CommandError> + Send + Sync,
    ) -> Result<R, CommandError> {
        let mut moves = moves.clone();
        loop {
            let done = self
                .journal
                .execute(request, streams(&moves), |unit| {
                    let of = Metering::known(unit, order, &moves)?;
                    decide(unit, of)
                })
                .await;
            let Err(CommandError::Conflict) = done else { return done };
            let now = self.moves_of(&request.tenant, &[order]).await?;
            if now == moves {
                return done;
            }
            moves = now;
        }
    }
}

/// What meters an order, and what it was and goes on as.
#[derive(Clone, Copy)]
struct Metering<'a> {
    order: SubscriptionId,
    moves: &'a Moves,
}

impl<'a> Metering<'a> {
    /// Where it has moved since the views were read, another look is taken at them.
    fn known(unit: &Unit<'_>, order: SubscriptionId, moves: &'a Moves) -> Result<Self, CommandError> {
        let known = moves.are_known(unit, &[order]);
        if is_moved_since(&known) {
            return Err(CommandError::Conflict);
        }
        known.map(|()| Self { order, moves })
    }
}

fn metering(order: SubscriptionId, moves: &Moves) -> Streams {
    let streams = Streams::new().with::<Subscription>(order).with::<Meter>(order);
    moves.around(streams, &[order])
}

fn record(
    unit: &mut Unit<'_>,
    of: Metering<'_>,
    by: &str,
    wanted: &[(UsageEntryId, &Said)],
) -> Result<Vec<Outcome>, CommandError> {
    let order = of.order;
    let mut outcomes = Vec::with_capacity(wanted.len());
    let mut records = Vec::new();
    for (id, said) in wanted {
        let outcome = match placed(unit.state::<Subscription>(&order.to_string()), order, said) {
            Err(fault) => Err(fault),
            Ok(entry) => {
                let record = entry.record();
                let command = Command::Record {
                    at: unit.at(),
                    by: by.to_owned(),
                    entry: Box::new(entry),
                };
                let taken = said_so(unit, *id, &command)?;
                taken.inspect(|_| records.push(record))
            }
        };
        outcomes.push(outcome);
    }
    if !records.is_empty() {
        let (at, agreement) = (unit.at(), agreement(unit, order)?);
        let days = days(agreement, &records);
        let command = usage::Command::Record {
            at,
            subscription: order,
            time_zone: agreement.time_zone.clone(),
            first_day: agreement.first_usage_day(),
            records,
        };
        unit.send::<Meter>(&order.to_string(), &command)?;
        let metrics = metrics(&days);
        unit.send::<Subscription>(&order.to_string(), &subscription::Command::NoteUsage { at, days })?;
        tell_next(unit, of.moves, order, &metrics)?;
    }
    Ok(outcomes)
}

fn correct(
    unit: &mut Unit<'_>,
    of: Metering<'_>,
    id: UsageEntryId,
    by: &str,
    correction: &Correction,
) -> Result<Outcome, CommandError> {
    let before = unit.state::<UsageEntry>(&id.to_string()).entry();
    let before = before.cloned().ok_or(usage_entry::Refused::Unknown)?;
    let order = of.order;
    let agreement = agreement(unit, order)?;
    let mut said = Said {
        line: correction.line.unwrap_or(before.line),
        period: correction.period,
        quantity: correction.quantity.unwrap_or(before.quantity),
        start: correction.start.or(before.start),
        end: correction.end.or(Some(before.end)),
        attributes: match &correction.attributes {
            Some(attributes) => attributes.clone(),
            None if correction.replace => BTreeMap::new(),
            None => before.attributes.clone(),
        },
        note: Remark::over(correction.note.as_ref(), before.note.as_ref(), correction.replace),
        reference: Remark::over(
            correction.reference.as_ref(),
            before.reference.as_ref(),
            correction.replace,
        ),
    };
    if said.line != before.line {
        return Ok(Err(Fault::Refused(usage_entry::Refused::OtherLine)));
    }
    let day = said.start.or(said.end).and_then(|at| agreement.usage_day(at));
    let within = |day: NaiveDate| before.period.start <= day && before.period.end.is_none_or(|end| day < end);
    if said.period.is_none() && day.is_some_and(within) {
        said.period = Some(before.period);
    }
    let entry = match placed(unit.state::<Subscription>(&order.to_string()), order, &said) {
        Ok(entry) => entry,
        Err(fault) => return Ok(Err(fault)),
    };
    let (old, new) = (before.record(), entry.record());
    let command = Command::Correct {
        at: unit.at(),
        by: by.to_owned(),
        entry: Box::new(entry),
    };
    let outcome = said_so(unit, id, &command)?;
    if outcome.is_ok() {
        adjust(unit, of, vec![old], vec![new])?;
    }
    Ok(outcome)
}

/// Sends the command; what the statement itself is refused for is its own fault, not the call's.
fn said_so(unit: &mut Unit<'_>, id: UsageEntryId, command: &Command) -> Result<Outcome, CommandError> {
    match unit.send::<UsageEntry>(&id.to_string(), command) {
        Ok(_) => Ok(Ok(id)),
        Err(CommandError::Refused(Refused::UsageEntry(
            refused @ (usage_entry::Refused::EndsBeforeStart | usage_entry::Refused::Record(_)),
        ))) => Ok(Err(Fault::Refused(refused))),
        Err(error) => Err(error),
    }
}

/// Lets the meter forget what was said, and know what is.
fn adjust(
    unit: &mut Unit<'_>,
    of: Metering<'_>,
    taken: Vec<UsageRecord>,
    given: Vec<UsageRecord>,
) -> Result<(), CommandError> {
    let order = of.order;
    let agreement = agreement(unit, order)?;
    let at = unit.at();
    let touched: Vec<UsageRecord> = taken.iter().chain(&given).cloned().collect();
    let days = days(agreement, &touched);
    let command = usage::Command::Adjust {
        at,
        subscription: order,
        time_zone: agreement.time_zone.clone(),
        first_day: agreement.first_usage_day(),
        taken,
        given,
    };
    if !unit.send::<Meter>(&order.to_string(), &command)?.is_empty() {
        let metrics = metrics(&days);
        unit.send::<Subscription>(&order.to_string(), &subscription::Command::NoteUsage { at, days })?;
        tell_next(unit, of.moves, order, &metrics)?;
    }
    Ok(())
}

fn metrics(days: &[(String, NaiveDate)]) -> BTreeSet<String> {
    days.iter().map(|(metric, _)| metric.clone()).collect()
}

fn agreement<'a>(unit: &'a Unit<'_>, order: SubscriptionId) -> Result<&'a Agreement, CommandError> {
    let agreement = unit.state::<Subscription>(&order.to_string()).agreement();
    Ok(agreement.ok_or(subscription::Refused::Unknown)?)
}

fn days(agreement: &Agreement, records: &[UsageRecord]) -> Vec<(String, NaiveDate)> {
    let days: BTreeSet<_> = records
        .iter()
        .filter_map(|record| Some((record.metric.clone(), agreement.usage_day(record.at)?)))
        .collect();
    days.into_iter().collect()
}

/// The statement with everything that the order says about it.
fn placed(state: &Subscription, order: SubscriptionId, said: &Said) -> Result<Entry, Fault> {
    let agreement = state.agreement().ok_or(Fault::UnknownLine)?;
    let (Some(counted), Some(end)) = (said.start.or(said.end), said.end.or(said.start)) else {
        return Err(Fault::TimeMissing);
    };
    let metric = |phase: &Phase| match &phase.kind {
        Kind::Metered { metric, .. } if phase.line == said.line => Some(metric.clone()),
        Kind::Metered { .. } | Kind::Trial | Kind::OneOff | Kind::Recurring => None,
    };
    if !agreement.phases.iter().any(|phase| metric(phase).is_some()) {
        return Err(Fault::UnknownLine);
    }
    let day = local_date(counted, agreement.zone());
    let day = state.usage_day(counted).ok_or(Fault::NotMeteredThen { day })?;
    let found = state.phase_on(day, |phase| metric(phase).is_some());
    let found = found.and_then(|phase| Some((phase, metric(phase)?)));
    let (phase, metric) = found.ok_or(Fault::NotMeteredThen { day })?;
    let agreed = agreement.order.as_ref().map_or(&[][..], |order| &order.lines);
    let name = agreed.iter().find(|line| line.id == said.line);
    let name = name
        .and_then(|line| line.name.clone())
        .unwrap_or_else(|| phase.name.clone());
    Ok(Entry {
        subscription: order,
        line: said.line,
        name,
        metric,
        period: charging_period(agreement, phase, day, said.period)?,
        quantity: said.quantity,
        start: said.start,
        end,
        attributes: said.attributes.clone(),
        note: said.note.clone(),
        reference: said.reference.clone(),
    })
}

/// The billing period that a day lies in. It may be named by the days of it that the line has, or whole, or from the
/// first day of the order on.
fn charging_period(
    agreement: &Agreement,
    phase: &Phase,
    day: NaiveDate,
    named: Option<Period>,
) -> Result<Period, Fault> {
    let open = Period {
        start: phase.from,
        end: phase.until,
    };
    let whole = phase.schedule.and_then(|schedule| schedule.containing(day));
    let whole = whole.map_or(open, Period::from);
    let own = Period {
        start: whole.start.max(phase.from),
        end: whole.end.map(|end| phase.until.map_or(end, |until| end.min(until))),
    };
    let Some(named) = named else { return Ok(own) };
    let starts = [own.start, whole.start, agreement.activation];
    if starts.contains(&named.start) && [own.end, whole.end].contains(&named.end) {
        return Ok(named);
    }
    Err(Fault::OtherPeriod { period: own })
}
