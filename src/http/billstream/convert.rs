//! From our API's words to the domain's, and back.

use aggregates::{
    billing::Discount,
    calendar::{self, Period},
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId},
    money::{self, Currency},
    policy::{BillingPolicy, PolicyChanges},
};
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{
    error::{Error, Result},
    prices,
    wire::{self, ContractState},
};
use crate::{
    app::{
        changes::Changed,
        contracts::ChargeOrder,
        discounts::NewDiscount,
        due::Unbilled,
        moves::{MAX_NUMBER, Moved},
        plans::NewLine,
    },
    journal::{CommandError, Recording},
};

pub fn print_id(prefix: &str, uuid: Uuid) -> String {
    format!("{prefix}_{uuid}")
}

/// An id as the dialect that made it prints it, or its bare UUID.
pub fn id(field: &str, class: &str, what: &str, text: &str) -> Result<Uuid> {
    let wrong = || Error::invalid(field, format!("not the id of {what}"));
    let uuid = match text.split_once('_') {
        Some((prefix, uuid)) if prefix.eq_ignore_ascii_case(class) => uuid,
        Some(_) => return Err(wrong()),
        None => text,
    };
    Uuid::try_parse(uuid).map_err(|_| wrong())
}

pub fn contract_id(text: &str) -> Result<SubscriptionId> {
    id("contract_id", "Cont", "a contract", text).map(SubscriptionId)
}

pub fn customer_id(text: &str) -> Result<CustomerId> {
    id("customer_id", "Cust", "a customer", text).map(CustomerId)
}

/// To whom something moves.
pub fn new_customer(text: &str) -> Result<CustomerId> {
    id("customer", "Cust", "a customer", text).map(CustomerId)
}

pub fn order_number(text: String) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !begins || text.len() > MAX_NUMBER || !text.bytes().all(plain) {
        let rule = format!("at most {MAX_NUMBER} letters, digits and -_. of which the first is a letter or a digit");
        return Err(Error::invalid("order_id", rule));
    }
    Ok(text)
}

pub fn invoice_id(text: &str) -> Result<InvoiceId> {
    id("invoice_id", "Inv", "an invoice", text).map(InvoiceId)
}

pub fn charge_id(text: &str) -> Result<ChargeId> {
    id("invoice_item_ids", "Item", "an invoice item", text).map(ChargeId)
}

pub fn plan(body: &wire::PlanInput) -> Result<(&str, Currency, Vec<NewLine>)> {
    let name = body.name.as_deref().ok_or_else(|| Error::missing("name"))?;
    let code = body.currency.as_deref().ok_or_else(|| Error::missing("currency"))?;
    let currency = money::payable(code)
        .ok_or_else(|| Error::invalid("currency", format!("\"{code}\" is not an ISO 4217 code")))?;
    let lines = prices::lines(body.lines.as_deref().unwrap_or_default())?;
    Ok((name, currency, lines))
}

pub fn discount(body: &wire::DiscountInput) -> Result<NewDiscount> {
    let amount = |field: &'static str, text: Option<&str>| {
        let read = |text| money::exact_number(text).filter(|number| *number < Decimal::from(1_000_000_000_000_i64));
        let wrong = || Error::invalid(field, "not a decimal number below 10^12");
        text.map(|text| read(text).ok_or_else(wrong)).transpose()
    };
    let code = body.currency.as_deref();
    let known = |code| money::payable(code).ok_or_else(|| Error::invalid("currency", "not an ISO 4217 code"));
    Ok(NewDiscount {
        name: body.name.clone().ok_or_else(|| Error::missing("name"))?,
        currency: code.map(known).transpose()?,
        terms: Discount {
            id: None,
            percent: amount("percent", body.percent.as_deref())?,
            fixed: amount("fixed", body.fixed.as_deref())?,
        },
    })
}

pub fn charge(body: wire::ChargeInput) -> Result<ChargeOrder> {
    let start = body
        .period_start
        .as_deref()
        .ok_or_else(|| Error::missing("period_start"))?;
    Ok(ChargeOrder {
        name: body.name.ok_or_else(|| Error::missing("name"))?,
        amount: body.amount.ok_or_else(|| Error::missing("amount"))?,
        period: Period {
            start: date("period_start", start)?,
            end: body
                .period_end
                .as_deref()
                .map(|end| date("period_end", end))
                .transpose()?,
        },
        flat_fee: body.flat_fee.unwrap_or(false),
        automatic_payment: body.automatic_payment,
    })
}

pub fn policy(body: wire::PolicyInput) -> PolicyChanges {
    PolicyChanges {
        proration: body.proration,
        tax_level: body.tax_level,
        tax_mode: body.tax_mode,
    }
}

pub fn print_policy(policy: BillingPolicy) -> wire::Policy {
    wire::Policy {
        version: policy.version.to_string(),
        proration: policy.proration,
        tax_level: policy.tax.level,
        tax_mode: policy.tax.mode,
    }
}

pub fn date(field: &str, text: &str) -> Result<NaiveDate> {
    calendar::iso_date(text)
        .ok_or_else(|| Error::invalid(field, format!("\"{text}\" is not a date such as 2026-10-31")))
}

/// A time, or all of a day: what a date means to `run-billing`.
pub fn until(field: &str, text: &str) -> Result<DateTime<Utc>> {
    let Some(date) = calendar::iso_date(text) else {
        return instant(field, text);
    };
    calendar::end_of_day(date).ok_or_else(|| Error::invalid(field, "the calendar ends before that"))
}

pub fn instant(field: &str, text: &str) -> Result<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| {
            Error::invalid(
                field,
                format!("\"{text}\" is not an RFC 3339 time such as 2026-10-31T12:00:00Z"),
            )
        })
}

/// A time that the log can keep: to the microsecond, in a year of four digits.
pub fn moment(field: &str, text: &str) -> Result<DateTime<Utc>> {
    let time = instant(field, text)?;
    DateTime::from_timestamp_micros(time.timestamp_micros())
        .filter(|time| calendar::has_plain_year(time.date_naive()))
        .ok_or_else(|| Error::invalid(field, "the year must lie between 1 and 9999"))
}

pub fn unbilled(unbilled: Unbilled, test_mode: bool) -> wire::Unbilled {
    wire::Unbilled {
        subscription: unbilled.subscription.to_string(),
        since: print_time(unbilled.since),
        reason: unbilled.reason,
        attempts: unbilled.attempts,
        retry_at: Some(unbilled.retry_at).filter(|_| !test_mode).map(print_time),
    }
}

/// A whole number in a query, from `least` up.
pub fn number(field: &str, text: Option<&str>, least: i64) -> Result<Option<i64>> {
    let read = |text: &str| {
        text.parse::<i64>()
            .ok()
            .filter(|number| *number >= least)
            .ok_or_else(|| Error::invalid(field, format!("a whole number from {least} up is needed")))
    };
    text.map(read).transpose()
}

/// How many entries a page of a list has, where nothing else is said, and at most.
const PAGE: i64 = 100;
const LONGEST_PAGE: i64 = 1000;

/// Where a page starts, and how long it is.
pub fn page(after: Option<&str>, limit: Option<&str>) -> Result<(i64, usize)> {
    let after = number("after", after, 0)?.unwrap_or(0);
    let limit = number("limit", limit, 1)?.unwrap_or(PAGE);
    Ok((after, usize::try_from(limit.min(LONGEST_PAGE)).unwrap_or(1)))
}

/// One of the words of a list.
pub fn word<T: serde::de::DeserializeOwned>(field: &str, text: Option<&str>) -> Result<Option<T>> {
    let read = |text: &str| serde_json::from_value(serde_json::Value::String(text.to_owned()));
    text.map(read).transpose().map_err(|error| Error::invalid(field, error))
}

impl From<Changed> for ContractState {
    fn from(changed: Changed) -> Self {
        Self {
            status: changed.status,
            ends: changed.ends.map(|day| day.to_string()),
            next_billing: changed.next_billing.and_then(print_time_to_come),
        }
    }
}

pub fn moved(from: SubscriptionId, customer: CustomerId, moved: Moved) -> wire::MovedContract {
    wire::MovedContract {
        contract_id: print_id("Cont", moved.contract.0),
        moved_from: print_id("Cont", from.0),
        customer_id: print_id("Cust", customer.0),
        order_id: moved.order,
        effective: moved.effective,
        status: moved.status,
        next_billing: moved.next_billing.and_then(print_time_to_come),
    }
}

pub fn print_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What is counted may lie behind all years that have four digits, and readers know no others: then there is none to show.
fn print_time_to_come(time: DateTime<Utc>) -> Option<String> {
    calendar::has_plain_year(time.date_naive()).then(|| print_time(time))
}

pub fn event(recording: Recording) -> Result<wire::Event> {
    let damaged = |error| Error::from(CommandError::Corrupt(Box::new(error)));
    let stored = recording.stored;
    Ok(wire::Event {
        position: stored.pos,
        stream: wire::StreamName {
            r#type: stored.aggregate_type,
            id: stored.aggregate_id,
        },
        sequence: stored.sequence,
        r#type: stored.event_type,
        version: stored.event_version,
        payload: serde_json::from_str(&recording.payload).map_err(damaged)?,
        metadata: serde_json::from_str(&stored.metadata).map_err(damaged)?,
        recorded_at: DateTime::from_timestamp_micros(stored.recorded_at)
            .map(print_time)
            .unwrap_or_default(),
        hash: hex(&stored.hash),
    })
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_behind_the_year_9999_is_none() {
        let shown = |text: &str| print_time_to_come(text.parse().unwrap());
        let last = "9999-12-31T23:59:59.000000Z";
        assert_eq!(shown(last).as_deref(), Some(last));
        assert_eq!(shown("+10000-01-01T00:00:00Z"), None);
    }

    #[test]
    fn a_contract_id_is_read_with_and_without_its_class() {
        let uuid = Uuid::from_u128(7);
        for text in [print_id("Cont", uuid), print_id("cont", uuid), uuid.to_string()] {
            assert_eq!(contract_id(&text), Ok(SubscriptionId(uuid)));
        }
        for text in ["", "Cont_", &print_id("Inv", uuid)] {
            assert!(contract_id(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hashes_are_written_in_hex() {
        assert_eq!(hex(&[0, 0x0f, 0xa5, 0xff]), "000fa5ff");
    }

    #[test]
    fn numbers_in_queries_have_a_least_value() {
        assert_eq!(number("limit", None, 1), Ok(None));
        assert_eq!(number("limit", Some("1"), 1), Ok(Some(1)));
        for text in ["0", "-1", "1.5", "x", ""] {
            assert!(number("limit", Some(text), 1).is_err(), "{text}");
        }
    }
}
