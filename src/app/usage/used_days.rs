//! Usage of days that a subscription loses: where another one goes on in its place, that takes it over; what nothing meters
//! any more is billed to the last day of which usage is recorded, and what is of days to come is kept as unmatched.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    billing::{Kind, UsageRecord},
    calendar::{Tz, local_date, midnight},
    id::SubscriptionId,
    subscription::{self, Agreement, Command, Subscription, Used},
    usage::{self, Meter, Since, Unmatched, UnmatchedRecord},
};
use chrono::NaiveDate;

use crate::{
    app::desk::Desk,
    journal::{CommandError, Streams},
};

/// Adds what was used of a subscription whose days may be lost.
pub(in crate::app) fn with_usage(streams: Streams, id: SubscriptionId) -> Streams {
    streams.with::<Meter>(id)
}

/// Sends a command that may take days from a subscription.
pub(in crate::app) fn send<D: Desk>(desk: &mut D, id: SubscriptionId, command: Command) -> Result<(), CommandError> {
    let stream = id.to_string();
    if !desk.holds::<Meter>(&stream) {
        desk.send::<Subscription>(&stream, &command)?;
        return Ok(());
    }
    let agreement = desk.state::<Subscription>(&stream).agreement();
    let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
    let today = local_date(desk.at(), agreement.zone());
    let used = used(agreement, desk.state(&stream), |_| today);
    let metered = metered(desk, id);
    desk.send::<Subscription>(&stream, &knowing(used, command))?;
    keep_lost(desk, id, &metered)
}

pub(in crate::app) fn knowing(used: Used, command: Command) -> Command {
    if used.is_empty() {
        return command;
    }
    let command = Box::new(command);
    Command::Knowing { used, command }
}

fn metrics(agreement: &Agreement) -> BTreeSet<&str> {
    let phases = agreement.phases.iter();
    let metrics = phases.filter_map(|phase| match &phase.kind {
        Kind::Metered { metric, .. } => Some(metric.as_str()),
        Kind::Trial | Kind::OneOff | Kind::Recurring => None,
    });
    metrics.collect()
}

/// By metric: the last day on which it was used, of those up to a day.
pub(in crate::app) fn used(agreement: &Agreement, meter: &Meter, through: impl Fn(&str) -> NaiveDate) -> Used {
    let last = |metric: &str| Some((metric.to_owned(), meter.usage().known_until(metric, through(metric))?));
    metrics(agreement).into_iter().filter_map(last).collect()
}

/// By metric: the days of which usage is recorded and billed, or will be.
pub(in crate::app) fn metered<D: Desk>(desk: &D, id: SubscriptionId) -> BTreeMap<String, BTreeSet<NaiveDate>> {
    let (mut metered, stream) = (BTreeMap::new(), id.to_string());
    let subscription = desk.state::<Subscription>(&stream);
    let Some(agreement) = subscription.agreement().filter(|_| desk.holds::<Meter>(&stream)) else {
        return metered;
    };
    let meter = desk.state::<Meter>(&stream);
    for metric in metrics(agreement) {
        let days = meter.usage().known_since(metric, agreement.activation);
        let days = days.filter(|(day, known)| known.count > 0 && subscription.meter(metric, *day).is_some());
        metered.insert(metric.to_owned(), days.map(|(day, _)| day).collect());
    }
    metered
}

/// What the subscription that goes on meters counts there.
pub(in crate::app) fn hand_over<D: Desk>(
    desk: &mut D,
    old: SubscriptionId,
    new: SubscriptionId,
    since: &Since,
) -> Result<(), CommandError> {
    let (at, from, to) = (desk.at(), old.to_string(), new.to_string());
    if !desk.holds::<Meter>(&from) {
        return Ok(());
    }
    let zone = zone(desk, &from);
    let known = desk.state::<Meter>(&from).known_since(since, zone);
    if known.days.is_empty() {
        return Ok(());
    }
    let hand_over = usage::Command::HandOver {
        at,
        subscription: old,
        to: Some(new),
        since: since.clone(),
    };
    let take_over = usage::Command::TakeOver {
        at,
        subscription: new,
        from: old,
        known,
    };
    desk.send::<Meter>(&from, &hand_over)?;
    desk.send::<Meter>(&to, &take_over)?;
    Ok(())
}

/// Of the days that were metered those that are not any more, nor were taken over, are kept as unmatched, each as one
/// record.
pub(in crate::app) fn keep_lost<D: Desk>(
    desk: &mut D,
    id: SubscriptionId,
    metered: &BTreeMap<String, BTreeSet<NaiveDate>>,
) -> Result<(), CommandError> {
    let (at, stream) = (desk.at(), id.to_string());
    if !desk.holds::<Meter>(&stream) {
        return Ok(());
    }
    let now = desk.state::<Subscription>(&stream);
    let agreement = now.agreement().ok_or(subscription::Refused::Unknown)?;
    let (customer, zone) = (agreement.customer, agreement.zone());
    let meter = desk.state::<Meter>(&stream);
    let (mut since, mut records) = (Since::new(), Vec::new());
    for (metric, days) in metered {
        let last = days.iter().rev().find(|day| now.meter(metric, **day).is_some());
        let first = days.iter().find(|day| last.is_none_or(|last| *day > last));
        let Some(first) = first else { continue };
        for (day, known) in meter
            .usage()
            .known_since(metric, *first)
            .filter(|(_, known)| known.count > 0)
        {
            since.insert(metric.clone(), *first);
            let moment = known.latest.map(|latest| latest.at).or_else(|| midnight(day, zone));
            records.push(UnmatchedRecord {
                customer: Some(customer),
                subscription: Some(id),
                absolute: false,
                why: Unmatched::NotMeteredThen,
                record: UsageRecord {
                    id: None,
                    metric: metric.clone(),
                    at: moment.unwrap_or(at),
                    quantity: known.sum,
                    key: None,
                    total_from: None,
                    period_from: None,
                    theirs: None,
                },
            });
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    let forget = usage::Command::HandOver {
        at,
        subscription: id,
        to: None,
        since,
    };
    desk.send::<Meter>(&stream, &forget)?;
    desk.send::<Meter>(&stream, &usage::Command::KeepUnmatched { at, records })?;
    Ok(())
}

fn zone<D: Desk>(desk: &D, stream: &str) -> Tz {
    let agreement = desk.state::<Subscription>(stream).agreement();
    agreement.map_or(Tz::UTC, Agreement::zone)
}
