//! Whatever is cancelled, put off and goes on, an order that is invoiced later is delivered as one that is invoiced at once.

use chrono::TimeDelta;
use proptest::{collection::vec, prelude::*};

use super::{
    delivering::{Delivering, Fate, Terms, agreement},
    told::{flat, id, undivided},
    *,
};
use crate::random::hold;

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
            bought_once(order, book)?;
        }
        for (n, kind) in (1..).zip(&history.lines) {
            if *kind != ChargeType::Recurring {
                let (later, at_once) = (order.times_bought(id(n)), both.at_once.times_bought(id(n)));
                prop_assert_eq!(later, at_once, "line {}", n);
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
