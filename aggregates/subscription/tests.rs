use chrono::{DateTime, NaiveDate, Utc};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId},
    money::{Currency, Money},
    terms::InvoicingPreferences,
};

fn at() -> DateTime<Utc> {
    "2026-10-01T00:00:00Z".parse().unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn signed() -> Event {
    Event::Signed {
        at: at(),
        subscription: SubscriptionId(Uuid::from_u128(1)),
        agreement: Box::new(Agreement {
            customer: CustomerId(Uuid::from_u128(2)),
            plan: None,
            currency: Currency::EUR,
            cycle: Cycle::Month,
            activation: date("2026-10-01"),
            status: Status::Active,
            terms: Terms::Contract {
                invoicing: InvoicingPreferences::default(),
            },
        }),
    }
}

fn new_charge(n: u128) -> NewCharge {
    NewCharge {
        id: ChargeId(Uuid::from_u128(n)),
        name: "Seats".to_owned(),
        amount: Money::new(1234, Currency::EUR),
        period: Period {
            start: date("2026-10-01"),
            end: Some(date("2026-11-01")),
        },
        flat_fee: false,
        automatic_payment: None,
    }
}

fn added(n: u128, automatic_payment: bool) -> Event {
    let NewCharge {
        id,
        name,
        amount,
        period,
        flat_fee,
        ..
    } = new_charge(n);
    let due_date = date("2026-11-01");
    Event::ChargeAdded {
        at: at(),
        charge: Charge {
            id,
            name,
            amount,
            period,
            flat_fee,
            automatic_payment,
            due_date,
        },
    }
}

fn invoice(charges: &[u128]) -> Command {
    let charges = charges.iter().map(|n| ChargeId(Uuid::from_u128(*n))).collect();
    Command::InvoiceCharges {
        at: at(),
        invoice: InvoiceId(Uuid::from_u128(9)),
        charges,
    }
}

#[test]
fn a_charge_takes_payment_mode_and_due_date_from_the_terms() {
    TestFramework::<Subscription>::with(())
        .given(vec![signed()])
        .when(Command::AddCharge {
            at: at(),
            charge: new_charge(1),
        })
        .then_expect_events(vec![added(1, false)]);
}

#[test]
fn a_flat_fee_is_due_by_its_own_policy() {
    let command = Command::AddCharge {
        at: at(),
        charge: NewCharge {
            flat_fee: true,
            ..new_charge(1)
        },
    };
    let Event::ChargeAdded { charge, .. } = added(1, false) else {
        unreachable!()
    };
    let charge = Charge {
        flat_fee: true,
        due_date: date("2026-10-01"),
        ..charge
    };
    TestFramework::<Subscription>::with(())
        .given(vec![signed()])
        .when(command)
        .then_expect_events(vec![Event::ChargeAdded { at: at(), charge }]);
}

#[test]
fn a_charge_in_another_currency_is_refused() {
    let charge = NewCharge {
        amount: Money::new(1, Currency::USD),
        ..new_charge(1)
    };
    TestFramework::<Subscription>::with(())
        .given(vec![signed()])
        .when(Command::AddCharge { at: at(), charge })
        .then_expect_error(Refused::WrongCurrency {
            expected: Currency::EUR,
            got: Currency::USD,
        });
}

#[test]
fn a_charge_is_invoiced_once() {
    let invoiced = Event::ChargesInvoiced {
        at: at(),
        invoice: InvoiceId(Uuid::from_u128(9)),
        charges: vec![ChargeId(Uuid::from_u128(1))],
    };
    TestFramework::<Subscription>::with(())
        .given(vec![signed(), added(1, false)])
        .when(invoice(&[1]))
        .then_expect_events(vec![invoiced.clone()]);
    TestFramework::<Subscription>::with(())
        .given(vec![signed(), added(1, false), invoiced])
        .when(invoice(&[1]))
        .then_expect_error(Refused::ChargeNotPending {
            charge: ChargeId(Uuid::from_u128(1)),
        });
}

#[test]
fn automatic_and_manual_charges_never_share_an_invoice() {
    TestFramework::<Subscription>::with(())
        .given(vec![signed(), added(1, false), added(2, true)])
        .when(invoice(&[1, 2]))
        .then_expect_error(Refused::MixedPayment);
}

#[test]
fn an_invoice_of_nothing_is_refused() {
    TestFramework::<Subscription>::with(())
        .given(vec![signed()])
        .when(invoice(&[]))
        .then_expect_error(Refused::NothingToInvoice);
}
