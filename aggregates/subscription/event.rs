//! What happened to a subscription, and what it is made of.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    Recordable,
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, LineId, PlanId, SubscriptionId},
    money::{self, Currency, Money, MoneyError},
    order_terms::{Mode, OrderBillingPreferences},
    terms::{DueDatePolicy, InvoiceTrigger, InvoicingPreferences, UsagePeriodClosing},
};

/// How long one cycle of the agreement lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cycle {
    Once,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Constant,
}

/// Whether the agreement runs from its activation date, or waits to be activated by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Active,
    Cancelled,
}

/// The rules of the agreement, fixed when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Terms {
    /// A copy of the tenant's invoicing preferences, with the customer's and the contract's own choices laid over it.
    Contract { invoicing: InvoicingPreferences },
    /// The order's own billing preferences, which began as a copy of its account's.
    Order { billing: Box<OrderBillingPreferences> },
}

impl Terms {
    pub fn automatic_payment(&self) -> bool {
        match self {
            Self::Contract { invoicing } => invoicing.automatic_payment,
            Self::Order { billing } => billing.payment_mode == Mode::Automatic,
        }
    }

    /// The terms in the words of invoicing preferences. Of an order's, only what has a word there is said; its due
    /// dates follow its payment terms, which come nearest to the start of the period.
    pub fn as_invoicing(&self) -> InvoicingPreferences {
        match self {
            Self::Contract { invoicing } => *invoicing,
            Self::Order { billing } => InvoicingPreferences {
                automatic_payment: self.automatic_payment(),
                due_date_policy: DueDatePolicy::StartOfPeriod,
                flat_fee_due_date_policy: DueDatePolicy::StartOfPeriod,
                invoice_trigger: match billing.invoice_mode {
                    Mode::Automatic => InvoiceTrigger::Immediate,
                    Mode::Manual => InvoiceTrigger::Manual,
                },
                usage_period_closing: UsagePeriodClosing::Automatic,
            },
        }
    }

    pub fn due_date(&self, flat_fee: bool, period: Period) -> NaiveDate {
        match self {
            Self::Contract { invoicing } => invoicing.due_date(flat_fee, period),
            Self::Order { billing } => billing.due_date(period),
        }
    }
}

/// What was agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    pub customer: CustomerId,
    pub plan: Option<PlanId>,
    pub currency: Currency,
    pub cycle: Cycle,
    pub activation: NaiveDate,
    pub status: Status,
    pub terms: Terms,
    /// What an order has beyond other agreements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Box<OrderDetails>>,
}

/// An order's number and what was ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDetails {
    /// What people call the order; unique in the tenant.
    pub number: String,
    /// Code of the account that ordered.
    pub account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the prices of the lines contain the tax.
    pub price_tax_inclusive: bool,
    pub lines: Vec<OrderLine>,
}

/// `price` is per unit, in units of the order's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    pub id: LineId,
    pub item: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub quantity: Decimal,
    pub price: Decimal,
    pub charge_type: ChargeType,
}

impl OrderLine {
    /// Price times quantity, rounded to the currency once.
    pub fn amount(&self, currency: Currency) -> Result<Money, MoneyError> {
        let units = Decimal::from(10_i64.pow(money::exponent(currency)));
        let exact = self.price.checked_mul(self.quantity);
        let exact = exact
            .and_then(|exact| exact.checked_mul(units))
            .ok_or(MoneyError::Overflow)?;
        Ok(Money::new(money::round_minor(exact)?, currency))
    }
}

/// What the lines come to together; or the line, counted from 0, with which that is too much to hold.
pub fn order_total(lines: &[OrderLine], currency: Currency) -> Result<Money, (usize, MoneyError)> {
    let mut total = Money::zero(currency);
    for (n, line) in lines.iter().enumerate() {
        let sum = line.amount(currency).and_then(|amount| total.checked_add(amount));
        total = sum.map_err(|error| (n, error))?;
    }
    Ok(total)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeType {
    OneOff,
    Recurring,
    Metered,
}

/// A charge as it is put on the subscription: `automatic_payment` is `None` where the terms decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCharge {
    pub id: ChargeId,
    pub name: String,
    pub amount: Money,
    pub period: Period,
    pub flat_fee: bool,
    pub automatic_payment: Option<bool>,
}

/// A charge with everything settled that its invoice needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub id: ChargeId,
    pub name: String,
    pub amount: Money,
    pub period: Period,
    pub flat_fee: bool,
    pub automatic_payment: bool,
    pub due_date: NaiveDate,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Signed {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        agreement: Box<Agreement>,
    },
    ChargeAdded {
        at: DateTime<Utc>,
        charge: Charge,
    },
    ChargesInvoiced {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        charges: Vec<ChargeId>,
    },
    BillingPreferencesUpdated {
        at: DateTime<Utc>,
        billing: Box<OrderBillingPreferences>,
    },
    Cancelled {
        at: DateTime<Utc>,
        effective: NaiveDate,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Signed { .. } => "subscription.signed",
            Self::ChargeAdded { .. } => "subscription.charge_added",
            Self::ChargesInvoiced { .. } => "subscription.charges_invoiced",
            Self::BillingPreferencesUpdated { .. } => "subscription.billing_preferences_updated",
            Self::Cancelled { .. } => "subscription.cancelled",
        }
    }
}
