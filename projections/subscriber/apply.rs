//! Subscribers: from events to rows.

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{int, text},
    value::{json, word},
};
use aggregates::{
    AnyEvent,
    subscriber::{Event, Status, Upcoming},
};

pub static SUBSCRIBERS: Table = Table {
    name: "subscribers",
    columns: &[
        text("tenant"),
        text("subscriber"),
        text("template"),
        text("customer"),
        text("status"),
        text("time_zone"),
        text("choices"),
        int("next_number"),
        text("next_billing"),
        int("due_at"),
        int("cycles_passed"),
        int("position"),
        int("created_at"),
        int("updated_at"),
    ],
    key: 2,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Subscriber(event) = recorded.event else {
        return;
    };
    let key = vec![recorded.tenant.as_str().into(), recorded.aggregate_id.into()];
    let (at, mut columns) = match event {
        Event::Added {
            at,
            template,
            customer,
            time_zone,
            choices,
            first_purchase,
            upcoming,
            subscriber: _,
            rhythm: _,
            anchor: _,
        } => {
            let (status, passed) = match first_purchase {
                Some(_) => (Status::Pending, 1),
                None => (Status::Active, 0),
            };
            let mut row = key;
            row.extend([
                template.to_string().into(),
                customer.to_string().into(),
                word(&status),
                time_zone.as_str().into(),
                json(choices),
            ]);
            row.extend(next(upcoming.as_ref()).into_iter().map(|(_, value)| value));
            row.extend([Value::Int(passed), recorded.position.into(), (*at).into(), (*at).into()]);
            writes.push(Write::Put(&SUBSCRIBERS, row));
            return;
        }
        Event::Activated { at, upcoming, .. } | Event::Resumed { at, upcoming } => {
            let mut columns = next(upcoming.as_ref());
            columns.push((4, word(&Status::Active)));
            (*at, columns)
        }
        Event::ChoicesChanged { at, choices } => (*at, vec![(6, json(choices))]),
        // Its next date is shown, but nothing is due.
        Event::Paused { at } => (*at, vec![(4, word(&Status::Paused)), (9, Value::Null)]),
        Event::Billed {
            at,
            upcoming,
            cycles_passed,
            ..
        } => {
            let mut columns = next(upcoming.as_ref());
            columns.push((10, i64::from(*cycles_passed).into()));
            (*at, columns)
        }
        Event::PeriodsSkipped { at, upcoming } => (*at, next(upcoming.as_ref())),
        Event::Ended { at, .. } => {
            let mut columns = next(None);
            columns.push((4, word(&Status::Inactive)));
            (*at, columns)
        }
    };
    columns.push((13, at.into()));
    writes.push(Write::Set(&SUBSCRIBERS, key, columns));
}

fn next(upcoming: Option<&Upcoming>) -> Vec<(usize, Value)> {
    vec![
        (7, upcoming.map(|upcoming| i64::from(upcoming.number)).into()),
        (8, upcoming.map(|upcoming| upcoming.date).into()),
        (9, upcoming.map(|upcoming| upcoming.begins).into()),
    ]
}
