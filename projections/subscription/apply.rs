//! Subscriptions and charges: from events to rows.

use aggregates::{
    AnyEvent,
    subscription::{Charge, Event, Status, Terms},
};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{boolean, int, text},
    value::{json, word},
};

pub static SUBSCRIPTIONS: Table = Table {
    name: "subscriptions",
    columns: &[
        text("tenant"),
        text("subscription"),
        text("customer"),
        text("plan"),
        text("currency"),
        text("cycle"),
        text("activation"),
        text("status"),
        text("terms"),
        int("position"),
        int("created_at"),
        text("moved_from"),
    ],
    key: 2,
};

pub static CHARGES: Table = Table {
    name: "charges",
    columns: &[
        text("tenant"),
        text("charge"),
        text("subscription"),
        text("status"),
        text("invoice"),
        text("name"),
        int("amount"),
        text("currency"),
        text("period_start"),
        text("period_end"),
        boolean("flat_fee"),
        boolean("automatic_payment"),
        text("due_date"),
        int("position"),
        text("explanation"),
        text("line"),
    ],
    key: 2,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Subscription(event) = recorded.event else {
        return;
    };
    let tenant = || Value::from(recorded.tenant.as_str());
    let key = || vec![tenant(), recorded.aggregate_id.into()];
    match event {
        Event::Signed { at, agreement, .. } => writes.push(Write::Put(
            &SUBSCRIPTIONS,
            vec![
                tenant(),
                recorded.aggregate_id.into(),
                agreement.customer.to_string().into(),
                agreement.plan.map(|plan| plan.to_string()).into(),
                agreement.currency.code().into(),
                word(&agreement.cycle),
                agreement.activation.into(),
                word(&agreement.status),
                json(&agreement.terms),
                recorded.position.into(),
                (*at).into(),
                agreement
                    .moved_from
                    .or(agreement.upgraded_from)
                    .map(|old| old.to_string())
                    .into(),
            ],
        )),
        Event::ChargeAdded { charge, .. } => writes.push(Write::New(&CHARGES, charge_row(recorded, charge))),
        Event::ChargesInvoiced { invoice, charges, .. } => {
            for charge in charges {
                let key = vec![tenant(), charge.to_string().into()];
                let columns = vec![(3, "invoiced".into()), (4, invoice.to_string().into())];
                writes.push(Write::Set(&CHARGES, key, columns));
            }
        }
        Event::ChargesReleased { charges, .. } => {
            for charge in charges {
                let key = vec![tenant(), charge.id.to_string().into()];
                let columns = vec![(3, "pending".into()), (4, Value::Null)];
                writes.push(Write::Set(&CHARGES, key, columns));
            }
        }
        Event::BillingPreferencesUpdated { billing, .. } => {
            let terms = Terms::Order {
                billing: billing.clone(),
            };
            let columns = vec![(5, word(&billing.billing_period.cycle())), (8, json(&terms))];
            writes.push(Write::Set(&SUBSCRIPTIONS, key(), columns));
        }
        Event::Activated { activation, .. } => {
            let columns = vec![(6, (*activation).into()), (7, word(&Status::Active))];
            writes.push(Write::Set(&SUBSCRIPTIONS, key(), columns));
        }
        Event::Accrued { charges, .. } => {
            for charge in charges {
                writes.push(Write::New(&CHARGES, charge_row(recorded, charge)));
            }
        }
        Event::Changed { plan, cycle, .. } => {
            let plan = plan.map(|plan| (3, plan.to_string().into()));
            let columns: Vec<_> = plan
                .into_iter()
                .chain(cycle.as_ref().map(|cycle| (5, word(cycle))))
                .collect();
            if !columns.is_empty() {
                writes.push(Write::Set(&SUBSCRIPTIONS, key(), columns));
            }
        }
        Event::Paused { .. } => writes.push(status(key(), Status::Paused)),
        Event::Resumed { .. } => writes.push(status(key(), Status::Active)),
        Event::Cancelled { scheduled: true, .. }
        | Event::LineBillingUpdated { .. }
        | Event::PolicyUpdated { .. }
        | Event::UsageArrived { .. }
        | Event::Moved { .. }
        | Event::UsageClosed { .. } => {}
        Event::Cancelled { .. } | Event::Ended { .. } => writes.push(status(key(), Status::Cancelled)),
    }
}

fn status(key: Vec<Value>, status: Status) -> Write {
    Write::Set(&SUBSCRIPTIONS, key, vec![(7, word(&status))])
}

fn charge_row(recorded: &Recorded<'_>, charge: &Charge) -> Vec<Value> {
    vec![
        recorded.tenant.as_str().into(),
        charge.id.to_string().into(),
        recorded.aggregate_id.into(),
        "pending".into(),
        Value::Null,
        charge.name.as_str().into(),
        charge.amount.minor.into(),
        charge.amount.currency.code().into(),
        charge.period.start.into(),
        charge.period.end.into(),
        charge.flat_fee.into(),
        charge.automatic_payment.into(),
        charge.due_date.into(),
        recorded.position.into(),
        charge.explanation.as_ref().map(json).into(),
        charge.line.map(|line| line.to_string()).into(),
    ]
}
