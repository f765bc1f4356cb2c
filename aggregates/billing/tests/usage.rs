//! How records become quantities, when periods of usage close, and what late usage does.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    billing::{Aggregation, Reason, Span, price::Limits, usage::Day},
    random::hold,
    terms::UsagePeriodClosing::{After1Day, After1Hour, After15Minutes, Automatic, Manual},
};

/// Calls at a price each, by the month.
fn calls(amount: &str) -> Phase {
    monthly(1, "0", "2026-01-01")
        .of_kind(Kind::Metered {
            metric: "calls".to_owned(),
            aggregation: Aggregation::Sum,
        })
        .priced(
            Price::PerUnit {
                amount: number(amount),
                limits: Limits::default(),
            },
            "0",
        )
}

fn record(at: &str, quantity: &str, key: Option<&str>) -> UsageRecord {
    UsageRecord {
        id: None,
        metric: "seats".to_owned(),
        at: at.parse().unwrap(),
        quantity: number(quantity),
        key: key.map(str::to_owned),
        total_from: None,
        period_from: None,
        theirs: None,
    }
}

fn seats() -> [UsageRecord; 5] {
    [
        record("2026-01-01T00:00:00Z", "3", Some("ann")),
        record("2026-01-01T23:59:59Z", "9", Some("bob")),
        record("2026-01-15T12:00:00Z", "2", Some("ann")),
        record("2026-01-31T23:59:59Z", "4", None),
        record("2026-02-01T00:00:00Z", "50", Some("eve")),
    ]
}

fn january() -> Span {
    Span {
        start: date("2026-01-01"),
        end: date("2026-02-01"),
    }
}

#[test]
fn records_become_one_quantity_by_their_aggregation() {
    let mut usage = Usage::default();
    for record in seats() {
        usage.record(&record, Tz::UTC).unwrap();
    }
    for (aggregation, quantity) in [
        (Aggregation::Sum, "18"),
        (Aggregation::Count, "4"),
        (Aggregation::Max, "9"),
        (Aggregation::Latest, "4"),
        (Aggregation::Unique, "2"),
    ] {
        let measured = usage.measure("seats", aggregation, january());
        assert_eq!(measured, Ok(number(quantity)), "{aggregation:?}");
        assert_eq!(usage.measure("calls", aggregation, january()), Ok(Decimal::ZERO));
    }
}

#[test]
fn days_merge_in_any_order_to_the_same_summary() {
    let mut there = Day::default();
    let mut back = Day::default();
    for record in seats() {
        there.merge(Day::of(&record)).unwrap();
    }
    for record in seats().iter().rev() {
        back.merge(Day::of(record)).unwrap();
    }
    assert_eq!(there, back);
    assert_eq!(there.max, Some(number("50")));
}

#[test]
fn a_period_of_usage_is_billed_when_it_is_closed() {
    for (closing, at) in [
        (Automatic, "2026-02-01T00:00:00Z"),
        (After15Minutes, "2026-02-01T00:15:00Z"),
        (After1Hour, "2026-02-01T01:00:00Z"),
        (After1Day, "2026-02-02T00:00:00Z"),
    ] {
        let mut account = account([calls("1")]);
        account.policy.usage_closing = closing;
        account.use_metric("calls", "2026-01-31T23:59:59Z", "5");
        let at: DateTime<Utc> = at.parse().unwrap();
        let second = chrono::TimeDelta::seconds(1);
        let charges = [at - second, at, at + second].map(|at| account.accrue_at(at).charges.len());
        assert_eq!(charges, [0, 1, 1], "{closing:?}");
        assert_eq!(account.accrue_at(at - second).next, Some(at));
    }
}

#[test]
fn closing_by_hand_waits_to_be_told() {
    let mut account = account([calls("1")]);
    account.policy.usage_closing = Manual;
    assert_eq!(account.bill("2026-06-01"), [""; 0]);
    assert_eq!(account.next, None);
    for (closed, lines) in [
        ("2026-01-31", 0),
        ("2026-02-01", 1),
        ("2026-02-02", 1),
        ("2026-03-01", 2),
    ] {
        account.policy.closed_through = Some(date(closed));
        let charges = account.accrue_at("2026-06-01T00:00:00Z".parse().unwrap()).charges;
        assert_eq!(charges.len(), lines, "{closed}");
    }
}

#[test]
fn usage_is_never_billed_before_its_period_is_over() {
    let mut account = account([calls("1")]);
    account.policy.invoice_days = -10;
    assert_eq!(account.bill("2026-01-31"), [""; 0]);
    account.policy.invoice_days = 10;
    assert_eq!(account.bill("2026-02-10"), [""; 0]);
    assert_eq!(account.bill("2026-02-11"), ["01-01->02-01 0.00"]);
}

#[test]
fn late_usage_is_a_visible_correction_with_the_next_period() {
    let mut account = account([calls("0.10")]);
    account.use_metric("calls", "2026-01-10T00:00:00Z", "100");
    assert_eq!(account.bill("2026-02-01"), ["01-01->02-01 10.00"]);

    account.use_metric("calls", "2026-01-20T00:00:00Z", "7");
    account.use_metric("calls", "2026-02-20T00:00:00Z", "20");
    assert_eq!(account.bill("2026-02-28"), [""; 0]);
    let charges = account.bill_on(date("2026-03-01"));
    let lines: Vec<_> = charges.iter().map(line).collect();
    assert_eq!(lines, ["01-01->02-01 0.70", "02-01->03-01 2.00"]);
    let why = &charges[0].explanation;
    assert_eq!((why.reason, why.quantity), (Reason::UsageCorrection, number("107")));
    let corrected = why.correction.unwrap();
    assert_eq!((corrected.number, corrected.billed_before.minor), (1, 1000));
    assert_eq!(account.bill("2026-03-02"), [""; 0]);
}

#[test]
fn a_correction_can_take_back_and_be_corrected_again() {
    let mut account = account([calls("1")]);
    account.use_metric("calls", "2026-01-10T00:00:00Z", "100");
    account.bill("2026-02-01");
    for (quantity, month, correction, number_of_it) in
        [("40", "2026-03-01", "-60.00", 1), ("41", "2026-04-01", "1.00", 2)]
    {
        let corrected = Day {
            sum: number(quantity),
            ..Day::default()
        };
        account.usage.replace("calls", date("2026-01-10"), corrected);
        let charges = account.bill_on(date(month));
        assert_eq!(charges[0].amount.to_string(), correction);
        assert_eq!(charges[0].explanation.correction.unwrap().number, number_of_it);
    }
}

#[test]
fn late_usage_of_a_phase_that_is_over_is_corrected_at_once() {
    let mut account = account([calls("1").until("2026-01-20")]);
    account.use_metric("calls", "2026-01-10T00:00:00Z", "5");
    assert_eq!(account.bill("2026-01-20"), ["01-01->01-20 5.00"]);
    account.use_metric("calls", "2026-01-19T23:59:59Z", "2");
    account.use_metric("calls", "2026-01-20T00:00:00Z", "100");
    assert_eq!(account.bill("2026-01-21"), ["01-01->01-20 2.00"]);
    assert_eq!(account.bill("2026-01-22"), [""; 0]);
}

#[test]
fn usage_of_a_period_without_an_end_is_billed_as_far_as_it_is_closed_by_hand() {
    let mut account = account([Phase {
        schedule: None,
        ..calls("1").priced(limited("3", "10"), "0")
    }]);
    account.policy.usage_closing = Manual;
    account.use_metric("calls", "2026-01-10T00:00:00Z", "5");
    assert_eq!(account.bill("2026-02-01"), [""; 0]);
    for (closed, day, charges) in [
        ("2026-01-05", "2026-02-01", &["01-01->01-05 10.00"][..]),
        ("2026-02-01", "2026-02-01", &["01-05->02-01 0.00"]),
        ("2026-02-01", "2026-03-01", &[]),
    ] {
        account.policy.closed_through = Some(date(closed));
        assert_eq!(account.bill(day), charges, "{closed}");
    }
    account.use_metric("calls", "2026-02-10T00:00:00Z", "10");
    account.policy.closed_through = Some(date("2026-03-01"));
    assert_eq!(account.bill("2026-03-01"), ["02-01->03-01 2.00"]);
    account.end(1, "2026-03-10");
    account.use_metric("calls", "2026-03-05T00:00:00Z", "1");
    assert_eq!(account.bill("2026-03-10"), [""; 0]);
    account.policy.closed_through = Some(date("2026-04-01"));
    assert_eq!(account.bill("2026-04-01"), ["03-01->03-10 1.00"]);
}

#[test]
fn days_that_a_phase_has_lost_owe_nothing_any_more() {
    let mut account = account([calls("1")]);
    account.use_metric("calls", "2026-01-10T00:00:00Z", "5");
    account.use_metric("calls", "2026-01-25T00:00:00Z", "3");
    account.use_metric("calls", "2026-02-10T00:00:00Z", "9");
    account.bill("2026-03-01");
    account.end(1, "2026-01-20");
    assert_eq!(account.bill("2026-03-02"), ["01-01->02-01 -3.00", "02-01->03-01 -9.00"]);
    assert_eq!(account.bill("2026-03-03"), [""; 0]);
}

fn limited(free_units: &str, minimum: &str) -> Price {
    Price::PerUnit {
        amount: number("1"),
        limits: Limits {
            free_units: number(free_units),
            minimum: Some(number(minimum)),
            ..Limits::default()
        },
    }
}

/// Used until the 10th, and again from the 20th on.
fn with_a_pause(price: &Price) -> [Phase; 2] {
    let first = calls("1").priced(price.clone(), "0").until("2026-01-10");
    let second = Phase {
        number: 2,
        from: date("2026-01-20"),
        until: None,
        ..first.clone()
    };
    [first, second]
}

#[test]
fn a_period_in_parts_has_its_free_units_and_its_minimum_once() {
    let mut account = account(with_a_pause(&limited("100", "10")));
    account.use_metric("calls", "2026-01-05T00:00:00Z", "80");
    assert_eq!(account.bill("2026-01-10"), ["01-01->01-10 10.00"]);
    account.use_metric("calls", "2026-01-25T00:00:00Z", "60");
    assert_eq!(account.bill("2026-02-01"), ["01-20->02-01 30.00"]);
    // Late usage of the first part takes more of the free units; the second one pays for it.
    account.use_metric("calls", "2026-01-06T00:00:00Z", "5");
    assert_eq!(account.bill("2026-02-02"), [""; 0]);
    assert_eq!(account.bill("2026-03-01"), ["01-20->02-01 5.00", "02-01->03-01 10.00"]);
    assert_eq!(account.bill("2026-03-02"), [""; 0]);
}

#[test]
fn a_further_part_says_what_the_period_had_come_to() {
    let mut account = account(with_a_pause(&limited("0", "10")));
    account.use_metric("calls", "2026-01-05T00:00:00Z", "4");
    account.use_metric("calls", "2026-01-25T00:00:00Z", "9");
    let charges = account.bill_on(date("2026-02-01"));
    let why = &charges[1].explanation;
    assert_eq!((why.quantity, why.full_price), (number("13"), number("13")));
    assert_eq!(why.correction.unwrap().billed_before.to_string(), "10.00");
    assert_eq!((why.exact, charges[1].amount.minor), (number("3.00"), 300));
}

#[test]
fn the_same_keys_in_two_parts_of_a_period_are_counted_once() {
    let kind = Kind::Metered {
        metric: "seats".to_owned(),
        aggregation: Aggregation::Unique,
    };
    let phases = with_a_pause(&limited("0", "0")).map(|phase| phase.of_kind(kind.clone()));
    let mut account = account(phases);
    for (at, key) in [
        ("2026-01-05", "a"),
        ("2026-01-06", "b"),
        ("2026-01-25", "a"),
        ("2026-01-26", "c"),
    ] {
        let seat = UsageRecord {
            metric: "seats".to_owned(),
            ..record(&format!("{at}T00:00:00Z"), "1", Some(key))
        };
        account.usage.record(&seat, account.policy.zone).unwrap();
    }
    assert_eq!(account.bill("2026-02-01"), ["01-01->01-10 2.00", "01-20->02-01 1.00"]);
}

#[test]
fn parts_under_another_price_are_priced_by_themselves() {
    let [first, second] = with_a_pause(&limited("10", "5"));
    let mut account = account([first, second.priced(limited("10", "7"), "0")]);
    assert_eq!(account.bill("2026-02-01"), ["01-01->01-10 5.00", "01-20->02-01 7.00"]);
}

#[test]
fn a_period_in_parts_costs_what_it_would_in_one() {
    let day = |n: i64| date("2026-01-01") + chrono::TimeDelta::days(n);
    let used = vec((0_i64..90, 0_i64..40, 0_u32..3_000), 0..12);
    let taken = (vec(1_i64..12, 0..9), used, 0_u32..2_000, 0_u32..20);
    hold(&taken, |(lengths, used, free, minimum)| {
        let price = Price::PerUnit {
            amount: number("0.0137"),
            limits: Limits {
                free_units: free.into(),
                minimum: Some(minimum.into()),
                ..Limits::default()
            },
        };
        let (mut phases, mut from, mut billed) = (Vec::new(), 0, true);
        for length in lengths.into_iter().chain([200]) {
            let until = from + length;
            if billed {
                phases.push(Phase {
                    number: u32::try_from(phases.len()).unwrap(),
                    from: day(from),
                    until: Some(day(until.min(90))).filter(|_| from < 90),
                    ..calls("1").priced(price.clone(), "0")
                });
            }
            (from, billed) = (until, !billed);
        }
        phases.retain(|phase| phase.until.is_some());
        let is_metered = |n: i64| {
            phases
                .iter()
                .any(|phase| phase.from <= day(n) && Some(day(n)) < phase.until)
        };
        let mut account = account(phases.clone());
        let (mut sums, mut months) = ([0; 3], [Decimal::ZERO; 3]);
        let month = |n: i64| chrono::Datelike::month0(&day(n)) as usize;
        for n in 0..140 {
            for (at, _, quantity) in used.iter().filter(|(at, late, _)| at + late == n && is_metered(*at)) {
                account.use_metric("calls", &format!("{}T08:00:00Z", day(*at)), &quantity.to_string());
                months[month(*at)] += Decimal::from(*quantity);
            }
            for charge in account.bill_on(day(n)) {
                sums[chrono::Datelike::month0(&charge.period.start) as usize] += charge.amount.minor;
            }
        }
        for (month, sum) in sums.into_iter().enumerate() {
            let has_month = (0..90).any(|n| is_metered(n) && chrono::Datelike::month0(&day(n)) as usize == month);
            let cost = price.cost(months[month]).unwrap().amount;
            let whole = crate::money::Money::rounded(cost, account.currency).unwrap().minor;
            prop_assert_eq!(sum, if has_month { whole } else { 0 }, "month {}", month);
        }
        Ok(())
    });
}
