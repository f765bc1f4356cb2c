use cqrs_es::test::TestFramework;

use super::*;

fn taken(number: u64) -> Event {
    Event::NumberTaken {
        number,
        for_document: format!("document {number}"),
    }
}

#[test]
fn numbers_start_at_one_and_follow_each_other() {
    let take = |n: u64| Command::TakeNumber {
        for_document: format!("document {n}"),
    };
    TestFramework::<NumberSeries>::with(())
        .given_no_previous_events()
        .when(take(1))
        .then_expect_events(vec![taken(1)]);
    TestFramework::<NumberSeries>::with(())
        .given(vec![taken(1), taken(2)])
        .when(take(3))
        .then_expect_events(vec![taken(3)]);
}

#[test]
fn a_series_that_is_used_up_refuses() {
    TestFramework::<NumberSeries>::with(())
        .given(vec![taken(u64::MAX)])
        .when(Command::TakeNumber {
            for_document: "one more".to_owned(),
        })
        .then_expect_error(Refused::Exhausted);
}
