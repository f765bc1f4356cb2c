//! What is invoiced some days after its period has begun is delivered as what is invoiced at once: each stretch once, on its
//! day, whatever is cancelled and goes on in between.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{
    delivering::{Delivering, Fate, Terms, agreement},
    handed::hand_over,
    told::{flat, id},
    *,
};
use crate::{
    billing::ADVANCED,
    calendar::PeriodUnit,
    order_terms::{BillingPeriod, ChargingPeriod, LineBilling},
};

const MONTHLY: Terms = Terms {
    invoiced: 30,
    delivered: 3,
    divided: false,
    daily: false,
};

fn ordered(terms: Terms) -> Delivering {
    Delivering::of(agreement(terms, &[ChargeType::Recurring], "2026-10-05"))
}

/// Cancelled and reactivated on these days at noon, each from that day on; what is delivered until the tenth of January.
fn delivered(terms: Terms, stops: &[(&str, &str)]) -> Vec<String> {
    let mut order = ordered(terms);
    for (end, from) in stops {
        order.pass(end);
        order.cancel(date(end)).unwrap();
        order.pass(from);
        order.reactivate(date(from)).unwrap();
    }
    order.pass("2027-01-10");
    order.delivered()
}

const NOVEMBER: &str = "11-05->12-05 on 11-08";
const DECEMBER: &str = "12-05->01-05 on 12-08";
const JANUARY: &str = "01-05->02-05 on 01-08";

#[test]
fn what_is_left_of_a_period_is_delivered_on_its_day_and_nothing_beside_it() {
    for (divided, invoiced) in [(false, 30), (true, 30), (false, 60), (true, 60), (false, 3), (true, 3)] {
        let terms = Terms {
            invoiced,
            divided,
            ..MONTHLY
        };
        // Withdrawn on the 8th, while it was over.
        let once = [("2026-10-06", "2026-10-09")];
        let rest = "10-09->11-05 on 10-12";
        assert_eq!(
            delivered(terms, &once),
            [JANUARY, rest, NOVEMBER, DECEMBER],
            "once, {terms:?}"
        );
        // The rest is withdrawn as well, on the 12th.
        let twice = [("2026-10-06", "2026-10-09"), ("2026-10-10", "2026-10-20")];
        let rest = "10-20->11-05 on 10-23";
        assert_eq!(
            delivered(terms, &twice),
            [JANUARY, rest, NOVEMBER, DECEMBER],
            "twice, {terms:?}"
        );
        // What was opened stays so, and nothing more of the period is delivered.
        let opened = [("2026-10-09", "2026-10-15"), ("2026-10-16", "2026-10-20")];
        let whole = "10-05->11-05 on 10-08";
        assert_eq!(
            delivered(terms, &opened),
            [JANUARY, whole, NOVEMBER, DECEMBER],
            "opened, {terms:?}"
        );
    }
}

#[test]
fn before_on_and_after_the_day_of_the_first_invoice_an_order_goes_on_alike() {
    // The first invoice is of 4 November, or of the fourth of December.
    for (divided, invoiced) in [(false, 30), (true, 30), (false, 60), (true, 60)] {
        let terms = Terms {
            invoiced,
            divided,
            ..MONTHLY
        };
        let whole = "10-05->11-05 on 10-08";
        for (end, from, rest) in [
            ("2026-11-03", "2026-11-04", NOVEMBER),
            ("2026-11-04", "2026-11-04", NOVEMBER),
            ("2026-11-06", "2026-11-09", "11-09->12-05 on 11-12"),
        ] {
            let all = delivered(terms, &[(end, from)]);
            assert_eq!(all, [JANUARY, whole, rest, DECEMBER], "{end} to {from}, {terms:?}");
        }
        for (end, from, rest) in [
            ("2026-12-03", "2026-12-04", DECEMBER),
            ("2026-12-04", "2026-12-04", DECEMBER),
            ("2026-12-06", "2026-12-09", "12-09->01-05 on 12-12"),
        ] {
            let all = delivered(terms, &[(end, from)]);
            assert_eq!(all, [JANUARY, whole, NOVEMBER, rest], "{end} to {from}, {terms:?}");
        }
    }
}

#[test]
fn days_are_delivered_each_on_its_own_and_none_of_them_twice() {
    let terms = Terms {
        daily: true,
        delivered: 2,
        ..MONTHLY
    };
    let mut order = ordered(terms);
    order.pass("2026-10-08").cancel(date("2026-10-08")).unwrap();
    order.pass("2026-10-12").reactivate(date("2026-10-12")).unwrap();
    order.pass("2026-12-01");
    let starts: Vec<NaiveDate> = order.tasks.keys().map(|(start, ..)| *start).collect();
    let without = |off: std::ops::Range<NaiveDate>, last: &str| -> Vec<NaiveDate> {
        let days = date("2026-10-05").iter_days();
        let days = days.take_while(|day| *day <= date(last));
        days.filter(|day| !off.contains(day)).collect()
    };
    // The 8th had begun when the order was cancelled.
    let planned = without(date("2026-10-09")..date("2026-10-12"), "2026-12-01");
    assert_eq!(starts, planned);
    // That and the 7th were to be delivered when it was over.
    let withdrawn = order.tasks.iter().filter(|(_, task)| task.fate == Fate::Withdrawn);
    let withdrawn: Vec<NaiveDate> = withdrawn.map(|((start, ..), _)| *start).collect();
    assert_eq!(withdrawn, ["2026-10-07", "2026-10-08"].map(date));
    let charged: Vec<NaiveDate> = order.charged(id(1)).into_iter().collect();
    assert_eq!(charged, without(date("2026-10-08")..date("2026-10-12"), "2026-11-01"));
}

#[test]
fn a_period_that_is_cut_and_goes_on_from_there_is_delivered_once() {
    for (invoiced, divided) in [(0, false), (0, true), (30, false), (30, true)] {
        let terms = Terms {
            invoiced,
            divided,
            ..MONTHLY
        };
        let whole = "10-05->11-05 on 10-08";
        // The end is taken back on the day behind it.
        let mut order = ordered(terms);
        order.pass("2026-10-16").cancel(date("2026-10-16")).unwrap();
        order.pass("2026-10-17").reactivate(date("2026-10-16")).unwrap();
        order.pass("2027-01-10");
        assert_eq!(order.delivered(), [JANUARY, whole, NOVEMBER, DECEMBER], "{terms:?}");
        // It was to come when the period began, and never does.
        let mut order = ordered(terms);
        order.pass("2026-10-16").cancel(date("2026-11-10")).unwrap();
        order.pass("2026-11-06").reactivate(date("2026-11-06")).unwrap();
        order.pass("2027-01-10");
        let november = if divided { "11-05->11-10 on 11-08" } else { NOVEMBER };
        assert_eq!(order.delivered(), [JANUARY, whole, november, DECEMBER], "{terms:?}");
    }
}

#[test]
fn other_invoice_terms_deliver_nothing_twice_and_leave_nothing_out() {
    for (from_days, to_days) in [(30, 0), (0, 30), (30, 60), (60, 7)] {
        for divided in [false, true] {
            let terms = Terms {
                divided,
                invoiced: from_days,
                ..MONTHLY
            };
            let mut order = ordered(terms);
            order.pass("2026-10-06").cancel(date("2026-10-06")).unwrap();
            order.pass("2026-10-09").reactivate(date("2026-10-09")).unwrap();
            order.pass("2026-10-15");
            let then = agreement(
                Terms {
                    invoiced: to_days,
                    ..terms
                },
                &[ChargeType::Recurring],
                "2026-10-05",
            );
            let super::super::Terms::Order { billing } = then.terms else {
                unreachable!()
            };
            let (at, preferences) = (order.told.at(), billing);
            order
                .send(&Command::UpdateBillingPreferences { at, preferences })
                .unwrap();
            order.pass("2027-01-10");
            let rest = "10-09->11-05 on 10-12";
            assert_eq!(
                order.delivered(),
                [JANUARY, rest, NOVEMBER, DECEMBER],
                "{from_days} to {to_days}, divided {divided}"
            );
        }
    }
}

/// So many parts of periods are looked at while an order of lines by the day is brought to the present.
fn looked_at(days_back: i64, invoiced: i64) -> usize {
    let terms = Terms {
        daily: true,
        invoiced,
        delivered: 0,
        divided: false,
    };
    let today = date("2026-10-05");
    let start = (today - TimeDelta::days(days_back)).to_string();
    let lines = [ChargeType::Recurring; 4];
    ADVANCED.set(0);
    let mut order = Delivering::begun(agreement(terms, &lines, &start), today);
    order.look();
    assert_eq!(order.tasks.len(), usize::try_from(days_back).unwrap() + 1);
    ADVANCED.get()
}

#[test]
fn what_is_delivered_already_is_not_looked_at_again() {
    // Each day of four lines is looked at when it is delivered, and when it is charged.
    for (days_back, invoiced) in [(100, 30), (200, 30), (200, 90), (400, 90), (400, 365)] {
        let parts = usize::try_from(4 * 2 * (days_back + 1)).unwrap();
        let looked_at = looked_at(days_back, invoiced);
        assert!(
            looked_at <= parts,
            "{looked_at} for {parts}: {days_back} days, invoiced {invoiced} days later"
        );
    }
}

/// The second line has periods of its own of three months.
fn with_a_quarter(mut agreement: Agreement) -> Agreement {
    let period = BillingPeriod {
        name: "3 Month".to_owned(),
        unit: PeriodUnit::Month,
        count: 3,
    };
    let own = LineBilling {
        period: Some(ChargingPeriod::Own(period)),
        ..LineBilling::default()
    };
    let order = agreement.order.as_mut().unwrap();
    order.line_billing.insert(id(2), own);
    agreement
}

fn change_to(order: &mut Delivering, effective: &str, price: &str) {
    let line = flat(1, price);
    let change = Change {
        replaced: vec![line.id],
        lines: vec![line],
        ..Change::on(date(effective))
    };
    let (at, change) = (order.told.at(), Box::new(change));
    order.send(&Command::Change { at, change }).unwrap();
}

#[test]
fn a_price_that_was_called_off_once_is_delivered_when_it_comes() {
    for invoiced in [0, 30] {
        let terms = Terms {
            invoiced,
            divided: true,
            ..MONTHLY
        };
        let mut order = Delivering::of(agreement(terms, &[ChargeType::Recurring], "2026-10-05"));
        change_to(order.pass("2026-10-10"), "2026-11-01", "62.00");
        change_to(order.pass("2026-10-12"), "2026-10-15", "50.00");
        change_to(order.pass("2026-11-18"), "2026-11-20", "62.00");
        order.pass("2026-12-10");
        let delivered = order.delivered();
        let comes = delivered.iter().any(|one| one.starts_with("11-20->12-05 on 11-23"));
        assert!(comes, "{invoiced}: {delivered:?}");
    }
}

#[test]
fn what_is_cut_and_goes_on_is_delivered_once_where_a_change_was_called_off() {
    let terms = Terms {
        divided: true,
        ..MONTHLY
    };
    let mut order = Delivering::of(agreement(terms, &[ChargeType::Recurring], "2026-10-05"));
    change_to(order.pass("2026-10-10"), "2026-10-20", "62.00");
    change_to(order.pass("2026-10-12"), "2026-10-15", "50.00");
    order.pass("2026-10-25").cancel(date("2026-10-25")).unwrap();
    order.pass("2026-10-26").reactivate(date("2026-10-25")).unwrap();
    order.pass("2026-11-10");
    let delivered = order.delivered();
    let again = delivered.iter().any(|one| one.starts_with("10-25->11-05"));
    assert!(!again, "{delivered:?}");
}

#[test]
fn what_is_paid_is_delivered_again_from_the_day_of_the_rest_that_was_withdrawn_or_before_it() {
    let with_what_was_bought = [ChargeType::Recurring, ChargeType::OneOff];
    for (lines, invoiced) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
        let terms = Terms { invoiced, ..MONTHLY };
        for (again, rest) in [
            ("2026-10-16", "10-16->11-05 on 10-19"),
            ("2026-10-12", "10-12->11-05 on 10-15"),
        ] {
            let mut order = Delivering::of(agreement(terms, &with_what_was_bought[..lines], "2026-10-05"));
            order.pass("2026-10-06").cancel(date("2026-10-06")).unwrap();
            order.pass("2026-10-09").reactivate(date("2026-10-16")).unwrap();
            order.pass("2026-10-10").cancel(date("2026-10-10")).unwrap();
            order.pass("2026-10-20").reactivate(date(again)).unwrap();
            order.pass("2027-01-10");
            assert_eq!(
                order.delivered(),
                [JANUARY, rest, NOVEMBER, DECEMBER],
                "{lines} lines, {invoiced}, {again}"
            );
        }
    }
}

#[test]
fn lines_of_different_periods_are_delivered_again_together() {
    for invoiced in [0, 1] {
        let terms = Terms { invoiced, ..MONTHLY };
        let lines = [ChargeType::Recurring, ChargeType::Recurring, ChargeType::OneOff];
        let mut order = Delivering::of(with_a_quarter(agreement(terms, &lines, "2026-10-05")));
        order.pass("2026-11-05").cancel(date("2026-11-05")).unwrap();
        order.pass("2026-11-09").reactivate(date("2026-11-05")).unwrap();
        order.pass("2026-12-01");
        let from_then_on = order.delivered().into_iter().filter(|one| one.starts_with("11-05"));
        assert_eq!(from_then_on.count(), 1, "{:?}", order.delivered());
    }
}

#[test]
fn what_was_bought_is_delivered_again_alone_where_the_other_lines_go_on_later() {
    let terms = Terms {
        divided: true,
        invoiced: 1,
        ..MONTHLY
    };
    let lines = [ChargeType::Recurring, ChargeType::OneOff];
    let mut order = Delivering::of(agreement(terms, &lines, "2026-10-05"));
    order.pass("2026-10-06").cancel(date("2026-10-06")).unwrap();
    order.pass("2026-10-09").reactivate(date("2026-10-09")).unwrap();
    order.pass("2026-10-11").cancel(date("2026-10-07")).unwrap();
    order.pass("2026-10-13").reactivate(date("2026-10-08")).unwrap();
    order.pass("2027-01-10");
    let bought = "10-08->open on 10-11 line 2";
    let rest = "10-09->11-05 on 10-12";
    assert_eq!(order.delivered(), [JANUARY, bought, rest, NOVEMBER, DECEMBER]);
}

/// Found by the random deliveries: it was not charged, where it may be delivered already.
#[test]
fn what_is_bought_once_stays_bought_when_its_order_is_stopped_before_its_first_invoice() {
    for (invoiced, paused) in [(0, false), (0, true), (14, false), (14, true)] {
        let terms = Terms { invoiced, ..MONTHLY };
        let mut order = Delivering::of(agreement(terms, &[ChargeType::OneOff], "2026-10-05"));
        order.pass("2026-10-09");
        let (at, from) = (order.told.at(), date("2026-10-05"));
        if paused {
            order.send(&Command::Pause { at, from }).unwrap();
        } else {
            order.cancel(from).unwrap();
        }
        order.pass("2027-01-10");
        assert_eq!(order.times_bought(id(1)), 1, "{terms:?}, paused {paused}");
    }
}

#[test]
fn what_is_bought_once_stays_with_who_bought_it_when_its_order_moves_before_its_first_invoice() {
    for (invoiced, paused) in [(0, false), (0, true), (14, false), (14, true)] {
        let terms = Terms { invoiced, ..MONTHLY };
        let mut old = Delivering::of(agreement(terms, &[ChargeType::OneOff], "2026-10-05"));
        old.pass("2026-10-09");
        if paused {
            old.told.pause("2026-10-05").unwrap();
        }
        let told = hand_over(&mut old.told, "2026-10-05").unwrap();
        let mut new = Delivering {
            told,
            tasks: BTreeMap::new(),
        };
        for order in [&mut old, &mut new] {
            order.pass("2027-01-10");
        }
        assert_eq!(
            (old.told.sum(), new.told.sum()),
            (31_00, 0),
            "{terms:?}, paused {paused}"
        );
        let delivered = (old.delivered().len(), new.delivered().len());
        assert_eq!(delivered, (1, 0), "{terms:?}, paused {paused}");
    }
}

#[test]
fn what_is_bought_once_is_not_taken_away_behind_its_day() {
    for invoiced in [0, 14] {
        let terms = Terms { invoiced, ..MONTHLY };
        let lines = [ChargeType::OneOff, ChargeType::Recurring];
        let mut order = Delivering::of(agreement(terms, &lines, "2026-10-05"));
        order.pass("2026-10-09");
        let change = Change {
            replaced: vec![id(1)],
            ..Change::on(date("2026-10-05"))
        };
        let (at, change) = (order.told.at(), Box::new(change));
        let refused = order.send(&Command::Change { at, change }).unwrap_err();
        assert_eq!(refused, Refused::Bought { line: id(1) }, "{terms:?}");
    }
}

#[test]
fn what_is_not_bought_before_its_day_is_not_charged_behind_it() {
    for invoiced in [0, 14] {
        let terms = Terms { invoiced, ..MONTHLY };
        let mut order = Delivering::begun(
            agreement(terms, &[ChargeType::OneOff], "2026-10-05"),
            date("2026-10-01"),
        );
        order.cancel(date("2026-10-05")).unwrap();
        order.pass("2027-01-10");
        assert_eq!(order.times_bought(id(1)), 0, "{terms:?}");
    }
}
