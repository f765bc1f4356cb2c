use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    calendar::{PeriodUnit, Tz},
    id::{BillingTemplateId, SubscriptionId},
    money::Currency,
    purchase::{self, Details, Origin, Product},
    subscriber::{Choices, Pause, Rhythm, TrialRule},
};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn at() -> DateTime<Utc> {
    time("2026-10-05T12:00:00Z")
}

fn id() -> BillingTemplateId {
    BillingTemplateId(Uuid::from_u128(1))
}

fn details(price: i64) -> Details {
    Details {
        currency: Currency::MYR,
        products: vec![Product {
            name: "Seats".to_owned(),
            quantity: Decimal::ONE,
            price,
            discount: 0,
            tax_percent: Decimal::ZERO,
            category: String::new(),
            total_price_override: None,
        }],
        language: "en".to_owned(),
        notes: String::new(),
        debt: 0,
        subtotal_override: None,
        total_tax_override: None,
        total_discount_override: None,
        total_override: None,
        request_client_details: Vec::new(),
        time_zone: "Asia/Kuala_Lumpur".to_owned(),
        due_strict: false,
        email_message: String::new(),
    }
}

fn template(kind: Kind) -> Template {
    Template {
        brand_id: Uuid::from_u128(5),
        title: "Support".to_owned(),
        details: details(1000),
        force_recurring: true,
        kind,
    }
}

fn one_off() -> Template {
    template(Kind::OneOff(OneOff {
        issued: None,
        due: time("2026-11-01T00:00:00Z"),
        skip_capture: false,
        send_receipt: true,
    }))
}

fn recurring(active: bool) -> Template {
    template(Kind::Recurring(Recurring {
        rhythm: Rhythm {
            period: 1,
            unit: PeriodUnit::Month,
            charge_period_end: false,
            trial_periods: 0,
            trial_rule: TrialRule::Literal,
        },
        due_period: 1,
        due_unit: PeriodUnit::Month,
        active,
        cycles: None,
    }))
}

fn create(terms: Template) -> Command {
    Command::Create {
        at: at(),
        template: id(),
        terms: Box::new(terms),
    }
}

fn update(at: &str, terms: Template) -> Command {
    Command::Update {
        at: time(at),
        terms: Box::new(terms),
    }
}

#[track_caller]
fn after(commands: &[Command]) -> BillingTemplate {
    let mut state = BillingTemplate::Absent;
    for command in commands {
        for event in state.decide(command).unwrap() {
            state.apply(&event);
        }
    }
    state
}

#[test]
fn a_template_of_which_no_purchase_could_be_made_is_refused() {
    let decide = |terms| {
        BillingTemplate::Absent
            .decide(&create(terms))
            .map(|events| events.len())
    };
    let priced = |price, mut terms: Template| {
        terms.details = details(price);
        terms
    };
    assert_eq!(decide(one_off()), Ok(1));
    assert_eq!(decide(recurring(false)), Ok(1));
    for terms in [priced(0, one_off()), priced(0, recurring(true))] {
        assert_eq!(decide(terms), Err(purchase::Refused::NothingToPay.into()));
    }
    for (due, expected) in [
        ("2026-10-05T11:59:59Z", Err(purchase::Refused::DueInThePast.into())),
        ("2026-10-05T12:00:00Z", Err(purchase::Refused::DueInThePast.into())),
        ("2026-10-05T12:00:01Z", Ok(1)),
    ] {
        let mut terms = one_off();
        if let Kind::OneOff(one_off) = &mut terms.kind {
            one_off.due = time(due);
        }
        assert_eq!(decide(terms), expected, "{due}");
    }
    let mut terms = recurring(true);
    if let Kind::Recurring(recurring) = &mut terms.kind {
        recurring.due_period = 0;
    }
    assert_eq!(decide(terms), Err(Refused::EmptyPeriod));
    let mut terms = one_off();
    terms.details.time_zone = "Mars/Olympus_Mons".to_owned();
    assert_eq!(decide(terms), Err(Refused::UnknownTimeZone));
}

#[test]
fn the_kind_stays_and_the_rhythm_does_once_a_subscriber_is_launched() {
    let state = after(&[create(recurring(true))]);
    assert_eq!(
        state.decide(&update("2026-10-06T00:00:00Z", one_off())),
        Err(Refused::WrongKind)
    );
    let mut faster = recurring(true);
    if let Kind::Recurring(recurring) = &mut faster.kind {
        recurring.rhythm.unit = PeriodUnit::Week;
    }
    let faster = update("2026-10-06T00:00:00Z", faster);
    assert_eq!(state.decide(&faster).unwrap().len(), 1);
    let launched = after(&[create(recurring(true)), Command::Launch { at: at() }]);
    assert!(launched.known().unwrap().launched);
    assert_eq!(launched.decide(&faster), Err(Refused::AlreadyLaunched));
    assert_eq!(launched.decide(&Command::Launch { at: at() }), Ok(vec![]));
    assert_eq!(
        launched.decide(&update("2026-10-06T00:00:00Z", recurring(true))),
        Ok(vec![])
    );
    assert_eq!(
        after(&[create(one_off())]).decide(&Command::Launch { at: at() }),
        Err(Refused::WrongKind)
    );
}

#[test]
fn what_is_deleted_is_not_known_any_more_and_does_not_come_back() {
    let state = after(&[create(one_off()), Command::Delete { at: at() }]);
    assert_eq!(state.known(), None);
    assert_eq!(state.decide(&Command::Delete { at: at() }), Err(Refused::Unknown));
    assert_eq!(
        state.decide(&update("2026-10-06T00:00:00Z", one_off())),
        Err(Refused::Unknown)
    );
    assert_eq!(state.decide(&create(one_off())), Err(Refused::AlreadyExists));
    assert_eq!(
        BillingTemplate::Absent.decide(&Command::Launch { at: at() }),
        Err(Refused::Unknown)
    );
}

#[test]
fn it_is_remembered_when_a_template_stood_still() {
    let day = |text: &str| text.parse().unwrap();
    let state = after(&[
        create(recurring(false)),
        update("2026-10-07T20:00:00Z", recurring(true)),
        update("2026-10-09T00:00:00Z", recurring(false)),
    ]);
    let pauses = state.known().unwrap().pauses(Tz::Asia__Kuala_Lumpur);
    let expected = [
        Pause {
            from: day("2026-10-05"),
            to: Some(day("2026-10-08")),
        },
        Pause {
            from: day("2026-10-09"),
            to: None,
        },
    ];
    assert_eq!(pauses, expected);
    assert_eq!(after(&[create(recurring(true))]).known().unwrap().pauses(Tz::UTC), []);
}

#[test]
fn an_invoice_is_made_of_a_one_off_template_only() {
    let order = one_off().invoice(id(), time("2026-10-05T20:00:00Z")).unwrap();
    assert_eq!(order.origin, Origin::BillingInvoices);
    assert_eq!(order.issued.to_string(), "2026-10-06", "the day of the zone");
    assert_eq!((order.billing_template, order.subscriber), (Some(id()), None));
    assert!(order.send_receipt && order.force_recurring);
    assert_eq!(recurring(true).invoice(id(), at()), Err(Refused::WrongKind));
}

#[test]
fn a_period_is_billed_as_the_subscriber_was_promised_and_due_a_while_after() {
    let choices = Choices {
        payment_methods: Some(vec!["visa".to_owned()]),
        send_invoice_on_charge_failure: true,
        send_invoice_on_add_subscriber: false,
        send_receipt: false,
        invoice_reference: Some("R-1".to_owned()),
    };
    let subscriber = SubscriptionId(Uuid::from_u128(9));
    let order = recurring(true)
        .cycle(id(), subscriber, &choices, time("2027-01-31T01:00:00Z"))
        .unwrap();
    assert_eq!(order.due, time("2027-02-28T01:00:00Z"), "months clamp");
    assert_eq!(order.reference, "R-1");
    assert_eq!(order.payment_methods, choices.payment_methods);
    assert!(!order.send_receipt);
    assert_eq!(
        (order.billing_template, order.subscriber),
        (Some(id()), Some(subscriber))
    );
    assert_eq!(
        one_off().cycle(id(), subscriber, &choices, at()),
        Err(Refused::WrongKind)
    );
}
