use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    calendar::Period,
    id::{LineId, SubscriptionId},
    usage,
};

fn entry(quantity: &str) -> Box<Entry> {
    Box::new(Entry {
        subscription: SubscriptionId(Uuid::from_u128(1)),
        line: LineId(Uuid::from_u128(2)),
        name: "Calls".to_owned(),
        metric: "ITEM-1".to_owned(),
        period: Period {
            start: "2026-10-01".parse().unwrap(),
            end: Some("2026-11-01".parse().unwrap()),
        },
        quantity: quantity.parse().unwrap(),
        start: Some("2026-10-05T09:00:00Z".parse().unwrap()),
        end: "2026-10-05T09:05:00Z".parse().unwrap(),
        attributes: BTreeMap::new(),
        note: None,
        reference: None,
    })
}

fn at() -> chrono::DateTime<chrono::Utc> {
    "2026-10-05T12:00:00Z".parse().unwrap()
}

fn record(entry: Box<Entry>) -> Command {
    let (at, by) = (at(), "key".to_owned());
    Command::Record { at, by, entry }
}

fn correct(entry: Box<Entry>) -> Command {
    let (at, by) = (at(), "key".to_owned());
    Command::Correct { at, by, entry }
}

fn withdraw() -> Command {
    let (at, by) = (at(), "key".to_owned());
    Command::Withdraw { at, by }
}

fn after(commands: &[Command]) -> UsageEntry {
    let mut state = UsageEntry::default();
    for command in commands {
        for event in state.decide(command).unwrap() {
            state.apply(&event);
        }
    }
    state
}

#[test]
fn what_was_said_can_be_corrected_and_taken_back_once() {
    let known = after(&[record(entry("3"))]);
    assert_eq!(known.entry(), Some(&*entry("3")));
    assert_eq!(known.decide(&record(entry("3"))), Err(Refused::AlreadyExists));
    assert_eq!(known.decide(&correct(entry("3"))), Ok(Vec::new()));
    let corrected = after(&[record(entry("3")), correct(entry("2"))]);
    assert_eq!(corrected.entry(), Some(&*entry("2")));
    let gone = after(&[record(entry("3")), withdraw()]);
    assert_eq!(gone.entry(), None);
    for command in [correct(entry("2")), withdraw()] {
        assert_eq!(gone.decide(&command), Err(Refused::Unknown));
        assert_eq!(UsageEntry::default().decide(&command), Err(Refused::Unknown));
    }
    assert_eq!(gone.decide(&record(entry("3"))), Err(Refused::AlreadyExists));
}

#[test]
fn it_stays_on_its_line_and_must_be_countable() {
    let known = after(&[record(entry("3"))]);
    let mut moved = entry("3");
    moved.line = LineId(Uuid::from_u128(9));
    assert_eq!(known.decide(&correct(moved)), Err(Refused::OtherLine));
    let mut backwards = entry("3");
    backwards.end = "2026-10-05T08:59:59Z".parse().unwrap();
    assert_eq!(known.decide(&correct(backwards)), Err(Refused::EndsBeforeStart));
    let negative = UsageEntry::default().decide(&record(entry("-1")));
    assert_eq!(negative, Err(Refused::Record(usage::Refused::Quantity)));
}

#[test]
fn it_counts_when_it_began_or_else_when_it_ended() {
    assert_eq!(entry("1").record().at.to_rfc3339(), "2026-10-05T09:00:00+00:00");
    let mut ended = entry("1");
    ended.start = None;
    assert_eq!(ended.record().at.to_rfc3339(), "2026-10-05T09:05:00+00:00");
}
