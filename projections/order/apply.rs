//! Orders: from events to rows.

use aggregates::{
    AnyEvent,
    subscription::{Event, Terms},
};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{int, text},
    value::json,
};

pub static ORDERS: Table = Table {
    name: "orders",
    columns: &[
        text("tenant"),
        text("subscription"),
        text("number"),
        text("customer"),
        text("details"),
        text("billing"),
        int("position"),
        int("created_at"),
        int("updated_at"),
    ],
    key: 2,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Subscription(event) = recorded.event else {
        return;
    };
    let mut key: Vec<Value> = vec![recorded.tenant.as_str().into(), recorded.aggregate_id.into()];
    match event {
        Event::Signed { at, agreement, .. } => {
            if let (Some(details), Terms::Order { billing }) = (&agreement.order, &agreement.terms) {
                key.extend([details.number.as_str().into(), agreement.customer.to_string().into()]);
                key.extend([json(details), json(billing)]);
                key.extend([recorded.position.into(), (*at).into(), (*at).into()]);
                writes.push(Write::Put(&ORDERS, key));
            }
        }
        Event::BillingPreferencesUpdated { at, billing, .. } => {
            let columns = vec![(5, json(billing)), (8, (*at).into())];
            writes.push(Write::Set(&ORDERS, key, columns));
        }
        // What holds for single lines is read where the lines are, in the order's state.
        Event::LineBillingUpdated { at, .. } => writes.push(Write::Set(&ORDERS, key, vec![(8, (*at).into())])),
        // Also told of agreements that are no orders: the status is read where it is kept for all of them.
        Event::Activated { .. }
        | Event::Accrued { .. }
        | Event::Cancelled { .. }
        | Event::Changed { .. }
        | Event::ChargeAdded { .. }
        | Event::ChargesInvoiced { .. }
        | Event::ChargesReleased { .. }
        | Event::UsageArrived { .. }
        | Event::UsageClosed { .. }
        | Event::Moved { .. }
        | Event::Ended { .. }
        | Event::Paused { .. }
        | Event::PolicyUpdated { .. }
        | Event::Resumed { .. } => {}
    }
}
