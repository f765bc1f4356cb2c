//! Invoices that are made on a calendar of their own.

use super::{
    books::{Books, contract, flat, instant},
    *,
};
use crate::{
    Decider,
    calendar::PeriodUnit,
    terms::{InvoiceTrigger, PeriodRule},
};

/// A contract that has something to invoice every day.
fn daily(activation: &str, unit: PeriodUnit, count: u32, offset_days: Option<u32>) -> Agreement {
    let rule = PeriodRule {
        unit,
        count,
        offset_days,
    };
    Agreement {
        cycle: Cycle::Day,
        terms: Terms::Contract {
            invoicing: InvoicingPreferences {
                invoice_trigger: InvoiceTrigger::Periodic(rule),
                ..InvoicingPreferences::default()
            },
        },
        ..contract(vec![flat(1, "1.00")], activation)
    }
}

/// The first days on which what has come together was put on invoices.
fn invoiced(books: &mut Books, until: &str, count: usize) -> Vec<String> {
    books.bill_at(instant(&format!("{until}T00:00:00Z")));
    let days = books.history.iter().filter_map(|event| match event {
        Event::Accrued {
            until, invoicing: true, ..
        } => Some(until.date_naive().to_string()),
        _ => None,
    });
    days.take(count).collect()
}

/// Unit, count and offset; the day of the signing; the first days of invoices.
type Calendar = (PeriodUnit, u32, Option<u32>, &'static str, [&'static str; 3]);

const CALENDARS: [Calendar; 20] = [
    (
        PeriodUnit::Day,
        1,
        None,
        "2026-01-20",
        ["2026-01-20", "2026-01-21", "2026-01-22"],
    ),
    (
        PeriodUnit::Day,
        3,
        None,
        "2026-01-20",
        ["2026-01-20", "2026-01-23", "2026-01-26"],
    ),
    (
        PeriodUnit::Week,
        1,
        None,
        "2026-01-18",
        ["2026-01-19", "2026-01-26", "2026-02-02"],
    ),
    (
        PeriodUnit::Week,
        1,
        None,
        "2026-01-19",
        ["2026-01-19", "2026-01-26", "2026-02-02"],
    ),
    (
        PeriodUnit::Week,
        1,
        None,
        "2026-01-20",
        ["2026-01-26", "2026-02-02", "2026-02-09"],
    ),
    (
        PeriodUnit::Week,
        2,
        Some(2),
        "2026-01-22",
        ["2026-02-04", "2026-02-18", "2026-03-04"],
    ),
    (
        PeriodUnit::Month,
        1,
        Some(13),
        "2026-01-13",
        ["2026-01-14", "2026-02-14", "2026-03-14"],
    ),
    (
        PeriodUnit::Month,
        1,
        Some(13),
        "2026-01-14",
        ["2026-01-14", "2026-02-14", "2026-03-14"],
    ),
    (
        PeriodUnit::Month,
        1,
        Some(13),
        "2026-01-15",
        ["2026-02-14", "2026-03-14", "2026-04-14"],
    ),
    (
        PeriodUnit::Month,
        1,
        Some(31),
        "2026-02-10",
        ["2026-03-04", "2026-04-01", "2026-05-02"],
    ),
    (
        PeriodUnit::Month,
        1,
        Some(31),
        "2026-03-10",
        ["2026-04-01", "2026-05-02", "2026-06-01"],
    ),
    (
        PeriodUnit::Month,
        2,
        None,
        "2026-03-02",
        ["2026-05-01", "2026-07-01", "2026-09-01"],
    ),
    (
        PeriodUnit::Quarter,
        1,
        Some(45),
        "2026-02-14",
        ["2026-02-15", "2026-05-16", "2026-08-15"],
    ),
    (
        PeriodUnit::Quarter,
        1,
        Some(45),
        "2026-02-15",
        ["2026-02-15", "2026-05-16", "2026-08-15"],
    ),
    (
        PeriodUnit::Quarter,
        1,
        Some(45),
        "2026-02-16",
        ["2026-05-16", "2026-08-15", "2026-11-15"],
    ),
    (
        PeriodUnit::Quarter,
        1,
        Some(45),
        "2026-05-17",
        ["2026-08-15", "2026-11-15", "2027-02-15"],
    ),
    (
        PeriodUnit::Year,
        1,
        Some(59),
        "2026-02-28",
        ["2026-03-01", "2027-03-01", "2028-02-29"],
    ),
    (
        PeriodUnit::Year,
        1,
        Some(59),
        "2026-03-01",
        ["2026-03-01", "2027-03-01", "2028-02-29"],
    ),
    (
        PeriodUnit::Year,
        1,
        Some(59),
        "2026-03-02",
        ["2027-03-01", "2028-02-29", "2029-03-01"],
    ),
    (
        PeriodUnit::Year,
        2,
        None,
        "2026-01-01",
        ["2026-01-01", "2028-01-01", "2030-01-01"],
    ),
];

#[test]
fn the_days_of_invoices_follow_their_rule_and_not_the_day_of_the_signing() {
    for (unit, count, offset, activation, expected) in CALENDARS {
        let agreement = daily(activation, unit, count, offset);
        let mut books = Books::sign(agreement, &format!("{activation}T00:00:00Z"));
        let found = invoiced(&mut books, expected[2], 3);
        assert_eq!(found, expected, "{unit:?} x {count} + {offset:?}, from {activation}");
    }
}

#[test]
fn what_was_agreed_before_calendars_were_told_keeps_its_days() {
    let agreement = daily("2026-05-17", PeriodUnit::Quarter, 1, Some(45));
    let mut now = Books::sign(agreement, "2026-05-17T00:00:00Z");
    let Some(Event::Signed { agreement, .. }) = now.history.first_mut() else {
        unreachable!()
    };
    agreement.invoice_calendar = None;
    let mut then = Books::default();
    then.subscription.apply(&now.history[0]);
    let expected = ["2026-08-16", "2026-11-16", "2027-02-16"];
    assert_eq!(invoiced(&mut then, "2027-03-01", 3), expected);
    // So does what goes on from it.
    let kept = then.subscription.agreement().unwrap().kept_calendar();
    let successor = Agreement {
        invoice_calendar: kept,
        ..daily("2026-09-20", PeriodUnit::Quarter, 1, Some(45))
    };
    let mut next = Books::sign(successor, "2026-09-20T00:00:00Z");
    assert_eq!(invoiced(&mut next, "2027-03-01", 2), expected[1..]);
}

#[test]
fn cycles_with_an_offset_begin_on_the_same_days_whenever_they_were_signed() {
    for (activation, expected) in [
        (
            "2026-02-14",
            ["02-14->02-15 0.98", "02-15->05-16 90.00", "05-16->08-15 90.00"],
        ),
        (
            "2026-02-15",
            ["02-15->05-16 90.00", "05-16->08-15 90.00", "08-15->11-15 90.00"],
        ),
        (
            "2026-02-16",
            ["02-16->05-16 89.00", "05-16->08-15 90.00", "08-15->11-15 90.00"],
        ),
    ] {
        let mut agreement = contract(vec![flat(1, "90.00")], activation);
        agreement.cycle = Cycle::Quarter;
        agreement.offer.as_mut().unwrap().cycle_start_offset = Some(45);
        let mut books = Books::sign(agreement, &format!("{activation}T00:00:00Z"));
        let found = books.bill("2026-11-20");
        assert_eq!(found[..3], expected, "{activation}");
    }
}
