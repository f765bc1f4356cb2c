//! What preferences of an order or of its lines begin anew keeps to what was charged and decided before.

use super::{
    books::{Books, contract, flat, instant, order},
    *,
};
use crate::{
    billing::{Aggregation, Explanation, Kind, Proration, Reason, Timing},
    catalog::PlanLine,
    order_terms::{BillingPeriod, ChargingPeriod, LineBilling},
    policy::PolicyChanges,
};

fn line_of_the_order() -> LineId {
    LineId(Uuid::from_u128(7))
}

fn divided() -> OrderBillingPreferences {
    OrderBillingPreferences {
        pro_rata_partial_charging_period: true,
        pro_rata_partial_pricing_period: true,
        ..OrderBillingPreferences::default()
    }
}

/// An order of 31.00 a month that is charged for January.
fn ordered_by_days() -> Books {
    let mut books = Books::sign(order("31.00", "2026-01-01", divided()), "2026-01-01T00:00:00Z");
    assert_eq!(books.bill("2026-01-05"), ["01-01->02-01 31.00"]);
    books
}

fn change(books: &mut Books, at: &str, effective: &str, line: PlanLine) {
    let change = Change {
        replaced: vec![line.id],
        lines: vec![line],
        ..Change::on(date(effective))
    };
    let (at, change) = (instant(at), Box::new(change));
    books.send(&Command::Change { at, change }).unwrap();
}

fn prefer(books: &mut Books, at: &str, line: LineId, billing: LineBilling) -> Result<Vec<Event>, Refused> {
    let (at, billing) = (instant(at), Box::new(billing));
    books.send(&Command::UpdateLineBilling { at, line, billing })
}

fn count_by_thirty(books: &mut Books, at: &str) {
    count_by(books, at, Proration::ThirtyDayMonths);
}

fn count_by(books: &mut Books, at: &str, proration: Proration) {
    let changes = PolicyChanges {
        proration: Some(proration),
        ..PolicyChanges::default()
    };
    let at = instant(at);
    books.send(&Command::UpdatePolicy { at, changes }).unwrap();
}

/// By the line, or by its order.
fn divide_no_more(books: &mut Books, at: &str, by_line: bool) {
    if by_line {
        let billing = LineBilling {
            pro_rata_partial_charging_period: Some(false),
            pro_rata_partial_pricing_period: Some(false),
            ..LineBilling::default()
        };
        prefer(books, at, line_of_the_order(), billing).unwrap();
    } else {
        let (at, preferences) = (instant(at), Box::default());
        books
            .send(&Command::UpdateBillingPreferences { at, preferences })
            .unwrap();
    }
}

#[test]
fn a_month_in_which_a_planned_change_comes_is_paid_once_when_it_is_divided_no_more() {
    for (by_line, planned_divided) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut books = ordered_by_days();
        let line = PlanLine {
            prorate: planned_divided,
            ..flat(7, "62.00")
        };
        change(&mut books, "2026-01-20T09:00:00Z", "2026-02-11", line);
        divide_no_more(&mut books, "2026-01-20T09:00:00Z", by_line);
        assert_eq!(
            books.bill("2026-02-28"),
            ["02-11->03-01 62.00"],
            "{by_line} {planned_divided}"
        );
        assert_eq!(books.bill("2026-03-01"), ["03-01->04-01 62.00"]);
    }
}

#[test]
fn what_nothing_takes_over_pays_the_month_that_it_began_when_it_is_divided_no_more() {
    for by_line in [true, false] {
        let mut books = ordered_by_days();
        let (at, effective) = (instant("2026-01-20T09:00:00Z"), date("2026-02-11"));
        books.send(&Command::Cancel { at, effective }).unwrap();
        divide_no_more(&mut books, "2026-01-20T09:00:00Z", by_line);
        assert_eq!(books.bill("2026-03-01"), ["02-01->03-01 31.00"]);
    }
}

#[test]
fn the_rest_of_a_period_is_counted_by_the_policy_that_charged_it_also_behind_new_preferences() {
    let mut books = ordered_by_days();
    count_by_thirty(&mut books, "2026-01-05T09:00:00Z");
    change(&mut books, "2026-01-11T00:00:00Z", "2026-01-11", flat(7, "62.00"));
    let arrears = LineBilling {
        timing: Some(Timing::Arrears),
        ..LineBilling::default()
    };
    prefer(&mut books, "2026-01-11T00:00:00Z", line_of_the_order(), arrears).unwrap();
    assert_eq!(books.bill("2026-01-11"), ["01-11->02-01 -21.00"]);
    assert_eq!(books.bill("2026-02-01"), ["01-11->02-01 42.00"]);
}

#[test]
fn a_line_that_came_later_begins_no_earlier_than_it_was_ordered() {
    let mut books = ordered_by_days();
    change(&mut books, "2026-01-20T09:00:00Z", "2026-02-11", flat(8, "62.00"));
    let line = LineId(Uuid::from_u128(8));
    let starting = |day: &str| LineBilling {
        fixed_start: Some(date(day)),
        ..LineBilling::default()
    };
    let early = prefer(&mut books, "2026-01-20T09:00:00Z", line, starting("2026-02-10"));
    let start = date("2026-02-11");
    assert_eq!(early, Err(Refused::LineTooEarly { line, start }));
    for day in ["2026-02-20", "2026-02-11"] {
        prefer(&mut books, "2026-01-20T09:00:00Z", line, starting(day)).unwrap();
    }
}

/// The books as they are read from a history, in which the last charges were other ones.
fn read(books: &Books, charged: impl Fn(&mut Charge, &mut Explanation)) -> Books {
    let mut read = Books::default();
    let last = books
        .history
        .iter()
        .rposition(|event| matches!(event, Event::Accrued { .. }));
    for (place, event) in books.history.iter().enumerate() {
        let mut event = event.clone();
        if let Event::Accrued { charges, .. } = &mut event
            && Some(place) == last
        {
            for charge in charges {
                let mut why = charge.explanation.take().unwrap();
                charged(charge, &mut why);
                charge.explanation = Some(why);
            }
        }
        crate::Decider::apply(&mut read.subscription, &event);
        read.history.push(event);
    }
    read
}

#[test]
fn what_an_old_history_says_was_charged_by_the_newer_policy_is_given_back_by_it() {
    let mut books = Books::sign(contract(vec![flat(1, "31.00")], "2026-01-01"), "2026-01-01T00:00:00Z");
    books.bill("2026-01-01");
    count_by_thirty(&mut books, "2026-01-05T00:00:00Z");
    change(&mut books, "2026-01-11T00:00:00Z", "2026-01-11", flat(1, "62.00"));
    assert_eq!(books.bill("2026-01-11"), ["01-11->02-01 42.00", "01-11->02-01 -21.00"]);
    // As it was once reckoned: 62.00 * 20 / 30.
    let mut books = read(&books, |charge, why| {
        if why.reason == Reason::Period {
            charge.amount = Money::new(4133, Currency::EUR);
            why.policy_version = Some("subscription/1".parse().unwrap());
            (why.policy, why.numerator, why.denominator) = (Proration::ThirtyDayMonths, 20, 30);
        }
    });
    let (at, effective) = (instant("2026-01-21T00:00:00Z"), date("2026-01-21"));
    books.send(&Command::Cancel { at, effective }).unwrap();
    assert_eq!(books.bill("2026-01-21"), ["01-21->02-01 -20.67"]);
}

#[test]
fn what_an_old_history_charged_whole_before_a_planned_change_is_not_given_back() {
    let mut books = Books::sign(contract(vec![flat(1, "31.00")], "2026-01-01"), "2026-01-01T00:00:00Z");
    books.bill("2026-01-01");
    change(&mut books, "2026-01-20T00:00:00Z", "2026-02-10", flat(1, "62.00"));
    count_by(&mut books, "2026-01-25T00:00:00Z", Proration::None);
    let accrued = books
        .history
        .iter()
        .find(|event| matches!(event, Event::Accrued { .. }));
    let Some(Event::Accrued {
        mut charges,
        billed_through,
        fulfilments,
        delivered_through,
        ..
    }) = accrued.cloned()
    else {
        unreachable!()
    };
    for charge in &mut charges {
        charge.id = ChargeId(Uuid::from_u128(99));
        charge.period = Period {
            start: date("2026-02-01"),
            end: Some(date("2026-03-01")),
        };
        if let Some(why) = &mut charge.explanation {
            why.policy_version = Some("subscription/1".parse().unwrap());
            why.policy = Proration::None;
        }
    }
    let through = date("2026-03-01");
    let whole = Event::Accrued {
        at: instant("2026-02-01T00:00:00Z"),
        until: instant("2026-02-01T00:00:00Z"),
        run: 2,
        charges,
        billed_through: billed_through
            .iter()
            .map(|billed| BilledThrough { through, ..*billed })
            .collect(),
        billed_usage: Vec::new(),
        invoicing: false,
        fulfilments,
        delivered_through,
        next_billing: Some(instant("2026-02-10T00:00:00Z")),
    };
    crate::Decider::apply(&mut books.subscription, &whole);
    assert_eq!(books.bill("2026-02-28"), ["02-10->03-01 62.00"]);
}

/// On 11 February another line comes in the place of all others, perhaps over other periods.
fn other_line_in_february(books: &mut Books, billing_period: Option<BillingPeriod>) {
    let at = instant("2026-01-20T09:00:00Z");
    let change = Change {
        lines: vec![flat(8, "62.00")],
        billing_period,
        ..Change::on(date("2026-02-11"))
    };
    let change = Box::new(change);
    books.send(&Command::Change { at, change }).unwrap();
}

#[test]
fn what_is_still_divided_begins_behind_a_month_that_is_divided_no_more() {
    let mut books = ordered_by_days();
    other_line_in_february(&mut books, None);
    divide_no_more(&mut books, "2026-01-20T09:00:00Z", true);
    assert_eq!(books.bill("2026-02-28"), ["02-01->03-01 31.00"]);
    assert_eq!(books.bill("2026-03-01"), ["03-01->04-01 62.00"]);
}

#[test]
fn other_periods_begin_behind_a_month_that_is_divided_no_more() {
    for by_line in [true, false] {
        let mut books = ordered_by_days();
        other_line_in_february(&mut books, Some(bill_weekly().billing_period));
        if by_line {
            divide_no_more(&mut books, "2026-01-20T09:00:00Z", true);
        } else {
            let (at, preferences) = (instant("2026-01-20T09:00:00Z"), Box::new(bill_weekly()));
            books
                .send(&Command::UpdateBillingPreferences { at, preferences })
                .unwrap();
        }
        assert_eq!(books.bill("2026-02-28"), ["02-01->03-01 31.00"], "{by_line}");
        assert_eq!(books.bill("2026-03-01"), ["03-01->03-08 62.00"], "{by_line}");
    }
}

#[test]
fn what_comes_behind_a_line_that_is_put_off_begins_no_sooner() {
    let undivided = PlanLine {
        prorate: false,
        ..flat(9, "93.00")
    };
    for next in [flat(9, "93.00"), flat(8, "93.00"), undivided] {
        for later in [None, Some(flat(10, "124.00"))] {
            let mut books = ordered_by_days();
            other_line_in_february(&mut books, None);
            let at = instant("2026-01-20T09:00:00Z");
            let last = later.as_ref().map_or("93.00", |_| "124.00");
            let planned = [Some(next.clone()), later];
            for (day, line) in ["2026-02-20", "2026-02-25"]
                .into_iter()
                .zip(planned.into_iter().flatten())
            {
                let change = Change {
                    lines: vec![line],
                    ..Change::on(date(day))
                };
                let change = Box::new(change);
                books.send(&Command::Change { at, change }).unwrap();
            }
            divide_no_more(&mut books, "2026-01-20T09:00:00Z", true);
            assert_eq!(books.bill("2026-02-28"), ["02-01->03-01 31.00"], "{next:?} {last}");
            assert_eq!(books.bill("2026-03-01"), [format!("03-01->04-01 {last}")], "{next:?}");
        }
    }
}

#[test]
fn a_metered_line_that_is_added_with_periods_of_its_own_is_charged_by_them_from_its_first_day_on() {
    let line = LineId(Uuid::from_u128(8));
    let metered = PlanLine {
        kind: Kind::Metered {
            metric: "calls".to_owned(),
            aggregation: Aggregation::Sum,
        },
        timing: Timing::Arrears,
        ..flat(8, "7.00")
    };
    let weekly = || LineBilling {
        period: Some(ChargingPeriod::Own(bill_weekly().billing_period)),
        ..LineBilling::default()
    };
    // Added today, for a day to come, and dated back.
    for effective in ["2026-01-12", "2026-01-20", "2026-01-06"] {
        let mut books = ordered_by_days();
        books.bill("2026-01-12");
        change(&mut books, "2026-01-12T09:00:00Z", effective, metered.clone());
        prefer(&mut books, "2026-01-12T09:00:00Z", line, weekly()).unwrap();
        let start = date(effective);
        let week = |n: u64| start + chrono::Days::new(7 * n);
        let told = |n: u64| format!("{}->{} 7.00", week(n).format("%m-%d"), week(n + 1).format("%m-%d"));
        let charged = books.bill(&week(2).to_string());
        let metered: Vec<_> = charged.iter().filter(|line| line.ends_with(" 7.00")).collect();
        assert_eq!(metered, [&told(0), &told(1)], "{effective}");
    }
    // A line that was there before keeps to the period under way.
    let mut books = ordered_by_days();
    change(&mut books, "2026-01-06T09:00:00Z", "2026-01-06", metered);
    prefer(&mut books, "2026-01-12T09:00:00Z", line, weekly()).unwrap();
    let charged = books.bill("2026-02-08");
    assert_eq!(
        charged,
        ["02-01->03-01 31.00", "01-06->02-01 7.00", "02-01->02-08 7.00"]
    );
}
