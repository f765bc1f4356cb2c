//! Credit: from events to rows.

use aggregates::{AnyEvent, credit::Event};

use crate::{
    Recorded, Table, Write, Writes,
    table::{int, text},
};

pub static CREDIT_BALANCES: Table = Table {
    name: "credit_balances",
    columns: &[
        text("tenant"),
        text("customer"),
        text("currency"),
        int("balance"),
        int("updated_at"),
    ],
    key: 3,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Credit(event) = recorded.event else {
        return;
    };
    match event {
        Event::Granted {
            at, customer, balance, ..
        }
        | Event::Used {
            at, customer, balance, ..
        }
        | Event::TakenBack {
            at, customer, balance, ..
        } => writes.push(Write::Put(
            &CREDIT_BALANCES,
            vec![
                recorded.tenant.as_str().into(),
                customer.to_string().into(),
                balance.currency.code().into(),
                balance.minor.into(),
                (*at).into(),
            ],
        )),
    }
}
