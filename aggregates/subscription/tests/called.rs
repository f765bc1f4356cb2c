//! Calls that change an order: what is billed by them, and what would have been under other terms.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{
    books::{line, order},
    lives::{Step, Three},
    *,
};
use crate::{
    billing::Timing,
    calendar::PeriodUnit,
    order_terms::{BillingPeriod, ChargingPeriod, LineBilling, LineBillingChanges, OrderBillingChanges, Term},
};

pub fn call(lines: Vec<LineChange>, billing: OrderBillingChanges) -> OrderChange {
    OrderChange {
        effective: None,
        lines,
        billing,
    }
}

fn named(named: LineBilling) -> LineBillingChanges {
    LineBillingChanges {
        named,
        begins_with_order: false,
    }
}

pub fn set(line: u128, quantity: Option<Decimal>, price: Option<Decimal>, own: LineBilling) -> LineChange {
    LineChange::Set {
        line: LineId(Uuid::from_u128(line)),
        quantity,
        price,
        tax: None,
        billing: Box::new(named(own)),
    }
}

pub fn add(line: u128, quantity: Decimal, price: Decimal, own: LineBilling) -> LineChange {
    LineChange::Add {
        line: OrderLine {
            id: LineId(Uuid::from_u128(line)),
            item: "ITEM-2".to_owned(),
            name: None,
            quantity,
            price,
            charge_type: ChargeType::Recurring,
            tax: None,
        },
        billing: Box::new(named(own)),
    }
}

fn of(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The line of the order, in another quantity.
fn units(quantity: &str) -> LineChange {
    set(7, Some(of(quantity)), None, LineBilling::default())
}

fn own(own: LineBilling) -> LineChange {
    set(7, None, None, own)
}

fn charging(charging: bool) -> OrderBillingChanges {
    OrderBillingChanges {
        pro_rata_partial_charging_period: Some(charging),
        ..OrderBillingChanges::default()
    }
}

fn pricing(pricing: bool) -> OrderBillingChanges {
    OrderBillingChanges {
        pro_rata_partial_pricing_period: Some(pricing),
        ..OrderBillingChanges::default()
    }
}

fn partial_units(partial: bool) -> OrderBillingChanges {
    OrderBillingChanges {
        pro_rata_partial_unit: Some(partial),
        ..OrderBillingChanges::default()
    }
}

fn months(count: u32) -> OrderBillingChanges {
    OrderBillingChanges {
        billing_period: Some(BillingPeriod {
            name: format!("{count} Month"),
            unit: PeriodUnit::Month,
            count,
        }),
        ..OrderBillingChanges::default()
    }
}

fn invoiced(days: i64) -> OrderBillingChanges {
    OrderBillingChanges {
        invoice_term: Some(Term {
            name: format!("Net {days}"),
            days,
            months: 0,
        }),
        ..OrderBillingChanges::default()
    }
}

/// What would have been charged of an order of 31.00 a month, which is what the twin was charged.
fn would_be(
    was: OrderBillingChanges,
    supposed: OrderBillingChanges,
    start: &str,
    history: &[(u64, Step)],
) -> Vec<String> {
    let ordered = order("31.00", start, was.over(&OrderBillingPreferences::default()));
    let supposed = Supposed {
        order: supposed,
        ..Supposed::default()
    };
    let three = Three::live(ordered, &supposed, history, 0);
    assert_eq!(three.would_be.charged, three.twin.charged);
    three.amounts()
}

fn now(lines: Vec<LineChange>, billing: OrderBillingChanges) -> Step {
    Step::Call(call(lines, billing), 0)
}

#[test]
fn what_a_call_names_and_what_is_supposed_is_as_supposed_while_all_is_as_it_was() {
    let nothing = OrderBillingChanges::default;
    let three_units = now(vec![units("2.5")], partial_units(true));
    let charged = would_be(nothing(), partial_units(false), "2026-10-01", &[(31, three_units)]);
    assert_eq!(charged[1..3], ["11-01->12-01 -31.00", "11-01->12-01 93.00"]);
    let doubled = now(vec![units("2")], charging(true));
    let charged = would_be(nothing(), charging(false), "2026-10-01", &[(10, doubled)]);
    assert_eq!(charged[..2], ["10-01->11-01 -31.00", "10-11->11-01 62.00"]);
    let one_more = add(8, of("1"), of("31.00"), LineBilling::default());
    let one_more = now(vec![one_more], charging(true));
    let charged = would_be(nothing(), charging(false), "2026-10-01", &[(10, one_more)]);
    assert_eq!(charged[0], "10-11->11-01 31.00");
}

#[test]
fn the_other_word_that_divides_is_heard_in_the_call_that_says_it() {
    let priced = now(vec![units("2")], pricing(true));
    let charged = would_be(charging(true), charging(false), "2026-10-01", &[(10, priced)]);
    assert_eq!(charged[..2], ["10-11->11-01 -21.00", "10-11->11-01 42.00"]);
}

#[test]
fn periods_that_are_supposed_to_stay_keep_their_division_in_a_call_that_names_others() {
    let history = [
        (9, Step::Preferences(charging(true))),
        (5, now(vec![units("2")], months(2))),
    ];
    let charged = would_be(OrderBillingChanges::default(), months(1), "2026-10-01", &history);
    assert_eq!(charged[..2], ["10-01->11-01 -31.00", "10-15->11-01 62.00"]);
}

#[test]
fn units_are_made_whole_where_the_call_made_them_so_and_nowhere_else() {
    let ordered = order(
        "31.00",
        "2026-10-01",
        partial_units(true).over(&OrderBillingPreferences::default()),
    );
    let supposed = Supposed {
        order: partial_units(false),
        ..Supposed::default()
    };
    let quantity = Step::Units {
        about: 0,
        line: 7,
        units: of("2.5"),
    };
    let three = Three::live(ordered, &supposed, &[(31, quantity)], 0);
    assert_eq!(three.would_be.charged, three.twin.charged);
    assert_eq!(three.amounts()[1..3], ["11-01->12-01 -31.00", "11-01->12-01 77.50"]);
}

/// It was 31.00 for November on alone: the days from the change to the end of the old period were free.
#[test]
fn a_line_that_gets_a_word_of_its_own_begins_anew_with_the_period_of_its_order() {
    let whole = LineBilling {
        pro_rata_partial_charging_period: Some(false),
        ..LineBilling::default()
    };
    let history = [(9, now(vec![own(whole)], months(2)))];
    let charged = would_be(charging(true), invoiced(0), "2026-10-01", &history);
    assert_eq!(charged[..2], ["10-10->11-01 -22.00", "10-10->12-10 31.00"]);
}

#[test]
fn a_word_that_was_refused_is_not_heard_with_a_later_one() {
    let early = || invoiced(-14);
    let begins = |own_units| LineBilling {
        fixed_start: Some(date("2026-10-20")),
        pro_rata_partial_unit: own_units,
        ..LineBilling::default()
    };
    let in_arrears = LineBilling {
        timing: Some(Timing::Arrears),
        ..LineBilling::default()
    };
    let nothing = OrderBillingChanges::default;
    let refused = || (3, now(vec![own(begins(Some(true)))], nothing()));
    let history = [
        refused(),
        (20, now(vec![own(in_arrears)], nothing())),
        (20, now(vec![units("2.5")], nothing())),
    ];
    let charged = would_be(nothing(), early(), "2026-10-10", &history);
    assert!(
        charged.contains(&"11-13->12-10 93.00".to_owned()) || charged.contains(&"11-10->12-10 93.00".to_owned()),
        "{charged:?}"
    );
    let charged = would_be(
        nothing(),
        early(),
        "2026-10-10",
        &[refused(), (20, now(vec![units("2.5")], nothing()))],
    );
    assert!(charged.iter().any(|charge| charge.ends_with(" 93.00")), "{charged:?}");
    let other_periods = OrderBillingChanges {
        pro_rata_partial_charging_period: Some(true),
        ..months(2)
    };
    let history = [
        (3, Step::Call(call(vec![own(begins(None))], other_periods), 16)),
        (1, Step::Preferences(pricing(true))),
    ];
    let charged = would_be(nothing(), early(), "2026-10-10", &history);
    assert_eq!(charged[..2], ["10-10->11-10 31.00", "11-10->12-10 31.00"]);
}

#[test]
fn a_line_whose_call_was_refused_does_not_come_with_a_later_one() {
    let begins = LineBilling {
        fixed_start: Some(date("2026-10-20")),
        ..LineBilling::default()
    };
    let one_more = add(100, of("1"), of("31.00"), LineBilling::default());
    let thrice = set(100, Some(of("3")), None, LineBilling::default());
    let history = [
        (
            3,
            Step::Call(call(vec![one_more, own(begins)], OrderBillingChanges::default()), 16),
        ),
        (1, Step::Call(call(vec![thrice], OrderBillingChanges::default()), 16)),
    ];
    let charged = would_be(OrderBillingChanges::default(), invoiced(-14), "2026-10-10", &history);
    assert!(charged.iter().all(|charge| charge.ends_with(" 31.00")), "{charged:?}");
}

#[test]
fn what_a_call_said_is_known_where_the_call_is_kept() {
    let event = |golden| serde_json::from_str::<Event>(golden).unwrap();
    let of_now = event(include_str!("../../golden/subscription.changed.v1.ordered.json"));
    let of_before = event(include_str!("../../golden/subscription.changed.v1.asked.json"));
    assert_eq!((of_now.is_asked(), of_before.is_asked()), (true, false));
}

/// An order of two lines of 31.00 a month, of which the second is billed so.
fn with_a_second(billing: OrderBillingChanges, own: LineBilling) -> Agreement {
    let mut ordered = order("31.00", "2026-10-01", billing.over(&OrderBillingPreferences::default()));
    let details = ordered.order.as_mut().unwrap();
    let second = LineId(Uuid::from_u128(8));
    details.lines.push(OrderLine {
        id: second,
        ..details.lines[0].clone()
    });
    details.line_billing.insert(second, own);
    ordered
}

#[test]
fn a_line_that_begins_on_a_day_of_its_own_begins_no_sooner_for_a_change() {
    let doubled = || set(8, Some(of("2")), None, LineBilling::default());
    let nothing = OrderBillingChanges::default;
    for aligned in [None, Some(false)] {
        for (step, first) in [
            (now(vec![doubled()], nothing()), "12-01->01-01 62.00"),
            (now(Vec::new(), months(2)), "12-01->02-01 31.00"),
            (now(vec![doubled()], months(2)), "12-01->02-01 62.00"),
        ] {
            let later = LineBilling {
                fixed_start: Some(date("2026-12-01")),
                aligned,
                ..LineBilling::default()
            };
            let ordered = with_a_second(charging(true), later);
            let three = Three::live(ordered, &Supposed::default(), &[(9, step)], 0);
            let second = LineId(Uuid::from_u128(8));
            let its: Vec<String> = three.charges(second).map(line).collect();
            assert_eq!(its[0], first, "aligned: {aligned:?}");
        }
    }
}

/// Whatever a call says of a line beside another period of its order, today or for a day to come: before, days were
/// charged twice where the line came not to be divided, or to have a period of its own, and were free where it began anew.
#[test]
fn every_day_is_charged_once_whatever_is_said_of_a_line_with_another_period() {
    let own = |unit, count| {
        let name = "some".to_owned();
        Some(ChargingPeriod::Own(BillingPeriod { name, unit, count }))
    };
    let nothing = LineBilling::default;
    let words = [
        nothing(),
        LineBilling {
            pro_rata_partial_charging_period: Some(true),
            ..nothing()
        },
        LineBilling {
            pro_rata_partial_charging_period: Some(false),
            pro_rata_partial_pricing_period: Some(false),
            ..nothing()
        },
        LineBilling {
            timing: Some(Timing::Arrears),
            ..nothing()
        },
        LineBilling {
            timing: Some(Timing::Advance),
            ..nothing()
        },
        LineBilling {
            period: own(PeriodUnit::Quarter, 1),
            ..nothing()
        },
        LineBilling {
            period: own(PeriodUnit::Month, 2),
            ..nothing()
        },
        LineBilling {
            period: own(PeriodUnit::Week, 1),
            timing: Some(Timing::Arrears),
            pro_rata_partial_charging_period: Some(true),
            ..nothing()
        },
    ];
    let (mut lived, later) = (0, (200, Step::Reactivate(0)));
    for (said, divided, arrears) in words.iter().flat_map(|said| {
        [
            (said, false, false),
            (said, false, true),
            (said, true, false),
            (said, true, true),
        ]
    }) {
        for (today, about, count) in [9, 40]
            .into_iter()
            .flat_map(|today| [-8, 0, 25, 45].map(|about| (today, about, 2 + u32::from(about == 25))))
        {
            for quantity in [None, Some(of("1"))] {
                let timing = Some(Timing::Arrears).filter(|_| arrears);
                let ordered = with_a_second(charging(divided), LineBilling { timing, ..nothing() });
                let step = Step::Call(call(vec![set(8, quantity, None, said.clone())], months(count)), about);
                let three = Three::live(
                    ordered,
                    &Supposed::default(),
                    &[(today, step.clone()), later.clone()],
                    0,
                );
                let mut days: BTreeMap<NaiveDate, i32> = BTreeMap::new();
                for charge in three.charges(LineId(Uuid::from_u128(8))) {
                    for day in charge
                        .period
                        .start
                        .iter_days()
                        .take_while(|day| Some(*day) < charge.period.end)
                    {
                        *days.entry(day).or_default() += i32::try_from(charge.amount.minor.signum()).unwrap();
                    }
                }
                let first = date("2026-10-01").iter_days();
                let wrong: Vec<_> = first.take(200).filter(|day| days.get(day) != Some(&1)).collect();
                assert_eq!(wrong, [], "divided {divided}, arrears {arrears}, {today}: {step:?}");
                lived += 1;
            }
        }
    }
    assert_eq!(lived, 512);
}
