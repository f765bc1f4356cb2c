use chrono::NaiveDate;
use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId},
    money::{Currency, Money, MoneyError},
    subscription::Charge,
};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn charge(n: u128, minor: i64, due: &str) -> Charge {
    Charge {
        id: ChargeId(Uuid::from_u128(n)),
        name: "Seats".to_owned(),
        amount: Money::new(minor, Currency::EUR),
        period: Period {
            start: date("2026-10-01"),
            end: Some(date("2026-11-01")),
        },
        flat_fee: false,
        automatic_payment: false,
        due_date: date(due),
        line: None,
        tax_rate: None,
        explanation: None,
    }
}

fn issue(issue_date: &str, charges: Vec<Charge>) -> Result<Issued, Refused> {
    let command = Command::Issue {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        invoice: InvoiceId(Uuid::from_u128(1)),
        number: 1,
        customer: CustomerId(Uuid::from_u128(2)),
        subscription: SubscriptionId(Uuid::from_u128(3)),
        issue_date: date(issue_date),
        credit: Money::zero(Currency::EUR),
        charges,
    };
    let events = Invoice::Absent.decide(&command)?;
    let [Event::Issued { issued, .. }] = events.as_slice() else {
        panic!("one event, got {events:?}")
    };
    Ok((**issued).clone())
}

#[test]
fn the_lines_add_up_to_the_total() {
    let issued = issue(
        "2026-10-01",
        vec![charge(1, 1234, "2026-11-01"), charge(2, -34, "2026-11-01")],
    )
    .unwrap();
    assert_eq!(issued.total, Money::new(1200, Currency::EUR));
    assert_eq!(issued.lines.len(), 2);
}

#[test]
fn the_due_date_is_the_earliest_of_the_charges_but_never_before_the_issue_date() {
    let charges = || vec![charge(1, 1, "2026-11-01"), charge(2, 1, "2026-10-15")];
    for (issue_date, due) in [
        ("2026-10-14", "2026-10-15"),
        ("2026-10-15", "2026-10-15"),
        ("2026-10-16", "2026-10-16"),
        ("2026-12-01", "2026-12-01"),
    ] {
        assert_eq!(
            issue(issue_date, charges()).unwrap().due_date,
            date(due),
            "issued {issue_date}"
        );
    }
}

#[test]
fn what_cannot_be_one_invoice_is_refused() {
    assert_eq!(issue("2026-10-01", vec![]), Err(Refused::NoLines));
    let automatic = Charge {
        automatic_payment: true,
        ..charge(2, 1, "2026-11-01")
    };
    assert_eq!(
        issue("2026-10-01", vec![charge(1, 1, "2026-11-01"), automatic]),
        Err(Refused::MixedPayment)
    );
    let huge = vec![charge(1, i64::MAX, "2026-11-01"), charge(2, 1, "2026-11-01")];
    assert_eq!(issue("2026-10-01", huge), Err(Refused::Money(MoneyError::Overflow)));
    let dollars = Charge {
        amount: Money::new(1, Currency::USD),
        ..charge(2, 1, "2026-11-01")
    };
    assert!(matches!(
        issue("2026-10-01", vec![charge(1, 1, "2026-11-01"), dollars]),
        Err(Refused::Money(MoneyError::CurrencyMismatch { .. }))
    ));
}
