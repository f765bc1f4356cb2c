//! Customers: from events to rows.

use aggregates::{
    AnyEvent,
    customer::{Contact, Event, Profile},
};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{boolean, int, text},
    value::json,
};

pub static CUSTOMERS: Table = Table {
    name: "customers",
    columns: &[
        text("tenant"),
        text("customer"),
        text("code"),
        text("reference"),
        text("profile"),
        text("contact"),
        text("email"),
        boolean("forgotten"),
        int("position"),
        int("created_at"),
        int("updated_at"),
    ],
    key: 2,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Customer(event) = recorded.event else {
        return;
    };
    let key = vec![recorded.tenant.as_str().into(), recorded.aggregate_id.into()];
    match event {
        Event::Created {
            at,
            code,
            profile,
            personal,
            ..
        } => {
            let [reference, profile, contact, email] = data(profile, personal.get());
            let mut row = key;
            row.extend([code.as_str().into(), reference, profile, contact, email, false.into()]);
            row.extend([recorded.position.into(), (*at).into(), (*at).into()]);
            writes.push(Write::Put(&CUSTOMERS, row));
        }
        Event::Updated {
            at, profile, personal, ..
        } => {
            let [reference, profile, contact, email] = data(profile, personal.get());
            let columns = vec![
                (3, reference),
                (4, profile),
                (5, contact),
                (6, email),
                (10, (*at).into()),
            ];
            writes.push(Write::Set(&CUSTOMERS, key, columns));
        }
        Event::Forgotten { at, .. } => {
            let [reference, profile, contact, email] = data(&Profile::default(), None);
            let columns = vec![
                (3, reference),
                (4, profile),
                (5, contact),
                (6, email),
                (7, true.into()),
                (10, (*at).into()),
            ];
            writes.push(Write::Set(&CUSTOMERS, key, columns));
        }
    }
}

/// The columns reference, profile, contact and email.
fn data(profile: &Profile, contact: Option<&Contact>) -> [Value; 4] {
    [
        profile.reference.clone().into(),
        json(profile),
        contact.map_or(Value::Null, json),
        contact.and_then(Contact::main_email).map(str::to_lowercase).into(),
    ]
}
