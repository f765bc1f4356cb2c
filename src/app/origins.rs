//! Which events the lines of an invoice came from: read from the log, since what is decided does not know its own place
//! in it.

use std::collections::HashMap;

use aggregates::{
    AnyEvent, Decider,
    billing::UsageRecord,
    calendar::{self, Tz, local_date},
    id::{ChargeId, SubscriptionId, TenantId},
    subscription::{Event, Metered, Origins, Subscription},
    usage::{self, Meter},
};
use projections::invoice::{InvoiceView, LineView};

use super::App;
use crate::journal::{CommandError, Recording};

/// So many events of usage are named; all of them are counted.
const MOST_NAMED: usize = 1000;

/// Where a line came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineOrigin {
    pub subscription: SubscriptionId,
    pub events: Vec<EventName>,
    /// The charges whose days it gives back.
    pub takes_back: Vec<ChargeId>,
    /// The charges of the same usage that came before it.
    pub corrects: Vec<ChargeId>,
    pub usage: Option<UsageOrigin>,
}

/// An event of the subscription's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName {
    pub sequence: i64,
    pub position: i64,
    pub name: String,
}

/// The records that a line was metered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageOrigin {
    pub metered: Metered,
    /// How many records of these days counted when it was charged.
    pub records: u64,
    /// Which events of the subscription's usage stream say so, as far as they are named.
    pub sequences: Vec<i64>,
    /// How many they are.
    pub events: u64,
}

impl App {
    /// Where the lines of an invoice came from, by their charges.
    pub(super) async fn origins(
        &self,
        tenant: &TenantId,
        invoice: &InvoiceView,
        lines: &[LineView],
    ) -> Result<HashMap<ChargeId, LineOrigin>, CommandError> {
        let mut of_subscription: HashMap<SubscriptionId, Vec<ChargeId>> = HashMap::new();
        for line in lines {
            let subscription = line.subscription.unwrap_or(invoice.subscription);
            of_subscription.entry(subscription).or_default().push(line.charge);
        }
        let mut found = HashMap::new();
        for (subscription, charges) in of_subscription {
            found.extend(self.origins_of(tenant, subscription, charges).await?);
        }
        Ok(found)
    }

    async fn origins_of(
        &self,
        tenant: &TenantId,
        subscription: SubscriptionId,
        charges: Vec<ChargeId>,
    ) -> Result<HashMap<ChargeId, LineOrigin>, CommandError> {
        let id = subscription.to_string();
        let history = self.history(tenant, <Subscription as Decider>::TYPE, &id).await?;
        let origins = Origins::of(history.iter().flat_map(events));
        let mut used: Option<Vec<Recording>> = None;
        let mut found = HashMap::new();
        for charge in charges {
            let Some(origin) = origins.charge(charge) else { continue };
            let usage = match &origin.metered {
                Some(metered) => {
                    if used.is_none() {
                        used = Some(self.history(tenant, <Meter as Decider>::TYPE, &id).await?);
                    }
                    let by = history.iter().find(|event| event.stored.sequence == origin.charged_by);
                    let known = by.map_or(i64::MAX, |event| event.stored.pos);
                    let used = used.iter().flatten();
                    Some(metered_by(metered, used.take_while(|event| event.stored.pos < known)))
                }
                None => None,
            };
            let named = |event: &&Recording| origin.events.contains(&event.stored.sequence);
            let line = LineOrigin {
                subscription,
                events: history.iter().filter(named).map(EventName::of).collect(),
                takes_back: origin.takes_back.clone(),
                corrects: origin.corrects.clone(),
                usage,
            };
            found.insert(charge, line);
        }
        Ok(found)
    }
}

impl EventName {
    fn of(recording: &Recording) -> Self {
        Self {
            sequence: recording.stored.sequence,
            position: recording.stored.pos,
            name: recording.stored.event_type.clone(),
        }
    }
}

fn events(recording: &Recording) -> impl Iterator<Item = (i64, &Event)> {
    let sequence = recording.stored.sequence;
    recording.events.iter().filter_map(move |event| match event {
        AnyEvent::Subscription(event) => Some((sequence, event)),
        _ => None,
    })
}

fn metered_by<'a>(metered: &Metered, history: impl Iterator<Item = &'a Recording>) -> UsageOrigin {
    let (mut records, mut sequences, mut events) = (0_u64, Vec::new(), 0_u64);
    for recording in history {
        let mut says_so = false;
        for event in &recording.events {
            let AnyEvent::Usage(event) = event else { continue };
            let (given, taken) = counted(metered, event);
            says_so = says_so || given > 0 || taken > 0;
            records = records.saturating_add(given).saturating_sub(taken);
        }
        if says_so {
            events = events.saturating_add(1);
            if sequences.len() < MOST_NAMED {
                sequences.push(recording.stored.sequence);
            }
        }
    }
    UsageOrigin {
        metered: metered.clone(),
        records,
        sequences,
        events,
    }
}

/// How many records of the days an event adds, and how many it takes away.
fn counted(metered: &Metered, event: &usage::Event) -> (u64, u64) {
    let (zone, first_day, given, taken): (_, _, &[UsageRecord], &[UsageRecord]) = match event {
        usage::Event::Recorded {
            time_zone,
            first_day,
            records,
            ..
        } => (time_zone, first_day, records, &[]),
        usage::Event::Adjusted {
            time_zone,
            first_day,
            taken,
            given,
            ..
        } => (time_zone, first_day, given, taken),
        usage::Event::TakenOver { known, .. } => {
            let days = known.days.iter();
            let days = days.filter(|one| one.metric == metered.metric && metered.contains(one.day));
            return (days.map(|one| one.used.count).sum(), 0);
        }
        // What was handed over is of days that are metered here no more.
        usage::Event::HandedOver { .. } | usage::Event::TheirsChanged { .. } | usage::Event::Unmatched { .. } => {
            return (0, 0);
        }
    };
    let zone = zone.as_deref().and_then(calendar::time_zone).unwrap_or(Tz::UTC);
    let of_these_days = |record: &&UsageRecord| {
        let day = local_date(record.at, zone);
        let day = first_day.map_or(day, |first| day.max(first));
        record.metric == metered.metric && metered.contains(day)
    };
    let count = |records: &[UsageRecord]| records.iter().filter(of_these_days).count() as u64;
    (count(given), count(taken))
}
