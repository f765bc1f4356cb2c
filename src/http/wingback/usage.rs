//! Usage events in this dialect's words. Each is looked at by itself: one wrong event keeps no other from counting.

use aggregates::{id::CustomerId, money, usage::Unmatched};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    error::{Error, Result},
    id::Id,
};
use crate::app::usage::{Sent, Whose};

/// `metadata` may be sent and is not kept.
#[derive(Debug, Deserialize)]
pub struct UsageEvent<'a> {
    #[serde(borrow)]
    customer_id: Option<&'a RawValue>,
    #[serde(borrow)]
    feature_slug: Option<&'a RawValue>,
    #[serde(borrow)]
    units: Option<&'a RawValue>,
    #[serde(borrow)]
    is_absolute: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}

pub fn sent(index: usize, event: &UsageEvent<'_>, now: DateTime<Utc>) -> Result<Sent> {
    let customer: Option<String> = read("customer_id", event.customer_id, "text")?;
    let customer = customer.ok_or_else(|| Error::missing("customer_id"))?;
    let Id(customer): Id<CustomerId> = customer.parse().map_err(|error| Error::bad("customer_id", error))?;
    let metric: Option<String> = read("feature_slug", event.feature_slug, "text")?;
    let at: Option<String> = read("timestamp", event.timestamp, "text")?;
    let at = at.map(|at| {
        DateTime::parse_from_rfc3339(&at)
            .map(|at| at.to_utc())
            .map_err(|_| Error::bad("timestamp", format!("\"{at}\" is not an RFC 3339 time")))
    });
    Ok(Sent {
        index,
        whose: Whose::Customer(customer),
        id: None,
        metric: metric.ok_or_else(|| Error::missing("feature_slug"))?,
        quantity: units(event.units.ok_or_else(|| Error::missing("units"))?)?,
        at: at.transpose()?.unwrap_or(now),
        key: None,
        absolute: read("is_absolute", event.is_absolute, "true or false")?.unwrap_or(false),
    })
}

/// The vendor's own two texts, and ours; what is free is no fault.
// UNCONFIRMED: everything but the topics `contract` and `activation`, their texts and the 400.
pub fn unmatched(why: Unmatched) -> Option<Error> {
    let error = match why {
        Unmatched::InTrial { .. } => return None,
        Unmatched::NoTotals => {
            let text = "the feature counts events, or what they name: a total says nothing of that";
            Error::bad("is_absolute", text)
        }
        Unmatched::UnknownCustomer => Error::bad("customer", "Customer not found"),
        Unmatched::UnknownSubscription | Unmatched::NothingMeters => Error::bad("contract", "Contract not found"),
        Unmatched::BeforeStart { from } => {
            let text = format!("timestamp provided is before contract activation date {from}");
            Error::bad("activation", text)
        }
        Unmatched::NotMeteredThen => Error::bad("contract", "no contract was active at the timestamp provided"),
    };
    Some(error)
}

fn read<T: DeserializeOwned>(field: &str, raw: Option<&RawValue>, expected: &str) -> Result<Option<T>> {
    let read = |raw: &RawValue| serde_json::from_str(raw.get());
    raw.map(read)
        .transpose()
        .map_err(|_| Error::bad(field, format!("{expected} is expected")))
}

/// A number, or the same as text: every digit counts.
fn units(raw: &RawValue) -> Result<Decimal> {
    let invalid = || Error::bad("units", "a decimal number is expected");
    let text = raw.get();
    let number = if text.starts_with('"') {
        let text: String = serde_json::from_str(text).map_err(|_| invalid())?;
        money::exact_number(&text)
    } else {
        money::exact_number(text)
    };
    number.ok_or_else(invalid)
}
