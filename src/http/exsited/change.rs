//! Changes of orders, from the Exsited wire to the domain.

use std::collections::BTreeSet;

use aggregates::{
    Refused,
    id::LineId,
    order_terms::OrderBillingChanges,
    subscription::{self, ChargeType, LineChange, OrderChange, OrderLine, TaxChange},
};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{
    convert::{self, MAX_LINES},
    error::ApiError,
    fields::{self, PRICE_PLACES, Reader},
    tax::{self, Tax},
};
use crate::journal::CommandError;

/// The day that a call names, if it does: under `order`, or by itself. A body that says something else is refused: to take
/// it for silence would be to act today.
// UNCONFIRMED: how the vendor answers a body without its wrapper.
pub(super) fn effective_date(body: &Value) -> Result<Option<NaiveDate>, ApiError> {
    const FIELD: &str = "effective_date";
    let object = match body {
        Value::Null => return Ok(None),
        Value::Object(object) => object,
        _ => return Err(ApiError::field("order", "invalid", "order: an object was expected")),
    };
    let inner = match object.get("order") {
        Some(Value::Object(order)) => order,
        Some(Value::Null) | None => object,
        Some(_) => return Err(ApiError::field("order", "invalid", "order: an object was expected")),
    };
    let named = if inner.contains_key(FIELD) { inner } else { object };
    let silent = object.keys().all(|key| key == "order") || object.contains_key("order");
    if !named.contains_key(FIELD) && !silent {
        let message = "order: this is required, with the effective_date in it";
        return Err(ApiError::field("order", "required", message));
    }
    let mut reader = Reader::new(named);
    let date = reader.date(FIELD);
    reader.done()?;
    Ok(date)
}

/// `line_id` names new lines, by their place.
pub(super) fn order_change(body: &Value, line_id: impl Fn(usize) -> LineId) -> Result<OrderChange, ApiError> {
    let order = fields::object(body, "order")?;
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
    let billing = match properties.or(preferences) {
        Some(properties) => convert::billing(properties)?,
        None => OrderBillingChanges::default(),
    };
    if lines.is_empty() && billing == OrderBillingChanges::default() {
        let message = "lines: a change names at least one line, or a property";
        return Err(ApiError::field("lines", "required", message));
    }
    if let Some(n) = named_twice(&lines) {
        let place = format!("lines[{n}].{}", named_by(order, n));
        let message = format!("{place}: a change names a line once");
        return Err(ApiError::field(&place, "invalid", message));
    }
    Ok(OrderChange {
        effective,
        lines,
        billing,
    })
}

/// What a change is refused for, at the place where its call says it.
pub(super) fn refused(error: CommandError, body: &Value, wanted: &OrderChange) -> ApiError {
    use subscription::Refused as R;
    let CommandError::Refused(Refused::Subscription(refused)) = &error else {
        return error.into();
    };
    let found = match refused {
        R::UsageInAdvance { line } => Some((*line, "billing_mode")),
        R::LineBilled { line } | R::LineTooEarly { line, .. } => Some((*line, "fixed_start_date")),
        _ => None,
    };
    let place = found.and_then(|(line, field)| {
        let n = wanted.lines.iter().position(|change| change.line() == line)?;
        Some((field, format!("lines[{n}].item_properties.{field}")))
    });
    let error = ApiError::from(error);
    match place {
        Some((field, place)) => error.renamed(field, &place),
        // Without a date the change is of today: what is wrong with that is the order's.
        None => match body.get("order").and_then(|order| order.get("effective_date")) {
            Some(_) => error,
            None => error.renamed("effective_date", "order"),
        },
    }
}

/// The field by which a line of a change is named.
fn named_by(order: &Map<String, Value>, n: usize) -> &'static str {
    let line = order.get("lines").and_then(|lines| lines.get(n));
    let sent = |name: &str| line.and_then(|line| line.get(name)).is_some();
    if !sent("uuid") && sent("charge_item_uuid") {
        "charge_item_uuid"
    } else {
        "uuid"
    }
}

/// The place of a line that was named before: what is said of it twice would be billed twice.
fn named_twice(lines: &[LineChange]) -> Option<usize> {
    let mut seen = BTreeSet::new();
    lines.iter().position(|change| match change {
        LineChange::Add { .. } => false,
        LineChange::Set { line, .. } | LineChange::Remove(line) => !seen.insert(*line),
    })
}

fn line(
    reader: &mut Reader<'_>,
    item: &Map<String, Value>,
    n: usize,
    line_id: impl Fn(usize) -> LineId,
) -> Option<LineChange> {
    let place = format!("lines[{n}].");
    let mut line = Reader::at(item, place.clone());
    let price = convert::price(&mut line);
    let tax = tax::read(&mut line);
    convert::not_discounted(&mut line);
    let billing = Box::new(super::line::changed(&mut line, &place));
    let quantity = line.decimal("item_order_quantity", PRICE_PLACES);
    let op = line.required("op").to_ascii_lowercase();
    let change = match op.as_str() {
        "add" => {
            let new = OrderLine {
                id: line_id(n),
                item: line.required("item_id"),
                name: line.text("item_name"),
                quantity: quantity.unwrap_or(Decimal::ONE),
                price: price.unwrap_or_default(),
                charge_type: line
                    .named("item_charge_type", convert::charge_type)
                    .unwrap_or(ChargeType::Recurring),
                tax: tax.and_then(Tax::rate),
            };
            Some(LineChange::Add { line: new, billing })
        }
        "change" => named_line(&mut line).map(|line| LineChange::Set {
            line,
            quantity,
            price,
            tax: tax.map(|tax| tax.rate().map_or(TaxChange::Exempt, TaxChange::By)),
            billing,
        }),
        "remove" => named_line(&mut line).map(LineChange::Remove),
        _ => {
            if !op.is_empty() {
                line.wrong("op", "invalid", "add, change or remove was expected");
            }
            None
        }
    };
    reader.errors.append(&mut line.errors);
    change
}

/// Lines are named by `uuid`, or by `charge_item_uuid`.
fn named_line(line: &mut Reader<'_>) -> Option<LineId> {
    let before = line.errors.len();
    let mut named = ["uuid", "charge_item_uuid"].into_iter();
    let sent = named.find_map(|field| Some((field, line.text(field)?)));
    let Some((field, text)) = sent else {
        if line.errors.len() == before {
            line.wrong("uuid", "required", "this is required");
        }
        return None;
    };
    let id = text.parse().ok();
    if id.is_none() {
        line.wrong(field, "invalid", "the uuid of a line was expected");
    }
    id
}
