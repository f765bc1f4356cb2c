//! The customer's timeline: from events to rows.

use aggregates::{AnyEvent, customer, id::CustomerId, invoice, subscription};

use crate::{
    Recorded, Table, Write, Writes,
    table::{int, text},
};

pub static CUSTOMER_TIMELINE: Table = Table {
    name: "customer_timeline",
    columns: &[
        text("tenant"),
        text("customer"),
        int("position"),
        text("event_type"),
        text("aggregate_id"),
        int("recorded_at"),
    ],
    key: 3,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    for customer in named(recorded.event).into_iter().flatten() {
        writes.push(Write::Put(
            &CUSTOMER_TIMELINE,
            vec![
                recorded.tenant.as_str().into(),
                customer.to_string().into(),
                recorded.position.into(),
                recorded.event.name().into(),
                recorded.aggregate_id.into(),
                recorded.recorded_at.into(),
            ],
        ));
    }
}

/// The customers whom the event names by itself: a projection looks nothing up.
fn named(event: &AnyEvent) -> [Option<CustomerId>; 2] {
    let one = match event {
        // Whose it was, and whose it is now.
        AnyEvent::Subscription(subscription::Event::Moved { from, customer, .. }) => return [*from, Some(*customer)],
        AnyEvent::Customer(
            customer::Event::Created { customer, .. }
            | customer::Event::Updated { customer, .. }
            | customer::Event::Forgotten { customer, .. },
        )
        | AnyEvent::Invoice(invoice::Event::Voided { customer, .. }) => Some(*customer),
        AnyEvent::Subscription(subscription::Event::Signed { agreement, .. }) => Some(agreement.customer),
        AnyEvent::Invoice(invoice::Event::Issued { issued, .. }) => Some(issued.customer),
        _ => None,
    };
    [one, None]
}
