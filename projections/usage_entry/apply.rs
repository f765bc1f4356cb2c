//! Statements of usage: from events to rows.

use aggregates::{AnyEvent, billing::Kind, usage_entry::Event};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{boolean, int, text},
    usage::begun,
    value::json,
};

pub static USAGE_ENTRIES: Table = Table {
    name: "usage_entries",
    columns: &[
        text("tenant"),
        text("usage"),
        boolean("withdrawn"),
        int("version"),
        text("entry"),
        int("position"),
        int("created_at"),
        text("created_by"),
        int("updated_at"),
        text("updated_by"),
    ],
    key: 2,
};

/// One row for every line that a subscription ever was billed for by usage.
pub static METERED_ITEMS: Table = Table {
    name: "metered_items",
    columns: &[text("tenant"), text("line"), text("subscription"), int("position")],
    key: 3,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let tenant = || Value::from(recorded.tenant.as_str());
    let key = || vec![tenant(), recorded.aggregate_id.into()];
    match recorded.event {
        AnyEvent::Subscription(event) => {
            for phase in begun(event) {
                if let Kind::Metered { .. } = phase.kind {
                    let (line, subscription) = (phase.line.to_string().into(), recorded.aggregate_id.into());
                    let row = vec![tenant(), line, subscription, recorded.position.into()];
                    writes.push(Write::Put(&METERED_ITEMS, row));
                }
            }
        }
        AnyEvent::UsageEntry(Event::Recorded { at, by, entry }) => {
            let mut row = key();
            row.extend([
                false.into(),
                recorded.sequence.into(),
                json(entry),
                recorded.position.into(),
            ]);
            row.extend([(*at).into(), by.as_str().into(), (*at).into(), by.as_str().into()]);
            writes.push(Write::Put(&USAGE_ENTRIES, row));
        }
        AnyEvent::UsageEntry(Event::Corrected { at, by, entry }) => {
            let columns = vec![
                (3, recorded.sequence.into()),
                (4, json(entry)),
                (8, (*at).into()),
                (9, by.as_str().into()),
            ];
            writes.push(Write::Set(&USAGE_ENTRIES, key(), columns));
        }
        AnyEvent::UsageEntry(Event::Withdrawn { at, by }) => {
            let columns = vec![
                (2, true.into()),
                (3, recorded.sequence.into()),
                (8, (*at).into()),
                (9, by.as_str().into()),
            ];
            writes.push(Write::Set(&USAGE_ENTRIES, key(), columns));
        }
        _ => {}
    }
}
