//! What is invoiced some days after its period has begun is delivered as what is invoiced at once: each stretch once, on its
//! day, whatever is cancelled and goes on in between.

use chrono::TimeDelta;
use proptest::{collection::vec, prelude::*};

use super::{
    delivering::{Delivering, Fate, Terms, agreement},
    told::{flat, id, undivided},
    *,
};
use crate::{
    billing::{ADVANCED, Kind, Phase},
    random::hold,
};

const MONTHLY: Terms = Terms {
    invoiced: 30,
    delivered: 3,
    divided: false,
    daily: false,
};

fn ordered(terms: Terms) -> Delivering {
    Delivering::of(agreement(terms, &[ChargeType::Recurring], "2026-10-05"))
}

/// Cancelled and reactivated on these days at noon, each from that day on; what is delivered until the tenth of January.
fn delivered(terms: Terms, stops: &[(&str, &str)]) -> Vec<String> {
    let mut order = ordered(terms);
    for (end, from) in stops {
        order.pass(end);
        order.cancel(date(end)).unwrap();
        order.pass(from);
        order.reactivate(date(from)).unwrap();
    }
    order.pass("2027-01-10");
    order.delivered()
}

const NOVEMBER: &str = "11-05->12-05 on 11-08";
const DECEMBER: &str = "12-05->01-05 on 12-08";
const JANUARY: &str = "01-05->02-05 on 01-08";

#[test]
fn what_is_left_of_a_period_is_delivered_on_its_day_and_nothing_beside_it() {
    for (divided, invoiced) in [(false, 30), (true, 30), (false, 60), (true, 60), (false, 3), (true, 3)] {
        let terms = Terms {
            invoiced,
            divided,
            ..MONTHLY
        };
        // Withdrawn on the 8th, while it was over.
        let once = [("2026-10-06", "2026-10-09")];
        let rest = "10-09->11-05 on 10-12";
        assert_eq!(
            delivered(terms, &once),
            [JANUARY, rest, NOVEMBER, DECEMBER],
            "once, {terms:?}"
        );
        // The rest is withdrawn as well, on the 12th.
        let twice = [("2026-10-06", "2026-10-09"), ("2026-10-10", "2026-10-20")];
        let rest = "10-20->11-05 on 10-23";
        assert_eq!(
            delivered(terms, &twice),
            [JANUARY, rest, NOVEMBER, DECEMBER],
            "twice, {terms:?}"
        );
        // What was opened stays so, and nothing more of the period is delivered.
        let opened = [("2026-10-09", "2026-10-15"), ("2026-10-16", "2026-10-20")];
        let whole = "10-05->11-05 on 10-08";
        assert_eq!(
            delivered(terms, &opened),
            [JANUARY, whole, NOVEMBER, DECEMBER],
            "opened, {terms:?}"
        );
    }
}

#[test]
fn before_on_and_after_the_day_of_the_first_invoice_an_order_goes_on_alike() {
    // The first invoice is of 4 November, or of the fourth of December.
    for (divided, invoiced) in [(false, 30), (true, 30), (false, 60), (true, 60)] {
        let terms = Terms {
            invoiced,
            divided,
            ..MONTHLY
        };
        let whole = "10-05->11-05 on 10-08";
        for (end, from, rest) in [
            ("2026-11-03", "2026-11-04", NOVEMBER),
            ("2026-11-04", "2026-11-04", NOVEMBER),
            ("2026-11-06", "2026-11-09", "11-09->12-05 on 11-12"),
        ] {
            let all = delivered(terms, &[(end, from)]);
            assert_eq!(all, [JANUARY, whole, rest, DECEMBER], "{end} to {from}, {terms:?}");
        }
        for (end, from, rest) in [
            ("2026-12-03", "2026-12-04", DECEMBER),
            ("2026-12-04", "2026-12-04", DECEMBER),
            ("2026-12-06", "2026-12-09", "12-09->01-05 on 12-12"),
        ] {
            let all = delivered(terms, &[(end, from)]);
            assert_eq!(all, [JANUARY, whole, NOVEMBER, rest], "{end} to {from}, {terms:?}");
        }
    }
}

#[test]
fn days_are_delivered_each_on_its_own_and_none_of_them_twice() {
    let terms = Terms {
        daily: true,
        delivered: 2,
        ..MONTHLY
    };
    let mut order = ordered(terms);
    order.pass("2026-10-08").cancel(date("2026-10-08")).unwrap();
    order.pass("2026-10-12").reactivate(date("2026-10-12")).unwrap();
    order.pass("2026-12-01");
    let starts: Vec<NaiveDate> = order.tasks.keys().map(|(start, ..)| *start).collect();
    let without = |off: std::ops::Range<NaiveDate>, last: &str| -> Vec<NaiveDate> {
        let days = date("2026-10-05").iter_days();
        let days = days.take_while(|day| *day <= date(last));
        days.filter(|day| !off.contains(day)).collect()
    };
    // The 8th had begun when the order was cancelled.
    let planned = without(date("2026-10-09")..date("2026-10-12"), "2026-12-01");
    assert_eq!(starts, planned);
    // That and the 7th were to be delivered when it was over.
    let withdrawn = order.tasks.iter().filter(|(_, task)| task.fate == Fate::Withdrawn);
    let withdrawn: Vec<NaiveDate> = withdrawn.map(|((start, ..), _)| *start).collect();
    assert_eq!(withdrawn, ["2026-10-07", "2026-10-08"].map(date));
    let charged: Vec<NaiveDate> = order.charged(id(1)).into_iter().collect();
    assert_eq!(charged, without(date("2026-10-08")..date("2026-10-12"), "2026-11-01"));
}

#[test]
fn a_period_that_is_cut_and_goes_on_from_there_is_delivered_once() {
    for (invoiced, divided) in [(0, false), (0, true), (30, false), (30, true)] {
        let terms = Terms {
            invoiced,
            divided,
            ..MONTHLY
        };
        let whole = "10-05->11-05 on 10-08";
        // The end is taken back on the day behind it.
        let mut order = ordered(terms);
        order.pass("2026-10-16").cancel(date("2026-10-16")).unwrap();
        order.pass("2026-10-17").reactivate(date("2026-10-16")).unwrap();
        order.pass("2027-01-10");
        assert_eq!(order.delivered(), [JANUARY, whole, NOVEMBER, DECEMBER], "{terms:?}");
        // It was to come when the period began, and never does.
        let mut order = ordered(terms);
        order.pass("2026-10-16").cancel(date("2026-11-10")).unwrap();
        order.pass("2026-11-06").reactivate(date("2026-11-06")).unwrap();
        order.pass("2027-01-10");
        let november = if divided { "11-05->11-10 on 11-08" } else { NOVEMBER };
        assert_eq!(order.delivered(), [JANUARY, whole, november, DECEMBER], "{terms:?}");
    }
}

#[test]
fn other_invoice_terms_deliver_nothing_twice_and_leave_nothing_out() {
    for (from_days, to_days) in [(30, 0), (0, 30), (30, 60), (60, 7)] {
        for divided in [false, true] {
            let terms = Terms {
                divided,
                invoiced: from_days,
                ..MONTHLY
            };
            let mut order = ordered(terms);
            order.pass("2026-10-06").cancel(date("2026-10-06")).unwrap();
            order.pass("2026-10-09").reactivate(date("2026-10-09")).unwrap();
            order.pass("2026-10-15");
            let then = agreement(
                Terms {
                    invoiced: to_days,
                    ..terms
                },
                &[ChargeType::Recurring],
                "2026-10-05",
            );
            let super::super::Terms::Order { billing } = then.terms else {
                unreachable!()
            };
            let (at, preferences) = (order.told.at(), billing);
            order
                .send(&Command::UpdateBillingPreferences { at, preferences })
                .unwrap();
            order.pass("2027-01-10");
            let rest = "10-09->11-05 on 10-12";
            assert_eq!(
                order.delivered(),
                [JANUARY, rest, NOVEMBER, DECEMBER],
                "{from_days} to {to_days}, divided {divided}"
            );
        }
    }
}

/// So many parts of periods are looked at while an order of lines by the day is brought to the present.
fn looked_at(days_back: i64, invoiced: i64) -> usize {
    let terms = Terms {
        daily: true,
        invoiced,
        delivered: 0,
        divided: false,
    };
    let today = date("2026-10-05");
    let start = (today - TimeDelta::days(days_back)).to_string();
    let lines = [ChargeType::Recurring; 4];
    ADVANCED.set(0);
    let mut order = Delivering::begun(agreement(terms, &lines, &start), today);
    order.look();
    assert_eq!(order.tasks.len(), usize::try_from(days_back).unwrap() + 1);
    ADVANCED.get()
}

#[test]
fn what_is_delivered_already_is_not_looked_at_again() {
    // Each day of four lines is looked at when it is delivered, and when it is charged.
    for (days_back, invoiced) in [(100, 30), (200, 30), (200, 90), (400, 90), (400, 365)] {
        let parts = usize::try_from(4 * 2 * (days_back + 1)).unwrap();
        let looked_at = looked_at(days_back, invoiced);
        assert!(
            looked_at <= parts,
            "{looked_at} for {parts}: {days_back} days, invoiced {invoiced} days later"
        );
    }
}

fn change_to(order: &mut Delivering, effective: &str, price: &str) {
    let line = flat(1, price);
    let change = Change {
        replaced: vec![line.id],
        lines: vec![line],
        ..Change::on(date(effective))
    };
    let (at, change) = (order.told.at(), Box::new(change));
    order.send(&Command::Change { at, change }).unwrap();
}

#[test]
fn a_price_that_was_called_off_once_is_delivered_when_it_comes() {
    for invoiced in [0, 30] {
        let terms = Terms {
            invoiced,
            divided: true,
            ..MONTHLY
        };
        let mut order = Delivering::of(agreement(terms, &[ChargeType::Recurring], "2026-10-05"));
        change_to(order.pass("2026-10-10"), "2026-11-01", "62.00");
        change_to(order.pass("2026-10-12"), "2026-10-15", "50.00");
        change_to(order.pass("2026-11-18"), "2026-11-20", "62.00");
        order.pass("2026-12-10");
        let delivered = order.delivered();
        let comes = delivered.iter().any(|one| one.starts_with("11-20->12-05 on 11-23"));
        assert!(comes, "{invoiced}: {delivered:?}");
    }
}

#[test]
fn what_is_cut_and_goes_on_is_delivered_once_where_a_change_was_called_off() {
    let terms = Terms {
        divided: true,
        ..MONTHLY
    };
    let mut order = Delivering::of(agreement(terms, &[ChargeType::Recurring], "2026-10-05"));
    change_to(order.pass("2026-10-10"), "2026-10-20", "62.00");
    change_to(order.pass("2026-10-12"), "2026-10-15", "50.00");
    order.pass("2026-10-25").cancel(date("2026-10-25")).unwrap();
    order.pass("2026-10-26").reactivate(date("2026-10-25")).unwrap();
    order.pass("2026-11-10");
    let delivered = order.delivered();
    let again = delivered.iter().any(|one| one.starts_with("10-25->11-05"));
    assert!(!again, "{delivered:?}");
}

#[test]
fn what_is_paid_is_delivered_again_from_the_day_of_the_rest_that_was_withdrawn_or_before_it() {
    for invoiced in [0, 1] {
        let terms = Terms { invoiced, ..MONTHLY };
        for (again, rest) in [
            ("2026-10-16", "10-16->11-05 on 10-19"),
            ("2026-10-12", "10-12->11-05 on 10-15"),
        ] {
            let mut order = ordered(terms);
            order.pass("2026-10-06").cancel(date("2026-10-06")).unwrap();
            order.pass("2026-10-09").reactivate(date("2026-10-16")).unwrap();
            order.pass("2026-10-10").cancel(date("2026-10-10")).unwrap();
            order.pass("2026-10-20").reactivate(date(again)).unwrap();
            order.pass("2027-01-10");
            assert_eq!(
                order.delivered(),
                [JANUARY, rest, NOVEMBER, DECEMBER],
                "{invoiced}, {again}"
            );
        }
    }
}

/// What is done on a day; the days of effect are counted from it.
#[derive(Clone, Debug)]
enum Step {
    Cancel(i64),
    Reactivate(i64),
    Pause(i64),
    Resume(i64),
    Price(usize, i64, u32, bool),
    Add(i64, bool),
}

#[derive(Clone, Debug)]
struct History {
    terms: Terms,
    lines: Vec<ChargeType>,
    steps: Vec<(i64, Step)>,
}

fn histories(with_changes: bool) -> impl Strategy<Value = History> {
    let effect = || prop_oneof![4 => Just(0_i64), 2 => -6_i64..0, 2 => 1_i64..10];
    let stops = prop_oneof![
        4 => effect().prop_map(Step::Cancel),
        5 => effect().prop_map(Step::Reactivate),
        1 => effect().prop_map(Step::Pause),
        1 => effect().prop_map(Step::Resume),
    ];
    let changes = prop_oneof![
        2 => (0_usize..3, effect(), 100_u32..9_900, any::<bool>())
            .prop_map(|(line, day, price, divided)| Step::Price(line, day, price, divided)),
        1 => (effect(), any::<bool>()).prop_map(|(day, divided)| Step::Add(day, divided)),
    ];
    let step = if with_changes {
        prop_oneof![4 => stops, 1 => changes].boxed()
    } else {
        stops.boxed()
    };
    let terms = (1_i64..75, 0_i64..12, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(invoiced, delivered, divided, daily)| Terms {
            invoiced,
            delivered,
            divided,
            daily,
        },
    );
    let line = prop_oneof![4 => Just(ChargeType::Recurring), 1 => Just(ChargeType::OneOff)];
    (terms, vec(line, 1..3), vec((0_i64..12, step), 1..10)).prop_map(|(terms, lines, steps)| History {
        terms,
        lines,
        steps,
    })
}

/// What is known of an order without phases: on which days it runs.
#[derive(Default)]
struct Book {
    stops: Vec<(NaiveDate, NaiveDate)>,
    stopped: Option<NaiveDate>,
    ends: Option<NaiveDate>,
}

impl Book {
    fn stop(&mut self, day: NaiveDate) {
        self.stopped = Some(self.stopped.map_or(day, |known| known.min(day)));
    }

    fn go_on(&mut self, day: NaiveDate) {
        self.stops.extend(self.stopped.take().map(|since| (since, day)));
    }

    fn runs(&self, date: NaiveDate) -> bool {
        let still = self.stops.iter().any(|(since, until)| (*since..*until).contains(&date));
        !still && self.stopped.is_none_or(|since| date < since)
    }
}

/// The same order, invoiced at once and invoiced later.
struct Both {
    at_once: Delivering,
    later: Delivering,
    book: Book,
    lines: usize,
    /// Those that are bought once.
    bought: Vec<u128>,
}

impl Both {
    fn of(history: &History) -> Self {
        let of = |terms| Delivering::of(agreement(terms, &history.lines, "2026-10-05"));
        let at_once = Terms {
            invoiced: 0,
            ..history.terms
        };
        Self {
            at_once: of(at_once),
            later: of(history.terms),
            book: Book::default(),
            lines: history.lines.len(),
            bought: (1..)
                .zip(&history.lines)
                .filter(|(_, kind)| **kind == ChargeType::OneOff)
                .map(|(n, _)| n)
                .collect(),
        }
    }

    fn today(&self) -> NaiveDate {
        self.later.told.today
    }

    fn pass(&mut self, days: i64) {
        let day = self.today() + TimeDelta::days(days);
        self.at_once.pass_to(day);
        self.later.pass_to(day);
    }

    /// Whether it was done, and changed anything; both must say the same.
    fn ask(&mut self, what: impl Fn(&mut Delivering) -> Result<Vec<Event>, Refused>) -> bool {
        let (at_once, later) = (what(&mut self.at_once), what(&mut self.later));
        assert_eq!(at_once.is_ok(), later.is_ok(), "{at_once:?} {later:?}");
        later.is_ok_and(|events| !events.is_empty())
    }

    fn take(&mut self, step: &Step) {
        let (at, today) = (self.later.told.at(), self.today());
        let on = |days: i64| today + TimeDelta::days(days);
        match step {
            // What is bought once is charged on its day where it is invoiced at once, and stays so.
            Step::Cancel(days) | Step::Pause(days) if self.takes_back_what_was_bought(on(*days)) => {}
            Step::Cancel(days) => {
                let effective = on(*days);
                if self.ask(|order| order.cancel(effective)) {
                    self.book.stop(effective);
                    self.book.ends = Some(effective).filter(|end| *end > today);
                }
            }
            Step::Reactivate(days) if self.later.goes_on_in_what_was_opened(on(*days)) => {}
            Step::Reactivate(days) => {
                let from = on(*days);
                if self.ask(|order| order.reactivate(from)) {
                    let ahead = self.book.ends.take().filter(|end| *end > today);
                    self.book.go_on(ahead.map_or(from, |end| end.max(from)));
                }
            }
            Step::Pause(days) => {
                let from = on(*days);
                if self.ask(|order| order.send(&Command::Pause { at, from })) {
                    self.book.stop(from);
                }
            }
            Step::Resume(days) => {
                let from = on(*days);
                if self.ask(|order| order.send(&Command::Resume { at, from })) {
                    self.book.go_on(from);
                    self.book.stopped = self.book.ends;
                }
            }
            Step::Price(line, days, price, divided) => {
                let line = (line % self.lines) as u128 + 1;
                if self.bought.contains(&line) {
                    return;
                }
                self.change(line, on(*days), *price, *divided);
            }
            Step::Add(days, divided) => {
                let line = self.lines as u128 + 1;
                if self.lines < 4 && self.change(line, on(*days), 700, *divided) {
                    self.lines += 1;
                }
            }
        }
    }

    /// Whether the order that is invoiced later is stopped from its first day on before that is invoiced.
    fn takes_back_what_was_bought(&self, from: NaiveDate) -> bool {
        let agreement = self.later.told.state.agreement().unwrap();
        let is_uncharged = |phase: &Phase| phase.kind == Kind::OneOff && !phase.is_bought();
        from <= agreement.activation && agreement.phases.iter().any(is_uncharged)
    }

    fn change(&mut self, line: u128, effective: NaiveDate, price: u32, divided: bool) -> bool {
        let price = rust_decimal::Decimal::new(price.into(), 2).to_string();
        let line = if divided {
            flat(line, &price)
        } else {
            undivided(line, &price)
        };
        let change = Change {
            replaced: vec![line.id],
            lines: vec![line],
            ..Change::on(effective)
        };
        let (at, change) = (self.later.told.at(), Box::new(change));
        self.ask(|order| {
            let change = change.clone();
            order.send(&Command::Change { at, change })
        })
    }
}

fn run(history: &History) -> Result<Both, TestCaseError> {
    let mut both = Both::of(history);
    for (days, step) in &history.steps {
        both.pass(*days);
        both.take(step);
        both.pass(1);
        prop_assert_eq!(both.at_once.opened(), both.later.opened(), "behind {:?}", step);
    }
    both.pass(45);
    prop_assert_eq!(both.at_once.opened(), both.later.opened());
    Ok(both)
}

#[test]
fn what_is_invoiced_later_is_delivered_as_what_is_invoiced_at_once() {
    hold(&histories(true), |history| run(&history).map(drop));
}

#[test]
fn each_period_of_a_line_is_delivered_once_where_its_order_goes_on() {
    hold(&histories(false), |history| {
        let mut both = run(&history)?;
        // All is charged in the end.
        let end = both.today() + TimeDelta::days(1);
        both.take(&Step::Cancel(1));
        both.pass(100);
        let (order, book) = (&both.later, &both.book);
        if history.lines.iter().all(|kind| *kind == ChargeType::OneOff) {
            return bought_once(order, book);
        }
        for (n, kind) in (1..).zip(&history.lines) {
            if *kind != ChargeType::Recurring {
                continue;
            }
            let charged = order.charged(id(n));
            let agreement = order.told.state.agreement().unwrap();
            let schedule = agreement.phases.iter().find_map(|phase| phase.schedule).unwrap();
            let mut start = agreement.activation;
            while start < end {
                let period = schedule.containing(start).unwrap();
                let of_line = |line: &Option<LineId>| line.is_none_or(|line| line == id(n));
                let tasks: Vec<_> = order
                    .tasks
                    .iter()
                    .filter(|((start, line, _), _)| (period.start..period.end).contains(start) && of_line(line))
                    .map(|(_, task)| *task)
                    .collect();
                let kept: Vec<_> = tasks.iter().filter(|task| task.fate != Fate::Withdrawn).collect();
                prop_assert!(
                    kept.len() <= 1,
                    "{:?} of line {n} is delivered twice: {tasks:?}",
                    period
                );
                let runs: Vec<NaiveDate> = start
                    .iter_days()
                    .take_while(|day| *day < period.end)
                    .filter(|day| book.runs(*day))
                    .collect();
                // It runs on days that are charged, and what is charged is planned.
                for day in &runs {
                    prop_assert!(charged.contains(day), "{day} of line {n} is not charged");
                }
                prop_assert!(
                    runs.is_empty() || !tasks.is_empty(),
                    "{period:?} of line {n} is never planned: {:?}",
                    order.tasks
                );
                if kept.is_empty()
                    && let Some(due) = tasks.iter().map(|task| task.due).max()
                {
                    let went_on = runs.iter().find(|day| **day >= due);
                    prop_assert!(
                        went_on.is_none(),
                        "{period:?} of line {n} went on and was withdrawn: {tasks:?}"
                    );
                }
                start = period.end;
            }
        }
        Ok(())
    });
}

/// An order of nothing but what is bought once is delivered once, where it goes on.
fn bought_once(order: &Delivering, book: &Book) -> Result<(), TestCaseError> {
    let kept = order.tasks.values().filter(|task| task.fate != Fate::Withdrawn);
    prop_assert!(kept.clone().count() <= 1, "{:?}", order.tasks);
    let last = order.tasks.values().map(|task| task.due).max();
    if let Some(due) = last.filter(|_| kept.count() == 0) {
        prop_assert!(!book.runs(due), "{:?}", order.tasks);
    }
    Ok(())
}
