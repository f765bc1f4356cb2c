//! Collected payments: from events to rows.

use aggregates::{AnyEvent, id::InvoiceId, invoice, payment::Event};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{int, text},
};

/// `due_at` is null once there is nothing to collect, or it was asked for.
pub static COLLECTIONS_DUE: Table = Table {
    name: "collections_due",
    columns: &[text("tenant"), text("invoice"), int("due_at")],
    key: 2,
};

pub static PAYMENTS: Table = Table {
    name: "payments",
    columns: &[
        text("tenant"),
        text("payment"),
        text("invoice"),
        text("customer"),
        int("amount"),
        text("currency"),
        text("processor"),
        text("status"),
        text("reference"),
        text("reason"),
        int("requested_at"),
        int("settled_at"),
        int("position"),
    ],
    key: 2,
};

const STATUS: usize = 7;
const REFERENCE: usize = 8;
const REASON: usize = 9;
const SETTLED_AT: usize = 11;

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    match recorded.event {
        AnyEvent::Invoice(event) => apply_invoice(recorded, event, writes),
        AnyEvent::Payment(event) => apply_payment(recorded, event, writes),
        _ => {}
    }
}

fn due(recorded: &Recorded<'_>, invoice: InvoiceId, at: Value) -> Write {
    let row = vec![recorded.tenant.as_str().into(), invoice.to_string().into(), at];
    Write::Put(&COLLECTIONS_DUE, row)
}

fn apply_invoice(recorded: &Recorded<'_>, event: &invoice::Event, writes: &mut Writes) {
    match event {
        invoice::Event::Issued { issued, .. } => {
            if let Some(at) = issued.collected_at() {
                writes.push(due(recorded, issued.invoice, at.into()));
            }
        }
        invoice::Event::PaymentRecorded { invoice, balance, .. }
        | invoice::Event::CreditApplied { invoice, balance, .. } => {
            if balance.minor == 0 {
                writes.push(due(recorded, *invoice, Value::Null));
            }
        }
        invoice::Event::Voided { invoice, .. } => writes.push(due(recorded, *invoice, Value::Null)),
    }
}

fn apply_payment(recorded: &Recorded<'_>, event: &Event, writes: &mut Writes) {
    let key = || vec![recorded.tenant.as_str().into(), recorded.aggregate_id.into()];
    match event {
        Event::Requested { at, wanted } => {
            writes.push(due(recorded, wanted.invoice, Value::Null));
            writes.push(Write::Put(
                &PAYMENTS,
                vec![
                    recorded.tenant.as_str().into(),
                    recorded.aggregate_id.into(),
                    wanted.invoice.to_string().into(),
                    wanted.customer.to_string().into(),
                    wanted.amount.minor.into(),
                    wanted.amount.currency.code().into(),
                    wanted.processor.clone().into(),
                    "requested".into(),
                    Value::Null,
                    Value::Null,
                    (*at).into(),
                    Value::Null,
                    recorded.position.into(),
                ],
            ));
        }
        Event::Succeeded { at, reference, .. } => {
            let columns = vec![
                (STATUS, "succeeded".into()),
                (REFERENCE, reference.as_str().into()),
                (SETTLED_AT, (*at).into()),
            ];
            writes.push(Write::Set(&PAYMENTS, key(), columns));
        }
        Event::Failed { at, reason, .. } => {
            let columns = vec![
                (STATUS, "failed".into()),
                (REASON, reason.as_str().into()),
                (SETTLED_AT, (*at).into()),
            ];
            writes.push(Write::Set(&PAYMENTS, key(), columns));
        }
        Event::Withdrawn { at, .. } => {
            let columns = vec![(STATUS, "withdrawn".into()), (SETTLED_AT, (*at).into())];
            writes.push(Write::Set(&PAYMENTS, key(), columns));
        }
    }
}
