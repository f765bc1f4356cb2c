//! Changes of orders, from the Exsited wire to the domain.

use std::collections::BTreeSet;

use aggregates::{
    id::LineId,
    subscription::{ChargeType, OrderLine},
};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{
    convert::{self, MAX_LINES, PRICE_PLACES, Reader},
    error::ApiError,
};
use crate::app::order_changes::{LineChange, OrderChange};

/// The day that a call names, if it does.
pub(super) fn effective_date(body: &Value) -> Result<Option<NaiveDate>, ApiError> {
    let Some(order) = body.get("order").and_then(Value::as_object) else {
        return Ok(None);
    };
    let mut reader = Reader::new(order);
    let date = reader.date("effective_date");
    reader.done()?;
    Ok(date)
}

/// `line_id` names new lines, by their place.
pub(super) fn order_change(body: &Value, line_id: impl Fn(usize) -> LineId) -> Result<OrderChange, ApiError> {
    let order = convert::object(body, "order")?;
    let mut reader = Reader::new(order);
    let effective = reader.date("effective_date");
    let (properties, preferences) = (reader.object("properties"), reader.object("billing_preferences"));
    let lines = match order.get("lines") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) if items.len() <= MAX_LINES => {
            let mut lines = Vec::with_capacity(items.len());
            for (n, item) in items.iter().enumerate() {
                match item.as_object() {
                    Some(item) => lines.extend(line(&mut reader, item, n, &line_id)),
                    None => reader.wrong(&format!("lines[{n}]"), "invalid", "an object was expected"),
                }
            }
            lines
        }
        Some(_) => {
            reader.wrong("lines", "invalid", "a list of at most 1000 lines was expected");
            Vec::new()
        }
    };
    reader.done()?;
    let billing_period = match properties.or(preferences) {
        Some(properties) => convert::billing(properties)?.billing_period,
        None => None,
    };
    if lines.is_empty() && billing_period.is_none() {
        let message = "lines: a change names at least one line, or a billing period";
        return Err(ApiError::field("lines", "required", message));
    }
    if let Some(n) = named_twice(&lines) {
        let place = format!("lines[{n}].uuid");
        let message = format!("{place}: a change names a line once");
        return Err(ApiError::field(&place, "invalid", message));
    }
    Ok(OrderChange {
        effective,
        lines,
        billing_period,
    })
}

/// The place of a line that was named before: what is said of it twice would be billed twice.
fn named_twice(lines: &[LineChange]) -> Option<usize> {
    let mut seen = BTreeSet::new();
    lines.iter().position(|line| match line {
        LineChange::Add(_) => false,
        LineChange::Set { line, .. } | LineChange::Remove(line) => !seen.insert(*line),
    })
}

fn line(
    reader: &mut Reader<'_>,
    item: &Map<String, Value>,
    n: usize,
    line_id: impl Fn(usize) -> LineId,
) -> Option<LineChange> {
    let mut line = Reader::at(item, format!("lines[{n}]."));
    let price = convert::price(&mut line);
    let quantity = line.decimal("item_order_quantity", PRICE_PLACES);
    let op = line.required("op").to_ascii_lowercase();
    let change = match op.as_str() {
        "add" => Some(LineChange::Add(OrderLine {
            id: line_id(n),
            item: line.required("item_id"),
            name: line.text("item_name"),
            quantity: quantity.unwrap_or(Decimal::ONE),
            price: price.unwrap_or_default(),
            charge_type: line
                .named("item_charge_type", convert::charge_type)
                .unwrap_or(ChargeType::Recurring),
        })),
        "change" => named_line(&mut line).map(|line| LineChange::Set { line, quantity, price }),
        "remove" => named_line(&mut line).map(LineChange::Remove),
        _ => {
            line.wrong("op", "invalid", "add, change or remove was expected");
            None
        }
    };
    reader.errors.append(&mut line.errors);
    change
}

/// Lines are named by `uuid`, or by `charge_item_uuid`.
fn named_line(line: &mut Reader<'_>) -> Option<LineId> {
    let text = line.text("uuid").or_else(|| line.text("charge_item_uuid"));
    let id = text.as_deref().and_then(|text| text.parse().ok());
    if id.is_none() {
        line.wrong("uuid", "required", "the uuid of a line was expected");
    }
    id
}
