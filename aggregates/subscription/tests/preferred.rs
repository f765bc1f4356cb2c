//! What holds whatever an order comes to prefer, whenever its price changes, and whoever has it then.

use std::collections::BTreeMap;

use chrono::{Datelike, TimeDelta};
use proptest::{collection::vec, prelude::*};

use super::{
    handed::hand_over,
    told::{Told, flat, id},
    *,
};
use crate::{billing::Proration, catalog::PlanLine, order_terms::LineBilling, policy::PolicyChanges, random::hold};

/// How many days a history has: it is over before the last month of them.
const DAYS: i64 = 190;

/// What is done; the days of effect are counted from the day it is done on.
#[derive(Clone, Debug)]
enum Step {
    Divide(bool),
    DivideLine(bool),
    Price(i64, i64),
    Policy(bool),
    Pause(i64),
    Resume(i64),
    Move(i64),
}

#[derive(Clone, Debug)]
struct History {
    divided: bool,
    steps: Vec<(i64, Step)>,
}

fn histories(also: BoxedStrategy<Step>) -> impl Strategy<Value = History> {
    let effect = || prop_oneof![3 => Just(0_i64), 1 => -15_i64..0, 3 => 1_i64..40];
    let step = prop_oneof![
        3 => any::<bool>().prop_map(Step::Divide),
        2 => any::<bool>().prop_map(Step::DivideLine),
        5 => (effect(), 1_000_i64..10_000).prop_map(|(day, price)| Step::Price(day, price)),
        4 => also,
    ];
    (any::<bool>(), vec((0_i64..14, step), 1..12)).prop_map(|(divided, steps)| History { divided, steps })
}

fn dividing(divided: bool) -> Box<OrderBillingPreferences> {
    Box::new(OrderBillingPreferences {
        pro_rata_partial_charging_period: divided,
        pro_rata_partial_pricing_period: divided,
        ..OrderBillingPreferences::default()
    })
}

/// One order after the other, each of another customer; the last one runs. And what a month was said to cost, by days.
struct Orders {
    all: Vec<Told>,
    first: NaiveDate,
    prices: Vec<i64>,
    stood_still: bool,
}

impl Orders {
    fn of(history: &History) -> Self {
        let mut order = Told::order("31.00");
        let (at, preferences) = (order.at(), dividing(history.divided));
        order
            .send(&Command::UpdateBillingPreferences { at, preferences })
            .unwrap();
        Self {
            first: order.today,
            all: vec![order],
            prices: vec![3100; 400],
            stood_still: false,
        }
    }

    fn last(&mut self) -> &mut Told {
        self.all.last_mut().unwrap()
    }

    fn pass(&mut self, days: i64) {
        for _ in 0..days {
            let tomorrow = self.last().today + TimeDelta::days(1);
            for order in &mut self.all {
                order.bill_on(tomorrow);
            }
        }
    }

    fn ask(&mut self, command: &Command) -> bool {
        self.last().send(command).is_ok()
    }

    fn take(&mut self, step: &Step) {
        let (at, today) = (self.last().at(), self.last().today);
        let on = |days: i64| today + TimeDelta::days(days);
        match step {
            Step::Divide(divided) => {
                let preferences = dividing(*divided);
                self.ask(&Command::UpdateBillingPreferences { at, preferences });
            }
            Step::DivideLine(divided) => {
                let billing = Box::new(LineBilling {
                    pro_rata_partial_charging_period: Some(*divided),
                    pro_rata_partial_pricing_period: Some(*divided),
                    ..LineBilling::default()
                });
                let line = id(1);
                self.ask(&Command::UpdateLineBilling { at, line, billing });
            }
            Step::Price(days, price) => self.price(on(*days), *price),
            Step::Policy(divides) => {
                let proration = if *divides {
                    Proration::ActualDays
                } else {
                    Proration::None
                };
                let changes = PolicyChanges {
                    proration: Some(proration),
                    ..PolicyChanges::default()
                };
                self.ask(&Command::UpdatePolicy { at, changes });
            }
            Step::Pause(days) => {
                let from = on(*days);
                self.stood_still |= self.ask(&Command::Pause { at, from });
            }
            Step::Resume(days) => {
                let from = on(*days);
                self.ask(&Command::Resume { at, from });
            }
            Step::Move(days) => {
                // One that never had a day has begun no period.
                if on(*days) <= self.last().state.agreement().unwrap().activation {
                    return;
                }
                if let Ok(mut next) = hand_over(self.last(), &on(*days).to_string()) {
                    next.today = today;
                    self.all.push(next);
                }
            }
        }
        for order in &mut self.all {
            order.bill_on(today);
        }
    }

    /// Another price, divided as the line is that has it until then.
    fn price(&mut self, effective: NaiveDate, price: i64) {
        let now = self.last().state.line(id(1), effective).unwrap();
        let line = PlanLine {
            prorate: now.prorate,
            ..flat(1, &rust_decimal::Decimal::new(price, 2).to_string())
        };
        let change = Change {
            replaced: vec![line.id],
            lines: vec![line],
            ..Change::on(effective)
        };
        let (at, change) = (self.last().at(), Box::new(change));
        if self.ask(&Command::Change { at, change }) {
            let day = usize::try_from((effective - self.first).num_days()).unwrap();
            self.prices[day..].fill(price);
        }
    }

    /// What the months came to, over all orders, and of how many charges.
    fn months(&self) -> BTreeMap<NaiveDate, (i64, i64)> {
        let mut months: BTreeMap<NaiveDate, (i64, i64)> = BTreeMap::new();
        for charge in self.all.iter().flat_map(|order| order.billed.iter().flatten()) {
            let day = charge.period.start;
            let (sum, charges) = months.entry(day.with_day(1).unwrap()).or_default();
            *sum += charge.amount.minor;
            *charges += 1;
        }
        months
    }
}

/// Nobody pays more for a month than the highest price that it had in it; and all together no less than the lowest one,
/// unless it stood still.
fn each_month_costs_what_it_was_said_to(history: &History) -> Result<(), TestCaseError> {
    let mut orders = Orders::of(history);
    orders.pass(0);
    for order in &mut orders.all {
        order.bill_on(order.today);
    }
    for (days, step) in &history.steps {
        orders.pass(*days);
        orders.take(step);
    }
    let left = DAYS - (orders.last().today - orders.first).num_days();
    orders.pass(left);
    let months = orders.months();
    for month in (0..6).map(|n| orders.first + chrono::Months::new(n)) {
        let (sum, charges) = months.get(&month).copied().unwrap_or_default();
        let day = |date: NaiveDate| usize::try_from((date - orders.first).num_days()).unwrap();
        let prices = &orders.prices[day(month)..day(month + chrono::Months::new(1))];
        let (lowest, highest) = (prices.iter().min().unwrap(), prices.iter().max().unwrap());
        prop_assert!(sum <= highest + charges, "{month}: {sum} above {highest}");
        let right = orders.stood_still || *lowest <= sum + charges;
        prop_assert!(right, "{month}: {sum} below {lowest}");
    }
    Ok(())
}

#[test]
fn a_month_costs_what_it_was_said_to_whatever_is_preferred_and_changed_in_it() {
    let also = prop_oneof![Just(Step::Policy(true)), Just(Step::Policy(false))].boxed();
    hold(&histories(also), |history| {
        each_month_costs_what_it_was_said_to(&history)
    });
}

#[test]
fn a_month_costs_no_more_where_the_order_stands_still_in_it() {
    let effect = || -5_i64..20;
    let also = prop_oneof![effect().prop_map(Step::Pause), effect().prop_map(Step::Resume)].boxed();
    hold(&histories(also), |history| {
        each_month_costs_what_it_was_said_to(&history)
    });
}

#[test]
fn a_month_costs_what_it_was_said_to_whoever_has_the_order() {
    let also = prop_oneof![2 => Just(0_i64), 1 => -5_i64..0, 2 => 1_i64..20];
    let also = also.prop_map(Step::Move).boxed();
    hold(&histories(also), |history| {
        each_month_costs_what_it_was_said_to(&history)
    });
}
