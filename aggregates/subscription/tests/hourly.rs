//! Cycles of an hour: nothing is billed by them, and what once was goes on as it did.

use super::{
    books::{Books, contract, flat},
    *,
};
use crate::{Decider, billing::Kind};

fn sign(agreement: Agreement) -> Result<Vec<Event>, Refused> {
    Subscription::Absent.decide(&Command::Sign {
        at: at(),
        subscription: SubscriptionId(Uuid::from_u128(1)),
        agreement: Box::new(agreement),
    })
}

fn hourly(kind: Kind, status: Status) -> Agreement {
    let line = crate::catalog::PlanLine {
        kind,
        ..flat(1, "1.00")
    };
    Agreement {
        cycle: Cycle::Hour,
        status,
        ..contract(vec![line], "2026-10-01")
    }
}

#[test]
fn nothing_is_agreed_that_would_be_billed_by_the_hour() {
    let metered = || Kind::Metered {
        metric: "calls".to_owned(),
        aggregation: crate::billing::Aggregation::Sum,
    };
    for status in [Status::Active, Status::Pending] {
        for kind in [Kind::Recurring, metered()] {
            assert_eq!(sign(hourly(kind, status)), Err(Refused::Hourly));
        }
        assert!(sign(hourly(Kind::OneOff, status)).is_ok());
    }
}

#[test]
fn what_was_agreed_by_the_hour_is_billed_as_it_always_was() {
    let daily = Agreement {
        cycle: Cycle::Day,
        ..hourly(Kind::Recurring, Status::Active)
    };
    let mut events = sign(daily).unwrap();
    let Some(Event::Signed { agreement, .. }) = events.first_mut() else {
        unreachable!()
    };
    agreement.cycle = Cycle::Hour;
    let mut books = Books::default();
    books.subscription.apply(&events[0]);
    assert_eq!(books.bill("2026-10-02"), ["10-01->10-02 1.00", "10-02->10-03 1.00"]);
}
