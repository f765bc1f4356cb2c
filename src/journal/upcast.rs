//! Old stored forms of events, turned into today's: one old event becomes none, one or several.

use aggregates::{AnyEvent, event::DecodeError};
use serde_json::Value;

#[derive(Debug, thiserror::Error)]
pub enum UpcastError {
    #[error("{name} v{version} is not JSON: {source}")]
    NotJson {
        name: String,
        version: u32,
        source: serde_json::Error,
    },
    #[error("{name} v{version} cannot be brought up to date: {reason}")]
    Refused { name: String, version: u32, reason: String },
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// A stored event on its way to today's form.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub name: String,
    pub version: u32,
    pub payload: Value,
}

/// Brings the form `name` v`version` one step up.
pub struct Upcaster {
    pub name: &'static str,
    pub version: u32,
    pub step: fn(Value) -> Result<Vec<Form>, String>,
}

/// Every upcaster there is. All stored forms are of version 1 so far, so there is none yet.
pub static UPCASTERS: &[Upcaster] = &[];

pub fn decode(aggregate_type: &str, name: &str, version: u32, payload: &str) -> Result<Vec<AnyEvent>, UpcastError> {
    decode_with(UPCASTERS, aggregate_type, name, version, payload)
}

fn decode_with(
    upcasters: &[Upcaster],
    aggregate_type: &str,
    name: &str,
    version: u32,
    payload: &str,
) -> Result<Vec<AnyEvent>, UpcastError> {
    if !upcasters
        .iter()
        .any(|upcaster| upcaster.name == name && upcaster.version == version)
    {
        return Ok(vec![AnyEvent::decode(aggregate_type, name, version, payload)?]);
    }
    let parsed = serde_json::from_str(payload).map_err(|source| UpcastError::NotJson {
        name: name.to_owned(),
        version,
        source,
    })?;
    let mut waiting = vec![Form {
        name: name.to_owned(),
        version,
        payload: parsed,
    }];
    let mut done = Vec::new();
    while let Some(form) = waiting.pop() {
        let upcaster = upcasters
            .iter()
            .find(|upcaster| upcaster.name == form.name && upcaster.version == form.version);
        if let Some(upcaster) = upcaster {
            let Form { name, version, payload } = form;
            let steps = (upcaster.step)(payload).map_err(|reason| UpcastError::Refused { name, version, reason })?;
            waiting.extend(steps.into_iter().rev());
        } else {
            let text = form.payload.to_string();
            done.push(AnyEvent::decode(aggregate_type, &form.name, form.version, &text)?);
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn split(mut old: Value) -> Result<Vec<Form>, String> {
        let numbers = old["numbers"].take();
        let numbers = numbers.as_array().ok_or("numbers are missing")?;
        let form = |number: &Value| Form {
            name: "number_series.number_taken".to_owned(),
            version: 1,
            payload: json!({"type": "number_taken", "number": number, "for_document": "x"}),
        };
        Ok(numbers.iter().map(form).collect())
    }

    static OLD: &[Upcaster] = &[Upcaster {
        name: "number_series.numbers_taken",
        version: 1,
        step: split,
    }];

    fn read(payload: &str) -> Result<Vec<AnyEvent>, UpcastError> {
        decode_with(OLD, "number_series", "number_series.numbers_taken", 1, payload)
    }

    #[test]
    fn one_old_event_becomes_none_one_or_several_in_order() {
        for (payload, expected) in [(r#"{"numbers":[]}"#, vec![]), (r#"{"numbers":[1,2]}"#, vec![1, 2])] {
            let taken = |number| {
                AnyEvent::from(aggregates::number_series::Event::NumberTaken {
                    number,
                    for_document: "x".to_owned(),
                })
            };
            assert_eq!(
                read(payload).unwrap(),
                expected.into_iter().map(taken).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn an_old_event_that_makes_no_sense_is_an_error_not_a_gap() {
        assert!(matches!(read("{}"), Err(UpcastError::Refused { .. })));
        assert!(matches!(read("nonsense"), Err(UpcastError::NotJson { .. })));
    }
}
