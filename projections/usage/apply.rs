//! Usage: from events to rows.

use aggregates::{
    AnyEvent,
    billing::{Kind, Phase},
    subscription, usage,
};

use crate::{
    Recorded, Table, Write, Writes,
    table::{int, text},
    value::json,
};

/// One row for every metric that a subscription ever was billed by. When it was, the subscription itself knows.
pub static METERED_LINES: Table = Table {
    name: "metered_lines",
    columns: &[text("tenant"), text("subscription"), text("metric"), int("position")],
    key: 3,
};

/// One row an event; `records` are JSON.
pub static UNMATCHED_USAGE: Table = Table {
    name: "unmatched_usage",
    columns: &[text("tenant"), int("position"), int("received_at"), text("records")],
    key: 2,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    match recorded.event {
        AnyEvent::Subscription(event) => {
            for phase in begun(event) {
                if let Kind::Metered { metric, .. } = &phase.kind {
                    let (tenant, subscription) = (recorded.tenant.as_str().into(), recorded.aggregate_id.into());
                    let row = vec![tenant, subscription, metric.as_str().into(), recorded.position.into()];
                    writes.push(Write::Put(&METERED_LINES, row));
                }
            }
        }
        AnyEvent::Usage(usage::Event::Unmatched { at, records }) => writes.push(Write::Put(
            &UNMATCHED_USAGE,
            vec![
                recorded.tenant.as_str().into(),
                recorded.position.into(),
                (*at).into(),
                json(records),
            ],
        )),
        _ => {}
    }
}

/// The phases that begin with an event.
pub(crate) fn begun(event: &subscription::Event) -> &[Phase] {
    use subscription::Event;
    match event {
        Event::Signed { agreement, .. } => &agreement.phases,
        Event::Activated { phases, .. } => phases,
        Event::Changed { begun, .. }
        | Event::Resumed { begun, .. }
        | Event::LineBillingUpdated { begun, .. }
        | Event::BillingPreferencesUpdated { begun, .. } => begun,
        Event::ChargeAdded { .. }
        | Event::Accrued { .. }
        | Event::ChargesInvoiced { .. }
        | Event::ChargesReleased { .. }
        | Event::Paused { .. }
        | Event::PolicyUpdated { .. }
        | Event::UsageArrived { .. }
        | Event::UsageClosed { .. }
        | Event::Cancelled { .. }
        | Event::Moved { .. }
        | Event::Ended { .. } => &[],
    }
}
