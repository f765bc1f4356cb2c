//! Billing templates: from events to rows.

use aggregates::{
    AnyEvent,
    billing_template::{Event, Template},
};

use crate::{
    Recorded, Table, Write, Writes,
    table::{boolean, int, text},
    value::json,
};

pub static BILLING_TEMPLATES: Table = Table {
    name: "billing_templates",
    columns: &[
        text("tenant"),
        text("template"),
        boolean("recurring"),
        text("brand"),
        boolean("active"),
        boolean("launched"),
        boolean("deleted"),
        text("terms"),
        int("position"),
        int("created_at"),
        int("updated_at"),
    ],
    key: 2,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::BillingTemplate(event) = recorded.event else {
        return;
    };
    let key = vec![recorded.tenant.as_str().into(), recorded.aggregate_id.into()];
    let set = |columns| Write::Set(&BILLING_TEMPLATES, key.clone(), columns);
    writes.push(match event {
        Event::Created { at, terms, .. } => {
            let mut row = key;
            row.extend([
                terms.recurring().is_some().into(),
                terms.brand_id.to_string().into(),
                active(terms).into(),
                false.into(),
                false.into(),
                json(terms),
                recorded.position.into(),
                (*at).into(),
                (*at).into(),
            ]);
            Write::Put(&BILLING_TEMPLATES, row)
        }
        Event::Updated { at, terms } => set(vec![
            (3, terms.brand_id.to_string().into()),
            (4, active(terms).into()),
            (7, json(terms)),
            (10, (*at).into()),
        ]),
        Event::Launched { at } => set(vec![(5, true.into()), (10, (*at).into())]),
        Event::Deleted { at } => set(vec![(6, true.into()), (10, (*at).into())]),
    });
}

fn active(terms: &Template) -> bool {
    terms.recurring().is_some_and(|terms| terms.active)
}
