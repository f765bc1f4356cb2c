use chrono::{DateTime, Utc};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{id::CustomerId, personal::Personal};

const ADA: CustomerId = CustomerId(Uuid::from_u128(7));

fn at() -> DateTime<Utc> {
    "2026-10-01T00:00:00Z".parse().unwrap()
}

fn contact(name: &str) -> Contact {
    Contact {
        name: Some(name.to_owned()),
        ..Contact::default()
    }
}

fn created() -> Event {
    Event::Created {
        at: at(),
        customer: ADA,
        code: "W13ZGY".to_owned(),
        profile: Profile::default(),
        personal: Personal::known(contact("Example Ltd")),
    }
}

fn update(name: &str) -> Command {
    Command::Update {
        at: at(),
        profile: Profile::default(),
        contact: contact(name),
    }
}

#[test]
fn a_customer_is_created_once() {
    let create = Command::Create {
        at: at(),
        customer: ADA,
        code: "W13ZGY".to_owned(),
        profile: Profile::default(),
        contact: contact("Example Ltd"),
    };
    TestFramework::<Customer>::with(())
        .given_no_previous_events()
        .when(create.clone())
        .then_expect_events(vec![created()]);
    TestFramework::<Customer>::with(())
        .given(vec![created()])
        .when(create)
        .then_expect_error(Refused::AlreadyExists);
}

#[test]
fn the_same_data_again_changes_nothing() {
    TestFramework::<Customer>::with(())
        .given(vec![created()])
        .when(update("Example Ltd"))
        .then_expect_events(vec![]);
}

#[test]
fn a_forgotten_customer_is_never_changed_again() {
    let forgotten = Event::Forgotten {
        at: at(),
        customer: ADA,
    };
    TestFramework::<Customer>::with(())
        .given(vec![created()])
        .when(Command::Forget { at: at() })
        .then_expect_events(vec![forgotten.clone()]);
    TestFramework::<Customer>::with(())
        .given(vec![created(), forgotten])
        .when(update("Example Inc"))
        .then_expect_error(Refused::Forgotten);
}

#[test]
fn an_unknown_customer_is_not_updated() {
    TestFramework::<Customer>::with(())
        .given_no_previous_events()
        .when(update("Example Inc"))
        .then_expect_error(Refused::Unknown);
}

#[test]
fn an_address_is_told_from_other_words() {
    for good in ["a@b", "ada+x@sub.example.com", "ö@example.org"] {
        assert!(can_be_email(good), "{good}");
    }
    let long = format!("{}@example.com", "a".repeat(250));
    for bad in ["", "@", "a", "a@", "@b", "a@@b", "a@b@c", "a b@c", "a@b\u{7}", &long] {
        assert!(!can_be_email(bad), "{bad}");
    }
}
