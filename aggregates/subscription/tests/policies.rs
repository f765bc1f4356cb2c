//! Another policy reaches what is not charged yet, and nothing else.

use super::{
    books::{Books, contract, flat, instant},
    *,
};
use crate::{
    billing::{Explanation, Proration, TaxLevel, TaxMode, TaxPolicy},
    catalog::PlanLine,
    policy::PolicyChanges,
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
