//! The few kinds of value that both databases hold alike, and rows of them.

use chrono::{DateTime, NaiveDate, Utc};

/// A column value. Times are microseconds since the epoch, dates are `YYYY-MM-DD`, money is minor units.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}
impl From<NaiveDate> for Value {
    fn from(value: NaiveDate) -> Self {
        Self::Text(value.to_string())
    }
}
impl From<DateTime<Utc>> for Value {
    fn from(value: DateTime<Utc>) -> Self {
        Self::Int(value.timestamp_micros())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row read from the store held something that its reader does not expect: the view is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column} holds {found}, expected {expected}")]
pub struct RowError {
    pub column: usize,
    pub expected: &'static str,
    pub found: String,
}

/// One row of a query, read by position in the select list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    pub fn get(&self, column: usize) -> &Value {
        self.0.get(column).unwrap_or(&Value::Null)
    }

    pub fn int(&self, column: usize) -> Result<i64, RowError> {
        match self.get(column) {
            Value::Int(value) => Ok(*value),
            _ => Err(self.error(column, "an integer")),
        }
    }

    pub fn text(&self, column: usize) -> Result<&str, RowError> {
        match self.get(column) {
            Value::Text(value) => Ok(value),
            _ => Err(self.error(column, "text")),
        }
    }

    pub fn optional_text(&self, column: usize) -> Result<Option<&str>, RowError> {
        match self.get(column) {
            Value::Null => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    pub fn bytes(&self, column: usize) -> Result<&[u8], RowError> {
        match self.get(column) {
            Value::Bytes(value) => Ok(value),
            _ => Err(self.error(column, "bytes")),
        }
    }

    /// SQLite has no booleans of its own: 0 and 1 stand for them.
    pub fn bool(&self, column: usize) -> Result<bool, RowError> {
        match self.get(column) {
            Value::Bool(value) => Ok(*value),
            Value::Int(0) => Ok(false),
            Value::Int(1) => Ok(true),
            _ => Err(self.error(column, "a boolean")),
        }
    }

    pub fn optional_bool(&self, column: usize) -> Result<Option<bool>, RowError> {
        match self.get(column) {
            Value::Null => Ok(None),
            _ => self.bool(column).map(Some),
        }
    }

    pub fn date(&self, column: usize) -> Result<NaiveDate, RowError> {
        self.text(column)?.parse().map_err(|_| self.error(column, "a date"))
    }

    pub fn optional_date(&self, column: usize) -> Result<Option<NaiveDate>, RowError> {
        match self.get(column) {
            Value::Null => Ok(None),
            _ => self.date(column).map(Some),
        }
    }

    pub fn time(&self, column: usize) -> Result<DateTime<Utc>, RowError> {
        DateTime::from_timestamp_micros(self.int(column)?).ok_or_else(|| self.error(column, "a time"))
    }

    pub fn optional_time(&self, column: usize) -> Result<Option<DateTime<Utc>>, RowError> {
        match self.get(column) {
            Value::Null => Ok(None),
            _ => self.time(column).map(Some),
        }
    }

    /// Reads text through a parser: ids, currencies, enums.
    pub fn parse<T: std::str::FromStr>(&self, column: usize, expected: &'static str) -> Result<T, RowError> {
        self.text(column)?.parse().map_err(|_| self.error(column, expected))
    }

    /// Reads JSON text.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: usize, expected: &'static str) -> Result<T, RowError> {
        serde_json::from_str(self.text(column)?).map_err(|_| self.error(column, expected))
    }

    /// Reads the written name of a unit variant.
    pub fn word<T: serde::de::DeserializeOwned>(&self, column: usize, expected: &'static str) -> Result<T, RowError> {
        let word = serde_json::Value::String(self.text(column)?.to_owned());
        serde_json::from_value(word).map_err(|_| self.error(column, expected))
    }

    pub fn error(&self, column: usize, expected: &'static str) -> RowError {
        RowError {
            column,
            expected,
            found: format!("{:?}", self.get(column)),
        }
    }
}

/// JSON text of a domain value. The domain's types always serialise: they have string keys and no failing impls.
pub fn json<T: serde::Serialize>(value: &T) -> Value {
    Value::Text(serde_json::to_string(value).expect("domain values serialise"))
}

/// The written name of a unit variant (`end_of_period`).
pub fn word<T: serde::Serialize>(value: &T) -> Value {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Value::Text(word),
        other => panic!("a word was expected, got {other:?}"),
    }
}
