use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{
    id::{CustomerId, InvoiceId, TenantId},
    money::{Currency, Money},
};

fn at() -> chrono::DateTime<chrono::Utc> {
    "2026-10-31T00:00:00Z".parse().unwrap()
}

fn wanted(minor: i64) -> Wanted {
    let invoice = InvoiceId(Uuid::from_u128(1));
    Wanted {
        payment: payment_id(&TenantId::from_stored("t_1"), invoice),
        invoice,
        customer: CustomerId(Uuid::from_u128(2)),
        amount: Money::new(minor, Currency::EUR),
        processor: Some("Cash".to_owned()),
        notice: None,
    }
}

fn requested() -> Event {
    let wanted = wanted(1000);
    Event::Requested { at: at(), wanted }
}

fn succeeded() -> Event {
    Event::Succeeded {
        at: at(),
        invoice: wanted(0).invoice,
        reference: "ch_1".to_owned(),
    }
}

fn failed() -> Event {
    Event::Failed {
        at: at(),
        invoice: wanted(0).invoice,
        reason: "card expired".to_owned(),
        customer: None,
        notice: None,
    }
}

fn request() -> Command {
    let wanted = wanted(1000);
    Command::Request { at: at(), wanted }
}

fn succeed(reference: &str) -> Command {
    let reference = reference.to_owned();
    Command::Succeed { at: at(), reference }
}

fn fail(reason: &str) -> Command {
    let reason = reason.to_owned();
    Command::Fail { at: at(), reason }
}

fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Payment> {
    TestFramework::<Payment>::with(()).given(events)
}

#[test]
fn a_payment_is_asked_for_once() {
    given(vec![]).when(request()).then_expect_events(vec![requested()]);
    for settled in [vec![], vec![succeeded()], vec![failed()]] {
        let history = [vec![requested()], settled].concat();
        given(history).when(request()).then_expect_events(vec![]);
    }
}

#[test]
fn an_invoice_has_one_payment_for_ever_and_no_two_tenants_share_it() {
    let invoice = InvoiceId(Uuid::from_u128(1));
    let of = |tenant: &str| payment_id(&TenantId::from_stored(tenant), invoice);
    assert_eq!(of("t_1"), of("t_1"));
    assert_ne!(of("t_1"), of("t_2"));
}

#[test]
fn it_succeeds_or_fails_once_and_saying_the_same_again_changes_nothing() {
    let open = || given(vec![requested()]);
    open().when(succeed("ch_1")).then_expect_events(vec![succeeded()]);
    open().when(fail(" card expired ")).then_expect_events(vec![failed()]);
    let done = || given(vec![requested(), succeeded()]);
    done().when(succeed("ch_1")).then_expect_events(vec![]);
    for command in [succeed("ch_2"), fail("late")] {
        let reference = "ch_1".to_owned();
        done()
            .when(command)
            .then_expect_error(Refused::AlreadySucceeded { reference });
    }
    let over = || given(vec![requested(), failed()]);
    over().when(fail("again")).then_expect_events(vec![]);
    let reason = "card expired".to_owned();
    over()
        .when(succeed("ch_1"))
        .then_expect_error(Refused::AlreadyFailed { reason });
}

#[test]
fn nothing_is_collected_for_nothing_or_without_a_reason_to_fail() {
    for minor in [0, -1] {
        let wanted = wanted(minor);
        given(vec![])
            .when(Command::Request { at: at(), wanted })
            .then_expect_error(Refused::NothingToCollect);
    }
    for reason in ["", " ", &"x".repeat(501)] {
        given(vec![requested()])
            .when(fail(reason))
            .then_expect_error(Refused::ReasonMissing);
    }
    for command in [succeed("ch_1"), fail("x")] {
        given(vec![]).when(command).then_expect_error(Refused::Unknown);
    }
}

#[test]
fn one_whose_invoice_is_paid_otherwise_is_withdrawn_and_what_comes_all_the_same_is_noted() {
    let withdrawn = || Event::Withdrawn {
        at: at(),
        invoice: wanted(0).invoice,
    };
    let withdraw = || Command::Withdraw { at: at() };
    given(vec![requested()])
        .when(withdraw())
        .then_expect_events(vec![withdrawn()]);
    for settled in [succeeded(), failed(), withdrawn()] {
        given(vec![requested(), settled])
            .when(withdraw())
            .then_expect_events(vec![]);
    }
    let over = || given(vec![requested(), withdrawn()]);
    over().when(request()).then_expect_events(vec![]);
    over().when(fail("late")).then_expect_events(vec![]);
    over().when(succeed("ch_1")).then_expect_events(vec![succeeded()]);
}
