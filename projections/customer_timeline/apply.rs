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

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(file: &str) -> Vec<String> {
        let path = format!("{}/../aggregates/golden/{file}", env!("CARGO_MANIFEST_DIR"));
        let payload = std::fs::read_to_string(path).expect("a golden file");
        let event = AnyEvent::decode("subscription", "subscription.moved", 1, &payload).expect("an event");
        named(&event)
            .into_iter()
            .flatten()
            .map(|customer| customer.to_string())
            .collect()
    }

    #[test]
    fn a_move_is_told_to_both_where_its_event_knows_both() {
        let (old, new) = (
            "1d4c7b92-0a35-5e68-b1f7-8c2e94d06a53",
            "6f1c2a3e-7d4b-5a19-8c30-5b9f0e2d7a41",
        );
        assert_eq!(told_of("subscription.moved.v1.from.json"), [old, new]);
        assert_eq!(
            told_of("subscription.moved.v1.json"),
            [new],
            "whose it was is not in the log"
        );
    }
}
