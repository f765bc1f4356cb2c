//! Fulfilments: from events to rows.

use aggregates::{
    AnyEvent,
    fulfilment::{Event, fulfilment_id},
    id::SubscriptionId,
    subscription,
};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{boolean, int, text},
};

/// One row a billed period of an order, from the day it is billed; `due_at` is null once it is opened or withdrawn.
pub static FULFILMENTS: Table = Table {
    name: "fulfilments",
    columns: &[
        text("tenant"),
        text("fulfilment"),
        text("subscription"),
        text("period_start"),
        text("period_end"),
        boolean("automatic"),
        int("due_at"),
        text("status"),
        int("opened_at"),
        int("completed_at"),
        int("position"),
        text("line"),
    ],
    key: 2,
};

const DUE_AT: usize = 6;
const STATUS: usize = 7;
const OPENED_AT: usize = 8;
const COMPLETED_AT: usize = 9;

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    match recorded.event {
        AnyEvent::Subscription(
            subscription::Event::Accrued { fulfilments, .. } | subscription::Event::Resumed { fulfilments, .. },
        ) if !fulfilments.is_empty() => {
            plan(recorded, fulfilments, writes);
        }
        AnyEvent::Fulfilment(event) => {
            let key = vec![recorded.tenant.as_str().into(), recorded.aggregate_id.into()];
            let columns = match event {
                Event::Opened { at, .. } => {
                    vec![
                        (DUE_AT, Value::Null),
                        (STATUS, "open".into()),
                        (OPENED_AT, (*at).into()),
                    ]
                }
                // When it was withdrawn is in the log; nobody has to do anything any more.
                Event::Withdrawn { .. } => vec![(DUE_AT, Value::Null), (STATUS, "withdrawn".into())],
                Event::Completed { at } => vec![(STATUS, "completed".into()), (COMPLETED_AT, (*at).into())],
            };
            writes.push(Write::Set(&FULFILMENTS, key, columns));
        }
        _ => {}
    }
}

fn plan(recorded: &Recorded<'_>, fulfilments: &[subscription::PlannedFulfilment], writes: &mut Writes) {
    let subscription: SubscriptionId = recorded.aggregate_id.parse().expect("subscriptions have ids");
    for planned in fulfilments {
        let id = fulfilment_id(
            recorded.tenant,
            subscription,
            planned.period.start,
            planned.line,
            planned.again,
        );
        writes.push(Write::Put(
            &FULFILMENTS,
            vec![
                recorded.tenant.as_str().into(),
                id.to_string().into(),
                recorded.aggregate_id.into(),
                planned.period.start.into(),
                planned.period.end.into(),
                planned.automatic.into(),
                planned.at.into(),
                "planned".into(),
                Value::Null,
                Value::Null,
                recorded.position.into(),
                planned.line.map(|line| line.to_string()).into(),
            ],
        ));
    }
}
