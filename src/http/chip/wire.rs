//! JSON as it comes in, with every number kept as it was written: no amount ever passes through a float.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::error::Failure;

/// Deeper nesting than any documented request has is refused before it costs anything.
const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    /// The token itself.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

pub type Object = BTreeMap<String, Json>;

impl Json {
    /// What the vendor's messages call a value of this type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Number(token) if token.contains(['.', 'e', 'E']) => "float",
            Self::Number(_) => "int",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Object(_) => "dict",
        }
    }
}

/// Reads a body. An empty one, as some clients send it, is an empty object.
pub fn parse(body: &[u8]) -> Result<Json, Failure> {
    if body.trim_ascii().is_empty() {
        return Ok(Json::Object(Object::new()));
    }
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| Failure::Malformed(error.to_string()))?;
    tree(raw, MAX_DEPTH)
}

fn tree(raw: &RawValue, depth: usize) -> Result<Json, Failure> {
    if depth == 0 {
        return Err(Failure::Malformed(format!("nested deeper than {MAX_DEPTH} levels")));
    }
    let text = raw.get();
    let malformed = |error: serde_json::Error| Failure::Malformed(error.to_string());
    match text.as_bytes().first() {
        Some(b'{') => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(malformed)?;
            let fields = fields
                .into_iter()
                .map(|(name, value)| Ok((name, tree(value, depth - 1)?)));
            Ok(Json::Object(fields.collect::<Result<_, Failure>>()?))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(malformed)?;
            let items = items.into_iter().map(|item| tree(item, depth - 1));
            Ok(Json::List(items.collect::<Result<_, Failure>>()?))
        }
        Some(b'"') => Ok(Json::Text(serde_json::from_str(text).map_err(malformed)?)),
        Some(b't') => Ok(Json::Bool(true)),
        Some(b'f') => Ok(Json::Bool(false)),
        Some(b'n') => Ok(Json::Null),
        _ => Ok(Json::Number(text.to_owned())),
    }
}

/// A decimal number as written: `digits x 10^exponent`, no leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    pub negative: bool,
    pub digits: String,
    pub exponent: i64,
}

impl Exact {
    /// Reads `12`, `-1.50`, `1e2`; `None` for what is no number.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        Some(Self {
            negative,
            digits: if significant.is_empty() { "0" } else { significant }.to_owned(),
            exponent: i64::from(exponent) - i64::try_from(fraction.len()).ok()?,
        })
    }

    /// Without the zeros at the end that a number token may have and its value does not.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        while self.exponent < 0 && self.digits.len() > 1 && self.digits.ends_with('0') {
            self.digits.pop();
            self.exponent += 1;
        }
        if self.digits == "0" {
            self.exponent = 0;
        }
        self
    }

    fn length(&self) -> i64 {
        i64::try_from(self.digits.len()).unwrap_or(i64::MAX)
    }

    /// Digits in total, before and after the point.
    pub fn places(&self) -> (i64, i64, i64) {
        let length = self.length();
        if self.exponent >= 0 {
            let whole = if self.digits == "0" { 1 } else { length + self.exponent };
            (whole, whole, 0)
        } else if length > -self.exponent {
            (length, length + self.exponent, -self.exponent)
        } else {
            (-self.exponent, 0, -self.exponent)
        }
    }

    /// Written out without an exponent; only for numbers whose places were checked before.
    pub fn plain(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let (_, whole, fraction) = self.places();
        let width = usize::try_from(whole + fraction).unwrap_or_default();
        let fraction = usize::try_from(fraction).unwrap_or_default();
        let mut digits = self.digits.clone();
        if self.exponent > 0 && digits != "0" {
            digits.push_str(&"0".repeat(usize::try_from(self.exponent).unwrap_or_default()));
        }
        let digits = format!("{digits:0>width$}");
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(fraction));
        let whole = if whole.is_empty() { "0" } else { whole };
        if fraction.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        let Ok(Json::Object(object)) = parse(br#"{"a":0.10000000000000000001,"b":1e2,"c":[null,true,"x"]}"#) else {
            panic!("an object")
        };
        assert_eq!(object["a"], Json::Number("0.10000000000000000001".to_owned()));
        assert_eq!(object["b"], Json::Number("1e2".to_owned()));
        assert_eq!(
            object["c"],
            Json::List(vec![Json::Null, Json::Bool(true), Json::Text("x".to_owned())])
        );
    }

    #[test]
    fn an_empty_body_is_an_empty_object_and_depth_is_limited() {
        assert!(matches!(parse(b" \n"), Ok(Json::Object(object)) if object.is_empty()));
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(matches!(parse(deep.as_bytes()), Err(Failure::Malformed(_))));
        for broken in ["{", "{\"a\":}", "{\"a\":1}}", "nul", "\"\\ud800\"", "{\"a\":01}"] {
            assert!(
                matches!(parse(broken.as_bytes()), Err(Failure::Malformed(_))),
                "{broken}"
            );
        }
    }

    #[test]
    fn exact_numbers_are_counted_and_written_out() {
        for (text, places, plain) in [
            ("1.555", (4, 1, 3), "1.555"),
            ("0.05", (2, 0, 2), "0.05"),
            ("1e2", (3, 3, 0), "100"),
            ("-12.50", (4, 2, 2), "-12.50"),
            ("0", (1, 1, 0), "0"),
            ("0.00", (2, 0, 2), "0.00"),
            ("00012", (2, 2, 0), "12"),
            ("1.5e1", (2, 2, 0), "15"),
            ("15e-1", (2, 1, 1), "1.5"),
        ] {
            let exact = Exact::parse(text).expect("a number");
            assert_eq!(exact.places(), places, "{text}");
            assert_eq!(exact.plain(), plain, "{text}");
        }
        for text in ["", "-", ".", "1.2.3", "abc", "NaN", "1e", "1 2", "0x1", "1e99999999999"] {
            assert_eq!(Exact::parse(text), None, "{text}");
        }
    }
}
