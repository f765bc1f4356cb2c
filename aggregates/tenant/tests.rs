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
        credentials: vec![key()],
    }
}

fn created() -> Event {
    Event::Created {
        at: at(),
        name: "demo".to_owned(),
        company_id: Uuid::from_u128(1),
        brand_id: Uuid::from_u128(2),
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
