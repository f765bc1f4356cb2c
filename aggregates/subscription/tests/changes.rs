//! What changes, pauses, ends and new beginnings come to in charges.

use super::{
    told::{Told, agreed, calls, flat, id, line, one_off, triggered, undivided},
    *,
};
use crate::{
    billing::Proration,
    calendar::PeriodUnit,
    catalog::PlanLine,
    subscription::Cycle,
    terms::{InvoiceTrigger, PeriodRule},
};

#[test]
fn a_cancellation_that_is_taken_back_before_its_day_leaves_everything_as_it_was() {
    let mut told = Told::contract(&[flat(1, "31"), one_off(2, "5")]);
    assert_eq!(told.bill("2026-03-01"), ["03-01->04-01 31.00", "03-01->open 5.00"]);
    told.on("2026-03-05").cancel("2026-04-01").unwrap();
    told.on("2026-03-10").reactivate("2026-03-10").unwrap();
    assert_eq!(told.bill("2026-04-15"), ["04-01->05-01 31.00"]);
}

#[test]
fn a_line_that_a_change_ended_on_the_day_of_the_end_does_not_come_back() {
    let mut told = Told::contract(&[flat(1, "31"), one_off(2, "5")]);
    told.bill("2026-03-01");
    told.on("2026-03-02").change("2026-04-01", &[flat(1, "62")]).unwrap();
    told.on("2026-03-05").cancel("2026-04-01").unwrap();
    told.on("2026-03-10").reactivate("2026-03-10").unwrap();
    assert_eq!(told.bill("2026-04-15"), ["04-01->05-01 62.00"]);
}

#[test]
fn undivided_time_that_is_paid_is_not_charged_again_when_an_order_goes_on() {
    let mut told = Told::order("31");
    assert_eq!(told.bill("2026-03-01"), ["03-01->04-01 31.00"]);
    told.on("2026-03-10").cancel("2026-03-10").unwrap();
    assert_eq!(told.bill("2026-03-12"), [""; 0]);
    told.on("2026-03-20").reactivate("2026-03-20").unwrap();
    assert_eq!(told.bill("2026-04-15"), ["04-01->05-01 31.00"]);
}

#[test]
fn undivided_time_is_sold_once_also_where_it_was_not_billed_before_the_end() {
    let mut told = Told::order("31");
    told.on("2026-03-10").cancel("2026-03-10").unwrap();
    told.on("2026-03-20").reactivate("2026-03-20").unwrap();
    told.bill("2026-04-15");
    assert_eq!(told.sum(), 6200);
}

#[test]
fn a_line_that_is_named_twice_in_one_change_is_refused() {
    let mut told = Told::contract(&[flat(1, "31")]);
    for (replaced, lines) in [
        (vec![id(1)], vec![flat(1, "1"), flat(1, "2")]),
        (vec![id(1), id(1)], vec![flat(1, "1")]),
        (vec![], vec![flat(3, "1"), flat(3, "2")]),
    ] {
        let refused = told.replace("2026-03-10", replaced, &lines).unwrap_err();
        assert!(matches!(refused, Refused::LineTwice { .. }), "{refused:?}");
    }
}

#[test]
fn what_goes_on_after_the_end_goes_on_under_the_terms_that_held_then() {
    let mut told = Told::contract(&[flat(1, "31")]);
    told.bill("2026-03-01");
    told.on("2026-03-05").cancel("2026-03-16").unwrap();
    told.on("2026-03-06").change("2026-03-10", &[flat(1, "62")]).unwrap();
    told.bill("2026-03-20");
    assert_eq!((told.status(), told.sum()), (Status::Cancelled, 900 + 1200));
    told.on("2026-03-20").reactivate("2026-04-01").unwrap();
    assert_eq!(told.bill("2026-04-02"), ["04-01->05-01 62.00"]);
}

#[test]
fn usage_that_was_billed_for_days_that_an_end_takes_away_is_given_back_at_once() {
    let mut told = Told::contract(&[calls(1, "1")]);
    told.use_calls("2026-03-10", "5");
    told.use_calls("2026-03-25", "3");
    assert_eq!(told.bill("2026-04-02"), ["03-01->04-01 8.00"]);
    told.on("2026-04-03").cancel("2026-03-20").unwrap();
    assert_eq!(told.bill("2026-04-03"), ["03-01->04-01 -3.00"]);
    assert_eq!(told.next(), None);
}

#[test]
fn usage_of_days_that_were_taken_away_is_billed_when_they_come_back() {
    let mut told = Told::contract(&[calls(1, "1")]);
    told.use_calls("2026-03-10", "5");
    told.use_calls("2026-03-25", "3");
    told.bill("2026-04-02");
    told.on("2026-04-03").cancel("2026-03-20").unwrap();
    told.bill("2026-04-03");
    told.on("2026-04-04").reactivate("2026-03-20").unwrap();
    assert_eq!(told.bill("2026-04-05"), ["03-20->04-01 3.00"]);
}

#[test]
fn a_change_of_an_undivided_line_costs_the_difference_of_two_whole_periods() {
    let mut told = Told::contract(&[undivided(1, "31")]);
    told.bill("2026-03-01");
    told.on("2026-03-10")
        .change("2026-03-10", &[undivided(1, "50")])
        .unwrap();
    assert_eq!(told.bill("2026-03-10"), ["03-01->04-01 -31.00", "03-10->04-01 50.00"]);
    told.on("2026-03-20")
        .change("2026-03-20", &[undivided(1, "20")])
        .unwrap();
    assert_eq!(told.bill("2026-03-20"), ["03-10->04-01 -50.00", "03-20->04-01 20.00"]);
    assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 20.00"]);
}

#[test]
fn a_change_of_an_undivided_line_comes_to_the_same_when_it_is_billed_late() {
    let mut told = Told::contract(&[undivided(1, "31")]);
    told.on("2026-03-10")
        .change("2026-03-10", &[undivided(1, "50")])
        .unwrap();
    told.on("2026-03-20")
        .change("2026-03-20", &[undivided(1, "20")])
        .unwrap();
    told.bill("2026-04-01");
    assert_eq!(told.sum(), 4000);
}

#[test]
fn an_undivided_line_gets_another_period_once_what_is_paid_is_over() {
    let mut told = Told::contract(&[undivided(1, "31")]);
    told.bill("2026-03-01");
    told.on("2026-03-10")
        .change_cycle("2026-03-10", Cycle::Year, &[undivided(1, "300")])
        .unwrap();
    assert_eq!(told.bill("2026-03-31"), [""; 0]);
    assert_eq!(told.bill("2026-04-02"), ["04-01->04-01 300.00"]);
}

#[test]
fn an_undivided_line_that_is_taken_away_is_not_given_back() {
    let mut told = Told::contract(&[undivided(1, "31"), flat(2, "31")]);
    told.bill("2026-03-01");
    told.on("2026-03-11").replace("2026-03-11", vec![id(1)], &[]).unwrap();
    assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 31.00"]);
}

#[test]
fn what_was_bought_once_is_not_bought_again_by_a_change_of_it() {
    let mut told = Told::contract(&[flat(1, "31"), one_off(2, "5")]);
    told.bill("2026-03-01");
    let refused = told
        .on("2026-03-10")
        .change("2026-03-10", &[one_off(2, "8")])
        .unwrap_err();
    assert_eq!(refused, Refused::Bought { line: id(2) });
    let refused = told.change("2026-03-01", &[one_off(2, "8")]).unwrap_err();
    assert_eq!(refused, Refused::Bought { line: id(2) });
    // All lines of a plan: what was bought of it stays bought.
    told.replace("2026-03-16", vec![], &[flat(1, "62"), one_off(2, "8")])
        .unwrap();
    assert_eq!(
        told.bill("2026-04-02"),
        ["03-16->04-01 32.00", "03-16->04-01 -16.00", "04-01->05-01 62.00"]
    );
}

#[test]
fn what_is_yet_to_be_bought_can_be_changed() {
    let mut told = Told::contract(&[flat(1, "31")]);
    told.bill("2026-03-01");
    told.change("2026-03-20", &[one_off(2, "5")]).unwrap();
    told.change("2026-03-10", &[one_off(2, "8")]).unwrap();
    assert_eq!(told.bill("2026-03-31"), ["03-10->open 8.00"]);
}

#[test]
fn a_pending_contract_that_is_to_end_ends_on_its_day_also_once_it_is_activated() {
    let mut told = Told::waiting(&[flat(1, "31")]);
    told.cancel("2026-04-16").unwrap();
    told.on("2026-03-02").activate("2026-03-01").unwrap();
    told.bill("2026-06-01");
    assert_eq!((told.status(), told.sum()), (Status::Cancelled, 3100 + 1550));
    assert_eq!(told.next(), None);
}

#[test]
fn a_pending_contract_ends_on_its_day_though_it_never_began() {
    let mut told = Told::waiting(&[flat(1, "31")]);
    told.cancel("2026-03-16").unwrap();
    let refused = told.activate("2026-03-16").unwrap_err();
    assert_eq!(
        refused,
        Refused::EndsAlready {
            end: date("2026-03-16")
        }
    );
    assert_eq!(told.bill("2026-04-01"), [""; 0]);
    assert_eq!((told.status(), told.next()), (Status::Cancelled, None));
}

#[test]
fn what_is_resumed_still_ends_on_the_day_it_was_to_end() {
    let mut told = Told::contract(&[flat(1, "31")]);
    told.bill("2026-03-01");
    told.on("2026-03-02").cancel("2026-04-16").unwrap();
    told.on("2026-03-11").pause("2026-03-11").unwrap();
    told.on("2026-03-21").resume("2026-03-21").unwrap();
    told.bill("2026-06-01");
    assert_eq!((told.status(), told.sum()), (Status::Cancelled, 3100 - 1000 + 1550));
}

#[test]
fn nothing_is_resumed_after_the_day_of_the_end() {
    let mut told = Told::contract(&[flat(1, "31")]);
    told.cancel("2026-03-16").unwrap();
    told.on("2026-03-02").pause("2026-03-02").unwrap();
    let end = date("2026-03-16");
    assert_eq!(told.resume("2026-03-16").unwrap_err(), Refused::EndsAlready { end });
}

#[test]
fn a_change_never_dates_an_invoice_back() {
    let rule = PeriodRule {
        unit: PeriodUnit::Month,
        count: 1,
        offset_days: None,
    };
    let mut told = Told::of(triggered(
        Agreement {
            cycle: Cycle::Year,
            ..agreed(&[flat(1, "365")])
        },
        InvoiceTrigger::Periodic(rule),
    ));
    told.bill("2026-04-02");
    told.invoice();
    let at = told.on("2026-07-10").at();
    let charge = new_charge(7);
    told.send(&Command::AddCharge { at, charge }).unwrap();
    let first_of_august = "2026-08-01T00:00:00Z".parse().unwrap();
    assert_eq!(told.next(), Some(first_of_august));
    told.on("2026-07-12").change("2026-09-01", &[flat(1, "730")]).unwrap();
    assert_eq!(told.next(), Some(first_of_august));
}

#[test]
fn the_last_day_that_counts_as_used_is_billed_once_when_it_is_the_first_again() {
    let begin = || {
        let mut told = Told::prorating(&[flat(1, "31")], Proration::InclusiveDays);
        told.bill("2026-03-01");
        told
    };
    let mut paused = begin();
    paused.on("2026-03-10").pause("2026-03-10").unwrap();
    paused.bill("2026-03-10");
    paused.resume("2026-03-10").unwrap();
    paused.bill("2026-03-31");
    assert_eq!(paused.sum(), 3100);
    let mut cancelled = begin();
    cancelled.on("2026-03-10").cancel("2026-03-10").unwrap();
    cancelled.bill("2026-03-10");
    cancelled.reactivate("2026-03-10").unwrap();
    cancelled.bill("2026-03-31");
    assert_eq!(cancelled.sum(), 3100);
}

#[test]
fn a_change_during_notice_keeps_the_last_day() {
    let mut told = Told::prorating(&[flat(1, "31")], Proration::InclusiveDays);
    told.bill("2026-03-01");
    told.on("2026-03-02").cancel("2026-03-21").unwrap();
    told.on("2026-03-03").change("2026-03-11", &[flat(1, "62")]).unwrap();
    told.bill("2026-04-15");
    assert_eq!(told.sum(), 1000 + 2200);
}

#[test]
fn what_a_change_leaves_out_is_what_is_in_force_on_its_day() {
    let mut told = Told::contract(&[flat(1, "31")]);
    told.bill("2026-03-01");
    told.on("2026-03-02").change("2026-05-01", &[flat(1, "62")]).unwrap();
    let price = |day: &str| told.state.line(id(1), date(day)).unwrap().price;
    assert_eq!(price("2026-03-10"), flat(1, "31").price);
    assert_eq!(price("2026-05-01"), flat(1, "62").price);
}

#[test]
fn a_line_that_joins_lines_without_periods_has_those_of_the_agreement() {
    let mut told = Told::contract(&[one_off(1, "5")]);
    told.bill("2026-03-01");
    told.on("2026-03-16").change("2026-03-16", &[flat(2, "31")]).unwrap();
    assert_eq!(told.bill("2026-04-02"), ["03-16->04-01 16.00", "04-01->05-01 31.00"]);
}

#[test]
fn a_change_never_takes_effect_in_days_that_the_subscription_stood_still() {
    let mut told = Told::contract(&[flat(1, "31")]);
    told.pause("2026-03-10").unwrap();
    told.on("2026-03-20").resume("2026-03-20").unwrap();
    let from = date("2026-03-20");
    let refused = told.change("2026-03-15", &[flat(1, "62")]).unwrap_err();
    assert_eq!(refused, Refused::BeforeGoingOn { from });
    told.change("2026-03-20", &[flat(1, "62")]).unwrap();
    told.bill("2026-03-31");
    assert_eq!(told.sum(), 900 + 2400);
}

/// Found by `every_day_that_was_agreed_...`: taken away on the day on which its price had changed, and agreed again from that
/// day on, or from an earlier one.
#[test]
fn the_last_day_of_a_line_is_not_billed_beside_what_comes_on_it_again() {
    for (again, billed) in [
        ("2026-03-12", &["03-12->03-13 -1.00", "03-12->04-01 20.00"][..]),
        (
            "2026-03-10",
            &["03-10->03-12 -2.00", "03-10->04-01 22.00", "03-12->03-13 -1.00"],
        ),
    ] {
        let mut told = Told::prorating(&[flat(1, "31")], crate::billing::Proration::InclusiveDays);
        told.bill("2026-03-12");
        told.change("2026-03-12", &[flat(1, "31")]).unwrap();
        told.bill("2026-03-12");
        told.on("2026-03-19").replace("2026-03-12", vec![id(1)], &[]).unwrap();
        assert_eq!(told.bill("2026-03-19"), ["03-13->04-01 -19.00"]);
        told.on("2026-03-21").change(again, &[flat(1, "31")]).unwrap();
        let mut now = told.bill("2026-03-21");
        now.sort();
        assert_eq!(now, billed);
        assert_eq!(told.sum(), 3100);
    }
}

#[test]
fn the_last_day_of_a_line_is_given_back_where_all_ends_before_it() {
    let mut told = Told::prorating(&[flat(1, "31")], crate::billing::Proration::InclusiveDays);
    told.change("2026-03-12", &[flat(1, "31")]).unwrap();
    told.replace("2026-03-12", vec![id(1)], &[]).unwrap();
    told.bill("2026-03-13");
    assert_eq!(told.sum(), 1200);
    told.on("2026-03-14").cancel("2026-03-05").unwrap();
    told.bill("2026-03-14");
    assert_eq!(told.sum(), 500);
}

/// Found by the properties of histories: the day costs nothing where months have 30 days, and was charged twice.
#[test]
fn a_free_day_that_is_charged_again_was_given_back_before() {
    let mut told = Told::prorating(&[flat(1, "30")], Proration::ThirtyDayMonths);
    let charged = |told: &mut Told, day: &str| -> Vec<String> {
        let charges = told.bill_on(date(day));
        charges.iter().map(line).collect()
    };
    charged(&mut told, "2026-03-01");
    told.on("2026-03-31")
        .change_cycle("2026-03-31", Cycle::Week, &[flat(1, "7")])
        .unwrap();
    assert_eq!(
        charged(&mut told, "2026-03-31"),
        ["03-31->04-07 7.00", "03-31->04-01 -1.00"]
    );
    told.on("2026-04-04").change("2026-03-30", &[flat(1, "60")]).unwrap();
    assert_eq!(
        charged(&mut told, "2026-04-04"),
        [
            "03-30->04-01 2.00",
            "04-01->05-01 60.00",
            "03-30->03-31 0.00",
            "03-31->04-07 -7.00"
        ]
    );
}

/// Found by the properties of histories: of what had stood still on its first day that one was still paid as its last.
#[test]
fn a_planned_change_that_another_one_supersedes_has_no_last_day_that_is_used() {
    let mut told = Told::prorating(&[flat(1, "31")], Proration::InclusiveDays);
    told.bill("2026-03-01");
    told.change("2026-04-03", &[flat(1, "62")]).unwrap();
    told.on("2026-03-11").cancel("2026-04-03").unwrap();
    told.change("2026-03-11", &[flat(1, "93")]).unwrap();
    assert_eq!(told.bill("2026-03-11"), ["03-11->04-01 63.00", "03-11->04-01 -21.00"]);
    assert_eq!(told.bill("2026-04-30"), ["04-01->04-04 9.30"]);
}

#[test]
fn what_is_used_on_the_last_day_that_counts_as_used_is_metered_and_billed() {
    for (proration, prorate, is_used) in [
        (Proration::InclusiveDays, true, true),
        (Proration::InclusiveDays, false, false),
        (Proration::ActualDays, true, false),
    ] {
        let line = PlanLine {
            prorate,
            ..calls(1, "1")
        };
        let mut told = Told::prorating(&[line], proration);
        told.on("2026-03-12").pause("2026-03-10").unwrap();
        for (day, is_used) in [("2026-03-09", true), ("2026-03-10", is_used), ("2026-03-11", false)] {
            let is_metered = told.state.meter("calls", date(day)).is_some();
            assert_eq!(is_metered, is_used, "{day} {proration:?} {prorate}");
            told.use_calls(day, "5");
        }
        told.bill("2026-04-01");
        assert_eq!(told.sum(), if is_used { 1000 } else { 500 }, "{proration:?} {prorate}");
    }
}

#[test]
fn the_last_day_that_counts_as_used_is_metered_by_what_was_changed_to_on_it() {
    let mut told = Told::prorating(&[calls(1, "1")], Proration::InclusiveDays);
    told.on("2026-03-05").change("2026-03-10", &[calls(1, "2")]).unwrap();
    told.on("2026-03-12").pause("2026-03-10").unwrap();
    assert!(told.state.meter("calls", date("2026-03-10")).is_some());
    told.use_calls("2026-03-10", "5");
    told.bill("2026-04-01");
    assert_eq!(told.sum(), 1000);
}
