//! A line that comes to an order, in the place of another one or beside it, and is given another beginning or other periods
//! before its first charge: each of its days is billed once.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::{
    date,
    told::{Told, flat, id, undivided},
};
use crate::{
    billing::Reason,
    calendar::PeriodUnit,
    catalog::PlanLine,
    order_terms::{BillingPeriod, ChargingPeriod, LineBilling, OrderBillingPreferences},
    subscription::Command,
};

const COMES: &str = "2026-03-11";

fn billings(divided: bool) -> Vec<LineBilling> {
    let own = |unit, count| {
        ChargingPeriod::Own(BillingPeriod {
            unit,
            count,
            ..OrderBillingPreferences::default().billing_period
        })
    };
    let mut all = Vec::new();
    for fixed_start in [
        None,
        Some(COMES),
        Some("2026-03-16"),
        Some("2026-04-01"),
        Some("2026-04-10"),
    ] {
        for aligned in [None, Some(true), Some(false)] {
            for period in [None, Some(own(PeriodUnit::Month, 2)), Some(own(PeriodUnit::Week, 1))] {
                all.push(LineBilling {
                    fixed_start: fixed_start.map(date),
                    aligned,
                    period,
                    pro_rata_partial_charging_period: Some(divided),
                    ..LineBilling::default()
                });
            }
        }
    }
    all
}

fn prefer(told: &mut Told, billing: &LineBilling) {
    let (at, line, billing) = (told.at(), id(2), Box::new(billing.clone()));
    told.send(&Command::UpdateLineBilling { at, line, billing }).unwrap();
}

/// How often each day of the second line is charged.
fn paid(told: &Told) -> BTreeMap<NaiveDate, i64> {
    let mut paid = BTreeMap::new();
    for charge in told.billed.iter().flatten().filter(|charge| charge.line == Some(id(2))) {
        let why = charge.explanation.as_ref().unwrap();
        let times = if why.reason == Reason::Unused { -1 } else { 1 };
        let mut day = charge.period.start;
        while day < charge.period.end.unwrap() {
            *paid.entry(day).or_insert(0) += times;
            day = day + Days::new(1);
        }
    }
    paid
}

fn each_day_is_billed_once(divided: bool, is_swapped: bool, today: &str) {
    let line: fn(u128, &str) -> PlanLine = if divided { flat } else { undivided };
    for (n, first) in billings(divided).into_iter().enumerate() {
        // Each beside some of the others.
        for second in billings(divided).into_iter().skip(n % 11).step_by(11) {
            let mut told = Told::order("31.00");
            told.bill("2026-03-01");
            told.on(today);
            let replaced = [1].into_iter().filter(|_| is_swapped).chain([2]).map(id);
            told.replace(COMES, replaced.collect(), &[line(2, "62.00")]).unwrap();
            prefer(&mut told, &first);
            prefer(&mut told, &second);
            let end = date("2026-07-01");
            told.bill_on(end);
            let paid = paid(&told);
            let begins = second.fixed_start.unwrap_or(date(COMES));
            let mut day = date("2026-03-01");
            while day < end {
                let times = paid.get(&day).copied().unwrap_or_default();
                assert_eq!(times, i64::from(day >= begins), "{day}: {first:?} and then {second:?}");
                day = day + Days::new(1);
            }
        }
    }
}

#[test]
fn each_day_of_a_line_that_begins_anew_is_billed_once() {
    for divided in [true, false] {
        for is_swapped in [true, false] {
            for today in ["2026-03-05", COMES] {
                each_day_is_billed_once(divided, is_swapped, today);
            }
        }
    }
}
