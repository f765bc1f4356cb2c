//! Another policy reaches what is not charged yet, and nothing else.

use super::{
    books::{Books, contract, flat, instant, line},
    *,
};
use crate::{
    billing::{Explanation, Proration, TaxLevel, TaxMode, TaxPolicy},
    calendar,
    catalog::PlanLine,
    policy::PolicyChanges,
    random::hold,
};

fn to(proration: Option<Proration>, mode: Option<TaxMode>) -> PolicyChanges {
    PolicyChanges {
        proration,
        tax_level: None,
        tax_mode: mode,
    }
}

fn update(books: &mut Books, at: &str, changes: PolicyChanges) -> Vec<Event> {
    let at = instant(at);
    books.send(&Command::UpdatePolicy { at, changes }).unwrap()
}

fn end(books: &mut Books, at: &str, effective: &str) {
    let (at, effective) = (instant(at), date(effective));
    books.send(&Command::Cancel { at, effective }).unwrap();
}

fn cancel_on(books: &mut Books, at: &str, effective: &str) {
    end(books, at, effective);
}

fn explanations(books: &Books) -> Vec<&Explanation> {
    let charges = books.history.iter().flat_map(|event| match event {
        Event::Accrued { charges, .. } => charges.as_slice(),
        _ => &[],
    });
    charges.filter_map(|charge| charge.explanation.as_deref()).collect()
}

#[test]
fn a_charge_says_by_which_policy_it_was_made() {
    let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-02-01"), "2024-02-01T00:00:00Z");
    books.bill("2024-02-01");
    update(
        &mut books,
        "2024-02-12T00:00:00Z",
        to(Some(Proration::ThirtyDayMonths), None),
    );
    books.bill("2024-03-01");
    let told: Vec<_> = explanations(&books)
        .iter()
        .map(|why| (why.policy_version.unwrap().to_string(), why.policy))
        .collect();
    assert_eq!(
        told,
        [
            ("tenant/1".to_owned(), Proration::ActualDays),
            ("subscription/1".to_owned(), Proration::ThirtyDayMonths)
        ]
    );
}

#[test]
fn what_is_so_already_is_no_event() {
    let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-02-01"), "2024-02-01T00:00:00Z");
    let same = to(Some(Proration::ActualDays), Some(TaxMode::Exclusive));
    assert_eq!(update(&mut books, "2024-02-12T00:00:00Z", same), []);
}

#[test]
fn a_cancelled_subscription_has_no_other_policy() {
    let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-02-01"), "2024-02-01T00:00:00Z");
    end(&mut books, "2024-02-12T00:00:00Z", "2024-02-12");
    let changes = to(Some(Proration::None), None);
    let at = instant("2024-02-13T00:00:00Z");
    assert_eq!(
        books.send(&Command::UpdatePolicy { at, changes }),
        Err(Refused::Cancelled)
    );
}

#[test]
fn the_same_facts_have_four_answers_through_the_whole_subscription() {
    for (proration, given_back) in [
        (Proration::ActualDays, &["02-12->03-01 -18.00"][..]),
        (Proration::InclusiveDays, &["02-13->03-01 -17.00"]),
        (Proration::ThirtyDayMonths, &["02-12->03-01 -18.37"]),
        (Proration::Seconds, &["02-12->03-01 -18.00"]),
        (Proration::None, &[]),
    ] {
        let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-02-01"), "2024-01-01T00:00:00Z");
        update(&mut books, "2024-01-02T00:00:00Z", to(Some(proration), None));
        assert_eq!(books.bill("2024-02-01"), ["02-01->03-01 29.00"]);
        end(&mut books, "2024-02-12T00:00:00Z", "2024-02-12");
        assert_eq!(books.bill("2024-02-12"), given_back, "{proration:?}");
    }
}

#[test]
fn what_was_charged_whole_is_not_given_back_in_parts_by_a_later_policy() {
    let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-02-01"), "2024-01-01T00:00:00Z");
    update(&mut books, "2024-01-02T00:00:00Z", to(Some(Proration::None), None));
    books.bill("2024-02-01");
    update(
        &mut books,
        "2024-02-10T00:00:00Z",
        to(Some(Proration::ActualDays), None),
    );
    end(&mut books, "2024-02-12T00:00:00Z", "2024-02-12");
    assert_eq!(books.bill("2024-02-12"), [""; 0]);
}

#[test]
fn what_was_charged_in_part_is_not_given_back_whole_by_a_later_policy() {
    let mut agreement = contract(vec![flat(1, "29.00")], "2024-02-20");
    agreement.offer.as_mut().unwrap().cycle_start_offset = Some(0);
    let mut books = Books::sign(agreement, "2024-02-01T00:00:00Z");
    assert_eq!(books.bill("2024-02-20"), ["02-20->03-01 10.00"]);
    update(&mut books, "2024-02-20T08:00:00Z", to(Some(Proration::None), None));
    end(&mut books, "2024-02-20T09:00:00Z", "2024-02-20");
    assert_eq!(books.bill("2024-02-20"), ["02-20->03-01 -10.00"]);
}

/// Paid by days, with a policy that divides nothing from the 10th on.
fn divided_then_not() -> Books {
    let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-02-01"), "2024-02-01T00:00:00Z");
    assert_eq!(books.bill("2024-02-01"), ["02-01->03-01 29.00"]);
    update(&mut books, "2024-02-10T00:00:00Z", to(Some(Proration::None), None));
    books
}

fn change_to(books: &mut Books, at: &str, lines: Vec<PlanLine>) {
    let change = Change {
        lines,
        ..Change::on(date(&at[..10]))
    };
    let (at, change) = (instant(at), Box::new(change));
    books.send(&Command::Change { at, change }).unwrap();
}

#[test]
fn a_period_that_was_paid_in_parts_is_counted_in_parts_to_its_end() {
    let mut books = divided_then_not();
    change_to(&mut books, "2024-02-12T00:00:00Z", vec![flat(1, "58.00")]);
    assert_eq!(books.bill("2024-02-12"), ["02-12->03-01 36.00", "02-12->03-01 -18.00"]);
    change_to(&mut books, "2024-02-20T00:00:00Z", vec![flat(1, "87.00")]);
    assert_eq!(books.bill("2024-02-20"), ["02-20->03-01 30.00", "02-20->03-01 -20.00"]);
    assert_eq!(books.bill("2024-03-01"), ["03-01->04-01 87.00"]);
    // From the next period on nothing is divided.
    change_to(&mut books, "2024-03-12T00:00:00Z", vec![flat(1, "29.00")]);
    assert_eq!(books.bill("2024-03-12"), ["03-12->04-01 29.00", "03-01->04-01 -87.00"]);
    let versions: Vec<_> = explanations(&books)
        .iter()
        .map(|why| why.policy_version.unwrap().to_string())
        .collect();
    assert_eq!(&versions[..5], ["tenant/1"; 5]);
    assert_eq!(&versions[5..], ["subscription/1"; 3]);
}

#[test]
fn what_comes_in_the_place_of_another_line_is_counted_as_that_one_is_given_back() {
    let mut books = divided_then_not();
    change_to(&mut books, "2024-02-12T00:00:00Z", vec![flat(2, "58.00")]);
    assert_eq!(books.bill("2024-02-12"), ["02-12->03-01 36.00", "02-12->03-01 -18.00"]);
    end(&mut books, "2024-02-20T00:00:00Z", "2024-02-20");
    assert_eq!(books.bill("2024-02-20"), ["02-20->03-01 -20.00"]);
}

#[test]
fn a_line_that_comes_beside_others_is_counted_by_the_policy_of_its_day() {
    let mut books = divided_then_not();
    let change = Change {
        replaced: vec![LineId(Uuid::from_u128(2))],
        lines: vec![flat(2, "58.00")],
        ..Change::on(date("2024-02-12"))
    };
    let (at, change) = (instant("2024-02-12T00:00:00Z"), Box::new(change));
    books.send(&Command::Change { at, change }).unwrap();
    assert_eq!(books.bill("2024-02-12"), ["02-12->03-01 58.00"]);
}

#[test]
fn what_was_paid_in_parts_goes_on_in_parts_after_a_pause() {
    let mut books = divided_then_not();
    let (at, from) = (instant("2024-02-12T00:00:00Z"), date("2024-02-12"));
    books.send(&Command::Pause { at, from }).unwrap();
    assert_eq!(books.bill("2024-02-12"), ["02-12->03-01 -18.00"]);
    let (at, from) = (instant("2024-02-20T00:00:00Z"), date("2024-02-20"));
    books.send(&Command::Resume { at, from }).unwrap();
    assert_eq!(books.bill("2024-02-20"), ["02-20->03-01 10.00"]);
    assert_eq!(books.bill("2024-03-01"), ["03-01->04-01 29.00"]);
}

/// Found by the property below: while the line stood still the policy changed, and nobody saw the change that was planned.
#[test]
fn a_planned_change_that_stood_still_while_the_policy_changed_divides_no_period() {
    let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-01-15"), "2024-01-15T00:00:00Z");
    let at = |day: &str| calendar::midnight(date(day), chrono_tz::UTC).unwrap();
    let mut charges = books.bill_at(at("2024-03-09"));
    let change = Change {
        lines: vec![flat(2, "31.00")],
        ..Change::on(date("2024-03-17"))
    };
    let (change, planned) = (Box::new(change), at("2024-03-09"));
    books.send(&Command::Change { at: planned, change }).unwrap();
    let (at_once, from) = (at("2024-03-12"), date("2024-03-16"));
    books.send(&Command::Pause { at: at_once, from }).unwrap();
    let none = to(Some(Proration::None), None);
    let update = Command::UpdatePolicy {
        at: at_once,
        changes: none,
    };
    books.send(&update).unwrap();
    books.send(&Command::Resume { at: at_once, from }).unwrap();
    charges.extend(books.bill_at(at("2024-04-14")));
    let of_march = charges
        .iter()
        .filter(|charge| charge.period.start >= date("2024-03-15"));
    let sum: i64 = of_march.map(|charge| charge.amount.minor).sum();
    assert_eq!(sum, 31_00, "{charges:#?}");
}

fn pause_and_resume(books: &mut Books, at: &str, [from, to]: [&str; 2], meanwhile: impl Fn(&mut Books)) {
    let (at, from, to) = (instant(at), date(from), date(to));
    books.send(&Command::Pause { at, from }).unwrap();
    meanwhile(books);
    books.send(&Command::Resume { at, from: to }).unwrap();
}

/// Found by the property below: of the line that had come nothing was charged any more, but of the period something was.
#[test]
fn what_was_given_back_whole_goes_on_by_the_policy_of_its_period() {
    let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-02-01"), "2024-02-01T00:00:00Z");
    books.bill("2024-02-01");
    change_to(&mut books, "2024-02-12T00:00:00Z", vec![flat(2, "58.00")]);
    assert_eq!(books.bill("2024-02-12"), ["02-12->03-01 36.00", "02-12->03-01 -18.00"]);
    pause_and_resume(
        &mut books,
        "2024-02-13T00:00:00Z",
        ["2024-02-12", "2024-02-15"],
        |books| {
            assert_eq!(books.bill("2024-02-13"), ["02-12->03-01 -36.00"]);
            update(books, "2024-02-13T00:00:00Z", to(Some(Proration::None), None));
        },
    );
    assert_eq!(books.bill("2024-02-15"), ["02-15->03-01 30.00"]);
}

/// Found by the property below, too: what was planned came while, or after, everything stood still.
#[test]
fn a_planned_change_behind_a_pause_is_counted_by_the_policy_of_its_period() {
    let none = |books: &mut Books| drop(update(books, "2024-02-10T00:00:00Z", to(Some(Proration::None), None)));
    for (on, charged) in [
        ("2024-02-12", "02-12->03-01 36.00"),
        ("2024-02-15", "02-15->03-01 30.00"),
    ] {
        for paused in [true, false] {
            let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-02-01"), "2024-02-01T00:00:00Z");
            books.bill("2024-02-01");
            let change = Change {
                lines: vec![flat(2, "58.00")],
                ..Change::on(date("2024-02-12"))
            };
            let (at, change) = (instant("2024-02-10T00:00:00Z"), Box::new(change));
            books.send(&Command::Change { at, change }).unwrap();
            let days = ["2024-02-11", on];
            pause_and_resume(&mut books, "2024-02-10T00:00:00Z", days, |books| {
                if paused {
                    none(books);
                }
            });
            if !paused {
                none(&mut books);
            }
            assert_eq!(books.bill("2024-02-15"), ["02-11->03-01 -19.00", charged], "{paused}");
        }
    }
}

/// Found by the property below: three changes, each dated further back, gave 29.01 of 29.00 back.
#[test]
fn changes_dated_back_one_behind_the_other_give_no_more_back_than_was_paid() {
    let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-02-15"), "2024-02-02T00:00:00Z");
    let thirty = to(Some(Proration::ThirtyDayMonths), None);
    update(&mut books, "2024-02-02T00:00:00Z", thirty);
    let mut charges = books.bill_at(instant("2024-02-19T00:00:00Z"));
    let mut change = |books: &mut Books, at: &str, effective: &str| {
        let change = Change {
            lines: vec![flat(1, "17.00")],
            ..Change::on(date(effective))
        };
        let (at, change) = (instant(at), Box::new(change));
        books.send(&Command::Change { at, change }).unwrap();
        charges.extend(books.bill_at(at));
    };
    change(&mut books, "2024-02-20T00:00:00Z", "2024-02-20");
    change(&mut books, "2024-02-20T01:00:00Z", "2024-02-16");
    let (at, from) = (instant("2024-02-20T02:00:00Z"), date("2024-02-15"));
    books.send(&Command::Pause { at, from }).unwrap();
    charges.extend(books.bill_at(at));
    let given_back = charges.iter().filter(|charge| charge.amount.minor < 0);
    assert_eq!(
        given_back.map(line).collect::<Vec<_>>(),
        [
            "02-20->03-15 -24.17",
            "02-16->02-20 -3.86",
            "02-20->03-15 -14.17",
            "02-15->02-16 -0.97",
            "02-16->03-15 -16.43"
        ]
    );
    assert_eq!(charges.iter().map(|charge| charge.amount.minor).sum::<i64>(), 0);
}

/// Found by the property below: the days before the pause and those behind it were charged the whole price each.
#[test]
fn what_stood_still_within_a_period_costs_one_price_where_a_later_policy_divides_nothing() {
    let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-01-15"), "2024-01-15T00:00:00Z");
    books.bill("2024-02-10");
    let days = ["2024-02-16", "2024-02-17"];
    pause_and_resume(&mut books, "2024-02-10T00:00:00Z", days, |_| {});
    update(&mut books, "2024-02-11T00:00:00Z", to(Some(Proration::None), None));
    let charged = [books.bill("2024-02-15"), books.bill("2024-03-10")].concat();
    assert_eq!(charged, ["02-17->03-15 29.00"]);
    assert_eq!(books.bill("2024-03-15"), ["03-15->04-15 29.00"]);
}

#[test]
fn no_period_costs_more_than_its_highest_price_whatever_the_policies() {
    const POLICIES: [Proration; 3] = [Proration::ActualDays, Proration::ThirtyDayMonths, Proration::None];
    let steps = proptest::collection::vec((0_u64..20, 0_usize..8, -5_i64..9), 1..14);
    hold(&steps, |steps| {
        let mut books = Books::sign(contract(vec![flat(1, "29.00")], "2024-01-15"), "2024-01-15T00:00:00Z");
        let mut day = date("2024-01-15");
        let mut charges = Vec::new();
        for (later, what, about) in steps {
            day = day + chrono::Days::new(later);
            let at = calendar::midnight(day, chrono_tz::UTC).unwrap();
            charges.extend(books.bill_at(at));
            let about = day + chrono::TimeDelta::days(about);
            let change = |line: u128| Command::Change {
                at,
                change: Box::new(Change {
                    lines: vec![flat(line, if later % 2 == 0 { "31.00" } else { "17.00" })],
                    ..Change::on(about)
                }),
            };
            let command = match what {
                0..3 => Command::UpdatePolicy {
                    at,
                    changes: to(Some(POLICIES[what % POLICIES.len()]), None),
                },
                3 | 4 => change(1),
                5 => change(2),
                6 => Command::Pause { at, from: about },
                _ => Command::Resume { at, from: about },
            };
            // What cannot be is refused.
            drop(books.send(&command));
        }
        charges.extend(books.bill_at(instant("2025-06-01T00:00:00Z")));
        let mut periods: std::collections::BTreeMap<_, (i64, i64)> = std::collections::BTreeMap::new();
        for charge in &charges {
            let start = charge.explanation.as_ref().unwrap().notional.unwrap().start;
            let (sum, made) = periods.entry(start).or_default();
            (*sum, *made) = (*sum + charge.amount.minor, *made + 1);
        }
        for (start, (sum, made)) in periods {
            let told: Vec<_> = charges.iter().map(books::line).collect();
            proptest::prop_assert!((0..=3_100 + made).contains(&sum), "{sum} for {start}: {told:#?}");
        }
        Ok(())
    });
}

fn taxed() -> PlanLine {
    PlanLine {
        tax_rate: Some(20.into()),
        ..flat(1, "12.00")
    }
}

#[test]
fn what_contained_its_tax_contains_it_when_it_is_taken_back() {
    let mut books = Books::sign(contract(vec![taxed()], "2024-02-01"), "2024-01-01T00:00:00Z");
    update(&mut books, "2024-01-02T00:00:00Z", to(None, Some(TaxMode::Inclusive)));
    books.bill("2024-02-01");
    update(&mut books, "2024-02-01T08:00:00Z", to(None, Some(TaxMode::Exclusive)));
    end(&mut books, "2024-02-01T09:00:00Z", "2024-02-01");
    assert_eq!(books.bill("2024-02-01"), ["02-01->03-01 -12.00"]);
    let inclusive = TaxPolicy {
        level: TaxLevel::Invoice,
        mode: TaxMode::Inclusive,
    };
    let modes: Vec<_> = explanations(&books).iter().map(|why| why.tax).collect();
    assert_eq!(modes, [Some(inclusive); 2]);
}

#[test]
fn before_on_and_after_the_charge_of_a_period() {
    for (changed_at, amount) in [
        ("2024-02-29T23:59:59Z", "03-01->04-01 12.00 Inclusive"),
        ("2024-03-01T00:00:00Z", "03-01->04-01 12.00 Exclusive"),
        ("2024-03-01T00:00:01Z", "03-01->04-01 12.00 Exclusive"),
    ] {
        let mut books = Books::sign(contract(vec![taxed()], "2024-03-01"), "2024-01-01T00:00:00Z");
        // The run of the day comes first where both fall on one instant.
        let changed = instant(changed_at);
        books.bill_at(changed);
        update(&mut books, changed_at, to(None, Some(TaxMode::Inclusive)));
        books.bill("2024-03-02");
        let found = books.history.iter().find_map(|event| match event {
            Event::Accrued { charges, .. } => charges.first(),
            _ => None,
        });
        let charge = found.unwrap();
        let text = format!("{} {:?}", books::line(charge), charge.tax_policy().mode);
        assert_eq!(text, amount, "changed at {changed_at}");
    }
}

proptest::proptest! {
    /// Charged by one policy and taken back by another: never more than was charged, and nothing where all was kept.
    #[test]
    fn no_more_is_given_back_than_was_charged_whatever_the_policies(
        changes in proptest::collection::vec((0_i64..100, 0_usize..5), 0..6),
        end in 0_i64..100,
        heard_after in 0_i64..40,
        offset in proptest::option::of(0_u32..28),
    ) {
        const ALL: [Proration; 5] = [
            Proration::ActualDays,
            Proration::InclusiveDays,
            Proration::ThirtyDayMonths,
            Proration::Seconds,
            Proration::None,
        ];
        let first = date("2024-01-15");
        let day = |n: i64| (first + chrono::TimeDelta::days(n)).to_string();
        let mut agreement = contract(vec![flat(1, "29.00"), flat(2, "0.37")], "2024-01-15");
        agreement.offer.as_mut().unwrap().cycle_start_offset = offset;
        let mut books = Books::sign(agreement, "2024-01-01T00:00:00Z");
        let mut charges = Vec::new();
        for n in 0..160 {
            let noon = format!("{}T12:00:00Z", day(n));
            charges.extend(books.bill_at(instant(&noon)));
            for (_, policy) in changes.iter().filter(|(when, _)| *when == n) {
                let (at, changes) = (instant(&noon), to(Some(ALL[*policy]), None));
                // What has ended has no other policy.
                drop(books.send(&Command::UpdatePolicy { at, changes }));
            }
            if n == end + heard_after {
                cancel_on(&mut books, &noon, &day(end));
            }
        }
        for line in [1, 2] {
            let of_line = charges.iter().filter(|charge| charge.line == Some(LineId(Uuid::from_u128(line))));
            let mut sum = 0;
            for charge in of_line {
                sum += charge.amount.minor;
                proptest::prop_assert!(sum >= 0, "{charges:?}");
            }
        }
        if end == 0 && changes.is_empty() {
            let sum: i64 = charges.iter().map(|charge| charge.amount.minor).sum();
            proptest::prop_assert_eq!(sum, 0);
        }
    }
}
