use chrono::NaiveDate;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    billing::{Aggregation, Span, UsageRecord},
    id::SubscriptionId,
};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn used(at: &str, quantity: &str) -> UsageRecord {
    UsageRecord {
        id: None,
        metric: "api".to_owned(),
        at: at.parse().unwrap(),
        quantity: quantity.parse().unwrap(),
        key: None,
        total_from: None,
        period_from: None,
    }
}

fn named(id: &str, at: &str, quantity: &str) -> UsageRecord {
    UsageRecord {
        id: Some(id.to_owned()),
        ..used(at, quantity)
    }
}

fn total(at: &str, quantity: &str) -> UsageRecord {
    UsageRecord {
        total_from: Some(date("2026-10-01")),
        ..used(at, quantity)
    }
}

fn record(at: &str, records: Vec<UsageRecord>) -> Command {
    Command::Record {
        at: at.parse().unwrap(),
        subscription: SubscriptionId(Uuid::from_u128(1)),
        time_zone: None,
        records,
    }
}

/// What is recorded, each record in a call of its own.
fn meter(records: &[UsageRecord]) -> Meter {
    let mut meter = Meter::default();
    for one in records {
        for event in meter
            .decide(&record("2026-10-20T00:00:00Z", vec![one.clone()]))
            .unwrap()
        {
            meter.apply(&event);
        }
    }
    meter
}

fn october(meter: &Meter) -> Decimal {
    let span = Span {
        start: date("2026-10-01"),
        end: date("2026-11-01"),
    };
    meter.usage().measure("api", Aggregation::Sum, span).unwrap()
}

#[test]
fn an_id_counts_once_in_a_call_and_over_calls() {
    let meter = meter(&[
        named("a", "2026-10-02T00:00:00Z", "1"),
        named("a", "2026-10-02T00:00:00Z", "1"),
        named("b", "2026-10-02T00:00:00Z", "1"),
    ]);
    assert_eq!(october(&meter), Decimal::from(2));
    let twice = vec![
        named("b", "2026-10-03T00:00:00Z", "1"),
        named("c", "2026-10-03T00:00:00Z", "1"),
        named("c", "2026-10-03T00:00:00Z", "1"),
    ];
    let events = meter.decide(&record("2026-10-20T00:00:00Z", twice)).unwrap();
    let [Event::Recorded { records, .. }] = events.as_slice() else {
        panic!("one event, got {events:?}")
    };
    assert_eq!(records.len(), 1);
    let known = vec![named("a", "2026-10-02T00:00:00Z", "1")];
    assert_eq!(meter.decide(&record("2026-10-20T00:00:00Z", known)), Ok(Vec::new()));
}

#[test]
fn an_id_is_forgotten_once_it_is_old() {
    let mut meter = meter(&[named("a", "2026-10-02T00:00:00Z", "1")]);
    let again = |meter: &Meter| {
        let again = vec![named("a", "2026-10-02T00:00:00Z", "1")];
        meter.decide(&record("2027-12-01T00:00:00Z", again)).unwrap().len()
    };
    for (day, counts) in [("2027-11-24T00:00:00Z", 0), ("2027-11-25T00:00:00Z", 1)] {
        let other = vec![named(day, day, "1")];
        for event in meter.decide(&record(day, other)).unwrap() {
            meter.apply(&event);
        }
        assert_eq!(again(&meter), counts, "{day}");
    }
}

#[test]
fn a_total_takes_the_place_of_what_came_before_it() {
    let before = used("2026-10-02T00:00:00Z", "7");
    let stated = total("2026-10-05T12:00:00Z", "100");
    let at = used("2026-10-05T12:00:00Z", "1");
    let after = used("2026-10-05T12:00:01Z", "1");
    let september = used("2026-09-30T12:00:00Z", "5");
    for (records, sum) in [
        (vec![before.clone(), stated.clone()], 100),
        (vec![stated.clone(), before.clone()], 100),
        (vec![stated.clone(), at], 100),
        (vec![september, before.clone(), stated.clone(), after], 101),
        (vec![stated.clone(), total("2026-10-06T00:00:00Z", "90")], 90),
        (vec![total("2026-10-06T00:00:00Z", "90"), stated.clone()], 90),
        (vec![stated.clone(), total("2026-10-05T12:00:00Z", "80")], 80),
    ] {
        assert_eq!(october(&meter(&records)), Decimal::from(sum), "{records:?}");
    }
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let good = used("2026-10-02T00:00:00Z", "0.000000000001");
    assert_eq!(check(&good), Ok(()));
    assert_eq!(check(&used("2026-10-02T00:00:00Z", "1000000000000000")), Ok(()));
    for quantity in ["-1", "1000000000000001", "0.0000000000001"] {
        assert_eq!(check(&used("2026-10-02T00:00:00Z", quantity)), Err(Refused::Quantity));
    }
    let nameless = UsageRecord {
        metric: String::new(),
        ..good.clone()
    };
    assert_eq!(check(&nameless), Err(Refused::Metric));
    assert_eq!(check(&named("", "2026-10-02T00:00:00Z", "1")), Err(Refused::Id));
    assert_eq!(check(&used("9999-12-31T00:00:00Z", "1")), Err(Refused::Time));
    let keyless = UsageRecord {
        key: Some(String::new()),
        ..good
    };
    assert_eq!(check(&keyless), Err(Refused::Key));
}

#[test]
fn a_total_of_a_period_that_goes_on_under_other_terms_contains_what_was_used_before() {
    let since_change = UsageRecord {
        total_from: Some(date("2026-10-15")),
        period_from: Some(date("2026-10-01")),
        ..used("2026-10-20T10:00:00Z", "100")
    };
    let known = [
        used("2026-10-05T10:00:00Z", "60"),
        used("2026-10-16T10:00:00Z", "7"),
        since_change,
    ];
    let meter = meter(&known);
    let measure = |start: &str, end: &str| {
        let (start, end) = (date(start), date(end));
        let span = crate::billing::Span { start, end };
        let measured = meter.usage().measure("api", crate::billing::Aggregation::Sum, span);
        measured.unwrap().to_string()
    };
    assert_eq!(measure("2026-10-01", "2026-10-15"), "60");
    assert_eq!(measure("2026-10-15", "2026-11-01"), "40");
}
