//! What somebody asks for in the months that are taken twice, told without knowing what came of what was asked before.

use aggregates::{
    order_terms::{LineBilling, OrderBillingChanges},
    policy::PolicyChanges,
    preferences::InvoicingChanges,
    subscription::{Cycle, Supposed},
};
use rust_decimal::Decimal;

/// What somebody asks for: of the n-th subscription, about a day so far from its own.
#[derive(Clone, Debug)]
pub enum Step {
    Sign {
        customer: usize,
        plan: usize,
        about: i64,
        trial: Option<u32>,
        offset: Option<u32>,
    },
    Order {
        customer: usize,
        units: Decimal,
        price: i64,
        metered: bool,
    },
    Plan {
        of: usize,
        plan: usize,
        cycle: Option<Cycle>,
        about: i64,
    },
    Quantity {
        of: usize,
        plan: usize,
        line: usize,
        quantity: u32,
        about: i64,
    },
    Pause {
        of: usize,
        about: i64,
    },
    Resume {
        of: usize,
        about: i64,
    },
    End {
        of: usize,
        about: i64,
    },
    Reactivate {
        of: usize,
        about: i64,
    },
    Upgrade {
        of: usize,
        plan: Option<usize>,
        start: Option<i64>,
        units: u32,
    },
    Move {
        of: usize,
        to: usize,
        about: i64,
    },
    Use {
        of: usize,
        about: i64,
        quantity: u32,
    },
    Charge {
        of: usize,
        cents: i64,
    },
    Gift {
        customer: usize,
        cents: i64,
    },
    Invoices {
        customer: usize,
    },
    Units {
        of: usize,
        line: usize,
        units: Decimal,
        about: i64,
    },
    Price {
        of: usize,
        line: usize,
        price: i64,
        about: i64,
    },
    Add {
        of: usize,
        units: Decimal,
        about: i64,
        once: bool,
    },
    Remove {
        of: usize,
        line: usize,
        about: i64,
    },
    Period {
        of: usize,
        period: usize,
        about: i64,
    },
    Preferences {
        of: usize,
        billing: OrderBillingChanges,
    },
    LineBilling {
        of: usize,
        line: usize,
        billing: LineBilling,
    },
    Policy {
        of: usize,
        policy: PolicyChanges,
    },
    InvoiceOrder {
        of: usize,
    },
    CloseUsage {
        of: usize,
        about: i64,
    },
    /// The customer pays an invoice: so much, or far more than is open.
    Pay {
        nth: usize,
        cents: i64,
        too_much: bool,
    },
    /// A collection went well, or not.
    Collect {
        nth: usize,
        well: bool,
    },
    Void {
        nth: usize,
    },
}

impl Step {
    /// Which invoice it is about, of those that both sides have.
    pub fn bill(&self) -> Option<usize> {
        match self {
            Self::Pay { nth, .. } | Self::Collect { nth, .. } | Self::Void { nth } => Some(*nth),
            _ => None,
        }
    }
}

/// Terms: what a tenant starts with, or what is supposed.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub invoicing: InvoicingChanges,
    pub order: OrderBillingChanges,
    pub policy: PolicyChanges,
}

impl Told {
    pub fn supposed(&self) -> Supposed {
        Supposed {
            invoicing: self.invoicing,
            order: self.order.clone(),
            policy: self.policy,
        }
    }
}
