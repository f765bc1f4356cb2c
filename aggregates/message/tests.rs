use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    id::{CustomerId, InvoiceId, MessageId},
};

fn about() -> About {
    About {
        message: MessageId(Uuid::from_u128(1)),
        invoice: InvoiceId(Uuid::from_u128(2)),
        customer: CustomerId(Uuid::from_u128(3)),
        occasion: Occasion::Invoice,
    }
}

fn send() -> Command {
    Command::Send {
        at: "2026-10-05T12:00:00Z".parse().unwrap(),
        about: about(),
    }
}

fn fail(reason: &str) -> Command {
    Command::Fail {
        at: "2026-10-05T12:00:00Z".parse().unwrap(),
        about: about(),
        reason: reason.to_owned(),
    }
}

fn after(commands: &[Command]) -> Message {
    let mut message = Message::default();
    for command in commands {
        for event in message.decide(command).unwrap() {
            message.apply(&event);
        }
    }
    message
}

#[test]
fn what_became_of_a_message_is_said_once() {
    assert_eq!(after(&[send(), send()]), Message::Sent);
    assert_eq!(after(&[send()]).decide(&send()), Ok(vec![]));
    assert_eq!(after(&[send()]).decide(&fail("no mailbox")), Err(Refused::AlreadySent));
    let reason = "no mailbox".to_owned();
    assert_eq!(
        after(&[fail(" no mailbox "), fail("again")]),
        Message::Failed { reason }
    );
}

#[test]
fn one_that_failed_may_get_through_later() {
    assert_eq!(after(&[fail("no mailbox"), send()]), Message::Sent);
}

#[test]
fn a_failure_needs_a_reason() {
    for reason in ["", "  ", &"x".repeat(501)] {
        assert_eq!(Message::default().decide(&fail(reason)), Err(Refused::ReasonMissing));
    }
}
