//! What holds for every history: over ten thousand random ones a run.

use std::collections::{BTreeMap, HashSet};

use chrono::TimeDelta;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    billing::{Aggregation, Reason, charge_id},
    id::{ChargeId, SubscriptionId},
    money::Money,
    random::hold,
};

fn first_day() -> NaiveDate {
    date("2024-01-15")
}

fn day(n: i64) -> NaiveDate {
    first_day() + TimeDelta::days(n)
}

const LAST_DAY: i64 = 120;

/// One line, and the days on which something about it changes.
#[derive(Clone, Debug)]
struct Line {
    kind: Kind,
    timing: Timing,
    schedule: Schedule,
    prorate: bool,
    /// Of each phase, in thousandths: prices need not be whole minor units.
    prices: Vec<u32>,
    /// Where one phase ends and the next begins.
    changes: Vec<i64>,
    /// So many days after it took effect a change is heard of.
    heard_after: i64,
    cancelled: bool,
}

fn metered() -> Kind {
    Kind::Metered {
        metric: "calls".to_owned(),
        aggregation: Aggregation::Sum,
    }
}

fn lines() -> impl Strategy<Value = Line> {
    let units = prop_oneof![
        1 => Just(PeriodUnit::Day), 2 => Just(PeriodUnit::Week), 4 => Just(PeriodUnit::Month),
        1 => Just(PeriodUnit::Quarter), 1 => Just(PeriodUnit::Year)
    ];
    let schedule = (units, 1_u32..4, -800_i64..800).prop_map(|(unit, count, anchor)| Schedule {
        unit,
        count,
        anchor: day(anchor),
        offset: None,
    });
    let kinds = prop_oneof![
        6 => Just(Kind::Recurring), 2 => Just(metered()), 1 => Just(Kind::OneOff), 1 => Just(Kind::Trial)
    ];
    let timing = prop_oneof![3 => Just(Timing::Advance), 1 => Just(Timing::Arrears)];
    let changes = vec(0..LAST_DAY, 1..4).prop_map(|mut days| {
        days.sort_unstable();
        days
    });
    let rest = (vec(0_u32..2_000_000, 4), changes, 0_i64..20, any::<bool>());
    (kinds, timing, schedule, prop::bool::weighted(0.8), rest).prop_map(
        |(kind, timing, schedule, prorate, (prices, changes, heard_after, cancelled))| Line {
            kind,
            timing,
            schedule,
            prorate,
            prices,
            changes,
            heard_after,
            cancelled,
        },
    )
}

impl Line {
    /// What is known of the line on the n-th day: phases begin and end when that is heard of.
    fn known_on(&self, n: i64, first_number: u32) -> Vec<Phase> {
        let heard = |change: &&i64| **change + self.heard_after <= n;
        let changes: Vec<i64> = self.changes[1..].iter().filter(heard).copied().collect();
        let starts = std::iter::once(self.changes[0]).chain(changes.iter().copied());
        let mut phases: Vec<Phase> = starts
            .enumerate()
            .map(|(index, start)| {
                let number = first_number + u32::try_from(index).unwrap();
                let mut phase = monthly(number, "0", "2024-01-01");
                phase.price = match &self.kind {
                    Kind::Metered { .. } => Price::PerUnit {
                        amount: Decimal::new(i64::from(self.prices[index]), 6),
                        limits: crate::billing::price::Limits::default(),
                    },
                    Kind::Trial | Kind::OneOff | Kind::Recurring => Price::Flat {
                        amount: Decimal::new(i64::from(self.prices[index]), 3),
                    },
                };
                phase.kind = self.kind.clone();
                phase.timing = self.timing;
                phase.schedule = Some(self.schedule);
                phase.prorate = self.prorate;
                phase.from = day(start);
                phase.until = changes.get(index).map(|change| day(*change));
                phase
            })
            .collect();
        if self.cancelled && changes.len() + 1 == self.changes.len() && changes.len() > 1 {
            phases.pop();
            phases.last_mut().unwrap().ending = Ending::Termination;
        }
        phases
    }
}

#[derive(Clone, Debug)]
struct History {
    lines: Vec<Line>,
    proration: Proration,
    invoice_days: i64,
    /// Day and quantity of usage.
    usage: Vec<(i64, u32)>,
}

fn histories() -> impl Strategy<Value = History> {
    let proration = prop_oneof![
        Just(Proration::ActualDays),
        Just(Proration::InclusiveDays),
        Just(Proration::ThirtyDayMonths),
        Just(Proration::Seconds),
        Just(Proration::None)
    ];
    let usage = vec((0..LAST_DAY, 0_u32..5_000), 0..12);
    (vec(lines(), 1..4), proration, -10_i64..10, usage).prop_map(|(lines, proration, invoice_days, usage)| History {
        lines,
        proration,
        invoice_days,
        usage,
    })
}

impl History {
    fn known_on(&self, n: i64) -> Vec<Phase> {
        let lines = self.lines.iter().zip((0..).step_by(10));
        lines.flat_map(|(line, number)| line.known_on(n, number)).collect()
    }

    fn account(&self, zone: &str, phases: Vec<Phase>) -> Account {
        let mut account = account(phases).prorating(self.proration).within(zone);
        account.policy.invoice_days = self.invoice_days;
        for (n, quantity) in &self.usage {
            let noon = calendar::midnight(day(*n), account.policy.zone).unwrap() + TimeDelta::hours(12);
            account.use_metric("calls", &noon.to_rfc3339(), &quantity.to_string());
        }
        account
    }

    /// Bills on these days, each time with what is known on that day.
    fn bill_on(&self, zone: &str, days: impl IntoIterator<Item = i64>) -> (Account, Vec<Accrued>) {
        let mut account = self.account(zone, Vec::new());
        let mut charges = Vec::new();
        for n in days {
            let billed = std::mem::take(&mut account.phases);
            account.phases = self.known_on(n);
            for phase in &mut account.phases {
                if let Some(before) = billed.iter().find(|before| before.number == phase.number) {
                    phase.billed_through = before.billed_through;
                    phase.charged_to = before.charged_to;
                    phase.billed_usage.clone_from(&before.billed_usage);
                }
            }
            charges.extend(account.bill_fully_on(day(n)));
        }
        (account, charges)
    }
}

impl Account {
    /// Bills on as long as a run says that there is more to do.
    fn bill_fully_on(&mut self, day: NaiveDate) -> Vec<Accrued> {
        let until = calendar::midnight(day, self.policy.zone).unwrap();
        let mut charges = self.bill_at(until);
        while self.next.is_some_and(|next| next <= until) {
            charges.extend(self.bill_at(until));
        }
        charges
    }
}

fn sums_by_phase(charges: &[Accrued]) -> BTreeMap<u32, i64> {
    let mut sums = BTreeMap::new();
    for charge in charges {
        *sums.entry(charge.phase).or_default() += charge.amount.minor;
    }
    sums
}

#[test]
fn billing_daily_is_billing_once_at_the_end_and_billing_when_due() {
    hold(&histories(), |history| {
        let known = history.known_on(LAST_DAY + 20);
        let begin = || history.account("America/New_York", known.clone());
        let mut once = begin();
        let at_the_end = once.bill_fully_on(day(LAST_DAY));

        let mut daily = begin();
        let day_by_day: Vec<_> = (-20..=LAST_DAY).flat_map(|n| daily.bill_fully_on(day(n))).collect();
        prop_assert_eq!(&at_the_end, &day_by_day);

        let mut due = begin();
        let end = calendar::midnight(day(LAST_DAY), due.policy.zone).unwrap();
        let mut when_due = due.bill_at(calendar::midnight(day(-40), due.policy.zone).unwrap());
        while let Some(next) = due.next.filter(|next| *next <= end) {
            when_due.extend(due.bill_at(next));
        }
        prop_assert_eq!(&at_the_end, &when_due);
        prop_assert_eq!(once.phases, due.phases);
        Ok(())
    });
}

#[test]
fn billing_twice_is_billing_once() {
    hold(&(histories(), vec(0..LAST_DAY + 20, 1..8)), |(history, mut days)| {
        days.sort_unstable();
        let (mut account, charges) = history.bill_on("Australia/Sydney", days.iter().copied());
        let again = account.bill_fully_on(day(*days.last().unwrap()));
        prop_assert_eq!(again, Vec::new());
        let twice = days.iter().flat_map(|day| [*day, *day]);
        let (_, charges_of_twice) = history.bill_on("Australia/Sydney", twice);
        prop_assert_eq!(charges, charges_of_twice);
        Ok(())
    });
}

#[test]
fn no_day_is_charged_twice_and_no_more_is_given_back_than_was_charged() {
    hold(&(histories(), vec(0..LAST_DAY + 20, 1..8)), |(history, mut days)| {
        days.sort_unstable();
        let (_, charges) = history.bill_on("Asia/Kolkata", days);
        let mut ids: HashSet<ChargeId> = HashSet::new();
        let mut covered: BTreeMap<(u32, NaiveDate), i64> = BTreeMap::new();
        let mut sums: BTreeMap<u32, i64> = BTreeMap::new();
        for charge in &charges {
            prop_assert!(ids.insert(charge_id(SubscriptionId(Uuid::nil()), charge)), "{charge:?}");
            let sign = match charge.explanation.reason {
                Reason::Trial | Reason::OneOff | Reason::Period | Reason::Usage => 1,
                Reason::Unused => -1,
                Reason::UsageCorrection => 0,
            };
            let end = charge.period.end.unwrap_or(charge.period.start);
            for day in charge.period.start.iter_days().take_while(|day| *day < end) {
                let times = covered.entry((charge.phase, day)).or_default();
                *times += sign;
                prop_assert!((0..=1).contains(times), "{day} of {charge:?}");
            }
            let sum = sums.entry(charge.phase).or_default();
            *sum += charge.amount.minor;
            prop_assert!(*sum >= 0, "{charge:?}");
        }
        Ok(())
    });
}

#[test]
fn when_a_change_is_heard_of_late_the_sum_is_what_it_would_have_been() {
    hold(&histories(), |mut history| {
        // What is charged once is not taken back, not even where its phase turns out to be of no days.
        history.lines.retain(|line| line.kind != Kind::OneOff);
        let end = LAST_DAY + 40;
        let (_, daily) = history.bill_on("America/Santiago", -20..=end);
        let (_, once) = history.bill_on("America/Santiago", [end]);
        let (daily, once) = (sums_by_phase(&daily), sums_by_phase(&once));
        for phase in daily.keys().chain(once.keys()) {
            let sum = |sums: &BTreeMap<u32, i64>| sums.get(phase).copied().unwrap_or_default();
            let change = sum(&daily) - sum(&once);
            prop_assert!(change.abs() <= 1, "phase {phase}: {change}");
        }
        Ok(())
    });
}

#[test]
fn the_same_local_dates_in_two_zones_are_the_same_amounts() {
    hold(&histories(), |mut history| {
        if history.proration == Proration::Seconds {
            history.proration = Proration::ActualDays;
        }
        let days = (-20..LAST_DAY).step_by(7);
        let bill = |zone| -> Vec<_> {
            let (_, charges) = history.bill_on(zone, days.clone());
            charges
                .into_iter()
                .map(|charge| (charge.period, charge.amount, charge.explanation))
                .collect()
        };
        prop_assert_eq!(bill("Pacific/Kiritimati"), bill("America/Los_Angeles"));
        Ok(())
    });
}

#[test]
fn a_period_split_at_any_day_sums_to_its_price() {
    let splits = (lines(), 0_usize..4, 0_i64..4_000);
    hold(&splits, |(line, proration, split)| {
        let policies = [
            Proration::ActualDays,
            Proration::InclusiveDays,
            Proration::ThirtyDayMonths,
            Proration::Seconds,
        ];
        let whole = line.schedule.containing(first_day()).unwrap();
        let cut = whole.start + TimeDelta::days(split % (whole.days() + 1));
        let price = Decimal::new(i64::from(line.prices[0]), 2);
        let part = |number, start, end| Phase {
            schedule: Some(line.schedule),
            price: Price::Flat { amount: price },
            from: start,
            until: Some(end),
            ..monthly(number, "0", "2024-01-01")
        };
        let parts = [part(1, whole.start, cut), part(2, cut, whole.end)];
        let mut account = account(parts).prorating(policies[proration]).within("America/New_York");
        let charges = account.bill_fully_on(whole.end);
        let sum = Money::sum(account.currency, charges.iter().map(|charge| charge.amount)).unwrap();
        let off = sum.minor - Money::rounded(price, account.currency).unwrap().minor;
        prop_assert!(off.abs() <= 1, "{off} off");
        Ok(())
    });
}

#[test]
fn late_usage_is_never_lost() {
    let arrivals = vec((0..LAST_DAY, 0_i64..60, 0_u32..5_000), 1..12);
    hold(&(lines(), arrivals), |(line, arrivals)| {
        let line = Line {
            kind: metered(),
            ..line
        };
        let mut account = account(line.known_on(LAST_DAY + 20, 1));
        let mut charges = Vec::new();
        for n in 0..LAST_DAY + 60 {
            for (used, _, quantity) in arrivals.iter().filter(|(used, later, _)| used + later == n) {
                let at = format!("{}T08:00:00Z", day(*used));
                account.use_metric("calls", &at, &quantity.to_string());
            }
            if n % 3 == 0 {
                charges.extend(account.bill_fully_on(day(n)));
            }
        }
        // The last period of an open phase has not ended: a phase that goes on corrects at its next end.
        for phase in &mut account.phases {
            phase.until.get_or_insert(day(LAST_DAY + 60));
        }
        charges.extend(account.bill_fully_on(day(LAST_DAY + 60)));
        let all_at_once = {
            let mut fresh = account.phases.clone();
            for phase in &mut fresh {
                (phase.billed_through, phase.billed_usage) = (None, BTreeMap::new());
            }
            account.phases = fresh;
            account.bill_fully_on(day(LAST_DAY + 60))
        };
        prop_assert_eq!(sums_by_phase(&charges), sums_by_phase(&all_at_once));
        Ok(())
    });
}
