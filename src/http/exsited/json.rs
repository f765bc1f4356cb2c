//! JSON as it comes in: keys in lower case, and no amount changed by a float on the way.

use aggregates::money::exact_number;
use axum::http::StatusCode;
use serde_json::{Map, Value, value::RawValue};

use super::error::ApiError;

/// Deeper nesting than any documented request has is refused before it costs anything.
const MAX_DEPTH: usize = 32;

/// Reads a body; null where nothing was sent. Keys are taken in any case, as the vendor's pages print them in upper
/// case.
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    tree(raw, MAX_DEPTH)
}

fn malformed(error: &dyn std::fmt::Display) -> ApiError {
    let message = format!("the body is not JSON: {error}");
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", message)
}

fn tree(raw: &RawValue, depth: usize) -> Result<Value, ApiError> {
    if depth == 0 {
        return Err(malformed(&format!("nested deeper than {MAX_DEPTH} levels")));
    }
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            let fields: std::collections::BTreeMap<String, &RawValue> =
                serde_json::from_str(text).map_err(|error| malformed(&error))?;
            let fields = fields
                .into_iter()
                .map(|(name, value)| Ok((name.to_ascii_lowercase(), tree(value, depth - 1)?)));
            Ok(Value::Object(fields.collect::<Result<Map<_, _>, ApiError>>()?))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
            let items = items.into_iter().map(|item| tree(item, depth - 1));
            Ok(Value::Array(items.collect::<Result<_, ApiError>>()?))
        }
        Some(b'-' | b'0'..=b'9') => Ok(number(text)),
        _ => serde_json::from_str(text).map_err(|error| malformed(&error)),
    }
}

/// A number that [`Value`] would change (it holds floats) stays the text it was written as: decimals are read of both.
fn number(token: &str) -> Value {
    let number: Option<Value> = serde_json::from_str(token).ok();
    number
        .filter(|number| exact_number(token).is_some_and(|exact| exact_number(&number.to_string()) == Some(exact)))
        .unwrap_or_else(|| token.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        let read = |text: &str| parse(text.as_bytes()).expect("JSON");
        assert_eq!(read("12345678901234.123456"), Value::from("12345678901234.123456"));
        assert_eq!(read("9007199254.740991"), Value::from("9007199254.740991"));
        assert_eq!(read("1e400"), Value::from("1e400"));
        assert_eq!(read("6.25"), Value::from(6.25));
        assert_eq!(read("-7"), Value::from(-7));
    }

    #[test]
    fn keys_are_lower_case_and_depth_is_limited() {
        let read = parse(br#"{"ORDER": [{"Id": "A"}, null, true]}"#).expect("JSON");
        assert_eq!(read, serde_json::json!({"order": [{"id": "A"}, null, true]}));
        for broken in [
            "{".to_owned(),
            "{\"a\":\"\\ud800\"}".to_owned(),
            "{} x".to_owned(),
            "[".repeat(100) + &"]".repeat(100),
        ] {
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
    }
}
