use chrono::{DateTime, Utc};
use cqrs_es::test::TestFramework;

use super::*;
use crate::terms::{InvoiceTrigger, InvoicingPreferences, PeriodRule};

fn at() -> DateTime<Utc> {
    "2026-10-01T00:00:00Z".parse().unwrap()
}

fn update(changes: InvoicingChanges) -> Command {
    Command::UpdateInvoicingPreferences { at: at(), changes }
}

#[test]
fn only_what_is_sent_changes() {
    let preferences = InvoicingPreferences {
        automatic_payment: true,
        ..InvoicingPreferences::default()
    };
    TestFramework::<Preferences>::with(())
        .given_no_previous_events()
        .when(update(InvoicingChanges {
            automatic_payment: Some(true),
            ..InvoicingChanges::default()
        }))
        .then_expect_events(vec![Event::InvoicingUpdated {
            at: at(),
            changed: vec!["automatic_payment".to_owned()],
            preferences,
        }]);
}

#[test]
fn the_same_change_again_changes_nothing() {
    let preferences = InvoicingPreferences {
        automatic_payment: true,
        ..InvoicingPreferences::default()
    };
    let before = Event::InvoicingUpdated {
        at: at(),
        changed: vec!["automatic_payment".to_owned()],
        preferences,
    };
    TestFramework::<Preferences>::with(())
        .given(vec![before])
        .when(update(InvoicingChanges {
            automatic_payment: Some(true),
            ..InvoicingChanges::default()
        }))
        .then_expect_events(vec![]);
}

#[test]
fn a_cycle_of_no_length_is_refused() {
    let rule = PeriodRule {
        unit: crate::calendar::PeriodUnit::Month,
        count: 0,
        offset_days: None,
    };
    TestFramework::<Preferences>::with(())
        .given_no_previous_events()
        .when(update(InvoicingChanges {
            invoice_trigger: Some(InvoiceTrigger::Periodic(rule)),
            ..InvoicingChanges::default()
        }))
        .then_expect_error(Refused::EmptyCycle);
}

fn set(time_zone: &str) -> Command {
    let time_zone = time_zone.to_owned();
    Command::SetTimeZone { at: at(), time_zone }
}

#[test]
fn a_time_zone_is_set_once_and_only_a_known_one() {
    let event = Event::TimeZoneSet {
        at: at(),
        time_zone: "Europe/Berlin".to_owned(),
    };
    TestFramework::<Preferences>::with(())
        .given_no_previous_events()
        .when(set("Europe/Berlin"))
        .then_expect_events(vec![event.clone()]);
    TestFramework::<Preferences>::with(())
        .given(vec![event])
        .when(set("Europe/Berlin"))
        .then_expect_events(vec![]);
    TestFramework::<Preferences>::with(())
        .given_no_previous_events()
        .when(set("Mars/Olympus_Mons"))
        .then_expect_error(Refused::UnknownTimeZone("Mars/Olympus_Mons".to_owned()));
}
