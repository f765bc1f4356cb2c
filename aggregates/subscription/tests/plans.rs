//! Another plan in the middle of a period that is paid, in the same agreement or in the one that follows.

use super::{
    told::{Told, agreed, flat, id, undivided},
    *,
};
use crate::{
    billing::{self, Proration},
    calendar::PeriodUnit,
    catalog::PlanLine,
    policy::PolicyChanges,
};

/// From that day on the lines of another plan.
fn change_plan(told: &mut Told, effective: &str, cycle: Option<Cycle>, lines: &[PlanLine]) {
    let change = Change {
        lines: lines.to_vec(),
        cycle,
        ..Change::on(date(effective))
    };
    let (at, change) = (told.at(), Box::new(change));
    told.send(&Command::Change { at, change }).unwrap();
}

#[test]
fn another_undivided_plan_costs_the_difference_of_two_whole_periods() {
    let mut told = Told::contract(&[undivided(1, "100")]);
    told.bill("2026-03-01");
    change_plan(told.on("2026-03-15"), "2026-03-15", None, &[undivided(2, "200")]);
    assert_eq!(told.bill("2026-03-15"), ["03-01->04-01 -100.00", "03-15->04-01 200.00"]);
    assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 200.00"]);
}

#[test]
fn another_undivided_plan_comes_to_the_same_when_it_is_billed_late() {
    let mut told = Told::contract(&[undivided(1, "100"), undivided(3, "10")]);
    change_plan(told.on("2026-03-15"), "2026-03-15", None, &[undivided(2, "200")]);
    told.bill("2026-03-31");
    assert_eq!(told.sum(), 20000);
}

#[test]
fn a_plan_of_another_length_begins_where_the_undivided_one_before_is_paid() {
    let mut told = Told::contract(&[undivided(1, "100")]);
    told.bill("2026-03-01");
    let yearly = [undivided(2, "900"), flat(3, "365")];
    change_plan(told.on("2026-03-15"), "2026-03-15", Some(Cycle::Year), &yearly);
    assert_eq!(told.bill("2026-03-31"), [""; 0]);
    assert_eq!(told.bill("2026-04-02"), ["04-01->04-01 900.00", "04-01->04-01 365.00"]);
}

#[test]
fn a_divided_plan_begins_where_the_undivided_one_before_is_paid() {
    let mut told = Told::contract(&[undivided(1, "100"), flat(4, "31")]);
    told.bill("2026-03-01");
    change_plan(told.on("2026-03-15"), "2026-03-15", None, &[flat(2, "200")]);
    assert_eq!(told.bill("2026-04-02"), ["04-01->05-01 200.00"]);
}

#[test]
fn a_divided_plan_takes_the_place_of_a_divided_one_on_the_day() {
    let mut told = Told::contract(&[flat(1, "31")]);
    told.bill("2026-03-01");
    change_plan(told.on("2026-03-16"), "2026-03-16", None, &[flat(2, "62")]);
    assert_eq!(told.bill("2026-03-16"), ["03-16->04-01 32.00", "03-16->04-01 -16.00"]);
}

/// What the agreement that ends gives back, and what the one that follows costs until the day.
fn upgraded(next: &[PlanLine], schedule: Option<billing::Schedule>, until: &str) -> (Vec<String>, Vec<String>) {
    let mut old = Told::contract(&[undivided(1, "100")]);
    old.bill("2026-03-01");
    let effective = date("2026-03-15");
    let change = Change {
        elsewhere: schedule.map(|_| next.to_vec()).unwrap_or_default(),
        elsewhere_over: schedule,
        ..Change::on(effective)
    };
    let (at, change) = (old.on("2026-03-15").at(), Box::new(change));
    old.send(&Command::Change { at, change }).unwrap();
    let paid_until = Some(old.state.paid_until(effective).unwrap().until);
    old.cancel("2026-03-15").unwrap();
    let offer = Offer {
        lines: next.to_vec(),
        schedule,
        paid_until,
        ..Offer::default()
    };
    let mut new = Told::of(Agreement {
        activation: effective,
        offer: Some(Box::new(offer)),
        ..agreed(&[])
    });
    (old.bill(until), new.bill(until))
}

#[test]
fn an_upgrade_of_undivided_lines_costs_the_difference_of_two_whole_periods() {
    let schedule = billing::Schedule {
        unit: PeriodUnit::Month,
        count: 1,
        anchor: date("2026-03-01"),
        offset: None,
    };
    let (old, new) = upgraded(&[undivided(2, "200")], Some(schedule), "2026-03-31");
    assert_eq!(
        (old, new),
        (
            vec!["03-01->04-01 -100.00".to_owned()],
            vec!["03-15->04-01 200.00".to_owned()]
        )
    );
}

#[test]
fn an_upgrade_to_other_periods_begins_where_the_undivided_agreement_before_is_paid() {
    let (old, new) = upgraded(&[undivided(2, "200")], None, "2026-04-02");
    assert_eq!((old, new), (vec![], vec!["04-01->05-01 200.00".to_owned()]));
}

#[test]
fn what_is_taken_away_alone_leaves_the_other_lines_as_they_are() {
    let mut told = Told::contract(&[undivided(1, "100"), undivided(2, "10")]);
    told.bill("2026-03-01");
    told.on("2026-03-15").replace("2026-03-15", vec![id(2)], &[]).unwrap();
    assert_eq!(told.bill("2026-04-01"), ["04-01->05-01 100.00"]);
}

#[test]
fn an_upgrade_counts_the_rest_of_a_period_by_the_policy_that_charged_it() {
    for proration in [Proration::ThirtyDayMonths, Proration::None] {
        let mut old = Told::contract(&[flat(1, "31")]);
        old.bill("2026-03-01");
        let at = old.on("2026-03-05").at();
        let changes = PolicyChanges {
            proration: Some(proration),
            ..PolicyChanges::default()
        };
        old.send(&Command::UpdatePolicy { at, changes }).unwrap();
        let effective = date("2026-03-11");
        let counted = old.state.counted(effective);
        let change = Box::new(Change::on(effective));
        let at = old.on("2026-03-11").at();
        old.send(&Command::Change { at, change }).unwrap();
        old.cancel("2026-03-11").unwrap();
        let agreement = old.state.agreement().unwrap().clone();
        let offer = Offer {
            lines: vec![flat(2, "62")],
            schedule: agreement.phases[0].schedule,
            ..Offer::default()
        };
        let mut new = Told::of(Agreement {
            activation: effective,
            status: Status::Active,
            phases: Vec::new(),
            offer: Some(Box::new(offer)),
            counted: counted.into_iter().map(|before| before.of_lines([id(2)])).collect(),
            ..agreement
        });
        assert_eq!(old.bill("2026-03-11"), ["03-11->04-01 -21.00"]);
        assert_eq!(new.bill("2026-03-11"), ["03-11->04-01 42.00"], "{proration:?}");
        assert_eq!(new.bill("2026-04-01"), ["04-01->05-01 62.00"]);
        // From the next period on it is counted by the policy of now.
        new.on("2026-04-11").cancel("2026-04-11").unwrap();
        let given_back: &[&str] = match proration {
            Proration::None => &[],
            _ => &["04-11->05-01 -41.33"],
        };
        assert_eq!(new.bill("2026-04-11"), given_back);
    }
}

#[test]
fn a_month_whose_planned_change_never_began_is_not_given_back_when_all_goes_on_later() {
    let mut told = Told::prorating(&[flat(1, "31.00")], Proration::None);
    told.bill("2026-03-01");
    told.on("2026-03-28").change("2026-03-31", &[flat(1, "40.00")]).unwrap();
    told.on("2026-03-31").pause("2026-03-31").unwrap();
    assert_eq!(told.bill("2026-03-31"), [""; 0]);
    told.on("2026-04-03").resume("2026-04-01").unwrap();
    assert_eq!(told.bill("2026-04-03"), ["04-01->05-01 40.00"]);
}

#[test]
fn who_began_a_period_pays_for_it_where_what_took_it_over_ends_before_it_begins() {
    for last in ["2026-03-16", "2026-03-14"] {
        let mut told = Told::contract(&[undivided(1, "31.00")]);
        told.bill("2026-03-01");
        told.on("2026-03-08")
            .change("2026-03-08", &[undivided(1, "40.00")])
            .unwrap();
        told.pause("2026-03-08").unwrap();
        told.bill("2026-03-08");
        assert_eq!(told.sum(), 3100);
        told.on("2026-03-16").resume("2026-03-16").unwrap();
        told.bill("2026-03-16");
        assert_eq!(told.sum(), 4000);
        told.on("2026-03-20").cancel(last).unwrap();
        told.bill("2026-03-20");
        assert_eq!(told.sum(), 3100, "{last}");
        assert_eq!(told.bill("2026-06-20"), [""; 0]);
    }
}

#[test]
fn what_was_planned_and_is_called_off_by_a_pause_pays_for_no_day() {
    let mut told = Told::contract(&[undivided(1, "31.00")]);
    told.bill("2026-03-01");
    told.change("2026-03-18", &[undivided(1, "40.00")]).unwrap();
    told.on("2026-03-08")
        .change("2026-03-19", &[undivided(1, "50.00")])
        .unwrap();
    told.pause("2026-03-08").unwrap();
    assert_eq!(told.bill("2026-05-08"), [""; 0]);
    assert_eq!(told.sum(), 3100);
}
