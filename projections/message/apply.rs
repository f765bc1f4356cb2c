//! Messages: from events to rows.

use aggregates::{
    AnyEvent,
    id::{CustomerId, InvoiceId},
    invoice,
    message::{Event, Notice, Occasion, message_id},
    payment,
};
use chrono::{DateTime, Utc};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{int, text},
    value::word,
};

/// One row a message, from what it tells of.
pub static MESSAGES: Table = Table {
    name: "messages",
    columns: &[
        text("tenant"),
        text("message"),
        text("invoice"),
        text("customer"),
        text("occasion"),
        text("profile"),
        text("channel"),
        text("template"),
        text("status"),
        text("reason"),
        int("requested_at"),
        int("settled_at"),
        int("position"),
    ],
    key: 2,
};

const STATUS: usize = 8;
const REASON: usize = 9;
const SETTLED_AT: usize = 11;

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    match recorded.event {
        AnyEvent::Invoice(invoice::Event::Issued { at, issued }) => {
            if let Some(notice) = &issued.notice {
                let of = (issued.invoice, issued.customer);
                writes.push(requested(recorded, *at, of, Occasion::Invoice, notice));
            }
        }
        AnyEvent::Payment(payment::Event::Failed {
            at,
            invoice,
            customer: Some(customer),
            notice: Some(notice),
            ..
        }) => writes.push(requested(
            recorded,
            *at,
            (*invoice, *customer),
            Occasion::PaymentFailed,
            notice,
        )),
        AnyEvent::Message(event) => {
            let key = vec![recorded.tenant.as_str().into(), recorded.aggregate_id.into()];
            let (status, reason, at) = match event {
                Event::Sent { at, .. } => ("sent", Value::Null, *at),
                Event::Failed { at, reason, .. } => ("failed", reason.as_str().into(), *at),
            };
            let columns = vec![(STATUS, status.into()), (REASON, reason), (SETTLED_AT, at.into())];
            writes.push(Write::Set(&MESSAGES, key, columns));
        }
        _ => {}
    }
}

fn requested(
    recorded: &Recorded<'_>,
    at: DateTime<Utc>,
    (invoice, customer): (InvoiceId, CustomerId),
    occasion: Occasion,
    notice: &Notice,
) -> Write {
    Write::Put(
        &MESSAGES,
        vec![
            recorded.tenant.as_str().into(),
            message_id(recorded.tenant, occasion, invoice).to_string().into(),
            invoice.to_string().into(),
            customer.to_string().into(),
            word(&occasion),
            notice.profile.as_str().into(),
            word(&notice.channel),
            notice.template.as_str().into(),
            "requested".into(),
            Value::Null,
            at.into(),
            Value::Null,
            recorded.position.into(),
        ],
    )
}
