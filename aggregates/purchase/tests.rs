use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    id::{CustomerId, PurchaseId},
    money::{Currency, Money},
    personal::Personal,
};

fn at() -> DateTime<Utc> {
    "2026-10-05T12:00:00Z".parse().unwrap()
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// `price x quantity, discount, tax %`.
fn line(price: i64, quantity: &str, discount: i64, tax: &str) -> Product {
    Product {
        name: "Seats".to_owned(),
        quantity: decimal(quantity),
        price,
        discount,
        tax_percent: decimal(tax),
        category: String::new(),
        total_price_override: None,
    }
}

fn details(products: Vec<Product>) -> Details {
    Details {
        currency: Currency::MYR,
        products,
        language: "en".to_owned(),
        notes: String::new(),
        debt: 0,
        subtotal_override: None,
        total_tax_override: None,
        total_discount_override: None,
        total_override: None,
        request_client_details: Vec::new(),
        time_zone: "UTC".to_owned(),
        due_strict: false,
        email_message: String::new(),
    }
}

fn order(details: Details) -> Order {
    Order {
        origin: Origin::BillingInvoices,
        brand_id: Uuid::from_u128(5),
        details,
        due: "2026-10-06T12:00:00Z".parse().unwrap(),
        issued: "2026-10-05".parse().unwrap(),
        reference: String::new(),
        skip_capture: false,
        send_receipt: true,
        force_recurring: false,
        payment_methods: None,
        billing_template: None,
        subscriber: None,
    }
}

fn create(order: Order) -> Command {
    Command::Create {
        at: at(),
        purchase: PurchaseId(Uuid::from_u128(1)),
        customer: CustomerId(Uuid::from_u128(2)),
        number: 7,
        order: Box::new(order),
        client: Box::default(),
    }
}

fn created(order: Order, total: i64) -> Event {
    Event::Created {
        at: at(),
        purchase: PurchaseId(Uuid::from_u128(1)),
        customer: CustomerId(Uuid::from_u128(2)),
        number: 7,
        order: Box::new(order),
        total: Money::new(total, Currency::MYR),
        personal: Personal::known(Box::default()),
    }
}

#[test]
fn example_18_totals_are_those_of_the_documented_table() {
    let overridden = Product {
        total_price_override: Some(2500),
        ..line(100, "1", 0, "10")
    };
    let cases = [
        (vec![line(100, "3", 1, "0")], 299),
        (vec![line(10, "1", 0, "6"), line(10, "1", 0, "6")], 22),
        (vec![line(100, "1", 10, "10")], 99),
        (vec![line(100, "1.555", 0, "10")], 171),
        (vec![line(100, "1.555", 0, "0"), line(100, "1.555", 0, "0")], 312),
        (vec![line(150, "1", 1, "6")], 158),
        (vec![line(100, "1.005", 0, "0")], 101),
        (vec![overridden], 2500),
        (vec![line(10000, "1", 0, "6")], 10600),
        (vec![line(999, "0", 0, "0"), line(100, "1", 0, "0")], 100),
    ];
    for (products, expected) in cases {
        assert_eq!(total(&details(products.clone())), Ok(expected), "{products:?}");
    }
}

#[test]
fn debt_is_added_and_a_credit_is_taken_off() {
    let with = |debt, total_override| Details {
        debt,
        total_override,
        ..details(vec![line(100, "1", 0, "0")])
    };
    assert_eq!(total(&with(50, None)), Ok(150));
    assert_eq!(total(&with(-50, None)), Ok(50));
    assert_eq!(total(&with(-50, Some(77))), Ok(77));
}

#[test]
fn a_discount_larger_than_its_line_is_refused_even_under_an_override() {
    let over = line(100, "1", 101, "0");
    let overridden = Product {
        total_price_override: Some(5),
        ..over.clone()
    };
    assert_eq!(total(&details(vec![line(100, "1", 100, "6")])), Ok(0));
    for product in [over, overridden] {
        assert_eq!(
            total(&details(vec![line(1, "1", 0, "0"), product])),
            Err(Refused::ProductSubtotalNegative { line: 1 })
        );
    }
}

#[test]
fn amounts_too_large_to_hold_are_refused_and_the_largest_is_exact() {
    assert_eq!(line_total(&line(i64::MAX, "1.0000", 0, "0.00")), Ok(Some(i64::MAX)));
    let cases = [
        details(vec![line(i64::MAX, "2", 0, "0")]),
        details(vec![line(i64::MAX, "1", 0, "0.01")]),
        details(vec![line(i64::MAX, "1", 0, "0"), line(1, "1", 0, "0")]),
        details(vec![line(i64::MAX, "79228162514264337593543950335", 0, "100")]),
    ];
    for case in cases {
        assert_eq!(total(&case), Err(Refused::Overflow), "{case:?}");
    }
}

#[test]
fn a_purchase_is_created_once_and_sent_once() {
    let order = order(details(vec![line(1000, "1", 0, "0")]));
    let mut purchase = Purchase::Absent;
    let events = purchase.decide(&create(order.clone())).unwrap();
    assert_eq!(events, [created(order.clone(), 1000)]);
    purchase.apply(&events[0]);
    assert_eq!(purchase.decide(&create(order)), Err(Refused::AlreadyExists));
    let sent = purchase.decide(&Command::MarkSent { at: at() }).unwrap();
    assert_eq!(sent, [Event::Sent { at: at() }]);
    purchase.apply(&sent[0]);
    assert_eq!(purchase.decide(&Command::MarkSent { at: at() }), Ok(vec![]));
    assert_eq!(
        Purchase::Absent.decide(&Command::MarkSent { at: at() }),
        Err(Refused::Unknown)
    );
}

#[test]
fn nothing_to_pay_is_refused_unless_the_money_is_only_reserved() {
    let free = order(details(vec![line(0, "1", 0, "0")]));
    let reserved = Order {
        skip_capture: true,
        ..free.clone()
    };
    let mut negative = reserved.clone();
    negative.details.debt = -1;
    let decide = |order| Purchase::Absent.decide(&create(order));
    assert_eq!(decide(free), Err(Refused::NothingToPay));
    assert_eq!(decide(reserved.clone()), Ok(vec![created(reserved, 0)]));
    assert_eq!(decide(negative), Err(Refused::NothingToPay));
}

#[test]
fn the_due_time_lies_in_the_future() {
    let due = |text: &str| {
        let order = Order {
            due: text.parse().unwrap(),
            ..order(details(vec![line(1, "1", 0, "0")]))
        };
        Purchase::Absent.decide(&create(order)).map(|events| events.len())
    };
    assert_eq!(due("2026-10-05T11:59:59Z"), Err(Refused::DueInThePast));
    assert_eq!(due("2026-10-05T12:00:00Z"), Err(Refused::DueInThePast));
    assert_eq!(due("2026-10-05T12:00:01Z"), Ok(1));
}

#[test]
fn a_purchase_is_stored_under_stable_names() {
    let event = created(order(details(vec![line(1, "1.50", 0, "6.00")])), 2);
    let text = serde_json::to_value(&event).unwrap();
    assert_eq!(text["type"], "created");
    assert_eq!(text["order"]["origin"], "billing_invoices");
    assert_eq!(text["order"]["details"]["products"][0]["quantity"], "1.50");
    assert_eq!(serde_json::from_value::<Event>(text).unwrap(), event);
}

/// A purchase that was created and sent.
fn sent() -> Purchase {
    let mut purchase = Purchase::Absent;
    purchase.apply(&created(order(details(vec![line(1000, "1", 0, "0")])), 1000));
    purchase.apply(&Event::Sent { at: at() });
    purchase
}

#[test]
fn what_can_be_paid_is_marked_as_paid_once() {
    let paid = |paid_on: &str| Command::MarkAsPaid {
        at: at(),
        paid_on: paid_on.parse().unwrap(),
    };
    let mut purchase = sent();
    assert_eq!(
        purchase.decide(&paid("2026-10-05T12:00:01Z")),
        Err(Refused::PaidInTheFuture)
    );
    let events = purchase.decide(&paid("2026-10-05T12:00:00Z")).unwrap();
    assert_eq!(
        events,
        [Event::MarkedAsPaid {
            at: at(),
            paid_on: at()
        }]
    );
    purchase.apply(&events[0]);
    let status = Status::Paid;
    assert_eq!(
        purchase.decide(&paid("2026-10-05T12:00:00Z")),
        Err(Refused::NotPayable { status })
    );
    assert_eq!(
        purchase.decide(&Command::Cancel { at: at() }),
        Err(Refused::NotCancellable { status })
    );
    assert_eq!(
        purchase.decide(&Command::MarkSent { at: at() }),
        Err(Refused::NotToBeSent { status })
    );
}

#[test]
fn what_is_not_paid_is_cancelled_once() {
    let mut purchase = sent();
    let cancel = Command::Cancel { at: at() };
    let events = purchase.decide(&cancel).unwrap();
    assert_eq!(events, [Event::Cancelled { at: at() }]);
    purchase.apply(&events[0]);
    let status = Status::Cancelled;
    assert_eq!(purchase.decide(&cancel), Err(Refused::NotCancellable { status }));
    let paid = Command::MarkAsPaid {
        at: at(),
        paid_on: at(),
    };
    assert_eq!(purchase.decide(&paid), Err(Refused::NotPayable { status }));
    assert_eq!(Purchase::Absent.decide(&paid), Err(Refused::Unknown));
    assert_eq!(Purchase::Absent.decide(&cancel), Err(Refused::Unknown));
}
