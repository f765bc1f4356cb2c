//! What would have been under other terms is what a twin was charged that had them from the day on which they are supposed.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};
use rust_decimal::Decimal;

use super::{
    books::{contract, flat, order},
    called::{add, call, set},
    lives::{History, Step, Three},
    *,
};
use crate::{
    billing::{Proration, TaxMode, Timing},
    calendar::PeriodUnit,
    order_terms::{BillingPeriod, ChargingPeriod, LineBilling, Mode, OrderBillingChanges, Term},
    policy::PolicyChanges,
    random::hold,
};

fn proration(proration: Proration) -> Supposed {
    Supposed {
        policy: PolicyChanges {
            proration: Some(proration),
            ..PolicyChanges::default()
        },
        ..Supposed::default()
    }
}

fn divided(divided: bool) -> Supposed {
    Supposed {
        order: OrderBillingChanges {
            pro_rata_partial_charging_period: Some(divided),
            ..OrderBillingChanges::default()
        },
        ..Supposed::default()
    }
}

fn monthly() -> Agreement {
    contract(vec![flat(1, "31.00"), flat(2, "7.77")], "2026-10-01")
}

const PRORATIONS: [Proration; 5] = [
    Proration::None,
    Proration::ActualDays,
    Proration::InclusiveDays,
    Proration::ThirtyDayMonths,
    Proration::Seconds,
];

/// Each of these policies in force, each other one supposed.
fn under_each_other_policy(history: &[(u64, Step)]) {
    for was in PRORATIONS {
        for would_be in PRORATIONS {
            let mut agreement = monthly();
            let policy = agreement.policy.as_mut().unwrap();
            policy.proration = was;
            let three = Three::live(agreement, &proration(would_be), history, 0);
            assert_eq!(
                three.would_be.charged, three.twin.charged,
                "{was:?}, supposed {would_be:?}"
            );
        }
    }
}

#[test]
fn a_change_of_quantity_within_a_period_is_decided_by_the_policy_supposed() {
    let change = |about, units: u32| Step::Units {
        about,
        line: 1,
        units: units.into(),
    };
    under_each_other_policy(&[(10, change(0, 3))]);
    under_each_other_policy(&[(10, change(5, 3)), (10, change(2, 1))]);
    under_each_other_policy(&[(10, change(-4, 3)), (1, change(9, 4)), (30, change(0, 2))]);
}

#[test]
fn a_change_of_plan_within_a_period_is_decided_by_the_policy_supposed() {
    let change = |line, price, all, cycle| Step::Change {
        about: 0,
        line,
        price,
        all,
        cycle,
    };
    under_each_other_policy(&[(10, change(1, 6_200, true, None))]);
    under_each_other_policy(&[(10, change(3, 6_200, true, None)), (5, change(4, 100, true, None))]);
    under_each_other_policy(&[(10, change(1, 6_200, false, Some(Cycle::Week)))]);
}

#[test]
fn a_pause_and_what_goes_on_are_decided_by_the_policy_supposed() {
    under_each_other_policy(&[(10, Step::Pause(0)), (5, Step::Resume(0))]);
    under_each_other_policy(&[(10, Step::Pause(0)), (35, Step::Resume(3))]);
    under_each_other_policy(&[(10, Step::Pause(12)), (2, Step::Resume(20))]);
}

#[test]
fn an_early_end_is_decided_by_the_policy_supposed() {
    under_each_other_policy(&[(10, Step::Cancel(0))]);
    under_each_other_policy(&[(10, Step::Cancel(8)), (2, Step::Reactivate(0))]);
    under_each_other_policy(&[(10, Step::Cancel(0)), (40, Step::Reactivate(0))]);
}

#[test]
fn an_order_whose_parts_of_periods_are_counted_otherwise_is_decided_so() {
    let histories: [&[(u64, Step)]; 3] = [
        &[(
            10,
            Step::Units {
                about: 0,
                line: 7,
                units: 3.into(),
            },
        )],
        &[(10, Step::Pause(0)), (5, Step::Resume(0))],
        &[(10, Step::Cancel(0))],
    ];
    for history in histories {
        for was in [false, true] {
            let billing = divided(was).order.over(&OrderBillingPreferences::default());
            let three = Three::live(order("31.00", "2026-10-01", billing), &divided(!was), history, 0);
            assert_eq!(three.would_be.charged, three.twin.charged, "was divided: {was}");
        }
    }
}

/// The line that the other plan takes the place of within its month where nothing is divided runs on to the end of that month
/// where days are counted: only there it is one of those that begin anew with longer periods.
#[test]
fn a_line_that_runs_on_under_the_policy_supposed_alone_begins_anew_as_the_order_prefers() {
    let change = |line, all| Step::Change {
        about: 0,
        line,
        price: 100,
        all,
        cycle: None,
    };
    let nothing_divided = Step::Policy(proration(Proration::None).policy);
    let renamed = OrderBillingChanges {
        billing_period: Some(BillingPeriod {
            name: "some".to_owned(),
            unit: PeriodUnit::Month,
            count: 1,
        }),
        ..OrderBillingChanges::default()
    };
    let history = [
        (13, change(1, false)),
        (1, nothing_divided),
        (2, change(1, false)),
        (16, change(2, true)),
        (0, Step::Call(call(Vec::new(), renamed), 1)),
    ];
    let ordered = order("31.00", "2026-10-01", OrderBillingPreferences::default());
    let three = Three::live(ordered, &proration(Proration::ActualDays), &history, 0);
    assert_eq!(three.would_be.charged, three.twin.charged);
    let whole = |charge: &&String| charge.contains("Period, 1, 1, 1.00");
    assert!(
        three.would_be.charged.iter().filter(whole).count() > 4,
        "{:?}",
        three.would_be.charged
    );
}

/// The first line that comes to an order is numbered behind it.
const ADDED: u128 = 100;

fn prorations() -> impl Strategy<Value = Proration> {
    (0_usize..PRORATIONS.len()).prop_map(|n| PRORATIONS[n])
}

fn periods() -> impl Strategy<Value = BillingPeriod> {
    (any::<bool>(), 1_u32..3).prop_map(|(week, count)| BillingPeriod {
        name: "some".to_owned(),
        unit: if week { PeriodUnit::Week } else { PeriodUnit::Month },
        count,
    })
}

fn maybe<T: std::fmt::Debug + Clone + 'static>(
    some: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop_oneof![3 => Just(None), 1 => some.prop_map(Some)]
}

fn policies() -> impl Strategy<Value = PolicyChanges> {
    let mode = prop_oneof![Just(TaxMode::Inclusive), Just(TaxMode::Exclusive)];
    (
        prop_oneof![1 => Just(None), 3 => prorations().prop_map(Some)],
        maybe(mode),
    )
        .prop_map(|(proration, tax_mode)| PolicyChanges {
            proration,
            tax_mode,
            tax_level: None,
        })
}

fn preferences() -> impl Strategy<Value = OrderBillingChanges> {
    let term = || {
        prop_oneof![Just(-7_i64), Just(0), Just(14)].prop_map(|days| Term {
            name: "some".to_owned(),
            days,
            months: 0,
        })
    };
    let mode = || prop_oneof![Just(Mode::Automatic), Just(Mode::Manual)];
    let terms = (maybe(term()), maybe(periods()), maybe(term()));
    let modes = (maybe(mode()), maybe(mode()));
    (terms, modes, maybe(any::<bool>()), maybe(any::<bool>())).prop_map(|(terms, modes, charging, pricing)| {
        OrderBillingChanges {
            invoice_term: terms.0,
            billing_period: terms.1,
            payment_term: terms.2,
            invoice_mode: modes.0,
            payment_mode: modes.1,
            pro_rata_partial_charging_period: charging,
            pro_rata_partial_pricing_period: pricing,
            ..OrderBillingChanges::default()
        }
    })
}

fn lines() -> impl Strategy<Value = LineBilling> {
    let timing = prop_oneof![Just(Timing::Advance), Just(Timing::Arrears)];
    (maybe(timing), maybe(periods()), maybe(any::<bool>()), any::<bool>()).prop_map(
        |(timing, period, divided, fixed)| LineBilling {
            timing,
            period: period.map(ChargingPeriod::Own),
            fixed_start: fixed.then(|| date("2026-10-01")),
            pro_rata_partial_charging_period: divided,
            ..LineBilling::default()
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    let about = || prop_oneof![2 => Just(0_i64), 1 => -5_i64..0, 3 => 1_i64..25];
    let line = || prop_oneof![3 => Just(1_u128), 1 => Just(2), 1 => Just(3), 2 => Just(7)];
    let cycle = prop_oneof![Just(Cycle::Week), Just(Cycle::Month), Just(Cycle::Quarter)];
    let change = (about(), line(), 100_u32..9_000, any::<bool>(), maybe(cycle));
    prop_oneof![
        4 => change.prop_map(|(about, line, price, all, cycle)| Step::Change { about, line, price, all, cycle }),
        4 => (about(), line(), 1_u32..6).prop_map(|(about, line, units)| Step::Units { about, line, units: units.into() }),
        3 => about().prop_map(Step::Pause),
        4 => about().prop_map(Step::Resume),
        3 => about().prop_map(Step::Cancel),
        3 => about().prop_map(Step::Reactivate),
        1 => policies().prop_map(Step::Policy),
        1 => preferences().prop_map(Step::Preferences),
        1 => (lines(), about()).prop_map(|(billing, about)| Step::Line(billing, about)),
        3 => (calls(), about()).prop_map(|(call, about)| Step::Call(call, about)),
        1 => (0_u128..50).prop_map(Step::Charge),
    ]
}

/// A call names a few preferences of the order, and a line or two.
fn calls() -> impl Strategy<Value = OrderChange> {
    let flag = || maybe(any::<bool>());
    let named = (flag(), flag(), flag(), maybe(periods()));
    let named = named.prop_map(|(charging, pricing, unit, billing_period)| OrderBillingChanges {
        pro_rata_partial_charging_period: charging,
        pro_rata_partial_pricing_period: pricing,
        pro_rata_partial_unit: unit,
        billing_period,
        ..OrderBillingChanges::default()
    });
    let own = || {
        (flag(), flag(), flag()).prop_map(|(charging, pricing, unit)| LineBilling {
            pro_rata_partial_charging_period: charging,
            pro_rata_partial_pricing_period: pricing,
            pro_rata_partial_unit: unit,
            ..LineBilling::default()
        })
    };
    let units = || (1_i64..60).prop_map(|tenths| Decimal::new(tenths, 1));
    let price = || (100_i64..9_000).prop_map(|cents| Decimal::new(cents, 2));
    let which = || prop_oneof![2 => Just(7_u128), 1 => Just(ADDED)];
    let line = prop_oneof![
        4 => (which(), maybe(units()), maybe(price()), own())
            .prop_map(|(line, quantity, price, own)| set(line, quantity, price, own)),
        1 => (units(), price(), own()).prop_map(|(quantity, price, own)| add(ADDED, quantity, price, own)),
        1 => which().prop_map(|line| LineChange::Remove(LineId(Uuid::from_u128(line)))),
    ];
    (vec(line, 0..3), named).prop_map(|(lines, named)| call(lines, named))
}

/// Every line that comes to an order is another one; what is said of such a line is said of the last that came.
fn numbered(mut history: History) -> History {
    let mut last = ADDED;
    for (_, step) in &mut history {
        let Step::Call(call, _) = step else { continue };
        let mut named = BTreeSet::new();
        for change in &mut call.lines {
            match change {
                LineChange::Add { line, .. } => {
                    last += 1;
                    line.id = LineId(Uuid::from_u128(last));
                }
                LineChange::Set { line, .. } | LineChange::Remove(line) if *line != LineId(Uuid::from_u128(7)) => {
                    *line = LineId(Uuid::from_u128(last));
                }
                LineChange::Set { .. } | LineChange::Remove(_) => {}
            }
        }
        // A call names a line once.
        call.lines.retain(|change| named.insert(change.line()));
    }
    history
}

fn histories() -> impl Strategy<Value = History> {
    vec((0_u64..20, steps()), 1..14).prop_map(numbered)
}

#[test]
fn a_contract_under_another_policy_is_what_its_twin_was_charged() {
    let taken = (histories(), prorations(), policies(), 0_usize..6);
    hold(&taken, |(history, was, policy, begin)| {
        let mut agreement = monthly();
        agreement.policy.as_mut().unwrap().proration = was;
        let supposed = Supposed {
            policy,
            ..Supposed::default()
        };
        Three::live(agreement, &supposed, &history, begin).compare()
    });
}

#[test]
fn an_order_under_other_preferences_is_what_its_twin_was_charged() {
    let taken = (histories(), preferences(), preferences(), policies(), 0_usize..6);
    hold(&taken, |(history, was, preferences, policy, begin)| {
        let agreement = order("31.00", "2026-10-01", was.over(&OrderBillingPreferences::default()));
        let supposed = Supposed {
            order: preferences,
            policy,
            ..Supposed::default()
        };
        Three::live(agreement, &supposed, &history, begin).compare()
    });
}
