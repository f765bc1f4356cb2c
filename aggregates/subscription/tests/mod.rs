//! Tests of subscriptions: what each command leads to, and what becomes of them over time.

mod arrears;
mod books;
mod boundaries;
mod calendars;
mod called;
mod chains;
mod changes;
mod dated;
mod delivered_histories;
mod delivered_later;
mod delivering;
mod handed;
mod handed_still;
mod histories;
mod hourly;
mod kept;
mod lives;
mod paid_before;
mod plans;
mod policies;
mod preferred;
mod recorded;
mod reshaped;
mod restarted;
mod settled;
mod shared_periods;
mod taken_over;
mod told;
mod twins;
mod used;
mod what_if;

use chrono::{DateTime, NaiveDate, Utc};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, LineId, SubscriptionId},
    money::{Currency, Money, MoneyError},
    order_terms::{OrderBillingPreferences, catalogue},
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
            order: None,
            offer: None,
            phases: Vec::new(),
            trial_end: None,
            time_zone: None,
            moved_from: None,
            upgraded_from: None,
            usage_from: None,
            under_way: std::collections::BTreeSet::new(),
            goes_on_from: None,
            counted: Vec::new(),
            paid_before: std::collections::BTreeMap::new(),
            rest_before: std::collections::BTreeMap::new(),
            invoice_calendar: None,
            proration: None,
            policy: None,
        }),
        next_billing: None,
    }
}

fn ordered() -> Event {
    let Event::Signed {
        at,
        subscription,
        mut agreement,
        next_billing,
    } = signed()
    else {
        unreachable!()
    };
    agreement.terms = Terms::Order {
        billing: Box::default(),
    };
    Event::Signed {
        at,
        subscription,
        agreement,
        next_billing,
    }
}

fn bill_weekly() -> OrderBillingPreferences {
    let billing_period = catalogue::find(catalogue::billing_periods(), |period| &period.name, "1 week");
    OrderBillingPreferences {
        billing_period: billing_period.unwrap(),
        ..OrderBillingPreferences::default()
    }
}

fn update(preferences: OrderBillingPreferences) -> Command {
    Command::UpdateBillingPreferences {
        at: at(),
        preferences: Box::new(preferences),
    }
}

fn cancel(effective: &str) -> Command {
    Command::Cancel {
        at: at(),
        effective: date(effective),
    }
}

fn cancelled() -> Event {
    Event::Cancelled {
        at: at(),
        effective: date("2026-10-01"),
        scheduled: false,
        ended: Vec::new(),
        next_billing: None,
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
            line: None,
            tax_rate: None,
            explanation: None,
        },
        next_billing: Some(at()),
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
        .then_expect_events(vec![Event::ChargeAdded {
            at: at(),
            charge,
            next_billing: Some(at()),
        }]);
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

#[test]
fn an_order_is_billed_by_its_new_preferences() {
    let updated = Event::BillingPreferencesUpdated {
        at: at(),
        billing: Box::new(bill_weekly()),
        ended: Vec::new(),
        begun: Vec::new(),
        stopped: Vec::new(),
        implied: false,
        next_billing: None,
    };
    TestFramework::<Subscription>::with(())
        .given(vec![ordered()])
        .when(update(bill_weekly()))
        .then_expect_events(vec![updated.clone()]);
    TestFramework::<Subscription>::with(())
        .given(vec![ordered(), updated])
        .when(update(bill_weekly()))
        .then_expect_events(vec![]);
}

#[test]
fn a_charge_of_an_order_is_due_by_its_payment_term() {
    let Event::ChargeAdded { charge, at, .. } = added(1, false) else {
        unreachable!()
    };
    let due_date = date("2026-10-31");
    TestFramework::<Subscription>::with(())
        .given(vec![ordered()])
        .when(Command::AddCharge {
            at,
            charge: new_charge(1),
        })
        .then_expect_events(vec![Event::ChargeAdded {
            at,
            charge: Charge { due_date, ..charge },
            next_billing: Some(at),
        }]);
}

#[test]
fn only_a_running_order_changes_its_preferences() {
    for (given, refused) in [
        (vec![], Refused::Unknown),
        (vec![signed()], Refused::NotAnOrder),
        (vec![ordered(), cancelled()], Refused::Cancelled),
    ] {
        TestFramework::<Subscription>::with(())
            .given(given)
            .when(update(bill_weekly()))
            .then_expect_error(refused);
    }
}

#[test]
fn a_subscription_is_cancelled_once_from_its_start_on() {
    TestFramework::<Subscription>::with(())
        .given(vec![ordered()])
        .when(cancel("2026-10-01"))
        .then_expect_events(vec![cancelled()]);
    TestFramework::<Subscription>::with(())
        .given(vec![ordered(), cancelled()])
        .when(cancel("2026-10-01"))
        .then_expect_events(vec![]);
    TestFramework::<Subscription>::with(())
        .given(vec![ordered()])
        .when(cancel("2026-09-30"))
        .then_expect_error(Refused::BeforeStart {
            start: date("2026-10-01"),
        });
    let scheduled = Event::Cancelled {
        at: at(),
        effective: date("2026-10-02"),
        scheduled: true,
        ended: Vec::new(),
        next_billing: Some("2026-10-02T00:00:00Z".parse().unwrap()),
    };
    TestFramework::<Subscription>::with(())
        .given(vec![ordered()])
        .when(cancel("2026-10-02"))
        .then_expect_events(vec![scheduled.clone()]);
    TestFramework::<Subscription>::with(())
        .given(vec![ordered(), scheduled])
        .when(cancel("2026-10-03"))
        .then_expect_error(Refused::EndsAlready {
            end: date("2026-10-02"),
        });
}

#[test]
fn a_charge_that_no_invoice_could_hold_beside_the_pending_ones_is_refused() {
    let huge = NewCharge {
        amount: Money::new(i64::MAX, Currency::EUR),
        ..new_charge(2)
    };
    TestFramework::<Subscription>::with(())
        .given(vec![signed(), added(1, false)])
        .when(Command::AddCharge { at: at(), charge: huge })
        .then_expect_error(Refused::Money(crate::money::MoneyError::Overflow));
}

#[test]
fn an_order_whose_total_cannot_be_held_is_refused_and_its_line_is_known() {
    let line = |price: &str, quantity: &str| OrderLine {
        id: LineId(Uuid::from_u128(9)),
        item: "ITEM-0001".to_owned(),
        name: None,
        quantity: quantity.parse().unwrap(),
        price: price.parse().unwrap(),
        charge_type: ChargeType::Recurring,
        tax: None,
    };
    let half = "46116860184273879.03";
    let fits = vec![line(half, "1"), line(half, "1"), line("0.01", "1")];
    let total = Money::new(i64::MAX, Currency::EUR);
    assert_eq!(order_total(&fits, Currency::EUR), Ok(total));
    for (lines, place) in [
        (vec![line(half, "1"), line(half, "1"), line("0.02", "1")], 2),
        (vec![line("1", "1"), line("999999999999999", "999999999999999")], 1),
        (vec![line("92233720368547758.08", "1")], 0),
    ] {
        assert_eq!(order_total(&lines, Currency::EUR), Err((place, MoneyError::Overflow)));
        let Event::Signed {
            at,
            subscription,
            mut agreement,
            ..
        } = ordered()
        else {
            unreachable!()
        };
        agreement.order = Some(Box::new(OrderDetails {
            number: "ORD-1".to_owned(),
            account: "EXAMPL".to_owned(),
            name: None,
            price_tax_inclusive: false,
            lines,
            line_billing: std::collections::BTreeMap::new(),
            billing_start: None,
            tax_level: crate::billing::TaxLevel::default(),
        }));
        TestFramework::<Subscription>::with(())
            .given_no_previous_events()
            .when(Command::Sign {
                at,
                subscription,
                agreement,
            })
            .then_expect_error(Refused::Money(MoneyError::Overflow));
    }
}

#[test]
fn a_subscription_starts_twenty_years_ago_and_no_earlier() {
    let signing = |activation: &str| {
        let Event::Signed {
            subscription,
            mut agreement,
            ..
        } = signed()
        else {
            unreachable!()
        };
        agreement.activation = date(activation);
        let sign = Command::Sign {
            at: at(),
            subscription,
            agreement,
        };
        crate::Decider::decide(&Subscription::Absent, &sign).map(|events| events.len())
    };
    let earliest = date("2006-10-01");
    assert_eq!(signing("2006-09-30"), Err(Refused::TooLongAgo { earliest }));
    assert_eq!(signing("0001-01-01"), Err(Refused::TooLongAgo { earliest }));
    assert_eq!(signing("2006-10-01"), Ok(1));
    assert_eq!(signing("2006-10-02"), Ok(1));
}
