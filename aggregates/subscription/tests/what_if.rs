//! A history once more: the same under the same terms, another one under others.

use proptest::prelude::*;

use super::{
    books::{Books, contract, flat, instant, order},
    *,
};
use crate::{
    Decider,
    billing::{Proration, TaxMode, Timing, Usage},
    calendar::PeriodUnit,
    order_terms::{BillingPeriod, ChargingPeriod, LineBilling, OrderBillingChanges},
    policy::PolicyChanges,
    preferences::InvoicingChanges,
    random::hold,
    terms::{DueDatePolicy, InvoiceTrigger},
};

/// Takes a history again: from `begin` on with other terms, billed when it was billed.
fn again(history: &[Event], begin: usize, supposed: Supposed) -> (Subscription, Subscription, Vec<Charge>) {
    let mut what_if = WhatIf::new(supposed);
    let (before, window) = history.split_at(begin);
    for event in before {
        what_if.happened(event);
    }
    let mut charges = Vec::new();
    let mut subscription = what_if.begin(instant("2026-10-01T00:00:00Z")).unwrap();
    for event in window {
        what_if.live_through(&mut subscription, event).unwrap();
        match event {
            Event::Accrued { at, until, .. } => charges.extend(bill(&mut subscription, *at, *until)),
            Event::ChargesInvoiced { at, .. } => {
                let charges: Vec<_> = subscription.pending().map(|charge| charge.id).collect();
                let actual: Vec<_> = what_if.actual().pending().map(|charge| charge.id).collect();
                let invoice = InvoiceId(Uuid::nil());
                let charges = charges.into_iter().filter(|id| !actual.contains(id)).collect();
                let at = *at;
                if let Ok(events) = subscription.decide(&Command::InvoiceCharges { at, invoice, charges }) {
                    for event in &events {
                        subscription.apply(event);
                    }
                }
            }
            _ => {}
        }
    }
    (what_if.actual().clone(), subscription, charges)
}

fn bill(subscription: &mut Subscription, at: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Charge> {
    let mut all = Vec::new();
    while let Some(moment) = subscription
        .progress()
        .unwrap()
        .next_billing
        .filter(|next| *next <= until)
    {
        let usage = Box::new(Usage::default());
        let accrue = Command::Accrue {
            at,
            until: moment,
            usage,
        };
        for event in subscription.decide(&accrue).unwrap() {
            subscription.apply(&event);
            if let Event::Accrued { charges, .. } = event {
                all.extend(charges);
            }
        }
    }
    all
}

/// Something that happens on a day, about a day near it.
fn happen(books: &mut Books, what: u8, at: DateTime<Utc>, about: NaiveDate, n: u32) {
    let id = [1, 7][n as usize / 5 % 2];
    let line = LineId(Uuid::from_u128(id));
    let price = format!("{}.{:02}", 5 + n % 40, n % 100);
    let changes = || PolicyChanges {
        proration: [
            None,
            Some(Proration::None),
            Some(Proration::ActualDays),
            Some(Proration::InclusiveDays),
            Some(Proration::ThirtyDayMonths),
        ][n as usize % 5],
        tax_mode: [None, Some(TaxMode::Inclusive), Some(TaxMode::Exclusive)][n as usize % 3],
        tax_level: None,
    };
    let period = BillingPeriod {
        name: "some".to_owned(),
        unit: [PeriodUnit::Week, PeriodUnit::Month][n as usize % 2],
        count: 1 + n % 2,
    };
    let command = match what {
        0 => Command::Change {
            at,
            change: Box::new(Change {
                effective: about,
                replaced: [Vec::new(), vec![line]][n as usize / 7 % 2].clone(),
                elsewhere: Vec::new(),
                elsewhere_over: None,
                lines: vec![flat(id, &price)],
                plan: None,
                cycle: [None, Some(Cycle::Week), Some(Cycle::Month)][n as usize % 3],
                billing_period: None,
                said: std::collections::BTreeMap::new(),
                ordered: None,
                implied: false,
            }),
        },
        1 => Command::Pause { at, from: about },
        2 => Command::Resume { at, from: about },
        3 => Command::Cancel { at, effective: about },
        4 => Command::Reactivate {
            at,
            from: about,
            undelivered: Vec::new(),
        },
        5 => Command::UpdatePolicy { at, changes: changes() },
        6 => Command::AddCharge {
            at,
            charge: NewCharge {
                id: ChargeId(Uuid::from_u128(1_000 + u128::from(n))),
                ..new_charge(1)
            },
        },
        7 => Command::UpdateBillingPreferences {
            at,
            preferences: Box::new(OrderBillingPreferences {
                billing_period: period,
                pro_rata_partial_charging_period: n.is_multiple_of(3),
                ..OrderBillingPreferences::default()
            }),
        },
        8 => Command::UpdateLineBilling {
            at,
            line,
            billing: Box::new(LineBilling {
                timing: [None, Some(Timing::Advance), Some(Timing::Arrears)][n as usize % 3],
                period: [None, Some(ChargingPeriod::Own(period))][n as usize / 3 % 2].clone(),
                fixed_start: [None, Some(about)][n as usize / 11 % 2],
                pro_rata_partial_charging_period: [None, Some(true), Some(false)][n as usize / 2 % 3],
                ..LineBilling::default()
            }),
        },
        _ => {
            books.bill_at(at);
            return;
        }
    };
    // What cannot be is refused, and leaves no event.
    drop(books.send(&command));
}

/// What happens, so many days after what came before it, about a day so far from its own, and a number.
type Step = (u8, u64, i64, u32);

/// A history under terms of that kind.
fn lived(steps: &[Step], ordered: bool, trigger: usize) -> Books {
    let mut agreement = if ordered {
        order("31.00", "2026-10-01", OrderBillingPreferences::default())
    } else {
        contract(vec![flat(1, "31.00"), flat(2, "7.77")], "2026-10-01")
    };
    if let Terms::Contract { invoicing } = &mut agreement.terms {
        invoicing.invoice_trigger = [
            InvoiceTrigger::Immediate,
            InvoiceTrigger::Manual,
            InvoiceTrigger::Periodic(crate::terms::PeriodRule {
                unit: PeriodUnit::Month,
                count: 1,
                offset_days: Some(13),
            }),
        ][trigger];
    }
    let mut books = Books::sign(agreement, "2026-10-01T00:00:00Z");
    let mut day = date("2026-10-01");
    for (what, later, about, n) in steps {
        day = day + chrono::Days::new(*later);
        let at = day.and_hms_opt(8, 0, 0).unwrap().and_utc();
        happen(&mut books, *what, at, day + chrono::TimeDelta::days(*about), *n);
    }
    books
}

#[test]
fn under_the_same_terms_every_history_is_what_it_was() {
    let steps = proptest::collection::vec((0_u8..13, 0_u64..20, -5_i64..25, 0_u32..1_000), 1..25);
    let taken = (steps, 0_usize..60, any::<bool>(), 0_usize..3);
    hold(&taken, |(steps, begin, ordered, trigger)| {
        let books = lived(&steps, ordered, trigger);
        let begin = begin.min(books.history.len());
        let (actual, same, _) = again(&books.history, begin, Supposed::default());
        prop_assert_eq!(&actual, &books.subscription);
        prop_assert_eq!(&same, &actual);
        Ok(())
    });
}

/// Histories that once came out otherwise when they were taken again.
#[test]
fn an_order_whose_period_changes_while_it_stands_still_or_has_no_day_is_what_it_was() {
    const BILLED: u8 = 11;
    let (change, pause, resume, cancel, reactivate, policy, preferences) = (0, 1, 2, 3, 4, 5, 7);
    let histories: [&[Step]; 4] = [
        &[
            (BILLED, 3, 0, 0),
            (preferences, 2, 0, 171),
            (pause, 14, 13, 0),
            (BILLED, 12, 0, 0),
            (preferences, 0, 0, 4),
            (policy, 0, 0, 596),
            (resume, 7, 0, 0),
        ],
        &[
            (BILLED, 2, 0, 0),
            (preferences, 13, 0, 369),
            (BILLED, 16, 0, 0),
            (pause, 0, 0, 0),
            (policy, 0, 0, 6),
            (policy, 0, 0, 1),
            (preferences, 0, 0, 10),
            (resume, 0, 1, 0),
        ],
        &[
            (preferences, 0, 0, 921),
            (BILLED, 0, 0, 0),
            (preferences, 0, 0, 256),
            (cancel, 0, 0, 0),
            (reactivate, 0, 1, 0),
        ],
        &[
            (change, 0, 0, 484),
            (change, 0, 14, 0),
            (change, 0, 0, 0),
            (change, 0, 12, 0),
            (preferences, 0, 0, 187),
            (change, 3, 0, 0),
        ],
    ];
    for history in histories {
        let books = lived(history, true, 0);
        let (actual, same, _) = again(&books.history, 0, Supposed::default());
        assert_eq!(same, actual, "{history:?}");
    }
}

fn pending(subscription: &Subscription) -> Vec<String> {
    let mut charges: Vec<_> = subscription.pending().collect();
    charges.sort_by_key(|charge| charge.period.start);
    charges
        .iter()
        .map(|charge| format!("{} due {}", books::line(charge), charge.due_date))
        .collect()
}

/// A contract whose charges wait, so that they can be looked at.
fn manual() -> Books {
    let mut agreement = contract(vec![flat(1, "30.00")], "2026-10-01");
    if let Terms::Contract { invoicing } = &mut agreement.terms {
        invoicing.invoice_trigger = InvoiceTrigger::Manual;
    }
    Books::sign(agreement, "2026-10-01T00:00:00Z")
}

#[test]
fn other_terms_reach_what_is_charged_in_the_window_only() {
    let mut books = manual();
    books.bill("2026-10-01");
    let begin = books.history.len();
    books.bill("2026-11-01");
    let supposed = Supposed {
        invoicing: InvoicingChanges {
            flat_fee_due_date_policy: Some(DueDatePolicy::EndOfPeriod),
            ..InvoicingChanges::default()
        },
        ..Supposed::default()
    };
    let (was, would_be, _) = again(&books.history, begin, supposed);
    assert_eq!(
        pending(&was),
        ["10-01->11-01 30.00 due 2026-10-01", "11-01->12-01 30.00 due 2026-11-01"]
    );
    assert_eq!(
        pending(&would_be),
        ["10-01->11-01 30.00 due 2026-10-01", "11-01->12-01 30.00 due 2026-12-01"]
    );
}

#[test]
fn another_policy_counts_the_same_end_otherwise() {
    let mut books = manual();
    let begin = books.history.len();
    books.bill("2026-10-01");
    let (at, effective) = (instant("2026-10-11T00:00:00Z"), date("2026-10-11"));
    books.send(&Command::Cancel { at, effective }).unwrap();
    books.bill("2026-10-11");
    let thirty = Supposed {
        policy: PolicyChanges {
            proration: Some(Proration::ThirtyDayMonths),
            ..PolicyChanges::default()
        },
        ..Supposed::default()
    };
    let (was, would_be, _) = again(&books.history, begin, thirty);
    assert_eq!(pending(&was)[1], "10-11->11-01 -20.32 due 2026-10-11");
    assert_eq!(pending(&would_be)[1], "10-11->11-01 -20.00 due 2026-10-11");
}

#[test]
fn other_periods_of_an_order_begin_at_its_next_billing_date_and_what_happened_happens_to_them() {
    let mut books = Books::sign(
        order("30.00", "2026-10-01", OrderBillingPreferences::default()),
        "2026-10-01T00:00:00Z",
    );
    books.bill("2026-10-01");
    let begin = books.history.len();
    books.bill("2026-11-01");
    let (at, effective) = (instant("2026-11-02T00:00:00Z"), date("2026-11-15"));
    books.send(&Command::Cancel { at, effective }).unwrap();
    books.bill("2026-12-01");
    let weekly = Supposed {
        order: OrderBillingChanges {
            billing_period: Some(BillingPeriod {
                name: "1 Week".to_owned(),
                unit: PeriodUnit::Week,
                count: 1,
            }),
            invoice_mode: Some(crate::order_terms::Mode::Manual),
            ..OrderBillingChanges::default()
        },
        ..Supposed::default()
    };
    let (_, mut would_be, mut charges) = again(&books.history, begin, weekly);
    let until = instant("2026-12-01T00:00:00Z");
    charges.extend(bill(&mut would_be, until, until));
    let periods: Vec<_> = charges.iter().map(books::line).collect();
    assert_eq!(periods, ["11-01->11-08 30.00", "11-08->11-15 30.00"]);
    assert_eq!(would_be.agreement().unwrap().status, Status::Cancelled);
}
