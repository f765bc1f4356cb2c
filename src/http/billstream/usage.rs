//! Usage in the words of our own API. Every value is looked at by itself: one wrong record keeps no other from counting.

use aggregates::{
    billing::UsageRecord,
    id::CustomerId,
    money,
    usage::{Unmatched, UnmatchedRecord},
};
use chrono::{DateTime, Utc};
use projections::usage::UnmatchedView;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    convert,
    error::{Error, Fault, Result},
};
use crate::app::usage::{Sent, Whose};

#[derive(Debug, Deserialize)]
pub struct Input<'a> {
    #[serde(borrow)]
    pub records: Option<Vec<Entry<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct Entry<'a> {
    #[serde(borrow)]
    customer: Option<&'a RawValue>,
    #[serde(borrow)]
    contract: Option<&'a RawValue>,
    #[serde(borrow)]
    metric: Option<&'a RawValue>,
    #[serde(borrow)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    at: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    is_absolute: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
pub struct Answer {
    pub recorded: usize,
    pub duplicates: usize,
    pub unmatched: Vec<Strange>,
    pub errors: Vec<Fault>,
}

/// A record that nothing meters: it is kept, and billed to nobody.
#[derive(Debug, Serialize)]
pub struct Strange {
    pub index: usize,
    #[serde(flatten)]
    pub why: Unmatched,
}

#[derive(Debug, Deserialize)]
pub struct CloseInput {
    pub through: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Closed {
    pub closed_through: String,
}

#[derive(Debug, Deserialize)]
pub struct UnmatchedQuery {
    pub after: Option<String>,
    pub limit: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct UnmatchedPage {
    pub records: Vec<Kept>,
    pub next_after: i64,
}

#[derive(Debug, Serialize)]
pub struct Kept {
    received_at: String,
    customer: Option<String>,
    contract: Option<String>,
    #[serde(flatten)]
    why: Unmatched,
    metric: String,
    quantity: Decimal,
    at: String,
    id: Option<String>,
    key: Option<String>,
    is_absolute: bool,
}

pub fn kept(view: UnmatchedView) -> impl Iterator<Item = Kept> {
    let received_at = convert::print_time(view.received_at);
    view.records.into_iter().map(move |kept| {
        let UnmatchedRecord {
            customer,
            subscription,
            absolute,
            why,
            record,
        } = kept;
        let UsageRecord {
            id,
            metric,
            at,
            quantity,
            key,
            total_from: _,
            period_from: _,
            theirs: _,
        } = record;
        Kept {
            received_at: received_at.clone(),
            customer: customer.map(|id| convert::print_id("Cust", id.0)),
            contract: subscription.map(|id| convert::print_id("Cont", id.0)),
            why,
            metric,
            quantity,
            at: convert::print_time(at),
            id,
            key,
            is_absolute: absolute,
        }
    })
}

pub fn sent(index: usize, entry: &Entry<'_>, now: DateTime<Utc>) -> Result<Sent> {
    let text = |field, raw| read::<String>(field, raw, "text");
    let whose = match (text("customer", entry.customer)?, text("contract", entry.contract)?) {
        (Some(id), None) => Whose::Customer(customer_id(&id)?),
        (None, Some(id)) => {
            let id = convert::contract_id(&id).map_err(|error| error.at("contract"))?;
            Whose::Subscription(id)
        }
        (None, None) => return Err(Error::missing("customer")),
        (Some(_), Some(_)) => return Err(Error::invalid("contract", "a record names a customer or a contract")),
    };
    let at = text("at", entry.at)?
        .map(|at| convert::instant("at", &at))
        .transpose()?;
    Ok(Sent {
        index,
        whose,
        id: text("id", entry.id)?,
        metric: text("metric", entry.metric)?.ok_or_else(|| Error::missing("metric"))?,
        quantity: quantity(entry.quantity.ok_or_else(|| Error::missing("quantity"))?)?,
        at: at.unwrap_or(now),
        key: text("key", entry.key)?,
        absolute: read("is_absolute", entry.is_absolute, "true or false")?.unwrap_or(false),
    })
}

fn read<T: DeserializeOwned>(field: &str, raw: Option<&RawValue>, expected: &str) -> Result<Option<T>> {
    let read = |raw: &RawValue| serde_json::from_str(raw.get());
    raw.map(read)
        .transpose()
        .map_err(|_| Error::invalid(field, format!("{expected} is expected")))
}

/// A number, or the same as text: every digit counts.
fn quantity(raw: &RawValue) -> Result<Decimal> {
    let invalid = || Error::invalid("quantity", "a decimal number is expected");
    let text = raw.get();
    let number = if text.starts_with('"') {
        let text: String = serde_json::from_str(text).map_err(|_| invalid())?;
        money::exact_number(&text)
    } else {
        money::exact_number(text)
    };
    number.ok_or_else(invalid)
}

/// A customer's id as its own dialect prints it, or its bare UUID.
fn customer_id(text: &str) -> Result<CustomerId> {
    let uuid = match text.split_once('_') {
        Some((prefix, uuid)) if prefix.eq_ignore_ascii_case("cust") => Some(uuid),
        Some(_) => None,
        None => Some(text),
    };
    uuid.and_then(|uuid| Uuid::try_parse(uuid).ok())
        .map(CustomerId)
        .ok_or_else(|| Error::invalid("customer", "not the id of a customer"))
}
