//! Due billing: from events to rows.

use aggregates::{AnyEvent, subscription::Event};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{int, text},
};

/// One row a subscription; `next_billing` is null where there never is anything to bill, `consolidation` where it
/// has invoices of its own.
pub static BILLING_DUE: Table = Table {
    name: "billing_due",
    columns: &[
        text("tenant"),
        text("subscription"),
        text("customer"),
        text("currency"),
        int("run"),
        int("next_billing"),
        text("zone"),
        text("consolidation"),
    ],
    key: 2,
};

const RUN: usize = 4;
const NEXT_BILLING: usize = 5;
const CONSOLIDATION: usize = 7;

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Subscription(event) = recorded.event else {
        return;
    };
    let key: Vec<Value> = vec![recorded.tenant.as_str().into(), recorded.aggregate_id.into()];
    match event {
        Event::Signed {
            agreement,
            next_billing,
            ..
        } => {
            let mut row = key;
            row.push(agreement.customer.to_string().into());
            row.push(agreement.currency.code().into());
            row.push(0.into());
            row.push((*next_billing).into());
            row.push(agreement.zone().name().into());
            row.push(agreement.terms.consolidation().into());
            writes.push(Write::Put(&BILLING_DUE, row));
        }
        Event::Accrued { run, next_billing, .. } => {
            let columns = vec![(RUN, i64::from(*run).into()), (NEXT_BILLING, (*next_billing).into())];
            writes.push(Write::Set(&BILLING_DUE, key, columns));
        }
        Event::Activated { next_billing, .. }
        | Event::LineBillingUpdated { next_billing, .. }
        | Event::PolicyUpdated { next_billing, .. }
        | Event::Changed { next_billing, .. }
        | Event::Paused { next_billing, .. }
        | Event::Resumed { next_billing, .. }
        | Event::UsageClosed { next_billing, .. }
        | Event::Cancelled { next_billing, .. } => {
            let columns = vec![(NEXT_BILLING, (*next_billing).into())];
            writes.push(Write::Set(&BILLING_DUE, key, columns));
        }
        Event::BillingPreferencesUpdated {
            billing, next_billing, ..
        } => {
            let columns = vec![
                (NEXT_BILLING, (*next_billing).into()),
                (CONSOLIDATION, billing.consolidation().into()),
            ];
            writes.push(Write::Set(&BILLING_DUE, key, columns));
        }
        Event::UsageArrived { next_billing: next, .. }
        | Event::ChargeAdded {
            next_billing: Some(next),
            ..
        }
        | Event::ChargesReleased {
            next_billing: Some(next),
            ..
        } => writes.push(Write::Set(&BILLING_DUE, key, vec![(NEXT_BILLING, (*next).into())])),
        Event::ChargeAdded { next_billing: None, .. }
        | Event::ChargesReleased { next_billing: None, .. }
        | Event::ChargesInvoiced { .. }
        | Event::Moved { .. }
        | Event::Ended { .. } => {}
    }
}
