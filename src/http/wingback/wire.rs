//! The bodies and queries of this dialect, as they come in and go out.

use std::collections::BTreeMap;

use aggregates::id::{ChargeId, CustomerId, DiscountId, InvoiceId, PlanId, SubscriptionId};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{estimates::Estimates, id::Id};

/// Absent and null mean the same: leave it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoicingPreferences {
    pub automatic_payment: Option<bool>,
    pub due_date_policy: Option<DueDatePolicy>,
    pub flat_fee_due_date_policy: Option<DueDatePolicy>,
    pub invoice_trigger: Option<InvoiceTrigger>,
    pub usage_period_closing_policy: Option<UsagePeriodClosingPolicy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DueDatePolicy {
    StartOfPeriod,
    EndOfPeriod,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceTrigger {
    Immediate,
    Periodic(UnboundedPeriodRule),
    Manual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnboundedPeriodRule {
    pub cycle: TriggerCycle,
    pub cycle_count: u32,
    pub cycle_start_offset: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerCycle {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsagePeriodClosingPolicy {
    Automatic,
    Manual,
    #[serde(rename = "15 minutes")]
    After15Minutes,
    #[serde(rename = "1 hour")]
    After1Hour,
    #[serde(rename = "1 day")]
    After1Day,
}

#[derive(Debug, Deserialize)]
pub struct CreateInvoices {
    pub contract_id: Option<Id<SubscriptionId>>,
    pub customer_id: Option<Id<CustomerId>>,
    pub invoice_item_ids: Option<Vec<Id<ChargeId>>>,
}

/// Everything as text: what is wrong with a value is said where it is read.
#[derive(Debug, Default, Deserialize)]
pub struct PageQuery {
    pub limit: Option<String>,
    pub offset: Option<String>,
    pub direction: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub struct InvoiceQuery {
    pub customer: Option<String>,
    pub date_before: Option<String>,
    pub date_after: Option<String>,
    pub limit: Option<String>,
    pub offset: Option<String>,
    pub direction: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub struct CustomerQuery {
    pub customer_reference: Option<String>,
    pub email: Option<String>,
    pub limit: Option<String>,
    pub offset: Option<String>,
    pub direction: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Paginated<T> {
    pub hits: Vec<T>,
    pub total: i64,
    pub total_pages: i64,
    pub current_page: i64,
    pub first: Option<String>,
    pub last: Option<String>,
    pub forward: Option<String>,
    pub backward: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct InvoiceNumber {
    pub number: String,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the vendor's words")]
pub struct Invoice {
    pub id: Id<InvoiceId>,
    pub customer_id: Id<CustomerId>,
    pub currency: String,
    pub date: NaiveDate,
    pub due_date: NaiveDate,
    pub status: &'static str,
    pub total: String,
    pub invoice_number: InvoiceNumber,
    pub deposit_transaction_status: &'static str,
    pub deposit_transaction_id: Option<String>,
    pub external_reference: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct ListedInvoice {
    pub invoice: Invoice,
    pub detailed_invoice_status: &'static str,
    pub payment_execution_provider: &'static str,
    pub payment_execution_status: &'static str,
}

#[derive(Debug, Serialize)]
pub struct InvoiceItem {
    pub id: Id<ChargeId>,
    pub charge_id: Id<ChargeId>,
    pub invoice_id: Option<Id<InvoiceId>>,
    pub currency: String,
    pub name: String,
    pub description: Option<String>,
    pub due_date: NaiveDate,
    pub status: &'static str,
    pub scheduling_policy: &'static str,
    pub unit_count: String,
    pub unit_price: String,
    pub subtotal: String,
    pub discount_amount: Option<String>,
    pub discount_description: Option<String>,
    pub tax_amount: Option<String>,
    pub tax_code: Option<String>,
    pub tax_policy: Option<&'static str>,
    pub total_excluding_tax: String,
    pub total_including_tax: String,
    pub withdrawal_transaction_id: Option<String>,
    /// Our extension: the billing period, its end excluded.
    pub period_start: NaiveDate,
    pub period_end: Option<NaiveDate>,
}

#[derive(Debug, Serialize)]
pub struct CostSummary {
    pub currency: String,
    pub subtotal: String,
    pub total_excluding_tax: String,
    pub tax_amount: String,
    pub total_including_tax: String,
}

#[derive(Debug, Serialize)]
pub struct WbCustomer {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Serialize)]
pub struct InvoiceBranding {}

#[derive(Debug, Serialize)]
pub struct InvoiceDetail {
    pub invoice: Invoice,
    pub invoice_lines: Vec<InvoiceItem>,
    pub cost_summary: CostSummary,
    pub customer: Customer,
    pub wb_customer: WbCustomer,
    pub invoice_branding: InvoiceBranding,
    pub transactions: Vec<Value>,
    pub payment_details: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub line_1: String,
    pub line_2: Option<String>,
    pub city: String,
    pub zip: String,
    pub state: Option<String>,
    pub country: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxDetails {
    pub vat_id: Option<String>,
}

/// A customer to create, or, with an id, to change: absent and null leave a field as it is.
#[derive(Clone, Debug, Deserialize)]
pub struct CustomerInput {
    pub id: Option<Id<CustomerId>>,
    pub name: Option<String>,
    pub emails: Option<BTreeMap<String, String>>,
    pub address: Option<Address>,
    pub tax_details: Option<TaxDetails>,
    pub customer_reference: Option<String>,
    pub notes: Option<String>,
    pub metadata: Option<BTreeMap<String, String>>,
    /// UNCONFIRMED: where the customer's own choice is set; the vendor only says that there is one.
    pub automatic_payment: Option<bool>,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the vendor's words")]
pub struct Customer {
    pub id: Id<CustomerId>,
    pub created: DateTime<Utc>,
    pub status: &'static str,
    pub name: Option<String>,
    pub emails: BTreeMap<String, String>,
    pub address: Option<Address>,
    pub tax_details: Option<TaxDetails>,
    pub customer_reference: Option<String>,
    pub notes: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub automatic_payment: Option<bool>,
    pub contracts: Vec<CustomerContract>,
}

#[derive(Debug, Serialize)]
pub struct CustomerContract {
    pub id: Id<SubscriptionId>,
    pub plan_id: Option<Id<PlanId>>,
    pub status: &'static str,
    pub currency: String,
    pub cycle: Cycle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cycle {
    Once,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Constant,
}

/// A contract to sign. `pricing_id`, `discount_id` and `feature_configuration` would change prices; they are refused
/// until they do.
#[derive(Debug, Deserialize)]
pub struct ContractInput {
    pub customer: Option<Id<CustomerId>>,
    pub plan: Option<Id<PlanId>>,
    pub currency: Option<String>,
    pub cycle: Option<Cycle>,
    pub activation: Option<String>,
    pub automatic_payment: Option<bool>,
    pub invoice_trigger: Option<InvoiceTrigger>,
    pub is_pending: Option<bool>,
    /// UNCONFIRMED: that it can be sent; answers have it.
    pub cycle_start_offset: Option<u32>,
    pub free_trial_days: Option<Value>,
    pub pricing_id: Option<Value>,
    pub discount_id: Option<Id<DiscountId>>,
    pub unit_count_configuration: Option<Value>,
    pub feature_configuration: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BillingPeriod {
    pub start: DateTime<Utc>,
    pub end: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BillingInformation {
    pub current_period: BillingPeriod,
    pub current_period_idx: i64,
}

#[derive(Debug, Serialize)]
pub struct ContractConfiguration {
    pub automatic_payment: bool,
    pub due_date_policy: DueDatePolicy,
    pub flat_fee_due_date_policy: DueDatePolicy,
    pub invoice_trigger: InvoiceTrigger,
    pub usage_period_closing_policy: UsagePeriodClosingPolicy,
}

#[derive(Debug, Serialize)]
pub struct ContractSummary {
    pub id: Id<SubscriptionId>,
    pub plan: Option<String>,
    pub plan_id: Option<Id<PlanId>>,
    pub plan_internal_name: Option<String>,
    pub plan_external_name: Option<String>,
    pub customer: Option<String>,
    pub customer_id: Id<CustomerId>,
    pub status: &'static str,
    pub cycle: Cycle,
    pub cycle_start_offset: i64,
    pub currency: String,
    /// Of a full cycle.
    pub amount: Option<String>,
    pub created: DateTime<Utc>,
    pub activation: DateTime<Utc>,
    pub expiration: Option<DateTime<Utc>>,
    pub pricing_id: Option<String>,
    pub free_cycles: u32,
    pub free_trial_end: Option<DateTime<Utc>>,
    pub next_cycle_start: Option<DateTime<Utc>>,
    pub billing_information: BillingInformation,
    pub configuration: ContractConfiguration,
    pub cost_estimates: Option<Estimates>,
}

#[derive(Debug, Serialize)]
pub struct Plan {
    pub id: Id<PlanId>,
    pub name: String,
    pub currency: String,
}

#[derive(Debug, Serialize)]
pub struct ContractDetail {
    pub contract_summary: ContractSummary,
    pub plan: Option<Plan>,
    pub billing_information: BillingInformation,
    pub discount: Option<ContractDiscount>,
}

/// UNCONFIRMED: the fields of a contract's discount.
#[derive(Debug, Serialize)]
pub struct ContractDiscount {
    pub id: Option<Id<DiscountId>>,
    pub name: Option<String>,
    pub percentage: Option<String>,
    pub amount: Option<String>,
}

/// When a pending contract is activated.
#[derive(Debug, Default, Deserialize)]
pub struct ActivationInput {
    pub activation: Option<String>,
}

/// When a contract ends.
#[derive(Debug, Default, Deserialize)]
pub struct CancellationInput {
    pub date: Option<String>,
}

// UNCONFIRMED: how a changed unit count is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpgradeStrategy {
    NewPlan,
    #[serde(alias = "change-unit-count")]
    ChangeUnitCount,
}

#[derive(Debug, Deserialize)]
pub struct UpgradeInput {
    pub downgrade_allowed: Option<bool>,
    pub upgrade_configuration: Option<UpgradeConfiguration>,
}

#[derive(Debug, Deserialize)]
pub struct UpgradeConfiguration {
    pub upgrade_strategy: Option<UpgradeStrategy>,
    pub activation: Option<Value>,
    pub currency: Option<String>,
    pub cycle: Option<Cycle>,
    pub plan_id: Option<Id<PlanId>>,
    pub pricing_id: Option<Value>,
    pub discount_id: Option<Value>,
    pub unit_configuration: Option<Value>,
    pub unit_count_configuration: Option<Value>,
}

#[derive(Debug, Serialize)]
pub struct UpgradeEstimate {
    pub is_downgrade: bool,
    pub new_contract_period: BillingPeriod,
    pub price_on_new_contract: Vec<EstimatedInvoice>,
    pub remains_to_pay_current_contract: Vec<EstimatedInvoice>,
    pub pro_rate_new_contract: Option<String>,
    pub pro_rate_old_contract: Option<String>,
}

/// Without an invoice: what would wait for one.
#[derive(Debug, Serialize)]
pub struct EstimatedInvoice {
    pub invoice: Option<EstimatedTotal>,
    pub invoice_items: Vec<InvoiceItem>,
}

/// An invoice that does not exist has no id and no number.
#[derive(Debug, Serialize)]
pub struct EstimatedTotal {
    pub customer_id: Id<CustomerId>,
    pub currency: String,
    pub date: NaiveDate,
    pub due_date: NaiveDate,
    pub total: String,
    /// Our extension: what is left of the total after the customer's credit.
    pub to_pay: String,
}
