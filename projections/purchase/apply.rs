//! Purchases: from events to rows.

use aggregates::{
    AnyEvent,
    purchase::{Event, Status},
};
use chrono::{DateTime, Utc};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{int, text},
    value::{json, word},
};

pub static PURCHASES: Table = Table {
    name: "purchases",
    columns: &[
        text("tenant"),
        text("purchase"),
        text("customer"),
        int("number"),
        text("status"),
        text("currency"),
        int("total"),
        int("due"),
        text("terms"),
        int("position"),
        int("created_at"),
        int("updated_at"),
        int("paid_on"),
    ],
    key: 2,
};

pub static PURCHASE_STATUS_HISTORY: Table = Table {
    name: "purchase_status_history",
    columns: &[
        text("tenant"),
        text("purchase"),
        int("sequence"),
        text("status"),
        int("at"),
    ],
    key: 3,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Purchase(event) = recorded.event else {
        return;
    };
    let key = vec![recorded.tenant.as_str().into(), recorded.aggregate_id.into()];
    match event {
        Event::Created {
            at,
            purchase: _,
            customer,
            number,
            order,
            total,
            // Only the log holds it, sealed: a view would keep it after the client was forgotten.
            personal: _,
        } => {
            let mut row = key;
            row.extend([
                customer.to_string().into(),
                i64::try_from(*number).expect("purchase numbers fit").into(),
                word(&Status::Created),
                total.currency.code().into(),
                total.minor.into(),
                order.due.into(),
                json(order),
                recorded.position.into(),
                (*at).into(),
                (*at).into(),
                Value::Null,
            ]);
            writes.push(Write::Put(&PURCHASES, row));
            reached(recorded, Status::Created, *at, writes);
        }
        Event::Sent { at } => {
            writes.push(Write::Set(&PURCHASES, key, stands(Status::Sent, *at)));
            reached(recorded, Status::Sent, *at, writes);
        }
        Event::MarkedAsPaid { at, paid_on } => {
            let mut columns = stands(Status::Paid, *at);
            columns.push((12, (*paid_on).into()));
            writes.push(Write::Set(&PURCHASES, key, columns));
            reached(recorded, Status::Paid, *at, writes);
        }
        Event::Cancelled { at } => {
            writes.push(Write::Set(&PURCHASES, key, stands(Status::Cancelled, *at)));
            reached(recorded, Status::Cancelled, *at, writes);
        }
    }
}

fn stands(status: Status, at: DateTime<Utc>) -> Vec<(usize, Value)> {
    vec![(4, word(&status)), (11, at.into())]
}

fn reached(recorded: &Recorded<'_>, status: Status, at: DateTime<Utc>, writes: &mut Writes) {
    let row = vec![
        recorded.tenant.as_str().into(),
        recorded.aggregate_id.into(),
        recorded.sequence.into(),
        word(&status),
        at.into(),
    ];
    writes.push(Write::Put(&PURCHASE_STATUS_HISTORY, row));
}
