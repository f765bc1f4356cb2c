//! No invoice is dated before the decision that caused it.

use super::{
    books::{Books, contract, flat, instant, order},
    *,
};
use crate::{
    billing::{Aggregation, Kind, Price, Timing, price::Limits},
    catalog::PlanLine,
    order_terms::LineBilling,
    terms::UsagePeriodClosing,
};

fn early() -> OrderBillingPreferences {
    let term = catalogue::find(catalogue::invoice_terms(), |term| &term.name, "Net -7");
    OrderBillingPreferences {
        invoice_term: term.unwrap(),
        pro_rata_partial_charging_period: true,
        ..OrderBillingPreferences::default()
    }
}

fn change(books: &mut Books, moment: &str, effective: &str) {
    let change = Change {
        lines: vec![PlanLine {
            id: LineId(Uuid::from_u128(7)),
            ..flat(7, "62.00")
        }],
        replaced: vec![LineId(Uuid::from_u128(7))],
        ..Change::on(date(effective))
    };
    let (at, change) = (instant(moment), Box::new(change));
    books.send(&Command::Change { at, change }).unwrap();
}

#[test]
fn a_change_of_an_order_that_is_invoiced_early_is_due_on_the_day_of_the_change() {
    let mut books = Books::sign(order("31.00", "2026-10-01", early()), "2026-09-01T00:00:00Z");
    books.bill("2026-10-20");
    assert_eq!(books.next(), Some(instant("2026-10-25T00:00:00Z")));
    change(&mut books, "2026-10-20T09:00:00Z", "2026-10-20");
    assert_eq!(books.next(), Some(instant("2026-10-20T00:00:00Z")));
    assert_eq!(books.bill("2026-10-20"), ["10-20->11-01 24.00", "10-20->11-01 -12.00"]);
    assert_eq!(books.next(), Some(instant("2026-10-25T00:00:00Z")));
}

#[test]
fn what_was_due_anyway_keeps_its_day_when_something_is_decided_after_it() {
    let mut books = Books::sign(order("31.00", "2026-10-01", early()), "2026-09-01T00:00:00Z");
    change(&mut books, "2026-10-20T09:00:00Z", "2026-10-20");
    assert_eq!(books.next(), Some(instant("2026-09-24T00:00:00Z")));
}

#[test]
fn an_order_that_begins_before_its_invoice_could_be_made_is_invoiced_when_it_is_placed() {
    let books = Books::sign(order("31.00", "2026-10-22", early()), "2026-10-20T09:00:00Z");
    assert_eq!(books.next(), Some(instant("2026-10-20T00:00:00Z")));
}

#[test]
fn history_that_is_brought_over_is_billed_period_by_period() {
    let books = Books::sign(contract(vec![flat(1, "30.00")], "2026-08-10"), "2026-11-20T09:00:00Z");
    assert_eq!(books.next(), Some(instant("2026-08-10T00:00:00Z")));
}

#[test]
fn usage_that_is_closed_by_hand_is_due_on_the_day_it_is_closed() {
    let metered = PlanLine {
        kind: Kind::Metered {
            metric: "calls".to_owned(),
            aggregation: Aggregation::Sum,
        },
        timing: Timing::Arrears,
        price: Price::PerUnit {
            amount: "1.00".parse().unwrap(),
            limits: Limits::default(),
        },
        ..flat(1, "0.00")
    };
    for lines in [vec![metered.clone()], vec![metered, flat(2, "30.00")]] {
        let mut agreed = contract(lines, "2026-10-01");
        agreed.terms = Terms::Contract {
            invoicing: InvoicingPreferences {
                usage_period_closing: UsagePeriodClosing::Manual,
                ..InvoicingPreferences::default()
            },
        };
        let mut books = Books::sign(agreed, "2026-10-01T00:00:00Z");
        books.bill("2026-11-20");
        let (at, through) = (instant("2026-11-20T09:00:00Z"), date("2026-11-01"));
        books.send(&Command::CloseUsage { at, through }).unwrap();
        assert_eq!(books.next(), Some(instant("2026-11-20T00:00:00Z")));
        assert_eq!(books.bill("2026-11-20"), ["10-01->11-01 0.00"]);
    }
}

#[test]
fn what_a_cancellation_gives_back_and_what_goes_on_again_is_due_on_the_day_of_the_decision() {
    let mut books = Books::sign(contract(vec![flat(1, "31.00")], "2026-10-01"), "2026-10-01T00:00:00Z");
    books.bill("2026-11-20");
    let (at, effective) = (instant("2026-11-20T09:00:00Z"), date("2026-10-10"));
    books.send(&Command::Cancel { at, effective }).unwrap();
    assert_eq!(books.next(), Some(instant("2026-11-20T00:00:00Z")));
    assert_eq!(books.bill("2026-11-20"), ["11-01->12-01 -31.00", "10-10->11-01 -22.00"]);
    assert_eq!(books.next(), None);
    let (at, from) = (instant("2026-11-20T10:00:00Z"), date("2026-10-10"));
    let undelivered = Vec::new();
    books.send(&Command::Reactivate { at, from, undelivered }).unwrap();
    assert_eq!(books.next(), Some(instant("2026-11-20T00:00:00Z")));
    assert_eq!(books.bill("2026-11-20"), ["10-10->11-01 22.00", "11-01->12-01 31.00"]);
    assert_eq!(books.next(), Some(instant("2026-12-01T00:00:00Z")));
}

/// When each charge fell due, moment by moment, up to a day.
fn billed(books: &mut Books, day: &str) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(moment) = books
        .next()
        .filter(|next| *next <= instant(&format!("{day}T12:00:00Z")))
    {
        let charges = books.bill_at(moment);
        let told = |charge: &Charge| format!("{} on {}", books::line(charge), moment.format("%m-%d"));
        all.extend(charges.iter().map(told));
    }
    all
}

#[test]
fn what_is_decided_while_billing_is_behind_is_due_on_its_own_day_and_what_was_due_before_on_its() {
    let behind = || {
        let mut books = Books::sign(contract(vec![flat(1, "31.00")], "2026-08-01"), "2026-08-01T00:00:00Z");
        assert_eq!(books.bill("2026-09-30").len(), 2);
        books
    };
    let (at, effective) = (instant("2026-11-20T09:00:00Z"), date("2026-08-16"));
    let mut books = behind();
    books.send(&Command::Cancel { at, effective }).unwrap();
    assert_eq!(
        billed(&mut books, "2026-11-20"),
        ["09-01->10-01 -31.00 on 11-20", "08-16->09-01 -16.00 on 11-20"]
    );
    let mut books = behind();
    let change = Change {
        lines: vec![flat(1, "62.00")],
        ..Change::on(effective)
    };
    let change = Box::new(change);
    books.send(&Command::Change { at, change }).unwrap();
    let told = billed(&mut books, "2026-11-20");
    assert_eq!(told.len(), 6);
    assert!(told.iter().all(|line| line.ends_with("on 11-20")), "{told:?}");
    let mut books = behind();
    let from = date("2026-10-20");
    books.send(&Command::Pause { at, from }).unwrap();
    assert_eq!(billed(&mut books, "2026-11-20"), ["10-01->10-20 19.00 on 10-01"]);
    books
        .send(&Command::Resume {
            at,
            from: date("2026-10-25"),
        })
        .unwrap();
    assert_eq!(
        billed(&mut books, "2026-11-20"),
        ["10-25->11-01 7.00 on 11-20", "11-01->12-01 31.00 on 11-20"]
    );
}

#[test]
fn what_a_preference_of_the_line_begins_anew_in_the_same_call_is_due_on_the_day_of_the_call_too() {
    let terms = OrderBillingPreferences {
        pro_rata_partial_charging_period: true,
        ..OrderBillingPreferences::default()
    };
    let mut agreed = order("31.00", "2026-08-01", terms);
    let details = agreed.order.as_mut().unwrap();
    details.lines.push(OrderLine {
        id: LineId(Uuid::from_u128(8)),
        ..details.lines[0].clone()
    });
    let mut books = Books::sign(agreed, "2026-08-01T00:00:00Z");
    assert_eq!(books.bill("2026-09-30").len(), 4);
    change(&mut books, "2026-11-20T09:00:00Z", "2026-08-16");
    let billing = Box::new(LineBilling {
        timing: Some(Timing::Arrears),
        ..LineBilling::default()
    });
    let (at, line) = (instant("2026-11-20T09:00:00Z"), LineId(Uuid::from_u128(7)));
    books.send(&Command::UpdateLineBilling { at, line, billing }).unwrap();
    let told = billed(&mut books, "2026-11-20");
    let other = ["10-01->11-01 31.00 on 10-01", "11-01->12-01 31.00 on 11-01"];
    assert_eq!(told[..2], other);
    assert_eq!(told.len(), 7, "{told:?}");
    assert!(told[2..].iter().all(|line| line.ends_with("on 11-20")), "{told:?}");
}
