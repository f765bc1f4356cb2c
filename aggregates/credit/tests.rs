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

fn granted_by(invoice: u128, amount: Money) -> Command {
    Command::Grant {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        customer: CustomerId(Uuid::from_u128(1)),
        amount,
        source: Source::Invoice {
            invoice: InvoiceId(Uuid::from_u128(invoice)),
        },
    }
}

fn take_back(invoice: u128, amount: Money) -> Command {
    Command::TakeBack {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        customer: CustomerId(Uuid::from_u128(1)),
        amount,
        invoice: InvoiceId(Uuid::from_u128(invoice)),
    }
}

#[test]
fn what_an_invoice_granted_is_taken_back_while_it_is_there() {
    let both = [grant(eur(5)), granted_by(7, eur(100))];
    let left = after(&[&both[..], &[take_back(7, eur(100))]].concat());
    assert_eq!((left.balance(Currency::EUR), left.grants.len()), (Ok(eur(5)), 1));
    // The older grant is used first, and then one cent of the invoice's.
    for (spent, refused) in [(5, None), (6, Some(Refused::AlreadyUsed { used: eur(1) }))] {
        let credit = after(&[&both[..], &[spend(eur(spent))]].concat());
        assert_eq!(credit.decide(&take_back(7, eur(100))).err(), refused, "{spent}");
    }
    let other = after(&both).decide(&take_back(8, eur(100)));
    assert_eq!(other, Err(Refused::AlreadyUsed { used: eur(100) }));
}

#[test]
fn what_came_back_of_voided_invoices_is_taken_back_too() {
    let returned = |amount: Money| Command::Grant {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        customer: CustomerId(Uuid::from_u128(1)),
        amount,
        source: Source::VoidedInvoice {
            invoice: InvoiceId(Uuid::from_u128(8)),
        },
    };
    // Ten are left of its own; what the others paid is there again, but for five.
    let used = [granted_by(7, eur(100)), spend(eur(90)), grant(eur(50))];
    for (there, refused) in [(90, None), (85, Some(Refused::AlreadyUsed { used: eur(5) }))] {
        let mut credit = after(&[&used[..], &[returned(eur(there))]].concat());
        let events = credit.decide(&take_back(7, eur(100)));
        assert_eq!(events.as_ref().err(), refused.as_ref(), "{there}");
        for event in events.unwrap_or_default() {
            credit.apply(&event);
        }
        let left = if refused.is_none() { 50 } else { 50 + 10 + there };
        assert_eq!(credit.balance(Currency::EUR), Ok(eur(left)), "{there}");
    }
}

proptest! {
    #[test]
    fn what_was_granted_is_what_was_used_and_what_is_left(moves in proptest::collection::vec(-500_i64..500, 0..40)) {
        let mut credit = Credit::default();
        let (mut granted, mut used) = (0, 0);
        for minor in moves {
            let command = match minor {
                ..0 => spend(eur(-minor)),
                0..100 => granted_by(minor.unsigned_abs().into(), eur(minor)),
                100..150 => take_back((minor - 100).unsigned_abs().into(), eur(minor - 100)),
                _ => grant(eur(minor)),
            };
            for event in credit.decide(&command).unwrap_or_default() {
                match &event {
                    Event::Granted { amount, .. } => granted += amount.minor,
                    Event::Used { amount, .. } => used += amount.minor,
                    Event::TakenBack { amount, .. } => granted -= amount.minor,
                }
                credit.apply(&event);
            }
            let left = credit.balance(Currency::EUR).unwrap().minor;
            prop_assert!(left >= 0);
            prop_assert_eq!(granted, used + left);
        }
    }
}
