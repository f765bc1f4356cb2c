//! A day before, on the day, a day after: every rule about dates, as a subscription is billed by it.

use super::{
    books::{Books, contract, flat, instant, line, order},
    *,
};
use crate::{
    order_terms::{Alignment, Term},
    terms::DueDatePolicy,
};

fn month() -> Books {
    Books::sign(contract(vec![flat(1, "31.00")], "2026-10-01"), "2026-09-01T00:00:00Z")
}

/// What is charged up to each of the days.
fn charged(books: impl Fn() -> Books, days: [&str; 3]) -> [Vec<String>; 3] {
    days.map(|day| books().bill(day))
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

#[test]
fn a_period_is_charged_on_its_first_day() {
    let october = lines(&["10-01->11-01 31.00"]);
    let found = charged(month, ["2026-09-30", "2026-10-01", "2026-10-02"]);
    assert_eq!(found, [vec![], october.clone(), october.clone()]);
    let both = lines(&["10-01->11-01 31.00", "11-01->12-01 31.00"]);
    let found = charged(month, ["2026-10-31", "2026-11-01", "2026-11-02"]);
    assert_eq!(found, [october, both.clone(), both]);
}

#[test]
fn what_follows_a_trial_is_charged_on_the_day_the_trial_ends() {
    let trial = || {
        let mut agreement = contract(vec![flat(1, "31.00")], "2026-10-01");
        agreement.offer.as_mut().unwrap().trial_days = Some(14);
        Books::sign(agreement, "2026-09-01T00:00:00Z")
    };
    let free = lines(&["10-01->10-15 0.00"]);
    let paid = lines(&["10-01->10-15 0.00", "10-15->11-15 31.00"]);
    let found = charged(trial, ["2026-10-14", "2026-10-15", "2026-10-16"]);
    assert_eq!(found, [free, paid.clone(), paid]);
}

/// October is billed, then something happens to a day, and the next morning is billed.
fn after(happens: &Command, billed_on: &str) -> Vec<String> {
    let mut books = month();
    books.bill("2026-10-01");
    books.send(happens).unwrap();
    books.bill(billed_on)
}

#[test]
fn an_end_gives_back_what_lies_behind_it() {
    for (day, given_back) in [
        ("2026-10-31", &["10-31->11-01 -1.00"][..]),
        ("2026-11-01", &[]),
        ("2026-11-02", &["11-01->11-02 1.03"]),
    ] {
        let at = instant("2026-10-05T00:00:00Z");
        let effective = date(day);
        assert_eq!(
            after(&Command::Cancel { at, effective }, "2026-11-20"),
            given_back,
            "{day}"
        );
    }
}

#[test]
fn a_pause_gives_back_what_lies_behind_it() {
    for (day, given_back) in [
        ("2026-10-31", &["10-31->11-01 -1.00"][..]),
        ("2026-11-01", &[]),
        ("2026-11-02", &["11-01->11-02 1.03"]),
    ] {
        let at = instant("2026-10-05T00:00:00Z");
        let from = date(day);
        assert_eq!(after(&Command::Pause { at, from }, "2026-11-20"), given_back, "{day}");
    }
}

#[test]
fn a_resumption_is_charged_from_its_day_to_the_end_of_the_period() {
    for (day, charged) in [
        ("2026-10-31", &["10-31->11-01 1.00", "11-01->12-01 31.00"][..]),
        ("2026-11-01", &["11-01->12-01 31.00"]),
        ("2026-11-02", &["11-02->12-01 29.97"]),
    ] {
        let mut books = month();
        books.bill("2026-10-01");
        let at = instant("2026-10-05T00:00:00Z");
        let from = date("2026-10-05");
        books.send(&Command::Pause { at, from }).unwrap();
        assert_eq!(books.bill("2026-10-05"), ["10-05->11-01 -27.00"]);
        let at = instant("2026-10-06T00:00:00Z");
        books.send(&Command::Resume { at, from: date(day) }).unwrap();
        assert_eq!(books.bill("2026-11-20"), charged, "{day}");
    }
}

#[test]
fn a_change_begins_on_its_day() {
    for (day, charged) in [
        (
            "2026-10-31",
            &["10-31->11-01 2.00", "10-31->11-01 -1.00", "11-01->12-01 62.00"][..],
        ),
        ("2026-11-01", &["11-01->12-01 62.00"]),
        ("2026-11-02", &["11-01->11-02 1.03", "11-02->12-01 59.93"]),
    ] {
        let change = Box::new(Change {
            effective: date(day),
            replaced: Vec::new(),
            elsewhere: Vec::new(),
            elsewhere_over: None,
            lines: vec![flat(1, "62.00")],
            plan: None,
            cycle: None,
            billing_period: None,
            said: std::collections::BTreeMap::new(),
            ordered: None,
            implied: false,
        });
        let at = instant("2026-10-05T00:00:00Z");
        assert_eq!(after(&Command::Change { at, change }, "2026-11-20"), charged, "{day}");
    }
}

#[test]
fn a_charge_is_due_at_the_end_of_its_period_that_its_policy_names() {
    for (flat_fee, other, due) in [
        (DueDatePolicy::StartOfPeriod, DueDatePolicy::EndOfPeriod, "2026-10-01"),
        (DueDatePolicy::EndOfPeriod, DueDatePolicy::StartOfPeriod, "2026-11-01"),
    ] {
        let mut agreement = contract(vec![flat(1, "31.00")], "2026-10-01");
        agreement.terms = Terms::Contract {
            invoicing: InvoicingPreferences {
                flat_fee_due_date_policy: flat_fee,
                due_date_policy: other,
                ..InvoicingPreferences::default()
            },
        };
        let mut books = Books::sign(agreement, "2026-09-01T00:00:00Z");
        let charges = books.bill_at(instant("2026-10-01T00:00:00Z"));
        assert_eq!(charges[0].due_date, date(due), "{flat_fee:?}");
    }
}

/// The moment at which the period from 1 October is charged, the day before it and on it, and when it is due.
#[track_caller]
fn row(invoice_term: (&str, i64), payment_term: (&str, i64), alignment: Alignment, issue: &str, due: &str) {
    let term = |(name, days): (&str, i64)| Term {
        name: name.to_owned(),
        days,
        months: 0,
    };
    let billing = OrderBillingPreferences {
        invoice_term: term(invoice_term),
        payment_term: term(payment_term),
        payment_term_alignment: alignment,
        ..OrderBillingPreferences::default()
    };
    let mut books = Books::sign(order("10.00", "2026-10-01", billing), "2026-08-01T00:00:00Z");
    let before = date(issue).pred_opt().unwrap().to_string();
    assert_eq!(books.bill(&before), [""; 0], "the day before");
    assert_eq!(books.next(), Some(instant(&format!("{issue}T00:00:00Z"))));
    let charges = books.bill_at(instant(&format!("{issue}T00:00:00Z")));
    let found: Vec<_> = charges.iter().map(|charge| (line(charge), charge.due_date)).collect();
    assert_eq!(found, [("10-01->11-01 10.00".to_owned(), date(due))]);
    let after = date(issue).succ_opt().unwrap().to_string();
    assert_eq!(books.bill(&after), [""; 0], "the day after");
}

#[test]
fn section_4_row_1_billing_start_date_and_net_30_in_either_alignment() {
    for alignment in [Alignment::BillingDate, Alignment::InvoiceDate] {
        let (start, net_30) = (("Billing Start Date", 0), ("Net 30", 30));
        row(start, net_30, alignment, "2026-10-01", "2026-10-31");
    }
}

#[test]
fn section_4_row_2_net_minus_7_and_net_30_from_the_billing_date() {
    let (early, net_30) = (("Net -7", -7), ("Net 30", 30));
    row(early, net_30, Alignment::BillingDate, "2026-09-24", "2026-10-31");
}

#[test]
fn section_4_row_3_net_minus_7_and_net_30_from_the_invoice_date() {
    let (early, net_30) = (("Net -7", -7), ("Net 30", 30));
    row(early, net_30, Alignment::InvoiceDate, "2026-09-24", "2026-10-24");
}

#[test]
fn section_4_row_4_net_7_and_due_on_receipt_from_the_billing_date() {
    let (late, receipt) = (("Net 7", 7), ("Due on Receipt", 0));
    row(late, receipt, Alignment::BillingDate, "2026-10-08", "2026-10-08");
}

#[test]
fn local_days_decide_in_every_zone() {
    for (zone, first, clocks_change) in [
        ("America/New_York", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"),
        ("Australia/Sydney", "2026-10-31T13:00:00Z", "2026-11-30T13:00:00Z"),
        ("Asia/Kolkata", "2026-10-31T18:30:00Z", "2026-11-30T18:30:00Z"),
    ] {
        let mut agreement = contract(vec![flat(1, "30.00")], "2026-11-01");
        agreement.time_zone = Some(zone.to_owned());
        let mut books = Books::sign(agreement, "2026-09-01T00:00:00Z");
        let second = chrono::TimeDelta::seconds(1);
        assert_eq!(books.bill_at(instant(first) - second).len(), 0, "{zone}");
        assert_eq!(books.bill_at(instant(first)).len(), 1, "{zone}");
        assert_eq!(books.bill_at(instant(clocks_change) - second).len(), 0, "{zone}");
        assert_eq!(books.bill_at(instant(clocks_change)).len(), 1, "{zone}");
        // The end is a local day as well.
        let (at, effective) = (instant(clocks_change), date("2026-12-16"));
        books.send(&Command::Cancel { at, effective }).unwrap();
        assert_eq!(books.bill("2026-12-16"), ["12-16->01-01 -15.48"], "{zone}");
    }
}

#[test]
fn a_first_day_whose_midnight_does_not_exist_or_comes_twice_is_charged_once() {
    for (zone, day, begins) in [
        ("America/Santiago", "2025-09-07", "2025-09-07T04:00:00Z"),
        ("America/Havana", "2025-11-02", "2025-11-02T04:00:00Z"),
    ] {
        let mut agreement = contract(vec![flat(1, "30.00")], day);
        agreement.time_zone = Some(zone.to_owned());
        let mut books = Books::sign(agreement, "2025-01-01T00:00:00Z");
        let hour = chrono::TimeDelta::hours(1);
        let counts = [-1, 0, 1, 2].map(|hours| books.bill_at(instant(begins) + hour * hours).len());
        assert_eq!(counts, [0, 1, 0, 0], "{zone}");
    }
}
