//! What an agreement has beyond others where it is an order: its number, its lines, and what they come to.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    billing::{TaxLevel, TaxMode, TaxPolicy, Taxable, Taxed, tax_by_line},
    billing_start::BillingStart,
    id::LineId,
    money::{self, Currency, Money, MoneyError},
    order_terms::LineBilling,
};

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
    /// What was said of single lines beyond the order's preferences.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub line_billing: BTreeMap<LineId, LineBilling>,
    /// Where its periods begin, where the account or the order names a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_start: Option<BillingStart>,
    /// Where the tax on what was ordered is rounded.
    #[serde(default, skip_serializing_if = "is_by_invoice")]
    pub tax_level: TaxLevel,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_by_invoice(level: &TaxLevel) -> bool {
    *level == TaxLevel::Invoice
}

/// What an order comes to: `net + tax = total`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTotals {
    pub net: Money,
    pub tax: Money,
    pub total: Money,
    /// Line by line.
    pub lines: Vec<Taxed>,
}

impl OrderDetails {
    /// What the order comes to; or the line, counted from 0, with which that is too much to hold.
    pub fn totals(&self, currency: Currency) -> Result<OrderTotals, (usize, MoneyError)> {
        let mode = if self.price_tax_inclusive {
            TaxMode::Inclusive
        } else {
            TaxMode::Exclusive
        };
        let level = self.tax_level;
        order_totals(&self.lines, currency, TaxPolicy { level, mode })
    }

    /// Whether lines with a beginning of their own keep to the order's periods, unless they say otherwise.
    pub fn aligned(&self) -> bool {
        self.billing_start.and_then(|start| start.aligned).unwrap_or(true)
    }
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
    /// None where it is not taxed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<LineTax>,
}

/// What a line is taxed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineTax {
    /// In percent.
    pub rate: Decimal,
    /// What the tax is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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

/// What the lines come to with their taxes; or the line, counted from 0, with which that is too much to hold.
pub fn order_totals(
    lines: &[OrderLine],
    currency: Currency,
    policy: TaxPolicy,
) -> Result<OrderTotals, (usize, MoneyError)> {
    order_total(lines, currency)?;
    let last = lines.len().saturating_sub(1);
    taxed(lines, currency, policy).map_err(|error| (last, error))
}

fn taxed(lines: &[OrderLine], currency: Currency, policy: TaxPolicy) -> Result<OrderTotals, MoneyError> {
    let mut taxable = Vec::with_capacity(lines.len());
    for line in lines {
        taxable.push(Taxable {
            amount: line.amount(currency)?,
            rate: line.tax.as_ref().map(|tax| tax.rate),
            policy,
        });
    }
    let lines = tax_by_line(currency, &taxable)?;
    let net = Money::sum(currency, lines.iter().map(|line| line.net))?;
    let tax = Money::sum(currency, lines.iter().map(|line| line.tax))?;
    let total = net.checked_add(tax)?;
    Ok(OrderTotals { net, tax, total, lines })
}

/// What the lines' prices come to together; or the line, counted from 0, with which that is too much to hold.
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
