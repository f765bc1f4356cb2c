//! The same facts under each proration policy.

use super::*;

const ALL: [Proration; 5] = [
    Proration::ActualDays,
    Proration::InclusiveDays,
    Proration::ThirtyDayMonths,
    Proration::Seconds,
    Proration::None,
];

/// 29.00 a month in advance, February 2024, ended on 12 February: what comes back.
fn given_back(proration: Proration, ending: Ending) -> Vec<String> {
    let mut account = account([monthly(1, "29.00", "2024-02-01")]).prorating(proration);
    account.bill("2024-02-01");
    account.phases[0].ending = ending;
    account.end(1, "2024-02-12");
    account.bill("2024-02-12")
}

#[test]
fn the_same_facts_have_their_answer_under_each_policy() {
    let answers = ALL.map(|policy| given_back(policy, Ending::Termination));
    assert_eq!(answers[0], ["02-12->03-01 -18.00"]);
    assert_eq!(answers[1], ["02-13->03-01 -17.00"]);
    assert_eq!(answers[2], ["02-12->03-01 -18.37"]);
    assert_eq!(answers[3], ["02-12->03-01 -18.00"]);
    assert_eq!(answers[4], [""; 0]);
}

#[test]
fn inclusive_days_count_the_last_day_of_what_is_terminated_and_give_it_to_an_upgrade() {
    let given_back = |ending| given_back(Proration::InclusiveDays, ending);
    assert_eq!(given_back(Ending::Termination), ["02-13->03-01 -17.00"]);
    assert_eq!(given_back(Ending::Change), ["02-12->03-01 -18.00"]);
}

#[test]
fn inclusive_days_begin_no_new_period_with_the_last_day() {
    let ended = |end| {
        let phase = monthly(1, "29.00", "2024-02-01").terminated(end);
        account([phase]).prorating(Proration::InclusiveDays).bill("2024-03-10")
    };
    assert_eq!(ended("2024-02-29"), ["02-01->03-01 29.00"]);
    assert_eq!(ended("2024-03-01"), ["02-01->03-01 29.00"]);
    assert_eq!(ended("2024-03-02"), ["02-01->03-01 29.00", "03-01->03-03 1.87"]);
}

#[test]
fn an_undivided_period_costs_all_of_its_price_or_nothing() {
    let unprorated = |phase: Phase| Phase {
        prorate: false,
        ..phase
    };
    for (policy, phase) in [
        (Proration::None, monthly(1, "31", "2026-01-11")),
        (Proration::ActualDays, unprorated(monthly(1, "31", "2026-01-11"))),
    ] {
        let phase = phase.anchored("2026-01-01");
        let mut account = account([phase]).prorating(policy);
        assert_eq!(account.bill("2026-01-11"), ["01-11->02-01 31.00"]);
        account.bill("2026-02-01");
        account.end(1, "2026-01-21");
        let whole_period_only = ["02-01->03-01 -31.00"];
        assert_eq!(account.bill("2026-02-02"), whole_period_only, "{policy:?}");
        account.end(1, "2026-01-11");
        assert_eq!(account.bill("2026-02-02"), ["01-11->02-01 -31.00"], "{policy:?}");
    }
}

#[test]
fn thirty_day_months_are_of_one_length_whatever_the_calendar_says() {
    for (anchor, from, until, parts) in [
        ("2023-01-31", "2023-01-31", "2023-02-28", 30),
        ("2023-01-31", "2023-02-28", "2023-03-10", 10),
        ("2023-01-31", "2023-03-10", "2023-03-31", 20),
        ("2023-01-15", "2023-01-15", "2023-01-31", 15),
        ("2023-01-15", "2023-01-31", "2023-02-15", 15),
        ("2023-01-15", "2023-02-15", "2023-02-28", 13),
        ("2023-01-15", "2023-02-28", "2023-03-15", 17),
    ] {
        let phase = monthly(1, "30", from).anchored(anchor).until(until);
        let mut account = account([phase]).prorating(Proration::ThirtyDayMonths);
        let charge = account.bill_on(date(from)).remove(0).explanation;
        assert_eq!((charge.numerator, charge.denominator), (parts, 30), "{from} to {until}");
    }
    let week = monthly(1, "7", "2023-02-27")
        .every(PeriodUnit::Week, 1)
        .until("2023-03-02");
    let weekly = account([week]).prorating(Proration::ThirtyDayMonths).bill("2023-02-27");
    assert_eq!(weekly, ["02-27->03-02 3.00"]);
}

#[test]
fn seconds_know_that_a_day_on_which_the_clocks_change_is_shorter() {
    let phase = monthly(1, "743", "2026-03-01").until("2026-03-09");
    let mut account = account([phase])
        .prorating(Proration::Seconds)
        .within("America/New_York");
    let charge = account.bill_on(date("2026-03-01")).remove(0);
    // 8 days of which one has 23 hours, of a month that is an hour short.
    let hours = (
        charge.explanation.numerator / 3600,
        charge.explanation.denominator / 3600,
    );
    assert_eq!(hours, (8 * 24 - 1, 31 * 24 - 1));
    assert_eq!(charge.amount.to_string(), "191.00");
}
