//! Where lines of invoices came from, in our API's words.

use aggregates::{Decider, id::ChargeId, subscription::Subscription, usage::Meter};

use super::{
    convert::print_id,
    wire::{EventName, Origin, StreamName, UsageOrigin},
};
use crate::app::origins::LineOrigin;

pub fn origin(origin: &LineOrigin) -> Origin {
    let stream = |kind: &str| StreamName {
        r#type: kind.to_owned(),
        id: origin.subscription.to_string(),
    };
    let events = origin.events.iter().map(|event| EventName {
        stream: stream(<Subscription as Decider>::TYPE),
        sequence: event.sequence,
        position: event.position,
        r#type: event.name.clone(),
    });
    let usage = origin.usage.as_ref().map(|usage| UsageOrigin {
        stream: stream(<Meter as Decider>::TYPE),
        metric: usage.metered.metric.clone(),
        aggregation: usage.metered.aggregation,
        from: usage.metered.from,
        until: usage.metered.until,
        records: usage.records,
        events: usage.events,
        sequences: usage.sequences.clone(),
    });
    Origin {
        events: events.collect(),
        takes_back: charges(&origin.takes_back),
        corrects: charges(&origin.corrects),
        usage,
    }
}

fn charges(ids: &[ChargeId]) -> Option<Vec<String>> {
    let printed = ids.iter().map(|id| print_id("Item", id.0)).collect();
    Some(printed).filter(|printed: &Vec<String>| !printed.is_empty())
}
