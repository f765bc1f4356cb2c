use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{
    calendar::Period,
    id::{SubscriptionId, TenantId},
};

fn at() -> chrono::DateTime<chrono::Utc> {
    "2026-10-04T00:00:00Z".parse().unwrap()
}

fn task(automatic: bool) -> Task {
    let (subscription, start) = (SubscriptionId(Uuid::from_u128(1)), "2026-10-01".parse().unwrap());
    Task {
        fulfilment: fulfilment_id(&TenantId::from_stored("t_1"), subscription, start, None, 0),
        subscription,
        period: Period {
            start,
            end: Some("2026-11-01".parse().unwrap()),
        },
        automatic,
        line: None,
    }
}

fn open(automatic: bool) -> Command {
    let task = task(automatic);
    Command::Open { at: at(), task }
}

fn opened(automatic: bool) -> Event {
    let task = task(automatic);
    Event::Opened { at: at(), task }
}

const fn complete(at: chrono::DateTime<chrono::Utc>) -> Command {
    Command::Complete { at }
}

fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Fulfilment> {
    TestFramework::<Fulfilment>::with(()).given(events)
}

#[test]
fn an_automatic_one_completes_itself_and_a_manual_one_waits() {
    let completed = || Event::Completed { at: at() };
    given(vec![])
        .when(open(true))
        .then_expect_events(vec![opened(true), completed()]);
    given(vec![]).when(open(false)).then_expect_events(vec![opened(false)]);
    given(vec![opened(false)])
        .when(complete(at()))
        .then_expect_events(vec![completed()]);
}

#[test]
fn it_is_opened_once_and_completed_once() {
    let completed = || Event::Completed { at: at() };
    for history in [vec![opened(false)], vec![opened(false), completed()]] {
        given(history).when(open(false)).then_expect_events(vec![]);
    }
    given(vec![opened(false), completed()])
        .when(complete(at()))
        .then_expect_events(vec![]);
    given(vec![]).when(complete(at())).then_expect_error(Refused::Unknown);
}

#[test]
fn what_is_withdrawn_is_never_opened_and_what_is_open_is_not_withdrawn() {
    let withdraw = || Command::Withdraw {
        at: at(),
        task: task(false),
    };
    let withdrawn = || Event::Withdrawn {
        at: at(),
        task: task(false),
    };
    given(vec![]).when(withdraw()).then_expect_events(vec![withdrawn()]);
    for again in [open(false), withdraw()] {
        given(vec![withdrawn()]).when(again).then_expect_events(vec![]);
    }
    given(vec![withdrawn()])
        .when(complete(at()))
        .then_expect_error(Refused::Withdrawn);
    for history in [vec![opened(false)], vec![opened(false), Event::Completed { at: at() }]] {
        given(history).when(withdraw()).then_expect_events(vec![]);
    }
}

#[test]
fn a_line_that_comes_later_has_a_fulfilment_of_its_own() {
    let (tenant, start) = (TenantId::from_stored("t_1"), "2026-10-01".parse().unwrap());
    let subscription = SubscriptionId(Uuid::from_u128(1));
    let of = |line: Option<u128>, again| {
        let line = line.map(|line| crate::id::LineId(Uuid::from_u128(line)));
        fulfilment_id(&tenant, subscription, start, line, again)
    };
    assert_ne!(of(None, 0), of(Some(1), 0));
    assert_ne!(of(Some(1), 0), of(Some(2), 0));
    assert_ne!(of(None, 0), of(None, 1), "what was withdrawn stays so");
    assert_ne!(of(Some(1), 1), of(Some(1), 2));
}
