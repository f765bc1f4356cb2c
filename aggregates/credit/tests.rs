use cqrs_es::test::TestFramework;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    id::{CustomerId, InvoiceId},
    money::{Currency, Money},
};

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn grant(amount: Money) -> Command {
    Command::Grant {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        customer: CustomerId(Uuid::from_u128(1)),
        amount,
        source: Source::Gift {
            reason: "goodwill".to_owned(),
        },
    }
}

fn spend(amount: Money) -> Command {
    Command::Use {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        customer: CustomerId(Uuid::from_u128(1)),
        amount,
        invoice: InvoiceId(Uuid::from_u128(2)),
    }
}

fn after(commands: &[Command]) -> Credit {
    let mut credit = Credit::default();
    for command in commands {
        for event in credit.decide(command).unwrap_or_default() {
            credit.apply(&event);
        }
    }
    credit
}

#[test]
fn the_oldest_credit_is_used_first() {
    let credit = after(&[grant(eur(100)), grant(eur(50))]);
    let events = credit.decide(&spend(eur(120))).unwrap();
    let [Event::Used { taken, .. }] = events.as_slice() else {
        panic!("one use, got {events:?}")
    };
    let taken: Vec<_> = taken.iter().map(|taken| (taken.grant, taken.amount.minor)).collect();
    assert_eq!(taken, [(1, 100), (2, 20)]);
    let left = after(&[grant(eur(100)), grant(eur(50)), spend(eur(120))]);
    assert_eq!(left.balance(Currency::EUR), Ok(eur(30)));
    assert_eq!(left.grants.len(), 1);
}

#[test]
fn more_than_there_is_cannot_be_used() {
    TestFramework::<Credit>::with(())
        .given_no_previous_events()
        .when(spend(eur(1)))
        .then_expect_error(Refused::NotEnough { balance: eur(0) });
    assert_eq!(
        after(&[grant(eur(10))]).decide(&spend(eur(11))),
        Err(Refused::NotEnough { balance: eur(10) })
    );
}

#[test]
fn credit_moves_by_more_than_nothing_and_in_one_currency() {
    for command in [grant(eur(0)), grant(eur(-1)), spend(eur(0))] {
        assert_eq!(Credit::default().decide(&command), Err(Refused::NothingToMove));
    }
    let dollars = spend(Money::new(1, Currency::USD));
    assert!(matches!(
        after(&[grant(eur(10))]).decide(&dollars),
        Err(Refused::Money(_))
    ));
}

proptest! {
    #[test]
    fn what_was_granted_is_what_was_used_and_what_is_left(moves in proptest::collection::vec(-500_i64..500, 0..40)) {
        let mut credit = Credit::default();
        let (mut granted, mut used) = (0, 0);
        for minor in moves {
            let command = if minor < 0 { spend(eur(-minor)) } else { grant(eur(minor)) };
            for event in credit.decide(&command).unwrap_or_default() {
                match &event {
                    Event::Granted { amount, .. } => granted += amount.minor,
                    Event::Used { amount, .. } => used += amount.minor,
                }
                credit.apply(&event);
            }
            let left = credit.balance(Currency::EUR).unwrap().minor;
            prop_assert!(left >= 0);
            prop_assert_eq!(granted, used + left);
        }
    }
}
