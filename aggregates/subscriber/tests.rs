use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    calendar::PeriodUnit,
    id::{BillingTemplateId, CustomerId, PurchaseId, SubscriptionId},
};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn noon(day: &str) -> DateTime<Utc> {
    format!("{day}T12:00:00Z").parse().unwrap()
}

fn purchase(n: u128) -> PurchaseId {
    PurchaseId(Uuid::from_u128(n))
}

fn monthly(charge_period_end: bool, trial_periods: u32) -> Rhythm {
    Rhythm {
        period: 1,
        unit: PeriodUnit::Month,
        charge_period_end,
        trial_periods,
        trial_rule: TrialRule::Literal,
    }
}

fn choices() -> Choices {
    Choices {
        payment_methods: None,
        send_invoice_on_charge_failure: true,
        send_invoice_on_add_subscriber: false,
        send_receipt: true,
        invoice_reference: None,
    }
}

/// A subscriber added at noon, as far as it has come.
struct Story(Subscriber);

impl Story {
    fn added(day: &str, rhythm: Rhythm) -> Self {
        let mut story = Self(Subscriber::Absent);
        let first = (rhythm.first() == 0).then(|| purchase(1));
        story.then(&add(noon(day), rhythm, first)).unwrap();
        story
    }

    #[track_caller]
    fn then(&mut self, command: &Command) -> Result<Vec<Event>, Refused> {
        let events = self.0.decide(command)?;
        for event in &events {
            self.0.apply(event);
        }
        Ok(events)
    }

    fn paid(mut self, day: &str, limit: Option<u32>) -> Self {
        let (at, paid_on) = (noon(day), noon(day));
        self.then(&Command::Activate { at, paid_on, limit }).unwrap();
        self
    }

    fn pause(&mut self, day: &str) {
        self.then(&Command::Pause { at: noon(day) }).unwrap();
    }

    fn resume(&mut self, day: &str) {
        self.then(&Command::Resume { at: noon(day) }).unwrap();
    }

    fn bill(&mut self, day: &str) -> Result<Vec<Event>, Refused> {
        let number = self.known().upcoming.map_or(0, |upcoming| upcoming.number);
        self.then(&Command::Bill {
            at: noon(day),
            number,
            purchase: purchase(u128::from(number) + 10),
            limit: None,
        })
    }

    fn known(&self) -> &Known {
        self.0.known().unwrap()
    }

    fn next(&self) -> Option<NaiveDate> {
        self.known().upcoming.map(|upcoming| upcoming.date)
    }
}

fn add(at: DateTime<Utc>, rhythm: Rhythm, first_purchase: Option<PurchaseId>) -> Command {
    Command::Add {
        at,
        subscriber: SubscriptionId(Uuid::from_u128(1)),
        template: BillingTemplateId(Uuid::from_u128(2)),
        customer: CustomerId(Uuid::from_u128(3)),
        rhythm,
        time_zone: "UTC".to_owned(),
        choices: choices(),
        first_purchase,
    }
}

#[test]
fn the_first_purchase_is_made_as_the_documents_say_in_numbers() {
    let elapsed = |end, trial| Rhythm {
        trial_rule: TrialRule::Elapsed,
        ..monthly(end, trial)
    };
    for (rhythm, first) in [
        (monthly(false, 0), 0),
        (monthly(true, 0), 1),
        (monthly(false, 1), 2),
        (monthly(false, 2), 3),
        (monthly(true, 2), 4),
        (elapsed(false, 0), 0),
        (elapsed(true, 0), 1),
        (elapsed(false, 2), 2),
        (elapsed(true, 2), 3),
    ] {
        assert_eq!(rhythm.first(), first, "{rhythm:?}");
    }
    let story = Story::added("2026-01-15", monthly(false, 2));
    assert_eq!(
        (story.known().status, story.next()),
        (Status::Active, Some(date("2026-04-15")))
    );
    assert_eq!(
        Story::added("2026-01-15", monthly(true, 2)).next(),
        Some(date("2026-05-15"))
    );
    assert_eq!(
        Story::added("2026-01-30", monthly(true, 0)).next(),
        Some(date("2026-02-28"))
    );
}

#[test]
fn the_thirtieth_comes_back_after_february() {
    let mut story = Story::added("2026-01-30", monthly(false, 0)).paid("2026-01-30", None);
    for (day, next) in [
        ("2026-02-28", "2026-03-30"),
        ("2026-03-30", "2026-04-30"),
        ("2026-04-30", "2026-05-30"),
    ] {
        assert_eq!(story.next(), Some(date(day)));
        story.bill(day).unwrap();
        assert_eq!(story.next(), Some(date(next)));
    }
    let leap = Story::added("2028-01-30", monthly(false, 0)).paid("2028-01-30", None);
    assert_eq!(leap.next(), Some(date("2028-02-29")));
    let weeks = Rhythm {
        period: 2,
        unit: PeriodUnit::Week,
        ..monthly(false, 0)
    };
    let mut story = Story::added("2026-02-20", weeks).paid("2026-02-20", None);
    assert_eq!(story.next(), Some(date("2026-03-06")));
    story.bill("2026-03-06").unwrap();
    assert_eq!(story.next(), Some(date("2026-03-20")));
}

#[test]
fn dates_are_counted_from_the_day_of_the_first_payment_but_not_from_before_the_launch() {
    let story = Story::added("2026-01-30", monthly(false, 0));
    assert_eq!((story.known().status, story.next()), (Status::Pending, None));
    assert_eq!(story.known().cycles_passed, 1);
    let story = story.paid("2026-02-02", None);
    assert_eq!(
        (story.known().status, story.next()),
        (Status::Active, Some(date("2026-03-02")))
    );
    let mut early = Story::added("2026-01-30", monthly(false, 0));
    let (at, paid_on) = (noon("2026-02-02"), noon("2020-01-01"));
    let activate = Command::Activate {
        at,
        paid_on,
        limit: None,
    };
    early.then(&activate).unwrap();
    assert_eq!(early.next(), Some(date("2026-02-28")));
    assert_eq!(early.then(&activate), Ok(vec![]), "a second payment moves nothing");
}

#[test]
fn the_day_of_the_launch_is_that_of_the_zone() {
    let mut subscriber = Subscriber::Absent;
    let mut command = add("2026-01-30T20:00:00Z".parse().unwrap(), monthly(true, 0), None);
    if let Command::Add { time_zone, .. } = &mut command {
        *time_zone = "Asia/Kuala_Lumpur".to_owned();
    }
    let events = subscriber.decide(&command).unwrap();
    subscriber.apply(&events[0]);
    let known = subscriber.known().unwrap();
    assert_eq!(known.anchor, date("2026-01-31"));
    assert_eq!(known.upcoming.unwrap().date, date("2026-02-28"));
    if let Command::Add { time_zone, .. } = &mut command {
        *time_zone = "Mars/Olympus_Mons".to_owned();
    }
    assert_eq!(Subscriber::Absent.decide(&command), Err(Refused::UnknownTimeZone));
}

#[test]
fn a_period_is_billed_on_its_day_and_later_but_not_before_and_not_twice() {
    let story = || Story::added("2026-01-15", monthly(true, 0));
    let due = date("2026-02-15");
    assert_eq!(story().bill("2026-02-14"), Err(Refused::NotDue { date: due }));
    for day in ["2026-02-15", "2026-02-16", "2026-09-01"] {
        assert_eq!(story().bill(day).unwrap().len(), 1, "{day}");
    }
    let mut story = story();
    story.bill("2026-02-15").unwrap();
    let again = Command::Bill {
        at: noon("2026-02-15"),
        number: 1,
        purchase: purchase(11),
        limit: None,
    };
    assert_eq!(story.then(&again), Err(Refused::OtherPeriod));
    assert_eq!(story.known().cycles_passed, 1);
}

#[test]
fn after_a_downtime_every_period_is_billed() {
    let mut story = Story::added("2026-01-31", monthly(true, 0));
    let mut periods = Vec::new();
    while let Ok(events) = story.bill("2026-05-01") {
        let Some(Event::Billed { period, .. }) = events.first() else {
            panic!("{events:?}")
        };
        periods.push(period.date.to_string());
    }
    assert_eq!(periods, ["2026-02-28", "2026-03-31", "2026-04-30"]);
}

#[test]
fn what_falls_into_a_pause_is_left_out_before_on_and_after_its_ends() {
    // Due on the 15th of every month; paused and resumed around 15 March.
    for (paused, resumed, next) in [
        ("2026-03-14", "2026-03-16", "2026-04-15"),
        ("2026-03-15", "2026-03-16", "2026-04-15"),
        ("2026-03-16", "2026-03-20", "2026-03-15"), // due before the pause: still to be billed
        ("2026-03-10", "2026-03-14", "2026-03-15"),
        ("2026-03-10", "2026-03-15", "2026-03-15"), // it goes on that very day
        ("2026-03-14", "2026-03-14", "2026-03-15"),
        ("2026-03-14", "2026-05-20", "2026-06-15"),
    ] {
        let mut story = Story::added("2026-02-15", monthly(true, 0));
        story.pause(paused);
        assert_eq!(story.known().status, Status::Paused);
        assert_eq!(story.bill("2026-12-31"), Err(Refused::NotBilledNow));
        story.resume(resumed);
        assert_eq!(story.next(), Some(date(next)), "{paused} {resumed}");
    }
}

#[test]
fn a_date_before_the_pause_that_is_billed_late_leads_to_the_one_after_the_pause() {
    let mut story = Story::added("2026-02-15", monthly(true, 0));
    story.pause("2026-03-16");
    story.resume("2026-05-20");
    story.bill("2026-05-20").unwrap();
    assert_eq!(story.next(), Some(date("2026-06-15")));
    assert!(story.known().pauses.is_empty());
}

#[test]
fn dates_that_pass_while_the_template_stands_still_are_left_out() {
    let still = |from: &str, to: Option<&str>| Command::SkipPauses {
        at: noon("2026-04-01"),
        template: vec![Pause {
            from: date(from),
            to: to.map(date),
        }],
    };
    let next = |command: &Command| {
        let mut story = Story::added("2026-02-15", monthly(true, 0));
        story.then(command).unwrap();
        story.next()
    };
    assert_eq!(next(&still("2026-03-14", Some("2026-03-16"))), Some(date("2026-04-15")));
    assert_eq!(next(&still("2026-03-14", Some("2026-03-15"))), Some(date("2026-03-15")));
    assert_eq!(
        next(&still("2026-03-14", None)),
        Some(date("2026-03-15")),
        "nobody knows until when"
    );
    assert_eq!(next(&still("2026-03-16", Some("2026-03-20"))), Some(date("2026-03-15")));
}

#[test]
fn the_last_cycle_is_the_last() {
    let mut story = Story::added("2026-01-15", monthly(true, 0));
    let bill = |number| Command::Bill {
        at: noon("2026-12-31"),
        number,
        purchase: purchase(u128::from(number)),
        limit: Some(2),
    };
    assert_eq!(story.then(&bill(1)).unwrap().len(), 1);
    let last = story.then(&bill(2)).unwrap();
    assert!(matches!(
        last[1],
        Event::Ended {
            reason: EndReason::CyclesOver,
            ..
        }
    ));
    assert_eq!((story.known().status, story.next()), (Status::Inactive, None));
    assert_eq!(story.then(&bill(3)), Err(Refused::NotBilledNow));
    let once = Story::added("2026-01-15", monthly(false, 0)).paid("2026-01-20", Some(1));
    assert_eq!((once.known().status, once.next()), (Status::Inactive, None));
}

#[test]
fn only_a_launched_subscriber_is_paused_or_resumed_and_a_repetition_changes_nothing() {
    let at = noon("2026-02-01");
    let mut pending = Story::added("2026-01-15", monthly(false, 0));
    assert_eq!(pending.then(&Command::Pause { at }), Err(Refused::NotLaunched));
    assert_eq!(pending.then(&Command::Resume { at }), Err(Refused::NotLaunched));
    let mut active = pending.paid("2026-01-15", None);
    assert_eq!(active.then(&Command::Resume { at }), Ok(vec![]));
    active.pause("2026-02-01");
    assert_eq!(active.then(&Command::Pause { at }), Ok(vec![]));
    let reason = EndReason::TemplateDeleted;
    assert_eq!(active.then(&Command::End { at, reason }).unwrap().len(), 1);
    assert_eq!(active.then(&Command::End { at, reason }), Ok(vec![]));
    assert_eq!(active.then(&Command::Resume { at }), Err(Refused::NotLaunched));
    assert_eq!(active.then(&Command::Pause { at }), Err(Refused::NotLaunched));
}

#[test]
fn a_first_purchase_is_made_where_the_rhythm_begins_at_once_and_only_there() {
    let at = noon("2026-01-15");
    let decide = |rhythm, first| Subscriber::Absent.decide(&add(at, rhythm, first)).map(|_| ());
    assert_eq!(decide(monthly(false, 0), None), Err(Refused::FirstPurchase));
    assert_eq!(decide(monthly(true, 0), Some(purchase(1))), Err(Refused::FirstPurchase));
    let mut story = Story::added("2026-01-15", monthly(true, 0));
    assert_eq!(
        story.then(&add(at, monthly(true, 0), None)),
        Err(Refused::AlreadyExists)
    );
    assert_eq!(Subscriber::Absent.decide(&Command::Pause { at }), Err(Refused::Unknown));
}

#[test]
fn changed_choices_are_kept_and_the_same_ones_are_no_event() {
    let mut story = Story::added("2026-01-15", monthly(true, 0));
    let at = noon("2026-01-16");
    let change = |choices| Command::ChangeChoices { at, choices };
    assert_eq!(story.then(&change(choices())), Ok(vec![]));
    let new = Choices {
        invoice_reference: Some("R-1".to_owned()),
        ..choices()
    };
    assert_eq!(story.then(&change(new.clone())).unwrap().len(), 1);
    assert_eq!(story.known().choices, new);
}

#[test]
fn a_calendar_that_ends_ends_the_subscriber() {
    let rhythm = Rhythm {
        period: 256,
        ..monthly(true, 256)
    };
    let mut story = Story::added("9000-01-15", rhythm);
    assert_eq!((story.known().status, story.next()), (Status::Inactive, None));
    assert_eq!(story.bill("9999-01-01"), Err(Refused::NotBilledNow));
}
