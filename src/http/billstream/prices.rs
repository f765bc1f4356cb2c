//! A plan's lines and their prices, from our API's words. Every value that is wrong is named by its place.

use aggregates::billing::{
    Aggregation, Kind, Price, Timing,
    price::{Limits, Tier},
};
use rust_decimal::Decimal;

use super::{
    error::{Error, Result},
    wire,
};
use crate::app::plans::NewLine;

pub fn lines(lines: &[wire::LineInput]) -> Result<Vec<NewLine>> {
    let place = |number| format!("lines[{number}]");
    lines
        .iter()
        .enumerate()
        .map(|(number, input)| line(&place(number), input))
        .collect()
}

fn missing(place: &str, field: &str) -> Error {
    Error::missing(&format!("{place}.{field}"))
}

fn line(place: &str, input: &wire::LineInput) -> Result<NewLine> {
    let kind = match input.kind.ok_or_else(|| missing(place, "kind"))? {
        wire::LineKind::OneOff => Kind::OneOff,
        wire::LineKind::Recurring => Kind::Recurring,
        wire::LineKind::Metered => Kind::Metered {
            metric: input.metric.clone().ok_or_else(|| missing(place, "metric"))?,
            aggregation: input.aggregation.map_or(Aggregation::Sum, Into::into),
        },
    };
    let metered = matches!(kind, Kind::Metered { .. });
    if !metered && (input.metric.is_some() || input.aggregation.is_some()) {
        return Err(Error::invalid(
            format!("{place}.metric"),
            "only a metered line has a metric and an aggregation",
        ));
    }
    if metered && input.quantity.is_some() {
        return Err(Error::invalid(
            format!("{place}.quantity"),
            "the quantity of a metered line is its usage",
        ));
    }
    let usual = if metered { Timing::Arrears } else { Timing::Advance };
    let timing = input.timing.map_or(usual, Into::into);
    let given = input.price.as_ref().ok_or_else(|| missing(place, "price"))?;
    let price_place = format!("{place}.price");
    let price = price(&price_place, given)?;
    price
        .validate()
        .map_err(|refused| Error::invalid(price_place, refused))?;
    Ok(NewLine {
        name: input.name.clone().ok_or_else(|| missing(place, "name"))?,
        flat_fee: input.flat_fee.unwrap_or(!metered),
        prorate: input.prorate.unwrap_or(!metered),
        quantity: optional(place, "quantity", input.quantity.as_deref())?.unwrap_or(Decimal::ONE),
        tax_rate: optional(place, "tax_rate", input.tax_rate.as_deref())?,
        kind,
        timing,
        price,
    })
}

fn price(place: &str, input: &wire::PriceInput) -> Result<Price> {
    let needed = |field: &str, text: Option<&str>| {
        optional(place, field, text)?.ok_or_else(|| Error::missing(&format!("{place}.{field}")))
    };
    let amount = || needed("amount", input.amount.as_deref());
    let model = input.model.ok_or_else(|| missing(place, "model"))?;
    unused(place, model, input)?;
    let limits = Limits {
        free_units: optional(place, "free_units", input.free_units.as_deref())?.unwrap_or_default(),
        minimum: optional(place, "minimum", input.minimum.as_deref())?,
        maximum: optional(place, "maximum", input.maximum.as_deref())?,
        flat_fee_at_zero: input.flat_fee_at_zero.unwrap_or(false),
    };
    Ok(match model {
        wire::PriceModel::Flat => Price::Flat { amount: amount()? },
        wire::PriceModel::PerUnit => Price::PerUnit {
            amount: amount()?,
            limits,
        },
        wire::PriceModel::Package => Price::Package {
            amount: amount()?,
            size: needed("size", input.size.as_deref())?,
            limits,
        },
        wire::PriceModel::Graduated => Price::Graduated {
            tiers: tiers(place, input)?,
            limits,
        },
        wire::PriceModel::Volume => Price::Volume {
            tiers: tiers(place, input)?,
            limits,
        },
        wire::PriceModel::Stairstep => Price::Stairstep {
            tiers: tiers(place, input)?,
            limits,
        },
    })
}

/// What a model has no use for would be billed otherwise than its sender thinks.
fn unused(place: &str, model: wire::PriceModel, input: &wire::PriceInput) -> Result<()> {
    use wire::PriceModel as M;
    let tiered = matches!(model, M::Graduated | M::Volume | M::Stairstep);
    let limited = input.free_units.is_some()
        || input.minimum.is_some()
        || input.maximum.is_some()
        || input.flat_fee_at_zero.is_some();
    for (field, wrong) in [
        ("tiers", !tiered && input.tiers.is_some()),
        ("amount", tiered && input.amount.is_some()),
        ("size", model != M::Package && input.size.is_some()),
        ("free_units", model == M::Flat && limited),
    ] {
        if wrong {
            return Err(Error::invalid(
                format!("{place}.{field}"),
                "a price of this model has no such field",
            ));
        }
    }
    Ok(())
}

fn tiers(place: &str, input: &wire::PriceInput) -> Result<Vec<Tier>> {
    let tiers = input.tiers.as_ref().ok_or_else(|| missing(place, "tiers"))?;
    let tier = |(number, input): (usize, &wire::TierInput)| {
        let place = format!("{place}.tiers[{number}]");
        Ok(Tier {
            up_to: optional(&place, "up_to", input.up_to.as_deref())?,
            unit: optional(&place, "unit", input.unit.as_deref())?.unwrap_or_default(),
            flat: optional(&place, "flat", input.flat.as_deref())?.unwrap_or_default(),
        })
    };
    tiers.iter().enumerate().map(tier).collect()
}

/// Digits and a point: every digit is kept, so nothing is rounded before it is billed.
fn optional(place: &str, field: &str, text: Option<&str>) -> Result<Option<Decimal>> {
    let Some(text) = text else { return Ok(None) };
    let plain = text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'-'));
    let number = plain.then(|| Decimal::from_str_exact(text).ok()).flatten();
    let number = number.filter(|number| number.abs() < Decimal::from(10_i64.pow(15)));
    number.map(Some).ok_or_else(|| {
        let field = format!("{place}.{field}");
        Error::invalid(field, format!("\"{text}\" is not a decimal number such as 12.50"))
    })
}

impl From<wire::AggregationWord> for Aggregation {
    fn from(word: wire::AggregationWord) -> Self {
        match word {
            wire::AggregationWord::Sum => Self::Sum,
            wire::AggregationWord::Count => Self::Count,
            wire::AggregationWord::Max => Self::Max,
            wire::AggregationWord::Latest => Self::Latest,
            wire::AggregationWord::Unique => Self::Unique,
        }
    }
}

impl From<wire::LineTiming> for Timing {
    fn from(word: wire::LineTiming) -> Self {
        match word {
            wire::LineTiming::Advance => Self::Advance,
            wire::LineTiming::Arrears => Self::Arrears,
        }
    }
}
