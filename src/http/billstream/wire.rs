//! The bodies and queries of our own API.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub struct PlanInput {
    pub name: Option<String>,
    pub currency: Option<String>,
    /// Prices come with the lines; none can be given yet.
    pub lines: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
pub struct ChargeInput {
    pub name: Option<String>,
    /// A decimal in the contract's currency, as text.
    pub amount: Option<String>,
    pub period_start: Option<String>,
    pub period_end: Option<String>,
    pub flat_fee: Option<bool>,
    pub automatic_payment: Option<bool>,
}

#[derive(Debug, Serialize)]
pub struct Created {
    pub id: String,
}

#[derive(Debug, Serialize)]
pub struct Session {
    pub expires_in: i64,
}

#[derive(Debug, Deserialize)]
pub struct ClockInput {
    pub now: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Clock {
    pub now: String,
    pub test_mode: bool,
}

#[derive(Debug, Serialize)]
pub struct ClockMoved {
    pub now: String,
    pub billed: ClockBilled,
    /// How many subscriptions could not be billed, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unbilled: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct ClockBilled {
    pub charges: u64,
    pub invoices: u64,
}

#[derive(Debug, Serialize)]
pub struct UnbilledList {
    pub unbilled: Vec<Unbilled>,
}

/// A subscription (contract, order, subscriber) that could not be billed.
#[derive(Debug, Serialize)]
pub struct Unbilled {
    pub subscription: String,
    /// When what cannot be billed fell due.
    pub since: String,
    pub reason: String,
    pub attempts: i64,
    pub retry_at: String,
}

#[derive(Debug, Deserialize)]
pub struct EventsQuery {
    pub after: Option<String>,
    pub limit: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct StreamQuery {
    pub at: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct StreamName {
    pub r#type: String,
    pub id: String,
}

/// An event as it stands in the log; personal data is null once its subject was forgotten.
#[derive(Debug, Serialize)]
pub struct Event {
    pub position: i64,
    pub stream: StreamName,
    pub sequence: i64,
    pub r#type: String,
    pub version: u32,
    pub payload: Value,
    /// Who and why: actor, dialect, request id, command id.
    pub metadata: Value,
    pub recorded_at: String,
    pub hash: String,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the words of the API")]
pub struct Events {
    pub events: Vec<Event>,
    pub next_after: i64,
    pub head: i64,
}

#[derive(Debug, Serialize)]
pub struct Stream {
    pub r#type: String,
    pub id: String,
    pub events: Vec<Event>,
}

#[derive(Debug, Serialize)]
pub struct StateAt {
    pub r#type: String,
    pub id: String,
    pub at: String,
    pub version: i64,
    pub state: Value,
}
