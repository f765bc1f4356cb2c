//! Invoice items: how many units of which price, less which discount, with which tax.

use aggregates::{
    billing::{Explanation, TaxMode},
    id::InvoiceId,
    money::{Currency, Money, exponent},
};
use projections::invoice::LineView;
use rust_decimal::Decimal;

use super::{convert::lower, id::Id, wire};

/// A charge that is, or would be, on that invoice; `told` is how it came to be, where it was computed.
pub fn item(
    invoice: Option<InvoiceId>,
    currency: Currency,
    line: &LineView,
    told: Option<&Explanation>,
) -> wire::InvoiceItem {
    let text = |minor: i64| Money::new(minor, currency).to_string();
    let net = text(line.net);
    let units = told.map_or_else(|| Units::one(text(line.amount)), |told| Units::of(told, currency));
    let discount = told.and_then(|told| taken_off(told, line, currency));
    let mode = told.and_then(|told| told.tax).map(|tax| tax.mode);
    wire::InvoiceItem {
        id: Id(line.charge),
        // UNCONFIRMED: what a charge id looks like. Charge and item are one thing here.
        charge_id: Id(line.charge),
        invoice_id: invoice.map(Id),
        currency: lower(currency),
        name: line.name.clone(),
        description: told.and_then(part),
        due_date: line.due_date,
        status: "validated",
        scheduling_policy: "immediate",
        unit_count: units.count,
        unit_price: units.price,
        subtotal: discount
            .and_then(|discount| line.net.checked_add(discount))
            .map_or_else(|| net.clone(), text),
        discount_amount: discount.map(text),
        discount_description: None,
        tax_amount: line.tax.map(text),
        tax_code: None,
        // UNCONFIRMED: the word beside `tax_included`.
        tax_policy: line.tax_rate.as_ref().and(mode).map(|mode| match mode {
            TaxMode::Inclusive => "tax_included",
            TaxMode::Exclusive => "tax_excluded",
        }),
        total_excluding_tax: net,
        total_including_tax: text(line.gross),
        withdrawal_transaction_id: None,
        period_start: line.period.start,
        period_end: line.period.end,
    }
}

/// How many units at which price make the full price.
struct Units {
    count: String,
    price: String,
}

impl Units {
    /// Where no one price holds for all units, all of it is one.
    fn one(price: String) -> Self {
        Self {
            count: "1".to_owned(),
            price,
        }
    }

    fn of(told: &Explanation, currency: Currency) -> Self {
        match told.steps.as_slice() {
            [step] if step.flat.is_zero() && step.quantity == told.quantity => Self {
                count: step.quantity.normalize().to_string(),
                price: exact(step.unit, currency),
            },
            _ => Self::one(exact(told.full_price, currency)),
        }
    }
}

/// A price with all its digits, and at least those of the currency.
pub fn exact(price: Decimal, currency: Currency) -> String {
    let mut price = price.normalize();
    if price.scale() < exponent(currency) {
        price.rescale(exponent(currency));
    }
    price.to_string()
}

/// What the discount took off the part that is charged, in minor units and without tax.
fn taken_off(told: &Explanation, line: &LineView, currency: Currency) -> Option<i64> {
    let whole = told.discount.filter(|discount| !discount.is_zero())?;
    let part = whole
        .checked_mul(told.numerator.into())?
        .checked_div(told.denominator.into())?;
    let rate: Option<Decimal> = line.tax_rate.as_deref().and_then(|rate| rate.parse().ok());
    let net = match (told.tax.map(|tax| tax.mode), rate) {
        (Some(TaxMode::Inclusive), Some(rate)) => part
            .checked_mul(Decimal::ONE_HUNDRED)?
            .checked_div(Decimal::ONE_HUNDRED.checked_add(rate)?)?,
        _ => part,
    };
    Money::rounded(net, currency).ok().map(|amount| amount.minor)
}

/// What part of units times price is charged, where it is not all of it.
fn part(told: &Explanation) -> Option<String> {
    let share =
        (told.numerator != told.denominator).then(|| format!("{}/{} of the price", told.numerator, told.denominator));
    let before = told
        .correction
        .filter(|correction| correction.billed_before.minor != 0)
        .map(|correction| format!("less {} billed before", correction.billed_before));
    match (share, before) {
        (Some(share), Some(before)) => Some(format!("{share}, {before}")),
        (share, before) => share.or(before),
    }
}
