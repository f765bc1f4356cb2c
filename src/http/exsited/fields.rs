//! The fields of a body as they are read: every one that is wrong is named.

use aggregates::{
    calendar,
    money::{self, Currency},
};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::error::{ApiError, FieldError};

/// Decimal places a unit price may have.
pub(super) const PRICE_PLACES: u32 = 6;
/// Numbers from here on are refused: whatever is computed and shown of smaller ones has room.
const LIMIT: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

/// An object of the body, and what was wrong in it.
pub(super) struct Reader<'a> {
    object: &'a Map<String, Value>,
    pub place: String,
    pub errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    pub fn new(object: &'a Map<String, Value>) -> Self {
        Self::at(object, String::new())
    }

    pub fn at(object: &'a Map<String, Value>, place: String) -> Self {
        Self {
            object,
            place,
            errors: Vec::new(),
        }
    }

    pub fn done(self) -> Result<(), ApiError> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(ApiError::fields(self.errors))
    }

    /// As it was sent.
    pub fn value(&self, field: &str) -> Option<&'a Value> {
        self.object.get(field)
    }

    pub fn wrong(&mut self, field: &str, code: &'static str, message: &str) {
        let field = format!("{}{field}", self.place);
        self.errors.push(FieldError {
            message: format!("{field}: {message}"),
            code,
            field,
        });
    }

    /// Text that `parse` understands; absent where the field is.
    pub fn named<T>(&mut self, field: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.object.get(field)?;
        let parsed = value.as_str().and_then(parse);
        if parsed.is_none() {
            let message = match value {
                Value::String(text) => format!("\"{text}\" is not known"),
                _ => "text was expected".to_owned(),
            };
            self.wrong(field, "invalid", &message);
        }
        parsed
    }

    /// A JSON boolean or its word.
    pub fn boolean(&mut self, field: &str) -> Option<bool> {
        let parsed = match self.object.get(field)? {
            Value::Bool(value) => Some(*value),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        if parsed.is_none() {
            self.wrong(field, "invalid", "true or false was expected");
        }
        parsed
    }

    /// Text; null and blank text count as absent.
    pub fn text(&mut self, field: &str) -> Option<String> {
        match self.object.get(field)? {
            Value::Null => None,
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) if text.contains('\0') => {
                self.wrong(field, "invalid", "the character U+0000 cannot be kept");
                None
            }
            Value::String(text) if text.len() <= 1000 => Some(text.trim().to_owned()),
            _ => {
                self.wrong(field, "invalid", "text of at most 1000 bytes was expected");
                None
            }
        }
    }

    /// An object; null counts as absent.
    pub fn object(&mut self, field: &str) -> Option<&'a Map<String, Value>> {
        match self.object.get(field)? {
            Value::Null => None,
            Value::Object(object) => Some(object),
            _ => {
                self.wrong(field, "invalid", "an object was expected");
                None
            }
        }
    }

    pub fn required(&mut self, field: &str) -> String {
        let before = self.errors.len();
        let text = self.text(field);
        if text.is_none() && self.errors.len() == before {
            self.wrong(field, "required", "this is required");
        }
        text.unwrap_or_default()
    }

    /// `YYYY-MM-DD`.
    pub fn date(&mut self, field: &str) -> Option<NaiveDate> {
        let text = self.text(field)?;
        let date = calendar::iso_date(&text);
        if date.is_none() {
            self.wrong(field, "invalid", "a date as YYYY-MM-DD was expected");
        }
        date
    }

    pub fn currency(&mut self) -> Option<Currency> {
        let text = self.text("currency")?;
        let currency = money::payable(&text);
        if currency.is_none() {
            self.wrong("currency", "invalid", "an ISO 4217 code was expected");
        }
        currency
    }

    /// A number or a decimal string, not negative.
    pub fn decimal(&mut self, field: &str, places: u32) -> Option<Decimal> {
        let text = match self.object.get(field)? {
            Value::Null => return None,
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        // A number of more digits than a float holds comes as the text it was written as.
        let plain = text.bytes().all(|c| c.is_ascii_digit() || b".eE+-".contains(&c)) && !text.starts_with(['-', '+']);
        let number = plain.then(|| money::exact_number(&text)).flatten();
        let number = number.filter(|number| number.normalize().scale() <= places && *number < LIMIT);
        if number.is_none() {
            let message =
                format!("a decimal number from 0 on with at most 15 digits and {places} decimal places was expected");
            self.wrong(field, "invalid", &message);
        }
        number
    }
}

/// The object under `name`, which must be there.
pub(super) fn object<'a>(body: &'a Value, name: &str) -> Result<&'a Map<String, Value>, ApiError> {
    match body.get(name) {
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(ApiError::field(
            name,
            "invalid",
            format!("{name}: an object was expected"),
        )),
        None => Err(ApiError::field(name, "required", format!("{name}: this is required"))),
    }
}
