//! What holds for every history of changes, pauses, ends and new beginnings, whenever it is billed.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use proptest::{collection::vec, prelude::*};
use rust_decimal::Decimal;

use super::{
    told::{Told, agreed, calls, flat, id, number, one_off},
    *,
};
use crate::{
    billing::{Price, Proration, Reason, Timing, price::Limits},
    catalog::PlanLine,
    random::hold,
};

/// How many days a history has.
const DAYS: i64 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Divided,
    InArrears,
    Undivided,
    Calls,
    OneOff,
}

/// What is done; the days of effect are counted from the day it is done on.
#[derive(Clone, Debug)]
enum Step {
    Cancel(i64),
    Reactivate(i64),
    Pause(i64),
    Resume(i64),
    Price(usize, i64, u32),
    Cycle(i64, Cycle),
    Add(Sort, i64, u32),
    Remove(usize, i64),
    Use(i64, u32),
}

#[derive(Clone, Debug)]
struct History {
    lines: Vec<(Sort, u32)>,
    proration: Proration,
    steps: Vec<(i64, Step)>,
}

fn sorts() -> impl Strategy<Value = Sort> {
    prop_oneof![
        4 => Just(Sort::Divided), 1 => Just(Sort::InArrears), 3 => Just(Sort::Undivided), 2 => Just(Sort::Calls),
        1 => Just(Sort::OneOff)
    ]
}

fn histories() -> impl Strategy<Value = History> {
    let effect = || prop_oneof![2 => Just(0_i64), 2 => -20_i64..0, 3 => 1_i64..45];
    let price = || 100_u32..200_000;
    let cycle = prop_oneof![
        Just(Cycle::Week),
        Just(Cycle::Month),
        Just(Cycle::Quarter),
        Just(Cycle::Year)
    ];
    let step = prop_oneof![
        4 => effect().prop_map(Step::Cancel),
        4 => effect().prop_map(Step::Reactivate),
        3 => effect().prop_map(Step::Pause),
        4 => effect().prop_map(Step::Resume),
        5 => (0_usize..6, effect(), price()).prop_map(|(line, day, price)| Step::Price(line, day, price)),
        2 => (effect(), cycle).prop_map(|(day, cycle)| Step::Cycle(day, cycle)),
        1 => (sorts(), effect(), price()).prop_map(|(sort, day, price)| Step::Add(sort, day, price)),
        1 => (0_usize..6, effect()).prop_map(|(line, day)| Step::Remove(line, day)),
        3 => (0_i64..40, 1_u32..100).prop_map(|(ago, quantity)| Step::Use(ago, quantity)),
    ];
    let proration = prop_oneof![
        3 => Just(Proration::ActualDays),
        2 => Just(Proration::InclusiveDays),
        1 => Just(Proration::ThirtyDayMonths),
        1 => Just(Proration::Seconds),
        1 => Just(Proration::None)
    ];
    (vec((sorts(), price()), 1..4), proration, vec((0_i64..14, step), 1..14)).prop_map(|(lines, proration, steps)| {
        History {
            lines,
            proration,
            steps,
        }
    })
}

fn plan_line(n: usize, sort: Sort, price: u32) -> PlanLine {
    let n = n as u128 + 1;
    let amount = Decimal::new(i64::from(price), 2);
    match sort {
        Sort::Divided => flat(n, &amount.to_string()),
        Sort::InArrears => PlanLine {
            timing: Timing::Arrears,
            ..flat(n, &amount.to_string())
        },
        Sort::Undivided => PlanLine {
            prorate: false,
            ..flat(n, &amount.to_string())
        },
        Sort::Calls => PlanLine {
            price: Price::PerUnit {
                amount: number("0.07"),
                limits: Limits::default(),
            },
            ..calls(n, "1")
        },
        Sort::OneOff => one_off(n, &amount.to_string()),
    }
}

/// What was agreed, told without phases: on which days each line is to be billed.
struct Book {
    first: NaiveDate,
    sorts: Vec<Sort>,
    agreed: Vec<Vec<bool>>,
    stops: Vec<(NaiveDate, NaiveDate)>,
    stopped: Option<NaiveDate>,
    ends: Option<NaiveDate>,
}

impl Book {
    fn day(&self, date: NaiveDate) -> usize {
        usize::try_from((date - self.first).num_days()).unwrap()
    }

    fn agree(&mut self, line: usize, from: NaiveDate, billed: bool) {
        if line == self.agreed.len() {
            self.agreed.push(vec![false; 600]);
        }
        let day = self.day(from);
        self.agreed[line][day..].fill(billed);
    }

    fn stop(&mut self, day: NaiveDate) {
        self.stopped = Some(self.stopped.map_or(day, |known| known.min(day)));
    }

    fn go_on(&mut self, day: NaiveDate) {
        self.stops.extend(self.stopped.take().map(|since| (since, day)));
    }

    fn is_billed(&self, line: usize, date: NaiveDate) -> bool {
        let still = self.stops.iter().any(|(since, until)| (*since..*until).contains(&date));
        self.agreed[line][self.day(date)] && !still && self.stopped.is_none_or(|since| date < since)
    }
}

/// One history that is billed every day, and one that is billed when all is over.
struct Both {
    daily: Told,
    late: Told,
    book: Book,
}

impl Both {
    fn of(history: &History) -> Self {
        let lines: Vec<_> = (0..)
            .zip(&history.lines)
            .map(|(n, (sort, price))| plan_line(n, *sort, *price))
            .collect();
        let begin = || Told::prorating(&lines, history.proration);
        let first = agreed(&[]).activation;
        Self {
            daily: begin(),
            late: begin(),
            book: Book {
                first,
                sorts: history.lines.iter().map(|(sort, _)| *sort).collect(),
                agreed: vec![vec![true; 600]; lines.len()],
                stops: Vec::new(),
                stopped: None,
                ends: None,
            },
        }
    }

    fn pass(&mut self, days: i64) {
        for _ in 0..days {
            let tomorrow = self.daily.today + TimeDelta::days(1);
            self.daily.bill_on(tomorrow);
        }
        self.late.today = self.daily.today;
    }

    /// Whether it was done, and changed anything; both must say the same.
    fn ask(&mut self, command: &Command) -> bool {
        let done = self.daily.send(command);
        let also = self.late.send(command);
        assert_eq!(done.is_ok(), also.is_ok(), "{command:?}: {done:?} {also:?}");
        done.is_ok_and(|events| !events.is_empty())
    }

    fn take(&mut self, step: &Step) {
        let (at, today) = (self.daily.at(), self.daily.today);
        let on = |days: i64| today + TimeDelta::days(days);
        match step {
            Step::Cancel(days) => self.cancel(on(*days)),
            Step::Pause(days) => {
                let from = on(*days);
                if self.ask(&Command::Pause { at, from }) {
                    self.book.stop(from);
                }
            }
            Step::Resume(days) => {
                let from = on(*days);
                if self.ask(&Command::Resume { at, from }) {
                    self.book.go_on(from);
                    self.book.stopped = self.book.ends;
                }
            }
            Step::Reactivate(days) => {
                let from = on(*days);
                let undelivered = Vec::new();
                if self.ask(&Command::Reactivate { at, from, undelivered }) {
                    let ahead = self.book.ends.take().filter(|end| *end > today);
                    self.book.go_on(ahead.map_or(from, |end| end.max(from)));
                }
            }
            Step::Price(line, days, price) => {
                let line = line % self.book.sorts.len();
                let sort = self.book.sorts[line];
                if sort != Sort::OneOff {
                    self.change(on(*days), &[(line, plan_line(line, sort, *price))], None);
                }
            }
            Step::Cycle(days, cycle) => self.change_cycle(on(*days), *cycle),
            Step::Add(sort, days, price) => {
                let line = self.book.sorts.len();
                if line < 6 && self.change(on(*days), &[(line, plan_line(line, *sort, *price))], None) {
                    self.book.sorts.push(*sort);
                }
            }
            Step::Remove(line, days) => {
                let line = line % self.book.sorts.len();
                let change = Change {
                    replaced: vec![id(line as u128 + 1)],
                    ..Change::on(on(*days))
                };
                let change = Box::new(change);
                let command = Command::Change { at, change };
                if self.book.sorts[line] == Sort::OneOff {
                    // Who is billed every day may have bought it by then: that cannot be taken away.
                    let (daily, late) = (self.daily.send(&command), self.late.send(&command));
                    let bought = matches!(daily, Err(Refused::Bought { .. }));
                    assert!(bought || daily.is_ok() == late.is_ok(), "{daily:?} {late:?}");
                } else if self.ask(&command) {
                    self.book.agree(line, on(*days), false);
                }
            }
            Step::Use(ago, quantity) => {
                let day = on(-ago).max(self.book.first);
                for told in [&mut self.daily, &mut self.late] {
                    told.use_calls(&day.to_string(), &quantity.to_string());
                    let days = vec![("calls".to_owned(), day)];
                    told.send(&Command::NoteUsage { at, days }).unwrap();
                }
            }
        }
    }

    fn cancel(&mut self, effective: NaiveDate) {
        let (at, today) = (self.daily.at(), self.daily.today);
        if self.ask(&Command::Cancel { at, effective }) {
            self.book.stop(effective);
            self.book.ends = Some(effective).filter(|end| *end > today);
        }
    }

    fn change(&mut self, effective: NaiveDate, lines: &[(usize, PlanLine)], cycle: Option<Cycle>) -> bool {
        let change = Change {
            replaced: lines.iter().map(|(_, line)| line.id).collect(),
            lines: lines.iter().map(|(_, line)| line.clone()).collect(),
            cycle,
            ..Change::on(effective)
        };
        let (at, change) = (self.daily.at(), Box::new(change));
        let done = self.ask(&Command::Change { at, change });
        if done {
            for (line, _) in lines {
                self.book.agree(*line, effective, true);
            }
        }
        done
    }

    /// Of all lines that are billed then.
    fn change_cycle(&mut self, effective: NaiveDate, cycle: Cycle) {
        if effective < self.book.first {
            return;
        }
        let day = self.book.day(effective);
        let running = |line: &usize| self.book.agreed[*line][day] && self.book.sorts[*line] != Sort::OneOff;
        let lines: Vec<_> = (0..self.book.sorts.len())
            .filter(running)
            .map(|line| (line, self.daily.state.line(id(line as u128 + 1), effective).unwrap()))
            .collect();
        if !lines.is_empty() {
            self.change(effective, &lines, Some(cycle));
        }
    }

    /// The end of all things, billed far behind it.
    fn over(&mut self) {
        let end = self.book.first + TimeDelta::days(DAYS);
        self.pass((end - self.daily.today).num_days());
        self.cancel(end);
        let far = end + TimeDelta::days(800);
        for told in [&mut self.daily, &mut self.late] {
            told.bill_on(far);
            assert_eq!((told.status(), told.next()), (Status::Cancelled, None));
        }
    }
}

/// How often each day of each line is charged; asserts that it never is more than once at a time.
fn covered(told: &Told) -> Result<BTreeMap<(LineId, NaiveDate), i64>, TestCaseError> {
    let mut covered: BTreeMap<(LineId, NaiveDate), i64> = BTreeMap::new();
    for charges in &told.billed {
        for charge in charges {
            let sign = match charge.explanation.as_ref().unwrap().reason {
                Reason::Trial | Reason::OneOff | Reason::Period => 1,
                Reason::Unused => -1,
                // What is lost of usage is corrected, not taken back.
                Reason::Usage | Reason::UsageCorrection => continue,
            };
            let end = charge.period.end.unwrap_or(charge.period.start);
            for day in charge.period.start.iter_days().take_while(|day| *day < end) {
                *covered.entry((charge.line.unwrap(), day)).or_default() += sign;
            }
        }
        let wrong = covered.iter().find(|(_, times)| !(0..=1).contains(*times));
        prop_assert!(wrong.is_none(), "{wrong:?} after {charges:?}");
    }
    Ok(covered)
}

fn sums(told: &Told) -> BTreeMap<LineId, (i64, i64)> {
    let mut sums: BTreeMap<LineId, (i64, i64)> = BTreeMap::new();
    for charge in told.billed.iter().flatten() {
        let (sum, count) = sums.entry(charge.line.unwrap()).or_default();
        *sum += charge.amount.minor;
        *count += 1;
    }
    sums
}

fn run(history: &History) -> Both {
    let mut both = Both::of(history);
    both.pass(0);
    for (days, step) in &history.steps {
        both.pass(*days);
        both.take(step);
    }
    both.over();
    both
}

#[test]
fn every_day_that_was_agreed_is_billed_once_and_no_other() {
    hold(&histories(), |history| {
        let both = run(&history);
        let inclusive = history.proration == Proration::InclusiveDays;
        for told in [&both.daily, &both.late] {
            let covered = covered(told)?;
            for (line, sort) in both.book.sorts.iter().enumerate() {
                let line_id = id(line as u128 + 1);
                let divided = match sort {
                    Sort::Divided | Sort::InArrears => history.proration.divides(),
                    Sort::Undivided => false,
                    Sort::Calls | Sort::OneOff => continue,
                };
                for day in both.book.first.iter_days().take(400) {
                    let times = covered.get(&(line_id, day)).copied().unwrap_or_default();
                    let billed = both.book.is_billed(line, day);
                    let right = if times == 0 { !billed } else { billed || inclusive };
                    let right = right || !divided;
                    prop_assert!(right, "line {line} {sort:?} on {day}: {times} times, agreed: {billed}");
                }
            }
        }
        Ok(())
    });
}

#[test]
fn billing_daily_is_billing_when_all_is_over() {
    hold(&histories(), |history| {
        let both = run(&history);
        let (daily, late) = (sums(&both.daily), sums(&both.late));
        for (line, sort) in both.book.sorts.iter().enumerate() {
            let of = |sums: &BTreeMap<LineId, (i64, i64)>| sums.get(&id(line as u128 + 1)).copied().unwrap_or_default();
            let ((daily, made), (late, also_made)) = (of(&daily), of(&late));
            let rounded = match sort {
                Sort::Undivided => 0,
                Sort::Divided | Sort::InArrears | Sort::Calls => made + also_made,
                // What was bought stays bought, also where it turns out that it was not to be.
                Sort::OneOff => continue,
            };
            prop_assert!(
                (daily - late).abs() <= rounded,
                "line {line} {sort:?}: {daily} and {late}"
            );
        }
        Ok(())
    });
}

#[test]
fn at_no_moment_more_is_given_back_of_a_period_than_was_charged_for_it() {
    hold(&histories(), |history| {
        let both = run(&history);
        for told in [&both.daily, &both.late] {
            let mut periods: BTreeMap<(LineId, NaiveDate), i64> = BTreeMap::new();
            for charge in told.billed.iter().flatten() {
                let Some(notional) = charge.explanation.as_ref().unwrap().notional else {
                    continue;
                };
                let sum = periods.entry((charge.line.unwrap(), notional.start)).or_default();
                *sum += charge.amount.minor;
                prop_assert!(*sum >= 0, "{sum} with {charge:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn what_is_bought_once_is_charged_once_at_most() {
    hold(&histories(), |history| {
        let both = run(&history);
        for (line, sort) in both.book.sorts.iter().enumerate() {
            for told in [&both.daily, &both.late] {
                let (_, made) = sums(told).get(&id(line as u128 + 1)).copied().unwrap_or_default();
                prop_assert!(*sort != Sort::OneOff || made <= 1, "line {line}: {made} times");
            }
        }
        Ok(())
    });
}
