//! Random steps and terms.

use aggregates::{
    billing::{Proration, TaxMode, Timing},
    calendar::PeriodUnit,
    order_terms::{Alignment, LineBilling, Mode, OrderBillingChanges, catalogue},
    policy::PolicyChanges,
    preferences::InvoicingChanges,
    subscription::Cycle,
    terms::{DueDatePolicy, InvoiceTrigger, PeriodRule, UsagePeriodClosing},
};
use rand::{Rng, rngs::StdRng};
use rust_decimal::Decimal;

use super::steps::{Step, Told};

/// Random steps and terms.
pub struct Dice(pub StdRng);

impl Dice {
    pub fn one_in(&mut self, n: u32) -> bool {
        self.0.random_range(0..n) == 0
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    pub fn about(&mut self) -> i64 {
        match self.below(3) {
            0 => 0,
            1 => self.0.random_range(-6..0),
            _ => self.0.random_range(1..25),
        }
    }

    pub fn some<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let n = self.below(of.len());
        self.one_in(3).then(|| of[n].clone())
    }

    pub fn units(&mut self) -> Decimal {
        Decimal::new(self.0.random_range(2..40), 1)
    }

    pub fn policy(&mut self) -> PolicyChanges {
        let prorations = [
            Proration::None,
            Proration::ActualDays,
            Proration::InclusiveDays,
            Proration::ThirtyDayMonths,
            Proration::Seconds,
        ];
        let n = self.below(prorations.len());
        PolicyChanges {
            proration: (!self.one_in(4)).then(|| prorations[n]),
            tax_mode: self.some(&[TaxMode::Inclusive, TaxMode::Exclusive]),
            tax_level: None,
        }
    }

    pub fn order(&mut self) -> OrderBillingChanges {
        let term = |name: &str| {
            catalogue::invoice_terms()
                .into_iter()
                .find(|term| term.name == name)
                .expect("a term")
        };
        let payment = |name: &str| {
            catalogue::payment_terms()
                .into_iter()
                .find(|term| term.name == name)
                .expect("one")
        };
        OrderBillingChanges {
            invoice_mode: self.some(&[Mode::Automatic, Mode::Manual]),
            invoice_term: self.some(&[term("Billing Start Date"), term("Net -7"), term("Net 14")]),
            billing_period: self.some(&catalogue::billing_periods()[1..4]),
            payment_mode: self.some(&[Mode::Automatic, Mode::Manual]),
            payment_term: self.some(&[payment("Net 30"), payment("Due on Receipt")]),
            payment_term_alignment: self.some(&[Alignment::BillingDate, Alignment::InvoiceDate]),
            pro_rata_partial_charging_period: self.some(&[true, false]),
            pro_rata_partial_pricing_period: self.some(&[true, false]),
            pro_rata_partial_unit: self.some(&[true, false]),
            consolidate_invoice: self.some(&[true, true, false]),
            ..OrderBillingChanges::default()
        }
    }

    pub fn invoicing(&mut self) -> InvoicingChanges {
        let monthly = PeriodRule {
            unit: PeriodUnit::Month,
            count: 1,
            offset_days: Some(13),
        };
        let dues = [DueDatePolicy::StartOfPeriod, DueDatePolicy::EndOfPeriod];
        InvoicingChanges {
            automatic_payment: self.some(&[true, false]),
            due_date_policy: self.some(&dues),
            flat_fee_due_date_policy: self.some(&dues),
            invoice_trigger: self.some(&[
                InvoiceTrigger::Immediate,
                InvoiceTrigger::Manual,
                InvoiceTrigger::Periodic(monthly),
            ]),
            usage_period_closing: self.some(&[
                UsagePeriodClosing::Automatic,
                UsagePeriodClosing::After1Day,
                UsagePeriodClosing::Manual,
            ]),
        }
    }

    pub fn terms(&mut self) -> Told {
        Told {
            invoicing: self.invoicing(),
            order: self.order(),
            policy: self.policy(),
        }
    }

    pub fn line(&mut self) -> LineBilling {
        LineBilling {
            timing: self.some(&[Timing::Advance, Timing::Arrears]),
            pro_rata_partial_charging_period: self.some(&[true, false]),
            pro_rata_partial_unit: self.some(&[true, false]),
            ..LineBilling::default()
        }
    }

    pub fn step(&mut self) -> Step {
        let (of, plan, line) = (self.below(60), self.below(3), self.below(6));
        let (about, customer) = (self.about(), self.below(2));
        let cents = self.0.random_range(100..5_000);
        match self.below(37) {
            0 | 1 => Step::Sign {
                customer,
                plan,
                about,
                trial: self.some(&[14]),
                offset: self.some(&[13]),
            },
            2 => Step::Order {
                customer,
                units: self.units(),
                price: cents,
                metered: self.one_in(2),
            },
            3 | 4 => {
                let cycle = self.some(&[Cycle::Week, Cycle::Month, Cycle::Quarter]);
                Step::Plan { of, plan, cycle, about }
            }
            5 | 6 => {
                let quantity = self.0.random_range(1..5);
                Step::Quantity {
                    of,
                    plan,
                    line,
                    quantity,
                    about,
                }
            }
            7 | 8 => Step::Pause { of, about },
            9 | 10 => Step::Resume { of, about },
            11 | 12 => Step::End { of, about },
            13 | 14 => Step::Reactivate { of, about },
            15 => Step::Upgrade {
                of,
                plan: self.some(&[0, 1, 2]),
                start: self.some(&[about.max(0)]),
                units: self.0.random_range(1..5),
            },
            16 => Step::Move {
                of,
                to: customer,
                about: about.max(0),
            },
            17 | 18 => {
                let (about, quantity) = (-self.0.random_range(0..40), self.0.random_range(1..100));
                Step::Use { of, about, quantity }
            }
            19 => Step::Charge { of, cents },
            20 | 29 => Step::Gift { customer, cents },
            21 => Step::Invoices { customer },
            22 | 23 => Step::Units {
                of,
                line,
                units: self.units(),
                about,
            },
            24 => Step::Price {
                of,
                line,
                price: cents,
                about,
            },
            25 => Step::Add {
                of,
                units: self.units(),
                about,
                once: self.one_in(3),
            },
            26 => Step::Remove { of, line, about },
            27 => self.on_order(of, line, about),
            28 => Step::Policy {
                of,
                policy: self.policy(),
            },
            30..=35 => self.on_invoice(of, cents),
            _ if self.one_in(2) => Step::InvoiceOrder { of },
            _ => Step::CloseUsage {
                of,
                about: about.min(0),
            },
        }
    }

    /// What an order is told besides its lines.
    fn on_order(&mut self, of: usize, line: usize, about: i64) -> Step {
        match self.below(3) {
            0 => Step::Period {
                of,
                period: 1 + line % 3,
                about,
            },
            1 => Step::Preferences {
                of,
                billing: self.order(),
            },
            _ => Step::LineBilling {
                of,
                line,
                billing: self.line(),
            },
        }
    }

    /// What becomes of an invoice.
    fn on_invoice(&mut self, nth: usize, cents: i64) -> Step {
        match self.below(6) {
            0..=2 => Step::Pay {
                nth,
                cents,
                too_much: self.one_in(3),
            },
            3 | 4 => Step::Collect {
                nth,
                well: self.one_in(2),
            },
            _ => Step::Void { nth },
        }
    }
}
