use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{
    billing::{Kind, Price, Timing},
    id::{LineId, PlanId},
    money::Currency,
};

fn create(name: &str) -> Command {
    Command::Create {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        plan: PlanId(Uuid::from_u128(1)),
        name: name.to_owned(),
        currency: Currency::EUR,
        lines: Vec::new(),
    }
}

fn created() -> Event {
    Event::Created {
        at: "2026-10-01T00:00:00Z".parse().unwrap(),
        plan: PlanId(Uuid::from_u128(1)),
        name: "Basic".to_owned(),
        currency: Currency::EUR,
        lines: Vec::new(),
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

fn seats() -> PlanLine {
    PlanLine {
        id: LineId(Uuid::from_u128(1)),
        name: "Seats".to_owned(),
        kind: Kind::Recurring,
        timing: Timing::Advance,
        price: Price::Flat { amount: 10.into() },
        quantity: 1.into(),
        flat_fee: true,
        prorate: true,
        tax_rate: None,
    }
}

#[test]
fn a_line_that_could_not_be_billed_is_refused_with_its_place() {
    let metered = |metric: &str| Kind::Metered {
        metric: metric.to_owned(),
        aggregation: crate::billing::Aggregation::Sum,
    };
    for (line, place) in [
        (
            PlanLine {
                name: " ".to_owned(),
                ..seats()
            },
            "name",
        ),
        (
            PlanLine {
                kind: Kind::Trial,
                ..seats()
            },
            "kind",
        ),
        (
            PlanLine {
                kind: metered(""),
                ..seats()
            },
            "metric",
        ),
        (
            PlanLine {
                kind: metered("calls"),
                ..seats()
            },
            "timing",
        ),
        (
            PlanLine {
                quantity: (-1).into(),
                ..seats()
            },
            "quantity",
        ),
        (
            PlanLine {
                tax_rate: Some((-1).into()),
                ..seats()
            },
            "tax_rate",
        ),
    ] {
        let Command::Create {
            at,
            plan,
            name,
            currency,
            ..
        } = create("Basic");
        let refused = crate::Decider::decide(
            &Plan::Absent,
            &Command::Create {
                at,
                plan,
                name,
                currency,
                lines: vec![seats(), line],
            },
        );
        assert!(
            matches!(refused, Err(Refused::Line { line: 1, place: found, .. }) if found == place),
            "{place}: {refused:?}"
        );
    }
}
