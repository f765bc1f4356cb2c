//! Reads the fields of an object one by one and collects what is wrong with each, with the vendor's codes and words.

use std::collections::BTreeMap;

use aggregates::calendar;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{
    error::Errors,
    wire::{Exact, Json, Object},
};

/// Numbers written as strings are not read beyond this length.
const MAX_NUMBER_LENGTH: usize = 1000;

/// An object being read.
pub struct Fields<'a> {
    object: &'a Object,
    errors: BTreeMap<String, Errors>,
}

impl<'a> Fields<'a> {
    /// What is not an object has an error as a whole.
    pub fn of(json: &'a Json) -> Result<Self, Errors> {
        match json {
            Json::Object(object) => Ok(Self {
                object,
                errors: BTreeMap::new(),
            }),
            other => Err(Errors::all(
                format!("Invalid data. Expected a dictionary, but got {}.", other.type_name()),
                "invalid",
            )),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// Present and not null.
    pub fn given(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| *value != Json::Null)
    }

    pub fn complain(&mut self, name: &str, errors: Errors) {
        self.errors.insert(name.to_owned(), errors);
    }

    /// A field that must be there; `None` where it is not, or wrong.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(&Json) -> Result<T, Errors>) -> Option<T> {
        if self.has(name) {
            self.optional(name, read)
        } else {
            self.complain(name, required());
            None
        }
    }

    /// A field that may be left out but may not be null.
    pub fn optional<T>(&mut self, name: &str, read: impl FnOnce(&Json) -> Result<T, Errors>) -> Option<T> {
        let result = match self.object.get(name)? {
            Json::Null => Err(Errors::here("This field may not be null.", "null")),
            value => read(value),
        };
        result.map_err(|errors| self.complain(name, errors)).ok()
    }

    /// A field that may be left out or null.
    pub fn nullable<T>(&mut self, name: &str, read: impl FnOnce(&Json) -> Result<T, Errors>) -> Option<T> {
        if self.given(name) {
            self.optional(name, read)
        } else {
            None
        }
    }

    /// A field of a change: left out it stays, null takes it away.
    pub fn change<T>(&mut self, name: &str, read: impl FnOnce(&Json) -> Result<T, Errors>) -> Change<T> {
        if self.has(name) {
            Change::Becomes(self.nullable(name, read))
        } else {
            Change::Stays
        }
    }

    /// What was wrong, if anything was.
    pub fn finish(self) -> Result<(), Errors> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Errors::Fields(self.errors))
        }
    }
}

/// What a change says of a field that may be null.
#[derive(Clone, Debug, Default)]
pub enum Change<T> {
    /// Nothing.
    #[default]
    Stays,
    Becomes(Option<T>),
}

impl<T: Clone> Change<T> {
    pub fn apply(&self, now: &mut Option<T>) {
        if let Self::Becomes(new) = self {
            now.clone_from(new);
        }
    }
}

pub fn required() -> Errors {
    Errors::here("This field is required.", "required")
}

/// Text of at most `max` characters, trimmed; may be blank.
pub fn text(max: usize) -> impl Fn(&Json) -> Result<String, Errors> {
    move |json| {
        let text = match json {
            Json::Text(text) => text.trim(),
            Json::Number(token) => token,
            _ => return Err(Errors::here("Not a valid string.", "invalid")),
        };
        if text.contains('\0') {
            return Err(Errors::here(
                "Null characters are not allowed.",
                "null_characters_not_allowed",
            ));
        }
        if text.chars().count() > max {
            return Err(Errors::here(
                format!("Ensure this field has no more than {max} characters."),
                "max_length",
            ));
        }
        Ok(text.to_owned())
    }
}

/// Text that says something.
pub fn filled(max: usize) -> impl Fn(&Json) -> Result<String, Errors> {
    move |json| {
        let text = text(max)(json)?;
        if text.is_empty() {
            return Err(Errors::here("This field may not be blank.", "blank"));
        }
        Ok(text)
    }
}

pub fn email(json: &Json) -> Result<String, Errors> {
    let text = filled(254)(json)?;
    if is_email(&text) {
        Ok(text)
    } else {
        Err(Errors::here("Enter a valid email address.", "invalid"))
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let dotted = |text: &str, allowed: fn(char) -> bool| {
        text.split('.')
            .all(|part| !part.is_empty() && part.chars().all(allowed))
    };
    local.len() <= 64
        && dotted(local, |c| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c))
        && dotted(domain, |c| c.is_alphanumeric() || c == '-')
        && domain.contains('.')
        && domain
            .split('.')
            .all(|label| !label.starts_with('-') && !label.ends_with('-'))
}

pub fn boolean(json: &Json) -> Result<bool, Errors> {
    let word = match json {
        Json::Bool(value) => return Ok(*value),
        Json::Text(word) => word.trim(),
        Json::Number(token) => token,
        Json::Null | Json::List(_) | Json::Object(_) => "",
    };
    match word {
        "t" | "T" | "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" | "1" => Ok(true),
        "f" | "F" | "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" | "0"
        | "0.0" => Ok(false),
        _ => Err(Errors::here("Must be a valid boolean.", "invalid")),
    }
}

pub fn uuid(json: &Json) -> Result<Uuid, Errors> {
    match json {
        Json::Text(text) => Uuid::try_parse(text.trim()).ok(),
        _ => None,
    }
    .ok_or_else(|| Errors::here("Must be a valid UUID.", "invalid"))
}

pub fn date(json: &Json) -> Result<NaiveDate, Errors> {
    match json {
        Json::Text(text) => calendar::iso_date(text.trim()),
        _ => None,
    }
    .ok_or_else(|| {
        Errors::here(
            "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.",
            "invalid",
        )
    })
}

pub fn choice(written: &str) -> Errors {
    Errors::here(format!("\"{written}\" is not a valid choice."), "invalid_choice")
}

/// One of the given words.
pub fn one_of(words: &'static [&'static str]) -> impl Fn(&Json) -> Result<String, Errors> {
    move |json| match json {
        Json::Text(word) if words.contains(&word.as_str()) => Ok(word.clone()),
        Json::Text(word) | Json::Number(word) => Err(choice(word)),
        other => Err(choice(other.type_name())),
    }
}

/// A list of words out of the given ones; `min` at least.
// UNCONFIRMED: the errors of a list of words stand together under the field, not item by item.
pub fn words(words: &'static [&'static str], min: usize) -> impl Fn(&Json) -> Result<Vec<String>, Errors> {
    move |json| {
        let items = list(json)?;
        if items.len() < min {
            return Err(too_few(min));
        }
        items.iter().map(one_of(words)).collect()
    }
}

pub fn too_few(min: usize) -> Errors {
    Errors::here(format!("Ensure this field has at least {min} elements."), "min_length")
}

pub fn too_many(max: usize) -> Errors {
    Errors::here(
        format!("Ensure this field has no more than {max} elements."),
        "max_length",
    )
}

pub fn list(json: &Json) -> Result<&[Json], Errors> {
    match json {
        Json::List(items) => Ok(items),
        other => Err(Errors::here(
            format!("Expected a list of items but got type \"{}\".", other.type_name()),
            "not_a_list",
        )),
    }
}

/// A list of `1..=max` objects, each read by itself: the errors stand in the places of their items.
pub fn objects<T>(max: usize, read: impl Fn(&Json) -> Result<T, Errors>) -> impl Fn(&Json) -> Result<Vec<T>, Errors> {
    move |json| {
        let items = list(json)?;
        if items.is_empty() {
            return Err(too_few(1));
        }
        if items.len() > max {
            return Err(too_many(max));
        }
        let mut read_items = Vec::with_capacity(items.len());
        let mut errors = Vec::with_capacity(items.len());
        for item in items {
            match read(item) {
                Ok(item) => {
                    read_items.push(item);
                    errors.push(Errors::Clean);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.iter().all(Errors::is_clean) {
            Ok(read_items)
        } else {
            Err(Errors::Items(errors))
        }
    }
}

/// A whole number, also written as a string.
pub fn integer(min: i64, max: i64) -> impl Fn(&Json) -> Result<i64, Errors> {
    move |json| {
        let wrong = || Errors::here("A valid integer is required.", "invalid");
        let exact = exact(json, wrong)?.normalised();
        if exact.exponent < 0 {
            return Err(wrong());
        }
        let value = if exact.places().0 <= 19 {
            exact.plain().parse().ok()
        } else {
            None
        };
        match value {
            Some(value) if value < min => Err(below(&min.to_string())),
            Some(value) if value > max => Err(above(&max.to_string())),
            Some(value) => Ok(value),
            None if exact.negative => Err(below(&min.to_string())),
            None => Err(above(&max.to_string())),
        }
    }
}

/// A decimal number of at most `digits` digits, `places` of them after the point, also written as a string.
pub fn decimal(digits: i64, places: i64, max: Option<i64>) -> impl Fn(&Json) -> Result<Decimal, Errors> {
    move |json| {
        let wrong = || Errors::here("A valid number is required.", "invalid");
        let mut exact = exact(json, wrong)?;
        if matches!(json, Json::Number(_)) {
            exact = exact.normalised();
        }
        let (total, whole, fraction) = exact.places();
        if total > digits {
            return Err(Errors::here(
                format!("Ensure that there are no more than {digits} digits in total."),
                "max_digits",
            ));
        }
        if fraction > places {
            return Err(Errors::here(
                format!("Ensure that there are no more than {places} decimal places."),
                "max_decimal_places",
            ));
        }
        if whole > digits - places {
            return Err(Errors::here(
                format!(
                    "Ensure that there are no more than {} digits before the decimal point.",
                    digits - places
                ),
                "max_whole_digits",
            ));
        }
        let value = Decimal::from_str_exact(&exact.plain()).map_err(|_| wrong())?;
        if value < Decimal::ZERO {
            return Err(below("0"));
        }
        match max {
            Some(max) if value > Decimal::from(max) => Err(above(&max.to_string())),
            Some(_) | None => Ok(value),
        }
    }
}

fn exact(json: &Json, wrong: impl Fn() -> Errors) -> Result<Exact, Errors> {
    let text = match json {
        Json::Number(token) => token.as_str(),
        Json::Text(text) if text.len() > MAX_NUMBER_LENGTH => {
            return Err(Errors::here("String value too large.", "max_string_length"));
        }
        Json::Text(text) => text.trim(),
        Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => return Err(wrong()),
    };
    Exact::parse(text).ok_or_else(wrong)
}

fn below(min: &str) -> Errors {
    Errors::here(
        format!("Ensure this value is greater than or equal to {min}."),
        "min_value",
    )
}

fn above(max: &str) -> Errors {
    Errors::here(
        format!("Ensure this value is less than or equal to {max}."),
        "max_value",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_words() {
        for good in ["a@b.c", "Ada.Lovelace+x@sub.example.com", "o'neil@example.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "", "a", "a@b", "@b.c", "a@", "a@@b.c", "a b@c.d", ".a@b.c", "a..b@c.d", "a@-b.c", "a@b..c",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn a_number_token_may_end_in_zeros_that_a_string_may_not() {
        let read = |json| decimal(14, 4, None)(&json).map(|value| value.to_string());
        assert_eq!(read(Json::Number("1.500000".to_owned())), Ok("1.5".to_owned()));
        assert!(read(Json::Text("1.500000".to_owned())).is_err());
        assert_eq!(read(Json::Text(" 1.5000 ".to_owned())), Ok("1.5000".to_owned()));
    }
}
