//! What is metered stops no sooner than behind the last day of which usage is recorded.

use super::{
    books::{Books, contract, flat, instant},
    told::Told,
    *,
};
use crate::{
    billing::{Aggregation, Kind, Price, Proration, Timing, price::Limits},
    catalog::PlanLine,
};

fn calls(id: u128, metric: &str) -> PlanLine {
    PlanLine {
        kind: Kind::Metered {
            metric: metric.to_owned(),
            aggregation: Aggregation::Sum,
        },
        timing: Timing::Arrears,
        price: Price::PerUnit {
            amount: "1.00".parse().unwrap(),
            limits: Limits::default(),
        },
        ..flat(id, "0.00")
    }
}

fn signed() -> Books {
    let lines = vec![calls(1, "calls"), calls(2, "storage"), flat(3, "31.00")];
    Books::sign(contract(lines, "2026-10-01"), "2026-10-01T00:00:00Z")
}

fn knowing(last: &str, command: Command) -> Command {
    Command::Knowing {
        used: Used::from([("calls".to_owned(), date(last))]),
        command: Box::new(command),
    }
}

/// Where the first phase of each line ends.
fn ends(books: &Books) -> Vec<String> {
    let phases = &books.subscription.agreement().unwrap().phases;
    let first = phases.iter().take(3);
    first
        .map(|phase| {
            phase
                .until
                .map_or("open".to_owned(), |until| until.format("%m-%d").to_string())
        })
        .collect()
}

#[test]
fn an_end_and_a_pause_leave_the_days_that_were_used_and_no_others() {
    let at = instant("2026-10-10T12:00:00Z");
    for (last, day, calls) in [
        ("2026-10-09", "2026-10-10", "10-10"),
        ("2026-10-10", "2026-10-10", "10-11"),
        ("2026-10-08", "2026-10-05", "10-09"),
        ("2026-10-10", "2026-11-01", "11-01"),
    ] {
        let cancel = Command::Cancel {
            at,
            effective: date(day),
        };
        let pause = Command::Pause { at, from: date(day) };
        for stop in [cancel, pause] {
            let mut books = signed();
            books.send(&knowing(last, stop)).unwrap();
            let day = &day[5..];
            assert_eq!(ends(&books), [calls, day, day], "{last}");
        }
    }
}

#[test]
fn what_goes_on_after_a_pause_on_the_same_day_is_as_if_there_had_been_none() {
    let (at, from) = (instant("2026-10-10T12:00:00Z"), date("2026-10-10"));
    let mut books = signed();
    books.send(&knowing("2026-10-10", Command::Pause { at, from })).unwrap();
    books.send(&Command::Resume { at, from }).unwrap();
    assert_eq!(ends(&books), ["open", "open", "open"]);
    assert_eq!(books.subscription.agreement().unwrap().phases.len(), 3);
}

#[test]
fn a_line_that_is_taken_away_is_metered_until_another_one_meters_the_same() {
    let at = instant("2026-10-10T12:00:00Z");
    let id = |n| LineId(Uuid::from_u128(n));
    for (lines, replaced, end) in [
        (vec![], vec![id(1)], "10-11"),
        (vec![calls(4, "storage")], vec![id(1), id(4)], "10-11"),
        (vec![calls(4, "calls")], vec![id(1), id(4)], "10-05"),
        (vec![calls(1, "calls")], vec![id(1)], "10-05"),
    ] {
        let change = Change {
            replaced,
            lines,
            ..Change::on(date("2026-10-05"))
        };
        let change = Box::new(change);
        let mut books = signed();
        books
            .send(&knowing("2026-10-10", Command::Change { at, change }))
            .unwrap();
        assert_eq!(ends(&books), [end, "open", "open"]);
    }
}

#[test]
fn what_was_used_on_the_day_of_a_stop_that_counts_as_used_stays_where_an_earlier_stop_comes_later() {
    let mut told = Told::prorating(&[calls(1, "calls")], Proration::InclusiveDays);
    told.on("2026-03-03").pause("2026-03-09").unwrap();
    told.on("2026-03-09").resume("2026-03-15").unwrap();
    told.on("2026-03-11").pause("2026-03-16").unwrap();
    told.use_calls("2026-03-16", "9");
    told.on("2026-03-16").resume("2026-03-22").unwrap();
    let (at, from) = (told.on("2026-03-18").at(), date("2026-03-14"));
    told.send(&knowing("2026-03-16", Command::Pause { at, from })).unwrap();
    assert!(told.state.meter("calls", date("2026-03-16")).is_some());
    told.bill("2026-04-01");
    assert_eq!(told.sum(), 900);
}

#[test]
fn no_day_is_metered_behind_the_last_one_that_was_used_nor_twice() {
    let mut told = Told::prorating(&[calls(1, "calls")], Proration::InclusiveDays);
    let dearer = Price::PerUnit {
        amount: "3.00".parse().unwrap(),
        limits: Limits::default(),
    };
    let dearer = PlanLine {
        price: dearer,
        ..calls(1, "calls")
    };
    told.on("2026-03-05").change("2026-03-10", &[dearer]).unwrap();
    told.use_calls("2026-03-10", "11");
    let (at, from) = (told.on("2026-03-12").at(), date("2026-03-08"));
    told.send(&knowing("2026-03-10", Command::Pause { at, from })).unwrap();
    assert!(told.state.meter("calls", date("2026-03-11")).is_none());
    told.bill("2026-04-01");
    assert_eq!(told.sum(), 3300);
}
