//! What would have been billed under other terms, in our API's words: from the question and back to its answer.

use aggregates::{
    id::SubscriptionId,
    invoice::{Issued, printed_number},
    money::MoneyError,
    order_terms::{Alignment, Mode, OrderBillingChanges, Term, catalogue},
    preferences::InvoicingChanges,
    subscription::Supposed,
    terms::{DueDatePolicy, InvoiceTrigger, UsagePeriodClosing},
};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    convert::{self, print_id},
    error::{Error, Result},
    wire::{PolicyInput, Unbillable},
};
use crate::app::what_if::{Compared, Comparison, MAX_MONTHS, Pair, Refusal, Totals};

/// A field that is not known is a mistake about money.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub customer_id: Option<String>,
    pub contract_id: Option<String>,
    pub months: Option<u32>,
    pub invoicing: Option<InvoicingInput>,
    pub order_billing: Option<OrderBillingInput>,
    pub policy: Option<PolicyInput>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub enum ClosingWord {
    #[serde(rename = "automatic")]
    Automatic,
    #[serde(rename = "manual")]
    Manual,
    #[serde(rename = "after_15_minutes")]
    After15Minutes,
    #[serde(rename = "after_1_hour")]
    After1Hour,
    #[serde(rename = "after_1_day")]
    After1Day,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoicingInput {
    pub automatic_payment: Option<bool>,
    pub due_date_policy: Option<DueDatePolicy>,
    pub flat_fee_due_date_policy: Option<DueDatePolicy>,
    pub invoice_trigger: Option<InvoiceTrigger>,
    pub usage_period_closing: Option<ClosingWord>,
}

/// Terms and periods by the names that orders know them by.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderBillingInput {
    pub communication_profile: Option<String>,
    pub invoice_mode: Option<Mode>,
    pub invoice_term: Option<String>,
    pub billing_period: Option<String>,
    pub consolidate_invoice: Option<bool>,
    pub consolidate_key: Option<String>,
    pub payment_processor: Option<String>,
    pub payment_mode: Option<Mode>,
    pub payment_term: Option<String>,
    pub payment_term_alignment: Option<Alignment>,
    pub fulfillment_mode: Option<Mode>,
    pub fulfillment_term: Option<String>,
    pub pro_rata_partial_charging_period: Option<bool>,
    pub pro_rata_partial_pricing_period: Option<bool>,
    pub pro_rata_partial_unit: Option<bool>,
}

#[derive(Debug, Serialize)]
pub struct Answer {
    from: NaiveDate,
    customers: Vec<OfCustomer>,
    unbillable: Vec<Unbillable>,
    refused: Vec<Refused>,
    /// Contracts.
    replayed: Vec<String>,
}

/// What happened, and would have been refused under the terms supposed.
#[derive(Debug, Serialize)]
struct Refused {
    contract_id: String,
    at: String,
    event: &'static str,
    reason: String,
}

/// A customer's invoices in one currency.
#[derive(Debug, Serialize)]
struct OfCustomer {
    customer_id: String,
    currency: &'static str,
    was: Sums,
    would_be: Sums,
    difference: Sums,
    invoices: Vec<Compare>,
}

#[derive(Debug, Serialize)]
struct Sums {
    /// How many.
    invoices: i64,
    net: String,
    tax: String,
    total: String,
    to_pay: String,
}

#[derive(Debug, Serialize)]
struct Compare {
    contract_id: Option<String>,
    was: Option<One>,
    would_be: Option<One>,
    difference: Sums,
}

/// `id` and `number` are null of what was never made.
#[derive(Debug, Serialize)]
struct One {
    id: Option<String>,
    number: Option<String>,
    issue_date: NaiveDate,
    due_date: NaiveDate,
    lines: usize,
    net: String,
    tax: String,
    total: String,
    to_pay: String,
}

/// How many months back, and what is supposed.
pub fn question(input: Input) -> Result<(u32, Supposed)> {
    let months = input.months.ok_or_else(|| Error::missing("months"))?;
    if !(1..=MAX_MONTHS).contains(&months) {
        return Err(Error::invalid("months", format!("from 1 to {MAX_MONTHS} months")));
    }
    let supposed = Supposed {
        invoicing: invoicing(&input.invoicing.unwrap_or_default())?,
        order: order(input.order_billing.unwrap_or_default())?,
        policy: convert::policy(input.policy.unwrap_or_default()),
    };
    Ok((months, supposed))
}

fn invoicing(input: &InvoicingInput) -> Result<InvoicingChanges> {
    if let Some(InvoiceTrigger::Periodic(rule)) = input.invoice_trigger
        && rule.count == 0
    {
        let message = "a periodic trigger needs a count of at least 1";
        return Err(Error::invalid("invoicing.invoice_trigger", message));
    }
    Ok(InvoicingChanges {
        automatic_payment: input.automatic_payment,
        due_date_policy: input.due_date_policy,
        flat_fee_due_date_policy: input.flat_fee_due_date_policy,
        invoice_trigger: input.invoice_trigger,
        usage_period_closing: input.usage_period_closing.map(|word| match word {
            ClosingWord::Automatic => UsagePeriodClosing::Automatic,
            ClosingWord::Manual => UsagePeriodClosing::Manual,
            ClosingWord::After15Minutes => UsagePeriodClosing::After15Minutes,
            ClosingWord::After1Hour => UsagePeriodClosing::After1Hour,
            ClosingWord::After1Day => UsagePeriodClosing::After1Day,
        }),
    })
}

fn order(input: OrderBillingInput) -> Result<OrderBillingChanges> {
    let term = |known: fn(&str) -> Option<Term>, field: &str, name: Option<String>| {
        let find = |name: String| known(&name).ok_or_else(|| unknown(field, &name));
        name.map(find).transpose()
    };
    let period = |name: String| catalogue::billing_period(&name).ok_or_else(|| unknown("billing_period", &name));
    let listed = |records: Vec<String>, field: &str, name: Option<String>| {
        let find = |name: String| catalogue::find(records, String::as_str, &name).ok_or_else(|| unknown(field, &name));
        name.map(find).transpose()
    };
    let (profiles, processors) = (catalogue::communication_profiles(), catalogue::payment_processors());
    Ok(OrderBillingChanges {
        communication_profile: listed(profiles, "communication_profile", input.communication_profile)?,
        invoice_mode: input.invoice_mode,
        invoice_term: term(catalogue::invoice_term, "invoice_term", input.invoice_term)?,
        billing_period: input.billing_period.map(period).transpose()?,
        consolidate_invoice: input.consolidate_invoice,
        consolidate_key: input.consolidate_key,
        payment_processor: listed(processors, "payment_processor", input.payment_processor)?,
        payment_mode: input.payment_mode,
        payment_term: term(catalogue::payment_term, "payment_term", input.payment_term)?,
        payment_term_alignment: input.payment_term_alignment,
        fulfillment_mode: input.fulfillment_mode,
        fulfillment_term: term(catalogue::fulfillment_term, "fulfillment_term", input.fulfillment_term)?,
        pro_rata_partial_charging_period: input.pro_rata_partial_charging_period,
        pro_rata_partial_pricing_period: input.pro_rata_partial_pricing_period,
        pro_rata_partial_unit: input.pro_rata_partial_unit,
    })
}

fn unknown(field: &str, name: &str) -> Error {
    Error::invalid(format!("order_billing.{field}"), format!("\"{name}\" is not known"))
}

pub fn answer(comparison: &Comparison) -> std::result::Result<Answer, MoneyError> {
    let unbillable = comparison.unbillable.iter().map(|(contract, reason)| Unbillable {
        contract_id: Some(print_id("Cont", contract.0)),
        subscriber_id: None,
        reason: reason.clone(),
    });
    Ok(Answer {
        from: comparison.from,
        customers: comparison
            .customers
            .iter()
            .map(customer)
            .collect::<std::result::Result<_, _>>()?,
        unbillable: unbillable.collect(),
        refused: comparison.refused.iter().map(refused).collect(),
        replayed: comparison
            .replayed
            .iter()
            .map(|contract| print_id("Cont", contract.0))
            .collect(),
    })
}

fn refused((contract, refusal): &(SubscriptionId, Refusal)) -> Refused {
    Refused {
        contract_id: print_id("Cont", contract.0),
        at: convert::print_time(refusal.at),
        event: refusal.event,
        reason: refusal.reason.clone(),
    }
}

fn customer(compared: &Compared) -> std::result::Result<OfCustomer, MoneyError> {
    let pair = |pair: &Pair| -> std::result::Result<Compare, MoneyError> {
        let totals = |issued: &Option<Issued>| Totals::of(compared.currency, issued.iter());
        let either = pair.was.as_ref().or(pair.would_be.as_ref());
        Ok(Compare {
            contract_id: either.map(|issued| print_id("Cont", issued.subscription.0)),
            difference: sums(&totals(&pair.would_be)?.less(&totals(&pair.was)?)?),
            was: pair.was.as_ref().map(|issued| One {
                id: Some(print_id("Inv", issued.invoice.0)),
                number: Some(printed_number(issued.number)),
                ..one(issued)
            }),
            would_be: pair.would_be.as_ref().map(one),
        })
    };
    Ok(OfCustomer {
        customer_id: print_id("Cust", compared.customer.0),
        currency: compared.currency.code(),
        was: sums(&compared.was),
        would_be: sums(&compared.would_be),
        difference: sums(&compared.would_be.less(&compared.was)?),
        invoices: compared
            .invoices
            .iter()
            .map(pair)
            .collect::<std::result::Result<_, _>>()?,
    })
}

fn one(issued: &Issued) -> One {
    One {
        id: None,
        number: None,
        issue_date: issued.issue_date,
        due_date: issued.due_date,
        lines: issued.lines.len(),
        net: issued.net().to_string(),
        tax: issued.tax().to_string(),
        total: issued.total.to_string(),
        to_pay: issued.to_pay().to_string(),
    }
}

fn sums(totals: &Totals) -> Sums {
    Sums {
        invoices: totals.invoices,
        net: totals.net.to_string(),
        tax: totals.tax.to_string(),
        total: totals.total.to_string(),
        to_pay: totals.to_pay.to_string(),
    }
}
