//! Usages of metered lines: from the Exsited wire to the domain and back, in both generations.

use std::collections::BTreeMap;

use aggregates::{
    calendar::{self, Period},
    id::{LineId, UsageEntryId},
    usage, usage_entry,
};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Api, Generation,
    error::{ApiError, FieldError},
    fields::{self, Reader},
    wire::{number, time},
};
use crate::app::usage::{
    lines::{Correction, Fault, MAX_STATEMENTS, Remark, Said},
    statements::Statement,
};

/// What a usage's quantity may have behind the point.
const PLACES: u32 = 12;
const MAX_ATTRIBUTES: usize = 100;
const MAX_TEXT: usize = 1000;

/// What a call records: one usage, or several that are each looked at by themselves.
pub(super) enum Sent<'a> {
    One(&'a Map<String, Value>),
    Many(Vec<&'a Value>),
}

pub(super) fn sent(body: &Value) -> Result<Sent<'_>, ApiError> {
    let wrong = |field: &str, message: &str| Err(ApiError::field(field, "invalid", format!("{field}: {message}")));
    match (body.get("usage"), body.get("usages")) {
        (Some(Value::Object(usage)), _) => Ok(Sent::One(usage)),
        (Some(Value::Array(_)), _) => wrong("usage", "several usages are sent under usages"),
        (Some(Value::Null) | None, Some(Value::Array(usages))) if (1..=MAX_STATEMENTS).contains(&usages.len()) => {
            Ok(Sent::Many(usages.iter().collect()))
        }
        (Some(Value::Null) | None, Some(_)) => wrong("usages", "a list of 1 to 1000 usages was expected"),
        (Some(Value::Null) | None, None) => {
            let message = "usage: this is required, or usages for several";
            Err(ApiError::field("usage", "required", message))
        }
        (Some(_), _) => wrong("usage", "an object was expected"),
    }
}

/// The first versions call the line `charge_item_uuid`, the fourth `charge_item_id`; either is understood.
fn line_field(object: &Map<String, Value>, generation: Generation) -> &'static str {
    let (own, other) = match generation {
        Generation::Legacy => ("charge_item_uuid", "charge_item_id"),
        Generation::V4 => ("charge_item_id", "charge_item_uuid"),
    };
    if !object.contains_key(own) && object.contains_key(other) {
        other
    } else {
        own
    }
}

/// One usage to be recorded, or everything that is wrong with it.
pub(super) fn said(object: &Map<String, Value>, generation: Generation) -> Result<Said, Vec<FieldError>> {
    let mut reader = Reader::new(object);
    let field = line_field(object, generation);
    let named = reader.required(field);
    let line = match named.parse() {
        Ok(line) => line,
        Err(_) if named.is_empty() => LineId(Uuid::nil()),
        Err(_) => {
            reader.wrong(field, "resource_not_found", NO_LINE);
            LineId(Uuid::nil())
        }
    };
    kind(&mut reader);
    let quantity = reader.decimal("quantity", PLACES);
    if quantity.is_none() && reader.errors.iter().all(|error| error.field != "quantity") {
        reader.wrong("quantity", "required", "this is required");
    }
    let said = Said {
        line,
        period: period(&mut reader),
        quantity: quantity.unwrap_or_default(),
        start: instant(&mut reader, "start_time"),
        end: instant(&mut reader, "end_time"),
        attributes: attributes(&mut reader, object).unwrap_or_default(),
        note: reader.text("usage_note"),
        reference: reader.text("usage_reference"),
    };
    if reader.errors.is_empty() {
        Ok(said)
    } else {
        Err(reader.errors)
    }
}

/// A change of a usage. PUT says quantity, times and attributes anew.
// UNCONFIRMED: what PUT makes of times that are not sent; they stay.
pub(super) fn correction(body: &Value, generation: Generation, replace: bool) -> Result<Correction, ApiError> {
    let object = fields::object(body, "usage")?;
    let mut reader = Reader::new(object);
    let field = line_field(object, generation);
    let line = reader.text(field).map(|text| text.parse());
    if let Some(Err(_)) = line {
        reader.wrong(field, "invalid", "usage stays on the line it was recorded on");
    }
    kind(&mut reader);
    let quantity = reader.decimal("quantity", PLACES);
    if replace && quantity.is_none() && reader.errors.iter().all(|error| error.field != "quantity") {
        reader.wrong("quantity", "required", "this is required");
    }
    let correction = Correction {
        line: line.and_then(Result::ok),
        period: period(&mut reader),
        quantity,
        start: instant(&mut reader, "start_time"),
        end: instant(&mut reader, "end_time"),
        attributes: attributes(&mut reader, object),
        note: remark(&mut reader, "usage_note"),
        reference: remark(&mut reader, "usage_reference"),
        replace,
    };
    reader.done()?;
    Ok(correction)
}

/// Null and blank text take a remark away.
fn remark(reader: &mut Reader<'_>, field: &str) -> Option<Remark> {
    reader.value(field)?;
    Some(reader.text(field).map_or(Remark::Nothing, Remark::Text))
}

/// UNCONFIRMED: the words for usage that takes the place of what was recorded before; they are refused.
fn kind(reader: &mut Reader<'_>) {
    if let Some(kind) = reader.text("type")
        && !kind.eq_ignore_ascii_case("INCREMENTAL")
    {
        reader.wrong("type", "invalid", "INCREMENTAL was expected");
    }
}

/// `YYYY-MM-DD-YYYY-MM-DD`, both days in it.
fn period(reader: &mut Reader<'_>) -> Option<Period> {
    let text = reader.text("charging_period")?;
    let read = |text: &str| {
        let (first, last) = (text.get(..10)?, text.get(10..)?.strip_prefix('-')?);
        Some(Period {
            start: calendar::iso_date(first)?,
            end: Some(calendar::iso_date(last)?.succ_opt()?),
        })
    };
    let period = read(&text);
    if period.is_none() {
        let message = "a period as YYYY-MM-DD-YYYY-MM-DD was expected";
        reader.wrong("charging_period", "invalid", message);
    }
    period
}

/// `YYYY-MM-DD HH:MM:SS`, or a time with its zone.
// UNCONFIRMED: the zone of a time that names none; it is taken as UTC.
fn instant(reader: &mut Reader<'_>, field: &str) -> Option<DateTime<Utc>> {
    let text = reader.text(field)?;
    let zoned = DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc());
    let plain = |format| NaiveDateTime::parse_from_str(&text, format).map(|time| time.and_utc());
    let read = zoned
        .or_else(|_| plain("%Y-%m-%d %H:%M:%S"))
        .or_else(|_| plain("%Y-%m-%dT%H:%M:%S"));
    let time = read.ok().filter(|time| calendar::has_plain_year(time.date_naive()));
    if time.is_none() {
        reader.wrong(field, "invalid", "a time as YYYY-MM-DD HH:MM:SS was expected");
    }
    time
}

/// A list of `{name, value}`; null is an empty one.
fn attributes(reader: &mut Reader<'_>, object: &Map<String, Value>) -> Option<BTreeMap<String, String>> {
    const FIELD: &str = "custom_attributes";
    let items = match object.get(FIELD)? {
        Value::Null => return Some(BTreeMap::new()),
        Value::Array(items) if items.len() <= MAX_ATTRIBUTES => items,
        _ => {
            reader.wrong(FIELD, "invalid", "a list of at most 100 attributes was expected");
            return None;
        }
    };
    let fits = |text: &str| text.len() <= MAX_TEXT && !text.contains('\0');
    let read = |item: &Value| {
        let name = item
            .get("name")?
            .as_str()
            .filter(|name| !name.trim().is_empty() && fits(name))?;
        let value = match item.get("value") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) if fits(text) => text.clone(),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            Some(_) => return None,
        };
        Some((name.to_owned(), value))
    };
    let mut attributes = BTreeMap::new();
    for (n, item) in items.iter().enumerate() {
        match read(item) {
            Some((name, value)) => drop(attributes.insert(name, value)),
            None => reader.wrong(&format!("{FIELD}[{n}]"), "invalid", "a name and a value were expected"),
        }
    }
    Some(attributes)
}

const NO_LINE: &str = "no order has a metered line with this id";

/// What is wrong with a usage that cannot be taken.
// UNCONFIRMED: the vendor's codes and messages.
pub(super) fn fault(fault: &Fault, object: &Map<String, Value>, generation: Generation) -> FieldError {
    let line = line_field(object, generation);
    let time = if object.contains_key("start_time") {
        "start_time"
    } else {
        "end_time"
    };
    let (field, code, message) = match fault {
        Fault::UnknownLine => (line, "resource_not_found", NO_LINE.to_owned()),
        Fault::TimeMissing => ("end_time", "required", "this is required".to_owned()),
        Fault::NotMeteredThen { day } => (time, "invalid", format!("the line is not metered on {day}")),
        Fault::OtherPeriod { period } => {
            let message = format!("the usage falls into {}", charging_period(*period));
            ("charging_period", "invalid", message)
        }
        Fault::Refused(refused) => {
            let field = match refused {
                usage_entry::Refused::EndsBeforeStart => "end_time",
                usage_entry::Refused::Record(usage::Refused::Quantity) => "quantity",
                usage_entry::Refused::Record(usage::Refused::Time) => time,
                usage_entry::Refused::Record(usage::Refused::Metric | usage::Refused::Id | usage::Refused::Key)
                | usage_entry::Refused::OtherLine
                | usage_entry::Refused::AlreadyExists
                | usage_entry::Refused::Unknown => line,
            };
            (field, "invalid", refused.to_string())
        }
    };
    FieldError {
        field: field.to_owned(),
        code,
        message: format!("{field}: {message}"),
    }
}

/// A usage's id as a path names it: `usg_` and 32 hexadecimal digits, or a UUID.
pub(super) fn usage_id(text: &str) -> Result<UsageEntryId, ApiError> {
    let bare = text.strip_prefix("usg_").unwrap_or(text);
    let id = Uuid::try_parse(bare).map(UsageEntryId);
    id.map_err(|_| ApiError::unknown("usage"))
}

fn printed_id(id: UsageEntryId) -> String {
    format!("usg_{}", id.0.simple())
}

/// The first day and the last.
fn charging_period(period: Period) -> String {
    let last = period.end.and_then(|end| end.pred_opt());
    last.map_or_else(|| period.start.to_string(), |last| format!("{}-{last}", period.start))
}

/// A usage as it is read.
pub(super) fn shown(statement: &Statement, api: Api) -> Value {
    match api.generation {
        Generation::Legacy => legacy(statement),
        Generation::V4 => whole(statement, api),
    }
}

/// A usage as it is answered when it was recorded: the fourth version shows the earlier one's fields.
pub(super) fn recorded(statement: &Statement, api: Api) -> Value {
    let mut body = legacy(statement);
    if let (Generation::V4, Some(fields)) = (api.generation, body.as_object_mut()) {
        if let Value::Object(reference) = reference(statement.view.id, api) {
            fields.extend(reference);
        }
        fields.insert("activity_logs".to_owned(), json!([]));
    }
    body
}

/// The answer to a change: the whole usage in the first versions, a reference to it in the fourth.
// UNCONFIRMED: what `note` and `status` say there; here they are the usage's.
pub(super) fn corrected(statement: &Statement, api: Api) -> Value {
    match api.generation {
        Generation::Legacy => json!({"usage": legacy(statement)}),
        Generation::V4 => json!({
            "usage": reference(statement.view.id, api),
            "note": statement.view.entry.note,
            "status": status(statement),
        }),
    }
}

/// What stands for a usage in the fourth version.
pub(super) fn reference(id: UsageEntryId, api: Api) -> Value {
    let id = printed_id(id);
    json!({"object": "usage", "id": id, "href": format!("{}/usages/{id}", api.prefix)})
}

/// UNCONFIRMED: the words for usage that is billed, and for usage that is not yet.
fn status(statement: &Statement) -> &'static str {
    if statement.charged { "charged" } else { "pending" }
}

fn legacy(statement: &Statement) -> Value {
    let (view, entry) = (&statement.view, &statement.view.entry);
    let attributes = entry.attributes.iter();
    json!({
        "uuid": view.id.to_string(),
        "version": view.version.to_string(),
        "charge_item_uuid": entry.line.to_string(),
        "charge_item_name": entry.name,
        "charging_period": charging_period(entry.period),
        "quantity": entry.quantity.normalize().to_string(),
        // There is no catalogue of items that would say what is counted.
        "uom": "",
        "start_time": entry.start.map(time),
        "end_time": time(entry.end),
        "type": "INCREMENTAL",
        "charge_status": status(statement).to_ascii_uppercase(),
        "source": "",
        "created_by": view.created_by,
        "created_on": time(view.created_at),
        "last_updated_by": view.updated_by,
        "last_updated_on": time(view.updated_at),
        "custom_attributes": attributes
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect::<Vec<_>>(),
        "usage_note": entry.note,
        "usage_reference": entry.reference,
    })
}

fn whole(statement: &Statement, api: Api) -> Value {
    let (view, entry) = (&statement.view, &statement.view.entry);
    let by = |name: &str| json!({"object": "user", "name": name});
    let attribute = |(name, value): (&String, &String)| json!({"object": "custom_attribute", "name": name, "type": "text", "value": value});
    let last = entry.period.end.and_then(|end| end.pred_opt());
    let mut body = json!({
        "charge_item": {"object": "charge_item", "id": entry.line.to_string(), "name": entry.name},
        "charging_period": charging_period(entry.period),
        "charging_start_date": entry.period.start.to_string(),
        "charging_end_date": last.map(|last| last.to_string()),
        "quantity": number(entry.quantity.normalize()),
        "uom": null,
        "start_time": entry.start.map(time),
        "end_time": time(entry.end),
        "type": "INCREMENTAL",
        "status": status(statement),
        "source": null,
        "version": view.version,
        "created_by": by(&view.created_by),
        "created_on": time(view.created_at),
        "last_updated_by": by(&view.updated_by),
        "last_updated_on": time(view.updated_at),
        "custom_attributes": entry.attributes.iter().map(attribute).collect::<Vec<_>>(),
    });
    if let (Some(fields), Value::Object(reference)) = (body.as_object_mut(), reference(view.id, api)) {
        fields.extend(reference);
    }
    body
}

/// One of several usages that could not be taken: what was sent, and what is wrong with it.
pub(super) fn failed(sent: &Value, errors: &[FieldError], api: Api) -> Value {
    let of = |name: &str| sent.get(name).cloned().unwrap_or_default();
    let message = errors
        .first()
        .map_or("the usage is invalid", |first| first.message.as_str());
    match api.generation {
        // UNCONFIRMED: how the first versions say what is wrong; the usage comes back as it was sent.
        Generation::Legacy => {
            let mut body = sent.as_object().cloned().unwrap_or_default();
            let errors = errors
                .iter()
                .map(|error| json!({"code": error.code, "message": error.message, "field": error.field}));
            body.insert("errors".to_owned(), errors.collect());
            Value::Object(body)
        }
        Generation::V4 => {
            let line = sent.get("charge_item_id").or_else(|| sent.get("charge_item_uuid"));
            let errors = errors
                .iter()
                .map(|error| json!({"code": error.code, "message": error.message, "field": error.field}));
            json!({
                "charge_item_id": line,
                "charging_period": of("charging_period"),
                "error": {"code": "validation_error", "message": message, "errors": errors.collect::<Value>()},
            })
        }
    }
}
