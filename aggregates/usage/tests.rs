use chrono::NaiveDate;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    billing::{Aggregation, Span, UsageRecord},
    calendar::Tz,
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
        theirs: None,
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
        first_day: None,
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

fn adjust(taken: &[UsageRecord], given: &[UsageRecord]) -> Command {
    Command::Adjust {
        at: "2026-10-20T00:00:00Z".parse().unwrap(),
        subscription: SubscriptionId(Uuid::from_u128(1)),
        time_zone: None,
        first_day: None,
        taken: taken.to_vec(),
        given: given.to_vec(),
    }
}

#[test]
fn what_was_counted_can_be_taken_back_and_said_otherwise() {
    let (five, two) = (used("2026-10-02T00:00:00Z", "5"), used("2026-10-03T00:00:00Z", "2"));
    let seven = meter(&[five.clone(), two.clone()]);
    assert_eq!(
        seven.decide(&adjust(std::slice::from_ref(&five), std::slice::from_ref(&five))),
        Ok(Vec::new())
    );
    for (taken, given, sum) in [
        (vec![five.clone()], vec![], 2),
        (vec![five.clone()], vec![used("2026-10-09T00:00:00Z", "4")], 6),
        (vec![five.clone()], vec![used("2026-09-30T23:59:59Z", "4")], 2),
        (vec![five.clone(), two.clone()], vec![], 0),
    ] {
        let mut meter = seven.clone();
        for event in seven.decide(&adjust(&taken, &given)).unwrap() {
            meter.apply(&event);
        }
        assert_eq!(october(&meter), Decimal::from(sum), "{taken:?} {given:?}");
    }
}

#[test]
fn what_a_later_total_contains_is_not_taken_out_of_it() {
    let five = used("2026-10-02T00:00:00Z", "5");
    let hundred = meter(&[five.clone(), total("2026-10-05T12:00:00Z", "100")]);
    let mut after = hundred.clone();
    for event in hundred.decide(&adjust(&[five], &[])).unwrap() {
        after.apply(&event);
    }
    assert_eq!(october(&after), Decimal::ONE_HUNDRED);
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

/// Since the terms changed on the 15th; of all October.
fn since_change(at: &str, quantity: &str) -> UsageRecord {
    UsageRecord {
        total_from: Some(date("2026-10-15")),
        period_from: Some(date("2026-10-01")),
        ..used(at, quantity)
    }
}

/// What was used before the 15th, and from then on.
fn parts(meter: &Meter) -> [String; 2] {
    [("2026-10-01", "2026-10-15"), ("2026-10-15", "2026-11-01")].map(|(start, end)| {
        let (start, end) = (date(start), date(end));
        let measured = meter.usage().measure("api", Aggregation::Sum, Span { start, end });
        measured.unwrap().to_string()
    })
}

#[test]
fn a_total_that_comes_late_leaves_what_was_used_later_on_its_day() {
    let before = used("2026-10-05T09:00:00Z", "7");
    let at = used("2026-10-05T12:00:00Z", "3");
    let after = [
        used("2026-10-05T12:00:01Z", "1"),
        used("2026-10-05T18:00:00Z", "2"),
        used("2026-10-06T00:00:00Z", "4"),
    ];
    let stated = total("2026-10-05T12:00:00Z", "100");
    let mut all = vec![before, at, stated];
    all.extend(after);
    // In whatever order they come.
    for turn in 0..all.len() {
        let mut records = all.clone();
        records.rotate_left(turn);
        assert_eq!(october(&meter(&records)), Decimal::from(107), "{records:?}");
        records.reverse();
        assert_eq!(october(&meter(&records)), Decimal::from(107), "{records:?}");
    }
}

#[test]
fn what_was_taken_back_is_not_left_by_a_total_that_comes_late() {
    let later = used("2026-10-05T18:00:00Z", "2");
    let mut meter = meter(&[later.clone(), used("2026-10-05T19:00:00Z", "4")]);
    for command in [
        adjust(&[later], &[]),
        record("2026-10-20T00:00:00Z", vec![total("2026-10-05T12:00:00Z", "100")]),
    ] {
        for event in meter.decide(&command).unwrap() {
            meter.apply(&event);
        }
    }
    assert_eq!(october(&meter), Decimal::from(104));
}

#[test]
fn a_total_that_comes_late_to_a_busy_day_leaves_what_was_used_later_to_the_quarter_of_an_hour() {
    let minutes = (0..24 * 60).map(|minute| {
        let at = format!("2026-10-05T{:02}:{:02}:00Z", minute / 60, minute % 60);
        used(&at, "1")
    });
    let mut records: Vec<_> = minutes.collect();
    records.push(total("2026-10-05T12:00:00Z", "1000"));
    let left = october(&meter(&records)) - Decimal::from(1000);
    let exact = Decimal::from(12 * 60 - 1);
    assert!((exact - Decimal::from(15)..=exact).contains(&left), "{left}");
}

#[test]
fn what_is_heard_late_of_the_days_before_a_change_is_taken_from_the_total_of_the_period() {
    let hundred = [
        used("2026-10-05T10:00:00Z", "60"),
        since_change("2026-10-20T10:00:00Z", "100"),
    ];
    assert_eq!(parts(&meter(&hundred)), ["60", "40"]);
    for (late, known) in [
        (used("2026-10-06T10:00:00Z", "10"), ["70", "30"]),
        (total("2026-10-08T10:00:00Z", "75"), ["75", "25"]),
        (total("2026-10-04T10:00:00Z", "20"), ["80", "20"]),
        (total("2026-10-08T10:00:00Z", "130"), ["130", "0"]),
        // Behind the change it is contained, or adds.
        (used("2026-10-16T10:00:00Z", "10"), ["60", "40"]),
        (used("2026-10-21T10:00:00Z", "10"), ["60", "50"]),
        (since_change("2026-10-18T10:00:00Z", "90"), ["60", "40"]),
        (since_change("2026-10-22T10:00:00Z", "90"), ["60", "30"]),
    ] {
        let mut records = hundred.to_vec();
        records.push(late.clone());
        assert_eq!(parts(&meter(&records)), known, "{late:?}");
        // What adds on the day of the total stays, too.
        let evening = used("2026-10-20T18:00:00Z", "1000");
        let newer = late.at > evening.at && late.total_from.is_some();
        records.insert(2, evening);
        let [before, behind] = parts(&meter(&records));
        let adds = if newer { 0 } else { 1000 };
        let behind = behind.parse::<Decimal>().unwrap() - Decimal::from(adds);
        assert_eq!([before, behind.to_string()], known, "{late:?}");
    }
}

#[test]
fn what_is_taken_back_of_the_days_before_a_change_falls_behind_it() {
    let five = used("2026-10-05T10:00:00Z", "5");
    let mut meter = meter(&[five.clone(), since_change("2026-10-20T10:00:00Z", "100")]);
    assert_eq!(parts(&meter), ["5", "95"]);
    for event in meter.decide(&adjust(&[five], &[])).unwrap() {
        meter.apply(&event);
    }
    assert_eq!(parts(&meter), ["0", "100"]);
}

/// What a log comes to: of before, where events say nothing of the moment, or of now.
fn replayed(records: &[UsageRecord], of_before: bool) -> Meter {
    let mut meter = Meter::default();
    for one in records {
        for event in meter
            .decide(&record("2026-10-20T00:00:00Z", vec![one.clone()]))
            .unwrap()
        {
            let mut stored = serde_json::to_value(&event).unwrap();
            let is_marked = stored.as_object_mut().unwrap().remove("to_the_moment").is_some();
            assert_eq!(is_marked, one.total_from.is_some());
            let read = if of_before {
                serde_json::from_value(stored).unwrap()
            } else {
                event
            };
            meter.apply(&read);
        }
    }
    meter
}

#[test]
fn a_log_of_before_counts_as_it_was_billed() {
    let evening = used("2026-10-05T18:00:00Z", "5");
    let noon = total("2026-10-05T12:00:00Z", "100");
    let night = used("2026-10-05T20:00:00Z", "1");
    let one_day = [evening, noon, night];
    assert_eq!(october(&replayed(&one_day, true)), Decimal::from(101));
    assert_eq!(october(&replayed(&one_day, false)), Decimal::from(106));
    let late = [
        used("2026-10-05T10:00:00Z", "60"),
        since_change("2026-10-20T10:00:00Z", "100"),
        used("2026-10-06T10:00:00Z", "10"),
    ];
    assert_eq!(parts(&replayed(&late, true)), ["70", "40"]);
    assert_eq!(parts(&replayed(&late, false)), ["70", "30"]);
    // What was stated of a part of the days stays beside what was stated of all of them.
    let within = [
        since_change("2026-10-18T10:00:00Z", "90"),
        total("2026-10-20T10:00:00Z", "100"),
        used("2026-10-19T10:00:00Z", "7"),
    ];
    assert_eq!(october(&replayed(&within, true)), Decimal::from(107));
    assert_eq!(october(&replayed(&within, false)), Decimal::from(100));
}

#[test]
fn what_is_stated_behind_a_log_of_before_counts_to_the_moment() {
    let mut meter = replayed(
        &[
            used("2026-10-05T10:00:00Z", "60"),
            since_change("2026-10-20T10:00:00Z", "100"),
            used("2026-10-20T18:00:00Z", "5"),
        ],
        true,
    );
    assert_eq!(parts(&meter), ["60", "45"]);
    for one in [
        since_change("2026-10-20T12:00:00Z", "110"),
        used("2026-10-06T10:00:00Z", "10"),
    ] {
        for event in meter.decide(&record("2026-10-21T00:00:00Z", vec![one])).unwrap() {
            meter.apply(&event);
        }
    }
    assert_eq!(parts(&meter), ["70", "45"]);
}

#[test]
fn what_a_total_left_on_days_that_a_later_one_contains_moves_no_more() {
    let since = |day: &str, at: &str, quantity: &str| UsageRecord {
        total_from: Some(date(day)),
        ..since_change(at, quantity)
    };
    let mut records = vec![
        used("2026-10-05T10:00:00Z", "60"),
        since("2026-10-10", "2026-10-20T10:00:00Z", "100"),
    ];
    assert_eq!(october(&meter(&records)), Decimal::from(100));
    // Then a change was dated back.
    records.push(since("2026-10-15", "2026-10-25T10:00:00Z", "150"));
    assert_eq!(october(&meter(&records)), Decimal::from(150));
    records.push(total("2026-10-08T10:00:00Z", "20"));
    assert_eq!(october(&meter(&records)), Decimal::from(150));
    records.push(used("2026-10-09T10:00:00Z", "5"));
    assert_eq!(october(&meter(&records)), Decimal::from(150));
}

#[test]
fn what_is_heard_of_the_days_of_who_had_it_before_is_taken_from_the_total_of_the_period() {
    let stated = UsageRecord {
        theirs: Some(Decimal::from(50)),
        ..since_change("2026-10-20T10:00:00Z", "100")
    };
    let evening = used("2026-10-20T18:00:00Z", "1000");
    let mut meter = meter(&[stated, evening, used("2026-10-05T10:00:00Z", "10")]);
    assert_eq!(parts(&meter), ["10", "1040"]);
    let know = |day: &str, quantity: u32| Command::KnowTheirs {
        at: "2026-10-21T00:00:00Z".parse().unwrap(),
        subscription: SubscriptionId(Uuid::from_u128(1)),
        theirs: vec![Theirs {
            metric: "api".to_owned(),
            total_from: date(day),
            quantity: quantity.into(),
        }],
    };
    for (theirs, left) in [(70, "1020"), (200, "1000"), (0, "1090"), (50, "1040")] {
        let events = meter.decide(&know("2026-10-15", theirs)).unwrap();
        assert_eq!(events.len(), 1, "{theirs}");
        meter.apply(&events[0]);
        assert_eq!(parts(&meter), ["10", left], "{theirs}");
        // It is no news any more.
        assert_eq!(meter.decide(&know("2026-10-15", theirs)), Ok(Vec::new()));
    }
    // Of no total that counts from there.
    assert_eq!(meter.decide(&know("2026-10-16", 5)), Ok(Vec::new()));
    // A later total of the same days counts what is known when it comes.
    let later = UsageRecord {
        theirs: Some(Decimal::from(60)),
        ..since_change("2026-10-22T10:00:00Z", "1500")
    };
    for event in meter.decide(&record("2026-10-22T11:00:00Z", vec![later])).unwrap() {
        meter.apply(&event);
    }
    assert_eq!(parts(&meter), ["10", "1430"]);
}

#[test]
fn what_a_total_of_the_whole_period_contains_is_contained_behind_a_change_that_is_dated_back() {
    let whole = total("2026-10-20T10:00:00Z", "100");
    for late in [
        vec![],
        vec![since_change("2026-10-17T10:00:00Z", "50")],
        vec![used("2026-10-18T10:00:00Z", "7")],
        vec![
            since_change("2026-10-17T10:00:00Z", "50"),
            used("2026-10-18T10:00:00Z", "7"),
        ],
    ] {
        let known: Vec<_> = [whole.clone()].into_iter().chain(late).collect();
        assert_eq!(october(&meter(&known)), Decimal::ONE_HUNDRED, "{known:?}");
    }
    let behind = used("2026-10-21T10:00:00Z", "7");
    assert_eq!(october(&meter(&[whole, behind])).to_string(), "107");
}

#[test]
fn a_record_dated_ahead_does_not_make_a_total_swallow_what_was_used_later_on_its_day() {
    let ahead = used("2028-01-10T10:00:00Z", "1");
    let day = [
        used("2026-10-10T10:00:00Z", "5"),
        used("2026-10-10T14:00:00Z", "7"),
        total("2026-10-10T12:00:00Z", "5"),
    ];
    assert_eq!(october(&meter(&day)).to_string(), "12");
    let known: Vec<_> = [ahead].into_iter().chain(day).collect();
    assert_eq!(october(&meter(&known)).to_string(), "12");
}

#[test]
fn what_is_handed_over_counts_there_as_it_did_here() {
    let mut old = meter(&[
        used("2026-10-02T00:00:00Z", "9"),
        total("2026-10-09T11:00:00Z", "500"),
        used("2026-10-09T12:00:00Z", "3"),
        used("2026-10-11T00:00:00Z", "7"),
    ]);
    let since = Since::from([("api".to_owned(), date("2026-10-05"))]);
    let known = old.known_since(&since, Tz::UTC);
    let (at, subscription) = (at("2026-10-12T00:00:00Z"), SubscriptionId(Uuid::from_u128(1)));
    let to = Some(SubscriptionId(Uuid::from_u128(2)));
    let give = Command::HandOver {
        at,
        subscription,
        to,
        since,
    };
    for event in old.decide(&give).unwrap() {
        old.apply(&event);
    }
    assert_eq!(october(&old), Decimal::ZERO);
    // What was before the total is contained in it still.
    count(&mut old, used("2026-10-03T00:00:00Z", "1"));
    assert_eq!(october(&old), Decimal::ZERO);
    let mut new = Meter::default();
    let take = Command::TakeOver {
        at,
        subscription: SubscriptionId(Uuid::from_u128(2)),
        from: subscription,
        known,
    };
    for event in new.decide(&take).unwrap() {
        new.apply(&event);
    }
    assert_eq!(october(&new), Decimal::from(510));
    count(&mut new, used("2026-10-08T00:00:00Z", "1"));
    assert_eq!(october(&new), Decimal::from(510));
    count(&mut new, used("2026-10-09T11:15:00Z", "4"));
    assert_eq!(october(&new), Decimal::from(514));
    let later = UsageRecord {
        total_from: Some(date("2026-10-05")),
        ..used("2026-10-09T11:30:00Z", "600")
    };
    count(&mut new, later);
    assert_eq!(october(&new), Decimal::from(610));
}

fn at(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().unwrap()
}

fn count(meter: &mut Meter, one: UsageRecord) {
    for event in meter.decide(&record("2026-10-20T00:00:00Z", vec![one])).unwrap() {
        meter.apply(&event);
    }
}
