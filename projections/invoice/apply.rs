//! Invoices: from events to rows.

use aggregates::{
    AnyEvent,
    id::InvoiceId,
    invoice::{Event, Issued},
    payment,
};

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
        int("paid"),
        int("balance"),
        text("collection"),
        int("voided_at"),
        text("void_reason"),
    ],
    key: 2,
};

const CREDIT_GRANTED: usize = 13;
const CREDIT_APPLIED: usize = 14;
const TO_PAY: usize = 15;
const PAID: usize = 16;
const BALANCE: usize = 17;
const COLLECTION: usize = 18;
const VOIDED_AT: usize = 19;
const VOID_REASON: usize = 20;

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
        text("subscription"),
        text("tax_rate"),
        int("tax"),
        int("net"),
    ],
    key: 3,
};

pub static INVOICE_PAYMENTS: Table = Table {
    name: "invoice_payments",
    columns: &[
        text("tenant"),
        text("invoice"),
        text("reference"),
        int("amount"),
        int("applied"),
        text("method"),
        int("paid_at"),
        int("recorded_at"),
        int("position"),
    ],
    key: 3,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    match recorded.event {
        AnyEvent::Invoice(event) => apply_invoice(recorded, event, writes),
        AnyEvent::Payment(event) => {
            let (invoice, word) = match event {
                payment::Event::Requested { wanted, .. } => (wanted.invoice, "requested"),
                payment::Event::Succeeded { invoice, .. } => (*invoice, "succeeded"),
                payment::Event::Failed { invoice, .. } => (*invoice, "failed"),
                payment::Event::Withdrawn { invoice, .. } => (*invoice, "withdrawn"),
            };
            writes.push(set(recorded, invoice, vec![(COLLECTION, word.into())]));
        }
        _ => {}
    }
}

fn set(recorded: &Recorded<'_>, invoice: InvoiceId, columns: Vec<(usize, Value)>) -> Write {
    let key = vec![recorded.tenant.as_str().into(), invoice.to_string().into()];
    Write::Set(&INVOICES, key, columns)
}

fn apply_invoice(recorded: &Recorded<'_>, event: &Event, writes: &mut Writes) {
    match event {
        Event::Issued { at, issued } => apply_issued(recorded, (*at).into(), issued, writes),
        Event::PaymentRecorded {
            at,
            invoice,
            reference,
            amount,
            applied,
            method,
            paid_at,
            paid,
            balance,
            ..
        } => {
            let columns = vec![(PAID, paid.minor.into()), (BALANCE, balance.minor.into())];
            writes.push(set(recorded, *invoice, columns));
            writes.push(Write::Put(
                &INVOICE_PAYMENTS,
                vec![
                    recorded.tenant.as_str().into(),
                    recorded.aggregate_id.into(),
                    reference.as_str().into(),
                    amount.minor.into(),
                    applied.minor.into(),
                    method.clone().into(),
                    (*paid_at).into(),
                    (*at).into(),
                    recorded.position.into(),
                ],
            ));
        }
        Event::CreditApplied {
            invoice,
            credit_applied,
            to_pay,
            balance,
            ..
        } => {
            let columns = vec![
                (CREDIT_APPLIED, credit_applied.minor.into()),
                (TO_PAY, to_pay.minor.into()),
                (BALANCE, balance.minor.into()),
            ];
            writes.push(set(recorded, *invoice, columns));
        }
        Event::Voided {
            at, invoice, reason, ..
        } => {
            let none = [CREDIT_GRANTED, CREDIT_APPLIED, TO_PAY, BALANCE];
            let mut columns: Vec<(usize, Value)> = none.into_iter().map(|column| (column, 0.into())).collect();
            columns.push((VOIDED_AT, (*at).into()));
            columns.push((VOID_REASON, reason.as_str().into()));
            writes.push(set(recorded, *invoice, columns));
        }
    }
}

fn apply_issued(recorded: &Recorded<'_>, at: Value, issued: &Issued, writes: &mut Writes) {
    let tenant = || Value::from(recorded.tenant.as_str());
    writes.push(Write::New(
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
            at,
            issued.taxes.iter().map(|rate| rate.tax.minor).sum::<i64>().into(),
            issued.credit_granted.map_or(0, |credit| credit.minor).into(),
            issued.credit_applied.map_or(0, |credit| credit.minor).into(),
            issued.to_pay().minor.into(),
            0.into(),
            issued.to_pay().minor.into(),
            Value::Null,
            Value::Null,
            Value::Null,
        ],
    ));
    for (n, line) in (1_i64..).zip(&issued.lines) {
        writes.push(Write::New(
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
                line.subscription.map(|subscription| subscription.to_string()).into(),
                line.tax_rate.map(|rate| rate.to_string()).into(),
                line.tax.map(|tax| tax.minor).into(),
                line.net().map(|net| net.minor).into(),
            ],
        ));
    }
}
