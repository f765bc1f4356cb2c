//! Invoicing preferences: from events to rows.

use aggregates::{AnyEvent, preferences::Event};

use crate::{
    Recorded, Table, Write, Writes,
    table::{int, text},
    value::json,
};

pub static PREFERENCES: Table = Table {
    name: "preferences",
    columns: &[text("tenant"), text("invoicing"), int("updated_at")],
    key: 1,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Preferences(event) = recorded.event else {
        return;
    };
    match event {
        Event::InvoicingUpdated { at, preferences, .. } => writes.push(Write::Put(
            &PREFERENCES,
            vec![recorded.tenant.as_str().into(), json(preferences), (*at).into()],
        )),
        // Read from the stream itself: few ask, and every contract that is signed has it at hand.
        Event::PolicyUpdated { .. } | Event::TimeZoneSet { .. } => {}
    }
}
