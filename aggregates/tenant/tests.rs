use chrono::{DateTime, Utc};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;

fn at() -> DateTime<Utc> {
    "2026-10-01T00:00:00Z".parse().unwrap()
}

fn key() -> Credential {
    Credential {
        kind: CredentialKind::Billstream,
        public_id: "bs_1234".to_owned(),
        secret_sha256: "00".repeat(32),
    }
}

fn create(name: &str) -> Command {
    Command::Create {
        at: at(),
        name: name.to_owned(),
        company_id: Uuid::from_u128(1),
        brand_id: Uuid::from_u128(2),
        test_mode: false,
        credentials: vec![key()],
    }
}

fn created() -> Event {
    Event::Created {
        at: at(),
        name: "demo".to_owned(),
        company_id: Uuid::from_u128(1),
        brand_id: Uuid::from_u128(2),
        test_mode: false,
    }
}

fn created_in_test_mode() -> Event {
    Event::Created {
        at: at(),
        name: "demo".to_owned(),
        company_id: Uuid::from_u128(1),
        brand_id: Uuid::from_u128(2),
        test_mode: true,
    }
}

fn move_to(to: &str) -> Command {
    Command::MoveClock {
        to: to.parse().unwrap(),
    }
}

#[test]
fn a_tenant_is_created_with_its_credentials() {
    TestFramework::<Tenant>::with(())
        .given_no_previous_events()
        .when(create("demo"))
        .then_expect_events(vec![
            created(),
            Event::CredentialIssued {
                at: at(),
                credential: key(),
            },
        ]);
}

#[test]
fn a_tenant_is_created_once_and_needs_a_name() {
    TestFramework::<Tenant>::with(())
        .given(vec![created()])
        .when(create("demo"))
        .then_expect_error(Refused::AlreadyExists);
    TestFramework::<Tenant>::with(())
        .given_no_previous_events()
        .when(create("  "))
        .then_expect_error(Refused::NameMissing);
}

#[test]
fn the_clock_of_a_test_tenant_starts_when_it_is_made_and_moves_forward_only() {
    let moved = Event::ClockMoved {
        at: "2027-01-31T00:00:00Z".parse().unwrap(),
    };
    let test = || TestFramework::<Tenant>::with(());
    test()
        .given(vec![created_in_test_mode()])
        .when(move_to("2027-01-31T00:00:00Z"))
        .then_expect_events(vec![moved.clone()]);
    test()
        .given(vec![created_in_test_mode()])
        .when(move_to("2026-10-01T00:00:00Z"))
        .then_expect_events(Vec::new());
    test()
        .given(vec![created_in_test_mode()])
        .when(move_to("2026-09-30T23:59:59Z"))
        .then_expect_error(Refused::ClockBackwards { now: at() });
    test()
        .given(vec![created_in_test_mode(), moved])
        .when(move_to("2027-01-30T00:00:00Z"))
        .then_expect_error(Refused::ClockBackwards {
            now: "2027-01-31T00:00:00Z".parse().unwrap(),
        });
}

#[test]
fn a_tenant_in_real_time_has_no_clock_to_move() {
    TestFramework::<Tenant>::with(())
        .given(vec![created()])
        .when(move_to("2027-01-31T00:00:00Z"))
        .then_expect_error(Refused::NotInTestMode);
    TestFramework::<Tenant>::with(())
        .given_no_previous_events()
        .when(move_to("2027-01-31T00:00:00Z"))
        .then_expect_error(Refused::Unknown);
}
