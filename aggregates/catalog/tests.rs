use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{id::PlanId, money::Currency};

fn create(name: &str) -> Command {
    Command::Create {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        plan: PlanId(Uuid::from_u128(1)),
        name: name.to_owned(),
        currency: Currency::EUR,
    }
}

fn created() -> Event {
    Event::Created {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        plan: PlanId(Uuid::from_u128(1)),
        name: "Basic".to_owned(),
        currency: Currency::EUR,
    }
}

#[test]
fn a_plan_is_created_once() {
    let plans = TestFramework::<Plan>::with(());
    plans
        .given_no_previous_events()
        .when(create("Basic"))
        .then_expect_events(vec![created()]);
    TestFramework::<Plan>::with(())
        .given(vec![created()])
        .when(create("Basic"))
        .then_expect_error(Refused::AlreadyExists);
}

#[test]
fn a_plan_without_a_name_is_refused() {
    TestFramework::<Plan>::with(())
        .given_no_previous_events()
        .when(create(" "))
        .then_expect_error(Refused::NameMissing);
}
