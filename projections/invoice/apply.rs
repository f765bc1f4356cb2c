//! Invoices: from events to rows.

use aggregates::{AnyEvent, invoice::Event};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{boolean, int, text},
};

pub static INVOICES: Table = Table {
    name: "invoices",
    columns: &[
        text("tenant"),
        text("invoice"),
        int("number"),
        text("customer"),
        text("subscription"),
        text("currency"),
        text("issue_date"),
        text("due_date"),
        boolean("automatic_payment"),
        int("total"),
        int("position"),
        int("created_at"),
        int("tax"),
        int("credit_granted"),
        int("credit_applied"),
        int("to_pay"),
    ],
    key: 2,
};

pub static INVOICE_LINES: Table = Table {
    name: "invoice_lines",
    columns: &[
        text("tenant"),
        text("invoice"),
        int("line"),
        text("charge"),
        text("name"),
        int("amount"),
        text("period_start"),
        text("period_end"),
        boolean("flat_fee"),
        text("due_date"),
        text("tax_rate"),
        int("tax"),
        int("net"),
    ],
    key: 3,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Invoice(event) = recorded.event else {
        return;
    };
    let tenant = || Value::from(recorded.tenant.as_str());
    match event {
        Event::Issued { at, issued } => {
            writes.push(Write::Put(
                &INVOICES,
                vec![
                    tenant(),
                    recorded.aggregate_id.into(),
                    i64::try_from(issued.number).expect("invoice numbers fit").into(),
                    issued.customer.to_string().into(),
                    issued.subscription.to_string().into(),
                    issued.currency.code().into(),
                    issued.issue_date.into(),
                    issued.due_date.into(),
                    issued.automatic_payment.into(),
                    issued.total.minor.into(),
                    recorded.position.into(),
                    (*at).into(),
                    issued.taxes.iter().map(|rate| rate.tax.minor).sum::<i64>().into(),
                    issued.credit_granted.map_or(0, |credit| credit.minor).into(),
                    issued.credit_applied.map_or(0, |credit| credit.minor).into(),
                    issued.to_pay().minor.into(),
                ],
            ));
            for (n, line) in (1_i64..).zip(&issued.lines) {
                writes.push(Write::Put(
                    &INVOICE_LINES,
                    vec![
                        tenant(),
                        recorded.aggregate_id.into(),
                        n.into(),
                        line.charge.to_string().into(),
                        line.name.as_str().into(),
                        line.amount.minor.into(),
                        line.period.start.into(),
                        line.period.end.into(),
                        line.flat_fee.into(),
                        line.due_date.into(),
                        line.tax_rate.map(|rate| rate.to_string()).into(),
                        line.tax.map(|tax| tax.minor).into(),
                        line.net().map(|net| net.minor).into(),
                    ],
                ));
            }
        }
    }
}
