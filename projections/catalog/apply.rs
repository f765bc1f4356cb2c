//! Plans: from events to rows.

use aggregates::{AnyEvent, catalog::Event};

use crate::{
    Recorded, Table, Write, Writes,
    table::{int, text},
    value::json,
};

pub static PLANS: Table = Table {
    name: "plans",
    columns: &[
        text("tenant"),
        text("plan"),
        text("name"),
        text("currency"),
        int("created_at"),
        text("lines"),
    ],
    key: 2,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Catalog(event) = recorded.event else {
        return;
    };
    match event {
        Event::Created {
            at,
            name,
            currency,
            lines,
            ..
        } => writes.push(Write::Put(
            &PLANS,
            vec![
                recorded.tenant.as_str().into(),
                recorded.aggregate_id.into(),
                name.as_str().into(),
                currency.code().into(),
                (*at).into(),
                json(lines),
            ],
        )),
    }
}
