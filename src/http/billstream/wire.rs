//! The bodies and queries of our own API.

use aggregates::{
    billing::{Aggregation, Explanation, Proration, TaxLevel, TaxMode},
    id::{BillingTemplateId, SubscriptionId},
    subscription::Status,
};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A field that is not known is a mistake about a day.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayInput {
    /// Today where absent.
    pub on: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct ContractState {
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_billing: Option<String>,
}

/// A field that is not known is a mistake about whose a contract is, or from when on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveInput {
    pub customer: Option<String>,
    /// Today where absent.
    pub effective: Option<String>,
    /// Of an order.
    pub order_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct MovedContract {
    /// The contract that goes on.
    pub contract_id: String,
    pub moved_from: String,
    pub customer_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    pub effective: NaiveDate,
    pub status: Status,
    pub next_billing: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct PlanInput {
    pub name: Option<String>,
    pub currency: Option<String>,
    /// Without them only what is charged by hand is billed.
    pub lines: Option<Vec<LineInput>>,
}

/// Amounts are text. A fixed amount needs the currency it is in.
#[derive(Debug, Deserialize)]
pub struct DiscountInput {
    pub name: Option<String>,
    pub percent: Option<String>,
    pub fixed: Option<String>,
    pub currency: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    OneOff,
    Recurring,
    Metered,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineTiming {
    Advance,
    Arrears,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregationWord {
    Sum,
    Count,
    Max,
    Latest,
    Unique,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceModel {
    Flat,
    PerUnit,
    Graduated,
    Volume,
    Package,
    Stairstep,
}

/// Numbers are text, so that none is read as a float on its way. A field that is not known is a mistake about money.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineInput {
    pub name: Option<String>,
    pub kind: Option<LineKind>,
    pub metric: Option<String>,
    pub aggregation: Option<AggregationWord>,
    pub timing: Option<LineTiming>,
    pub price: Option<PriceInput>,
    pub quantity: Option<String>,
    pub flat_fee: Option<bool>,
    pub prorate: Option<bool>,
    /// In percent.
    pub tax_rate: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceInput {
    pub model: Option<PriceModel>,
    pub amount: Option<String>,
    pub size: Option<String>,
    pub tiers: Option<Vec<TierInput>>,
    pub free_units: Option<String>,
    pub minimum: Option<String>,
    pub maximum: Option<String>,
    pub flat_fee_at_zero: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierInput {
    pub up_to: Option<String>,
    pub unit: Option<String>,
    pub flat: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct RunPreviewInput {
    pub until: Option<String>,
    pub customer_id: Option<String>,
    pub contract_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct InvoicesPreviewInput {
    pub customer_id: Option<String>,
    pub contract_id: Option<String>,
    pub invoice_item_ids: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
pub struct Invoices {
    pub invoices: Vec<ExplainedInvoice>,
}

/// Amounts are text in units of the currency; a draft has no number.
#[derive(Debug, Serialize)]
pub struct ExplainedInvoice {
    pub id: String,
    pub number: Option<i64>,
    pub contract_id: String,
    pub customer_id: String,
    pub currency: &'static str,
    pub issue_date: NaiveDate,
    pub due_date: NaiveDate,
    pub automatic_payment: bool,
    pub lines: Vec<ExplainedLine>,
    /// `net + tax = total`.
    pub net: String,
    pub tax: String,
    pub total: String,
    pub credit_granted: String,
    pub credit_applied: String,
    pub to_pay: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voided: Option<Void>,
}

/// When an invoice was voided, and why.
#[derive(Debug, Serialize)]
pub struct Void {
    pub at: String,
    pub reason: String,
}

#[derive(Debug, Deserialize)]
pub struct VoidInput {
    pub reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct VoidedInvoice {
    pub id: String,
    pub number: i64,
    pub status: &'static str,
    pub total: String,
    pub balance: String,
    pub voided: Option<Void>,
}

/// `explanation` is null where somebody charged the amount by hand.
#[derive(Debug, Serialize)]
pub struct ExplainedLine {
    pub id: String,
    /// Whose it is: several share an invoice.
    pub contract_id: String,
    pub name: String,
    /// As it is priced: with its tax where prices contain it.
    pub amount: String,
    /// In percent; null where there is no tax.
    pub tax_rate: Option<String>,
    /// The line's part of the tax; known once it is on an invoice.
    pub tax: Option<String>,
    pub period_start: NaiveDate,
    pub period_end: Option<NaiveDate>,
    pub explanation: Option<Explained>,
    /// Of a line of an invoice that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

#[derive(Debug, Serialize)]
pub struct Explained {
    /// Without its correction, which is told below.
    #[serde(flatten)]
    pub explanation: Explanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction: Option<Correction>,
    /// How `exact` became the amount.
    pub rounding: Rounding,
}

#[derive(Debug, Serialize)]
pub struct Correction {
    pub number: u32,
    pub billed_before: String,
}

#[derive(Debug, Serialize)]
pub struct Rounding {
    pub mode: &'static str,
    pub places: u32,
}

/// The events that a line came from, and what it takes back, corrects or was metered by, where it does.
#[derive(Debug, Serialize)]
pub struct Origin {
    pub events: Vec<EventName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrects: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageOrigin>,
}

#[derive(Debug, Serialize)]
pub struct EventName {
    pub stream: StreamName,
    pub sequence: i64,
    pub position: i64,
    pub r#type: String,
}

#[derive(Debug, Serialize)]
pub struct UsageOrigin {
    pub stream: StreamName,
    pub metric: String,
    pub aggregation: Aggregation,
    pub from: NaiveDate,
    pub until: Option<NaiveDate>,
    /// How many records of these days counted.
    pub records: u64,
    /// In how many events of the stream they are.
    pub events: u64,
    /// Which these are: the first 1000.
    pub sequences: Vec<i64>,
}

#[derive(Debug, Serialize)]
pub struct Preview {
    pub charges: Vec<PreviewedCharge>,
    pub invoices: Vec<ExplainedInvoice>,
    pub purchases: Vec<PreviewedPurchase>,
    pub unbillable: Vec<Unbillable>,
}

/// Of a subscriber; it has no number yet.
#[derive(Debug, Serialize)]
pub struct PreviewedPurchase {
    pub id: String,
    pub billing_template_id: Option<BillingTemplateId>,
    pub subscriber_id: Option<SubscriptionId>,
    pub customer_id: String,
    pub issued: NaiveDate,
    pub due: String,
    pub reference: String,
    pub currency: &'static str,
    pub products: Vec<PreviewedProduct>,
    pub total: String,
}

#[derive(Debug, Serialize)]
pub struct PreviewedProduct {
    pub name: String,
    pub quantity: String,
    /// Of one piece, without tax.
    pub price: String,
    /// Off the whole line.
    pub discount: String,
    pub tax_percent: String,
}

#[derive(Debug, Serialize)]
pub struct PreviewedCharge {
    pub due_date: NaiveDate,
    #[serde(flatten)]
    pub line: ExplainedLine,
}

/// A contract or an order, or a subscriber of a billing template.
#[derive(Debug, Serialize)]
pub struct Unbillable {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriber_id: Option<SubscriptionId>,
    pub reason: String,
}

/// A field that is not known is a mistake about money.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyInput {
    pub proration: Option<Proration>,
    pub tax_level: Option<TaxLevel>,
    pub tax_mode: Option<TaxMode>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeZoneInput {
    pub time_zone: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct TimeZone {
    pub time_zone: String,
}

#[derive(Debug, Serialize)]
pub struct Policy {
    pub version: String,
    pub proration: Proration,
    pub tax_level: TaxLevel,
    pub tax_mode: TaxMode,
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
    /// How many subscriptions and subscribers could not be billed, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unbilled: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct ClockBilled {
    pub charges: u64,
    pub invoices: u64,
    /// Of subscribers, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchases: Option<u64>,
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
    /// Null in test mode: whoever moves the clock tries again.
    pub retry_at: Option<String>,
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
