use chrono::{DateTime, NaiveDate, Utc};
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

fn command(issue_date: &str, charges: Vec<Charge>) -> Command {
    Command::Issue {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        invoice: InvoiceId(Uuid::from_u128(1)),
        number: 1,
        customer: CustomerId(Uuid::from_u128(2)),
        subscription: SubscriptionId(Uuid::from_u128(3)),
        issue_date: date(issue_date),
        credit: Money::zero(Currency::EUR),
        others: std::collections::BTreeMap::new(),
        zone: chrono_tz::Tz::UTC,
        processor: None,
        notice: None,
        charges,
    }
}

fn issue(issue_date: &str, charges: Vec<Charge>) -> Result<Issued, Refused> {
    let events = Invoice::Absent.decide(&command(issue_date, charges))?;
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

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An invoice over 249.95.
fn open_invoice() -> Invoice {
    let mut invoice = Invoice::default();
    let issued = Box::new(issue("2026-10-01", vec![charge(1, 24995, "2026-11-01")]).unwrap());
    let at = at("2026-10-01T00:00:00Z");
    invoice.apply(&Event::Issued { at, issued });
    invoice
}

fn pay(reference: &str, amount: Money) -> Command {
    Command::Pay {
        at: at("2026-10-06T12:00:00Z"),
        reference: reference.to_owned(),
        amount,
        method: None,
        paid_at: at("2026-10-06T12:00:00Z"),
    }
}

fn done(invoice: &mut Invoice, command: &Command) -> Vec<Event> {
    let events = invoice.decide(command).unwrap();
    for event in &events {
        invoice.apply(event);
    }
    events
}

#[test]
fn the_same_reference_pays_once_and_what_is_too_much_is_named() {
    let mut invoice = open_invoice();
    assert_eq!(done(&mut invoice, &pay("ch_1", eur(1000))).len(), 1);
    assert_eq!(invoice.open(), Ok(eur(23995)));
    assert_eq!(done(&mut invoice, &pay(" ch_1 ", eur(1000))), []);
    assert_eq!(invoice.open(), Ok(eur(23995)));
    let reference = "ch_1".to_owned();
    assert_eq!(
        invoice.decide(&pay("ch_1", eur(1001))),
        Err(Refused::ReferenceTaken { reference })
    );
    let events = done(&mut invoice, &pay("ch_2", eur(25000)));
    let [
        Event::PaymentRecorded {
            applied,
            overpaid,
            paid,
            balance,
            ..
        },
    ] = events.as_slice()
    else {
        panic!("one payment, got {events:?}")
    };
    assert_eq!(
        (*applied, *overpaid, *paid, *balance),
        (eur(23995), Some(eur(1005)), eur(24995), eur(0))
    );
    let events = done(&mut invoice, &pay("ch_3", eur(7)));
    assert!(
        matches!(events.as_slice(), [Event::PaymentRecorded { applied, overpaid: Some(overpaid), .. }]
            if (*applied, *overpaid) == (eur(0), eur(7))),
        "{events:?}"
    );
}

#[test]
fn what_is_no_payment_is_refused() {
    let invoice = open_invoice();
    for (command, refused) in [
        (pay("  ", eur(1)), Refused::ReferenceMissing),
        (pay(&"x".repeat(256), eur(1)), Refused::ReferenceMissing),
        (pay("ch_1", eur(0)), Refused::NothingPaid),
        (pay("ch_1", eur(-1)), Refused::NothingPaid),
        (
            pay("ch_1", Money::new(1, Currency::USD)),
            Refused::WrongCurrency {
                expected: Currency::EUR,
                got: Currency::USD,
            },
        ),
    ] {
        assert_eq!(invoice.decide(&command), Err(refused));
    }
    assert_eq!(Invoice::Absent.decide(&pay("ch_1", eur(1))), Err(Refused::Unknown));
    for (paid_at, allowed) in [
        ("2026-10-06T11:59:59Z", true),
        ("2026-10-06T12:00:00Z", true),
        ("2026-10-06T12:00:01Z", false),
    ] {
        let command = Command::Pay {
            at: at("2026-10-06T12:00:00Z"),
            reference: "ch_1".to_owned(),
            amount: eur(1),
            method: None,
            paid_at: at(paid_at),
        };
        assert_eq!(invoice.decide(&command).is_ok(), allowed, "{paid_at}");
    }
}

#[test]
fn credit_pays_no_more_than_is_open() {
    let mut invoice = open_invoice();
    done(&mut invoice, &pay("ch_1", eur(1000)));
    let apply = |amount| Command::ApplyCredit {
        at: at("2026-10-06T12:00:00Z"),
        amount,
    };
    for amount in [eur(0), eur(23996), Money::new(1, Currency::USD)] {
        assert_eq!(
            invoice.decide(&apply(amount)),
            Err(Refused::MoreThanOpen { open: eur(23995) })
        );
    }
    let mut figures = Vec::new();
    for amount in [eur(23000), eur(995)] {
        for event in done(&mut invoice, &apply(amount)) {
            if let Event::CreditApplied {
                credit_applied,
                to_pay,
                balance,
                ..
            } = event
            {
                figures.push([credit_applied.minor, to_pay.minor, balance.minor]);
            }
        }
    }
    assert_eq!(figures, [[23000, 1995, 995], [23995, 1000, 0]]);
    assert_eq!(invoice.open(), Ok(eur(0)));
}

#[test]
fn what_is_paid_automatically_is_collected_when_its_due_date_begins_where_the_customer_is() {
    let automatic = |minor| Charge {
        automatic_payment: true,
        ..charge(1, minor, "2026-11-01")
    };
    for (charges, zone, collected) in [
        (vec![automatic(1)], "UTC", Some("2026-11-01T00:00:00Z")),
        (vec![automatic(1)], "Asia/Kolkata", Some("2026-10-31T18:30:00Z")),
        (vec![automatic(1)], "America/New_York", Some("2026-11-01T04:00:00Z")),
        (vec![automatic(0)], "UTC", None),
        (vec![automatic(-1)], "UTC", None),
        (vec![charge(1, 1, "2026-11-01")], "UTC", None),
    ] {
        let mut command = command("2026-10-01", charges);
        if let Command::Issue {
            zone: place, processor, ..
        } = &mut command
        {
            *place = zone.parse().unwrap();
            *processor = Some("Stripe".to_owned());
        }
        let events = Invoice::Absent.decide(&command).unwrap();
        let [Event::Issued { issued, .. }] = events.as_slice() else {
            panic!("one event, got {events:?}")
        };
        let collection = collected.map(|moment| {
            Box::new(Collection {
                at: at(moment),
                processor: Some("Stripe".to_owned()),
            })
        });
        assert_eq!(issued.collection, collection, "{zone}");
    }
}

fn void(reason: &str) -> Command {
    Command::Void {
        at: at("2026-10-07T12:00:00Z"),
        reason: reason.to_owned(),
    }
}

#[test]
fn a_voided_invoice_owes_nothing_and_what_comes_for_it_is_too_much() {
    let mut invoice = open_invoice();
    let credit = Command::ApplyCredit {
        at: at("2026-10-06T12:00:00Z"),
        amount: eur(995),
    };
    done(&mut invoice, &credit);
    let events = done(&mut invoice, &void(" Wrong customer "));
    let [
        Event::Voided {
            reason,
            credit_returned,
            credit_taken_back,
            ..
        },
    ] = events.as_slice()
    else {
        panic!("it is voided, got {events:?}")
    };
    assert_eq!(
        (reason.as_str(), *credit_returned, *credit_taken_back),
        ("Wrong customer", Some(eur(995)), None)
    );
    assert_eq!((invoice.open(), invoice.is_voided()), (Ok(eur(0)), true));
    assert_eq!(invoice.decide(&void("again")), Ok(vec![]));
    assert_eq!(invoice.decide(&credit), Err(Refused::MoreThanOpen { open: eur(0) }));
    let events = done(&mut invoice, &pay("ch_1", eur(7)));
    assert!(
        matches!(events.as_slice(), [Event::PaymentRecorded { applied, overpaid: Some(overpaid), .. }]
            if (*applied, *overpaid) == (eur(0), eur(7))),
        "{events:?}"
    );
}

#[test]
fn what_was_paid_in_part_is_not_voided_and_a_reason_is_needed() {
    let mut invoice = open_invoice();
    for reason in ["", " ", &"x".repeat(501)] {
        assert_eq!(invoice.decide(&void(reason)), Err(Refused::ReasonMissing));
    }
    done(&mut invoice, &pay("ch_1", eur(1)));
    assert_eq!(invoice.decide(&void("wrong")), Err(Refused::Paid));
    assert_eq!(Invoice::Absent.decide(&void("wrong")), Err(Refused::Unknown));
}
